package authcode

import (
	"context"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// The times of a callback, in one place. Up to the lease 4 s (dial 3 s), wait
// 5 s, exchange 8 s, check 3 s, store 5 s, revoke 3 s and the end are its
// function's 29 s. What follows the lease up to the store, and the lease's last
// seconds, are 31 of its 35.
const (
	// visitTime is the function's.
	visitTime   = 29 * time.Second
	prepareTime = 4 * time.Second
	// ahead is how far ahead the exchange's instant lies at least, so that the
	// request can be consumed before it.
	ahead        = 250 * time.Millisecond
	exchangeTime = reltioauth.TokenTimeout
	checkTime    = reltioauth.CheckTimeout
	storeTime    = 5 * time.Second
	revokeTime   = reltioauth.RevokeTimeout
	// closingTime is what the last writes have at least, answerTime what the
	// answer has.
	closingTime = 750 * time.Millisecond
	answerTime  = 250 * time.Millisecond
	// lookTime bounds a read beside the way, and lastTime one of the last
	// writes: what waits for them has a time of its own.
	lookTime = time.Second
	lastTime = 2 * time.Second
	// leastPutTime is what each write of the vault is given, however late it is.
	leastPutTime = 500 * time.Millisecond
	// parkTime bounds one attempt to park: one that hangs leaves time for another.
	parkTime = time.Second
	// firstRepeat is the pause before a write of the vault is repeated. Each
	// further pause is twice as long.
	firstRepeat = 100 * time.Millisecond
)

// errNoTime says that lease or invocation end before the work would.
var errNoTime error = apierr.New(apierr.StoreUnavailable, "too slow: not enough time is left to begin")

// end is when the visit has to be over: its function's, or the caller's, less
// what the answer takes.
func end(ctx context.Context, now time.Time) time.Time {
	ends := now.Add(visitTime)
	if deadline, ok := ctx.Deadline(); ok && deadline.Before(ends) {
		ends = deadline
	}
	return ends.Add(-answerTime)
}

// fits reports whether lease and invocation last for the wait and for all that
// follows it. Nothing is sent otherwise.
func (v *callback) fits(wait time.Duration) bool {
	now, leased := v.Now(), wait+exchangeTime+checkTime+storeTime
	return v.held.Covers(now, leased) && v.ends.Sub(now) >= leased+revokeTime+closingTime
}

// within is a context for at most d, and never into what is kept of the visit's
// time for others.
func (v *callback) within(ctx context.Context, d, kept time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, min(d, v.ends.Sub(v.Now())-kept))
}

// storing is within for what has to be done though the browser is gone.
func (v *callback) storing(ctx context.Context, d, kept time.Duration) (context.Context, context.CancelFunc) {
	return v.within(context.WithoutCancel(ctx), d, kept)
}

// unpaused waits while the host is paused, before a request that takes no
// instant. A pause that outlasts the context is an error.
func (v *callback) unpaused(ctx context.Context) error {
	v.look(ctx)
	return ratelimit.AwaitUnpaused(ctx, v.host, v.Now)
}

// look reads the host's record; without an answer it stays what it was.
func (v *callback) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	if host, err := v.RateLimits.Budget(ctx, v.c.Host()); err == nil {
		v.host = host
	}
}
