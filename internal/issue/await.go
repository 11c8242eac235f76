package issue

import (
	"context"
	"errors"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
)

// await is the long way: to have the grant renewed by whoever gets its lease,
// and to read again until the result is there.
func (c *call) await(ctx context.Context) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, c.deadline.Sub(c.now()))
	defer cancel()
	c.trouble = false // what failed on the way here is tried again
	pause := firstPause
	tryAt := c.start // when the lease may be free
	again := firstAgain
	for {
		if !c.now().Before(tryAt) {
			held, err := c.take(ctx, c.now().Add(lease.SyncTerm))
			if failed := c.failedBefore(held); failed != nil {
				if err == nil {
					c.giveBack(ctx, held)
				}
				return c.settled(failed)
			}
			switch {
			case err == nil:
				if ended, err := c.won(ctx, held); ended {
					return c.settled(err)
				}
			case errors.Is(err, lease.ErrHeld):
				// It may be given back before its end.
				tryAt = c.now().Add(min(held.Until.Sub(c.now()), again))
				again = min(2*again, lease.SyncTerm)
			}
		}
		if !c.pause(ctx, pause) {
			return c.settled(c.late())
		}
		pause = min(2*pause, longestPause)
		// A read that fails is a pause.
		if err := c.read(ctx, grant.Eventual); err == nil && c.over() {
			return c.settled(nil)
		}
	}
}

// won has the grant renewed, with the lease in hand. It reports whether that
// ended the waiting, and with what error.
func (c *call) won(ctx context.Context, held lease.Lease) (ended bool, err error) {
	c.holds = true
	defer func() { c.holds = false }()
	if err := c.read(ctx, grant.Strong); err != nil || c.over() {
		c.giveBack(ctx, held)
		return ctx.Err() == nil || err == nil, err
	}
	result, err := c.Rotate.Rotate(ctx, c.rotation(held))
	if err != nil {
		if ctx.Err() != nil {
			return false, nil // it goes on without us, and so do we
		}
		f := apierr.Of(err)
		held.Failure, held.FailedAt = lease.Failure{Type: string(f.Type), Message: f.Message}, c.now()
		c.giveBack(ctx, held)
		return true, err
	}
	if err := c.read(ctx, grant.Strong); err == nil && c.over() {
		return true, nil
	}
	switch *result.Outcome {
	case rotateapi.Failed, rotateapi.Reauthorize:
		if f := result.Fault(); f != nil {
			return true, f
		}
	}
	return false, nil // no news, or news that cannot be read yet
}

// failedBefore is why the function that renews could not be invoked by another
// caller, while this one waited; nil if it could. Each would only find out the
// same, one after the other.
func (c *call) failedBefore(l lease.Lease) error {
	if !l.FailedAt.After(c.start) || l.FailedAt.After(c.now().Add(lease.Skew)) {
		return nil
	}
	t := apierr.Type(l.Failure.Type)
	if !t.Known() {
		return nil
	}
	return apierr.New(t, l.Failure.Message)
}

// giveBack ends a lease that was not handed over, whatever became of the
// caller's context; but no store keeps a caller for long after its deadline.
func (c *call) giveBack(ctx context.Context, held lease.Lease) {
	left := max(grace, c.deadline.Add(grace).Sub(c.now()))
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), min(left, aside))
	defer cancel()
	_ = c.Leases.ReleaseLease(ctx, held) // it ends by itself otherwise
}

// over reports whether the grant last read ends the waiting: by a token, or by
// news later than the call itself.
func (c *call) over() bool {
	if c.state() != wanting {
		return true
	}
	return c.g.RetryAt.After(c.start) && !c.g.Valid(c.now())
}

// pause waits for half of d at least, and all of it at most; false if the
// caller's patience ends first.
func (c *call) pause(ctx context.Context, d time.Duration) bool {
	d -= time.Duration(c.chance() * float64(d) / 2)
	if !c.now().Add(d).Before(c.deadline) {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// late is the error of a caller whose patience has ended.
func (c *call) late() error {
	if e := c.g.Error(c.now()); e != nil && e.Type == apierr.RateLimited {
		return e
	}
	return unavailable()
}

// settled is the answer at the end of the waiting. A living token is the
// answer whatever failed.
func (c *call) settled(err error) (Answer, error) {
	if err == nil {
		return c.answer()
	}
	if c.allowed() && c.g.Valid(c.now()) {
		c.trouble = true
		return c.answer()
	}
	if !c.allowed() {
		return c.answer()
	}
	return Answer{}, err
}
