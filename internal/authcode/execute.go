package authcode

import (
	"context"
	"errors"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/authrequest"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// consume consumes the request.
func (r *run) consume(ctx context.Context) error {
	r.consumedAt = r.Now()
	return r.AuthRequests.ConsumeRequest(ctx, r.o.request.Hash, r.consumedAt)
}

// redirectAgain makes the authorization redirect for a second login.
func (r *run) redirectAgain(ctx context.Context) error {
	var err error
	r.o.redirect, _, err = r.redirect(ctx, r.o.connection, r.o.request.Invitation, r.o.request.RedirectURI, true)
	return err
}

func (r *run) dial(ctx context.Context) error {
	var err error
	r.conn, err = r.client().Dial(ctx)
	return err
}

func (r *run) seize(ctx context.Context) error {
	held, err := r.holding(r.o.request.RedirectURI).Seize(ctx, r.o.connection.Name, r.o.grant.Epoch)
	if err != nil {
		return err
	}
	r.held, r.o.lease = held, held.Lease()
	return nil
}

// release releases the lease, if it was taken, and closes the connection.
func (r *run) release(ctx context.Context) {
	if r.held != nil {
		r.held.Release(ctx, r.limit(lastTime, 0))
	}
	if r.conn != nil {
		_ = r.conn.Close() // a failed close changes nothing
	}
}

func (r *run) reserve(ctx context.Context) error {
	r.began = r.Now()
	r.slot = &ratelimit.Slot{
		Store: r.RateLimits, Host: r.o.connection.Host(), Interval: ratelimit.Interval(r.PerSecond),
		Latest: r.began.Add(ratelimit.MaxWait), Now: r.Now,
	}
	var err error
	r.slotAt, err = r.slot.Reserve(ctx, r.began.Add(ahead))
	return err
}

// useInvitation uses up the invitation. One that another request has used is not
// given back by this callback.
func (r *run) useInvitation(ctx context.Context) error {
	var err error
	r.o.invitation, err = r.AuthRequests.Invitation(ctx, r.o.request.Invitation)
	if err == nil {
		r.usedAt = r.Now().Truncate(time.Millisecond)
		err = r.AuthRequests.UseInvitation(ctx, r.o.request.Invitation, r.usedAt)
	}
	if errors.Is(err, authrequest.ErrUsed) {
		r.usedAt = time.Time{}
	}
	return err
}

// awaitSlot returns at the slot.
func (r *run) awaitSlot(ctx context.Context) error {
	err := r.slot.Wait(ctx, r.slotAt)
	r.waited = r.Now().Sub(r.began)
	return err
}

// exchange sends the code, once.
func (r *run) exchange(ctx context.Context) error {
	token, err := r.conn.Token(ctx, reltioauth.AuthorizationCodeGrant{
		Code: r.o.callback.Code, RedirectURI: r.o.request.RedirectURI, Verifier: r.o.request.Verifier,
		Params: r.o.connection.LoginParams(),
	})
	r.o = r.o.responded(token, err)
	return err
}

// recordThrottle records a 429 response for the rate limit. If that fails, the next
// token request gets a 429 response too.
func (r *run) recordThrottle(ctx context.Context) error {
	ctx, cancel := r.storing(ctx, storeTime, closingTime)
	defer cancel()
	_, err := r.RateLimits.Throttled(ctx, r.o.connection.Host(), ratelimit.Throttle{
		Client: r.o.connection.ClientKey(), RetryAfter: r.o.retryAfter, Now: r.Now(),
	})
	return err
}

func (r *run) client() *reltioauth.Client {
	client := r.o.connection.Client()
	client.TokenTimeout = exchangeTime
	client.Connect, client.Now = r.Connect, r.Now
	return &client
}

// unthrottled waits while the host is throttled, before a request that takes no
// slot. It fails if the host is throttled for longer than the context lasts.
func (r *run) unthrottled(ctx context.Context) error {
	reader{r}.host(ctx)
	return ratelimit.AwaitUnpaused(ctx, r.o.host, r.Now)
}
