package authcode

import (
	"context"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/holder"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// run is one callback in progress: it carries out what plan decides.
type run struct {
	*Flow
	o observation
	// held is the grant's lease, conn the connection to the authorization server,
	// slot the reservation of the host's slot; each nil: not there yet.
	held *holder.Holder
	conn *reltioauth.Conn
	slot *ratelimit.Slot
	// slotAt is when the slot is; began when it was asked for, and waited how long
	// the exchange waited for it.
	slotAt, began time.Time
	waited        time.Duration
	// until is when the time of the present steps ends.
	until time.Time
	// hostErr is why the host's record could not be read or written.
	hostErr error
	// usedAt and consumedAt are when this callback used the invitation and consumed
	// the request; zero: it did not.
	usedAt, consumedAt time.Time
}

// run is one callback: it plans, does a step, and plans again, until there is an
// end. Then it does the steps that close it, and releases the lease.
func (r *run) run(ctx context.Context) CallbackResult {
	defer r.release(ctx)
	r.o.now = r.Now()
	for {
		next := plan(r.o)
		if next.end != nil {
			for _, s := range next.end.closing {
				closer{r}.close(ctx, s, next.end.result)
			}
			return next.end.result
		}
		r.execute(ctx, next.step)
	}
}

// execute does one step within its time.
func (r *run) execute(ctx context.Context, s step) {
	ctx, cancel := r.stepContext(ctx, s)
	defer cancel()
	r.o.err = r.do(ctx, s)
	r.o.late = ctx.Err() != nil
	r.o.seen, r.o.now = s, r.Now()
}

// do does one step, and notes in the observation what it has found.
func (r *run) do(ctx context.Context, s step) error {
	switch s {
	case consumeUnsent, consume:
		return r.consume(ctx)
	case redirectOnceMore, redirectAgain:
		return r.redirectAgain(ctx)
	case dial:
		return r.dial(ctx)
	case seize:
		return r.seize(ctx)
	case reserve:
		return r.reserve(ctx)
	case useInvitation:
		return r.useInvitation(ctx)
	case awaitSlot:
		return r.awaitSlot(ctx)
	case exchange:
		return r.exchange(ctx)
	case recordThrottle:
		return r.recordThrottle(ctx)
	case resetGrant, keep, write, withdrawToken:
		return keeper{r}.do(ctx, s)
	default:
		return reader{r}.read(ctx, s)
	}
}
