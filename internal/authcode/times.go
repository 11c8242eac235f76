package authcode

import (
	"context"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// The times of a callback, in one place. The function has 29 s: 4 s up to the
// lease (3 s of them to connect), 5 s to wait, 8 s for the exchange, 3 s to
// introspect, 5 s to store, 3 s to revoke, and the end. The lease has 35 s: 31 s
// are what follows it up to the store, and the last seconds in which a lease does
// not count.
const (
	// callbackTime is how long the function may take.
	callbackTime = 29 * time.Second
	prepareTime  = 4 * time.Second
	// ahead is how far ahead the exchange's slot lies at least, so that there is
	// time to consume the request before the slot.
	ahead        = 250 * time.Millisecond
	exchangeTime = 8 * time.Second // a person waits
	checkTime    = reltioauth.CheckTimeout
	storeTime    = 5 * time.Second
	revokeTime   = reltioauth.RevokeTimeout
	// closingTime is the least time for the last writes, answerTime that for the
	// response.
	closingTime = 750 * time.Millisecond
	answerTime  = 250 * time.Millisecond
	// lookTime bounds a read that the callback can do without, lastTime one of
	// the last writes. Steps that wait for them have their own time.
	lookTime = time.Second
	lastTime = 2 * time.Second
	// leastPutTime is the least time that each write of a refresh token gets.
	leastPutTime = 500 * time.Millisecond
	// parkTime bounds one attempt to park: one that hangs leaves time for
	// another.
	parkTime = time.Second
	// firstRepeat is the wait before a write of a refresh token is repeated. Each
	// further wait is twice as long.
	firstRepeat = 100 * time.Millisecond
)

// errNoTime says that the lease or the invocation would end before the work does.
var errNoTime error = apierr.New(apierr.StoreUnavailable, "too slow: not enough time is left to begin")

// deadline is the callback's deadline: its function's or the caller's, whichever is
// earlier, less the time for the response.
func deadline(ctx context.Context, now time.Time) time.Time {
	ends := now.Add(callbackTime)
	if d, ok := ctx.Deadline(); ok && d.Before(ends) {
		ends = d
	}
	return ends.Add(-answerTime)
}

// within is a context of at most d that leaves the last part of the callback's
// time, kept, to other steps.
func (r *run) within(ctx context.Context, d, kept time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, r.limit(d, kept))
}

// storing is within for writes that must happen even if the browser is gone.
func (r *run) storing(ctx context.Context, d, kept time.Duration) (context.Context, context.CancelFunc) {
	return r.within(context.WithoutCancel(ctx), d, kept)
}

// limit is d, or less if the last part of the callback's time, kept, begins before.
func (r *run) limit(d, kept time.Duration) time.Duration {
	return min(d, r.o.ends.Sub(r.Now())-kept)
}

// stepContext is the context of a step. Those up to the lease share one time limit,
// those from the reservation to the slot share one, and so do the writes of one
// result. Steps that have a limit of their own set it.
func (r *run) stepContext(ctx context.Context, s step) (context.Context, context.CancelFunc) {
	switch s {
	case readRequest:
		r.until = r.Now().Add(r.limit(prepareTime, 0))
	case reserve:
		r.until = r.Now().Add(ratelimit.MaxWait + ratelimit.MaxLate)
	case readAgain, withdrawToken:
		r.until = r.Now().Add(r.limit(storeTime, revokeTime+closingTime))
	}
	switch s {
	case readAgain, keep, write, withdrawToken, redirectAgain:
		ctx = context.WithoutCancel(ctx)
	case exchange, recordThrottle, askUser, verify:
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, r.until.Sub(r.Now()))
}
