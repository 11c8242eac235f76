package issue

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

// await waits for a renewal: the call takes the lease and invokes rotate, or
// reads the grant again until the renewal of the lease's holder is stored.
func (c *call) await(ctx context.Context) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, c.deadline.Sub(c.now()))
	defer cancel()
	c.trouble = false // what failed before is tried again below
	pause := firstPause
	tryAt := c.start // when the lease may be free
	again := firstAgain
	var table failing
	for {
		if !c.now().Before(tryAt) {
			held, err := c.take(ctx, c.now().Add(lease.SyncTerm))
			table.lease = ofTable(ctx, err)
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
				// The holder may release the lease before it ends.
				tryAt = c.now().Add(min(held.Until.Sub(c.now()), again))
				again = min(2*again, lease.SyncTerm)
			}
		}
		if !c.pause(ctx, pause) {
			return c.settled(c.late(table))
		}
		pause = c.nextPause(pause)
		// After a failed read the call pauses and reads again.
		err := c.read(ctx, grant.Eventual)
		table.read = ofTable(ctx, err)
		if err == nil && c.over() {
			return c.settled(nil)
		}
	}
}

// won has the grant renewed, under the lease. It reports whether the wait has
// ended, and with what error.
func (c *call) won(ctx context.Context, held lease.Lease) (ended bool, err error) {
	c.holds = true
	defer func() { c.holds = false }()
	if err := c.read(ctx, grant.Strong); err != nil || c.over() {
		c.giveBack(ctx, held)
		return ctx.Err() == nil || err == nil, err
	}
	result, err := c.Rotate.Rotate(ctx, c.rotateRequest(held))
	if err != nil {
		if ctx.Err() != nil {
			return false, nil // rotate goes on without this call, and this call reads on
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
	return false, nil // nothing was renewed, or the result cannot be read yet
}

// failedBefore returns the error with which another caller could not invoke
// rotate, while this call waited; nil if there is none. Without it all waiting
// callers would get the same failure one after the other.
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

// giveBack releases a lease that was not handed over, also after the caller's
// context has ended. It returns soon after the caller's deadline, even if the
// store hangs.
func (c *call) giveBack(ctx context.Context, held lease.Lease) {
	left := max(grace, c.deadline.Add(grace).Sub(c.now()))
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), min(left, backgroundTime))
	defer cancel()
	_ = c.Leases.ReleaseLease(ctx, held) // a lease that is not released expires
}

// over reports whether the grant last read ends the wait: it has a token for
// the call, or a failure that is later than the call's start.
func (c *call) over() bool {
	if c.state() != wanting {
		return true
	}
	return c.g.RetryAt.After(c.start) && !c.g.Valid(c.now())
}

// nextPause is the pause after one of d.
func (c *call) nextPause(d time.Duration) time.Duration {
	longest := longPause
	if c.now().Sub(c.start) >= patient {
		longest = longestPause
	}
	return min(d*5/4, longest)
}

// pause waits for half of d at least, and all of d at most. It returns false if
// the call's timeout passes first.
func (c *call) pause(ctx context.Context, d time.Duration) bool {
	d -= time.Duration(c.random() * float64(d) / 2)
	if !c.now().Add(d).Before(c.deadline) {
		return false
	}
	return ratelimit.Sleep(ctx, d) == nil
}

// failing is what the table did at the last try of each: nil if it was not the table
// that failed.
type failing struct{ lease, read error }

// ofTable returns an error of the table. One that comes from the call's own timeout says
// nothing about it.
func ofTable(ctx context.Context, err error) error {
	if ctx.Err() != nil || errors.Is(err, lease.ErrHeld) {
		return nil
	}
	return err
}

// late is the error of a caller whose timeout has passed: the table's, if the table let
// nothing be renewed or read.
func (c *call) late(table failing) error {
	e := c.g.Error(c.now())
	switch {
	case e != nil && e.Type == apierr.RateLimited:
		return e
	case table.lease != nil:
		return table.lease
	case table.read != nil:
		return table.read
	}
	return unavailable()
}

// settled is the result at the end of the wait. A valid token is the result
// whatever failed.
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
