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

// end is the callback's deadline: its function's or the caller's, whichever is
// earlier, less the time for the response.
func end(ctx context.Context, now time.Time) time.Time {
	ends := now.Add(callbackTime)
	if deadline, ok := ctx.Deadline(); ok && deadline.Before(ends) {
		ends = deadline
	}
	return ends.Add(-answerTime)
}

// fits reports whether the lease and the invocation last for the wait and for all
// steps that follow it. If not, nothing is sent.
func (v *callback) fits(wait time.Duration) bool {
	now, leased := v.Now(), wait+exchangeTime+checkTime+storeTime
	return v.held.Lease().Covers(now, leased) && v.ends.Sub(now) >= leased+revokeTime+closingTime
}

// within is a context of at most d that leaves the last part of the callback's
// time, kept, to other steps.
func (v *callback) within(ctx context.Context, d, kept time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, min(d, v.ends.Sub(v.Now())-kept))
}

// storing is within for writes that must happen even if the browser is gone.
func (v *callback) storing(ctx context.Context, d, kept time.Duration) (context.Context, context.CancelFunc) {
	return v.within(context.WithoutCancel(ctx), d, kept)
}

// unthrottled waits while the host is throttled, before a request that takes no
// slot. It fails if the host is throttled for longer than the context lasts.
func (v *callback) unthrottled(ctx context.Context) error {
	v.look(ctx)
	return ratelimit.AwaitUnpaused(ctx, v.host, v.Now)
}

// look reads the host's record. If the store fails, the record stays as it was.
func (v *callback) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	if host, err := v.RateLimits.Budget(ctx, v.c.Host()); err == nil {
		v.host = host
	}
}
