package renewal

import (
	"context"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/holder"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
)

// run is one renewal in progress: it carries out what plan and interpret decide.
type run struct {
	*Renewer
	name string
	// bus remembers for a sweep whether the event bus failed; nil: no sweep.
	bus *holder.Bus

	held *holder.Holder
	// ahead is what was read together with the grant and not used yet.
	ahead  grant.Batch
	o      observation
	p      progress
	report Report
	// ledger is that of the last request.
	ledger ledger
}

// newRun is a renewal that has not begun.
func (r *Renewer) newRun(asked rotateapi.Request, by origin) *run {
	return &run{Renewer: r, name: asked.Connection, p: progress{asked: asked, origin: by, phase: deciding, refused: notRefused}}
}

// run is one renewal, the only place that gets a token: it takes the lease, makes
// passes until the renewal has an end, writes that end, sends the events, and
// releases the lease.
func (r *run) run(ctx context.Context) Report {
	r.report.Connection = r.name
	r.o.loginAttempts, r.o.announces = r.loginAttempts(), r.Events != nil
	if err := r.lease(ctx); err != nil {
		r.observed()
		r.settle(ctx, view{r.o, r.p}.endOf(err))
		return r.report
	}
	idle := false
	defer func() {
		if !idle { // an idle renewal's lease is kept until it expires
			r.held.Release(ctx, storeTime)
		}
	}()
	idle = r.renew(ctx)
	r.publish(ctx)
	t := r.o.tokens
	r.report.CircuitOpen = r.o.host.CircuitOpen()
	r.report.Unkept, r.report.Parked, r.report.Lost = apierr.Of(t.writeErr), t.parked, t.lost
	return r.report
}

// renew makes passes: read, plan, execute, interpret, store. Each pass sends one
// request. It reports whether nothing was done.
func (r *run) renew(ctx context.Context) (idle bool) {
	for range maxPasses {
		next := r.next(ctx)
		if next.end != nil {
			return r.settle(ctx, next.end)
		}
		response := r.execute(ctx, next.step)
		result := r.record(ctx, next.step, &response)
		known := response.granted(next.step) && r.ledger.hostAccepts(ctx)
		switch {
		case result.again:
		case result.given:
			r.learn(ctx, result.lesson, known)
			return false
		default:
			return r.settle(ctx, result.end)
		}
	}
	return false
}

// next reads, the cheapest first, until the plan is a request or an end.
func (r *run) next(ctx context.Context) action {
	r.o.seen, r.o.err = nothing, nil
	r.observed()
	next := plan(r.o, r.p)
	for ; next.look != nothing; next = plan(r.o, r.p) {
		r.o.err = reader{r}.look(ctx, next)
		r.o.seen = next.look
		r.observed()
	}
	if next.rank != unfit {
		r.report.rank = next.rank
	}
	return next
}

// record stores what a response means: first what the refresh token, the lockout
// record and the host's record have to know of it, then the grant. It stores what
// the server has given even if the caller's context has ended.
func (r *run) record(ctx context.Context, s step, response *response) result {
	storing, cancel := r.storing(ctx)
	defer cancel()
	switch {
	case response.notSent != nil:
	case s.asks():
		r.ledger.tell(storing, response)
	case s.probe > 0:
		r.ledger.tellHealth(storing, response.err)
	}
	r.observed()
	result := interpret(r.o, r.p, s, *response)
	r.o.grant, r.p = result.grant, result.progress
	if !result.store {
		return result
	}
	if err := r.store(storing, result); err != nil {
		r.observed()
		return result.unstored(err, view{r.o, r.p})
	}
	if result.given {
		r.report.Outcome, r.report.Err = result.end.outcome, result.end.err
	}
	return result
}

// settle reports the end of the renewal, and writes what callers have to know. It
// reports whether nothing was done.
func (r *run) settle(ctx context.Context, e *end) (idle bool) {
	final := view{r.o, r.p}.final(*e)
	storing, cancel := r.storing(ctx)
	defer cancel()
	if final.label {
		r.keeper().label(storing)
	}
	if final.write != nil {
		if err := r.write(storing, *final.write); err != nil {
			final = *unwritten(err)
			final.idle = e.idle
		}
	}
	r.report.Outcome, r.report.Err = final.outcome, final.err
	r.report.Unstored = r.report.Unstored || final.unstored
	r.report.atLimit, r.report.heldUntil, r.report.down = final.atLimit, final.heldUntil, r.o.host.Down()
	return final.idle
}
