package renewal

import (
	"context"
	"errors"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
)

const (
	// The pauses before a write of what Reltio gave is tried again.
	firstRetry   = 100 * time.Millisecond
	longestRetry = 400 * time.Millisecond
	// publishTimeSingle bounds the sending of all events of a single renewal, for
	// which a caller may wait.
	publishTimeSingle = time.Second
)

// jittered takes up to half of a pause off, so that two callers do not retry in
// step.
func jittered(d time.Duration, chance float64) time.Duration {
	return d - time.Duration(float64(d)*chance/2)
}

// lease adopts the lease that came with the request, or takes one.
func (r *run) lease(ctx context.Context) (err error) {
	c := r.holding()
	c.Bus = r.bus
	if r.Batches != nil {
		c.Grants = batched{Store: r.Grants, r: r}
	}
	if given := r.p.asked.Lease; given != nil {
		r.held, err = c.Adopt(ctx, lease.Lease{Connection: r.name, Owner: given.Owner, Epoch: given.Epoch})
		return err
	}
	r.held, err = c.Take(ctx, r.name, 0)
	return err
}

// storing is a context for storing what has happened: bounded, and not cancelled
// with the caller's.
func (r *run) storing(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), storeTime)
}

// observed sets the clock of the observation, after whatever took time.
func (r *run) observed() { r.o.now, r.o.chance = r.Now(), r.random() }

// took notes the grant as it is in the store.
func (r *run) took(g grant.Grant) {
	r.o = r.o.read(g)
	r.report.Version, r.report.Fingerprint = g.Version, g.Fingerprint
	r.report.RefreshExpiresAt = g.RefreshExpiresAt
}

// write stores g as the grant, with the events that its change requires.
func (r *run) write(ctx context.Context, g grant.Grant) error {
	if err := r.held.Write(ctx, g, r.o.person()); err != nil {
		return err
	}
	r.took(r.held.Stored())
	return nil
}

// store writes the grant of a result. What Reltio has given is written again for as
// long as storing may take: a lost token would have to be requested again.
func (r *run) store(ctx context.Context, result result) error {
	var err error
	for wait := firstRetry; ; wait = min(2*wait, longestRetry) {
		err = apierr.Clearer(err, r.write(ctx, result.grant))
		if err == nil || !result.given || errors.Is(err, grant.ErrFenced) {
			return err
		}
		if ratelimit.Sleep(ctx, jittered(wait, r.random())) != nil {
			return err
		}
	}
}

// publish sends the events of the stored grant after all other work. After one
// failure a sweep sends no other events: the event bus does not answer.
func (r *run) publish(ctx context.Context) {
	if r.report.Outcome == rotateapi.Contended {
		return
	}
	ctx, cancel := r.storing(ctx)
	defer cancel()
	limit := storeTime
	if r.p.origin == byName {
		limit = publishTimeSingle
	}
	r.report.EventErr = apierr.Of(r.held.Publish(ctx, limit))
}
