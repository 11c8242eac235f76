package authcode

import (
	"context"
	"errors"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/authrequest"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// consume reserves the exchange's instant, consumes the request and the
// invitation while it waits for it, makes the grant the connection's, and is at
// the instant when it returns. If there is no instant, or too little time for
// what follows it, the request stays, or becomes, usable.
func (v *callback) consume(ctx context.Context) (CallbackResult, bool) {
	if !v.fits(ratelimit.MaxWait) {
		return v.hindered(errNoTime), true
	}
	waiting, cancel := context.WithTimeout(ctx, ratelimit.MaxWait+ratelimit.MaxLate)
	defer cancel()
	began := v.Now()
	turn := &ratelimit.Slot{
		Store: v.RateLimits, Host: v.c.Host(), Interval: v.interval(),
		Latest: began.Add(ratelimit.MaxWait), Now: v.Now,
	}
	at, err := turn.Reserve(waiting, began.Add(ahead))
	if err != nil {
		return v.hindered(err), true
	}
	if a, ended := v.use(waiting); ended {
		return a, true
	}
	if err = v.resetGrant(waiting); err == nil {
		err = turn.Wait(waiting, at)
	}
	v.waited = v.Now().Sub(began)
	if waiting.Err() != nil || err == nil && !v.fits(0) {
		err = errNoTime
	}
	if err != nil {
		v.giveBack(ctx)
		return v.hindered(err), true
	}
	return CallbackResult{}, false
}

// use consumes the request and the invitation.
func (v *callback) use(ctx context.Context) (CallbackResult, bool) {
	v.consumedAt = v.Now()
	if err := v.AuthRequests.ConsumeRequest(ctx, v.request.Hash, v.consumedAt); err != nil {
		return gone(err), true
	}
	a, ended := v.useInvitation(ctx)
	switch {
	case !ended:
		return a, false
	case a.Outcome == InvitationGone:
		return v.finish(ctx, a), true
	default:
		v.giveBack(ctx)
		return a, true
	}
}

// useInvitation uses the invitation up. The first of two ways through the login
// page gives it back, so that the person may also begin again; the second goes
// on without it, if it is used or has ended meanwhile.
func (v *callback) useInvitation(ctx context.Context) (CallbackResult, bool) {
	var err error
	v.invitation, err = v.AuthRequests.Invitation(ctx, v.request.Invitation)
	if err == nil {
		v.usedAt = v.Now().Truncate(time.Millisecond)
		err = v.AuthRequests.UseInvitation(ctx, v.request.Invitation, v.usedAt)
	}
	switch {
	case err == nil:
		return CallbackResult{}, false
	case errors.Is(err, authrequest.ErrUsed) && v.request.Second:
		v.usedAt = time.Time{} // by somebody else: not ours to give back
		return CallbackResult{}, false
	case errors.Is(err, authrequest.ErrUsed), errors.Is(err, authrequest.ErrNotFound):
		return CallbackResult{Outcome: InvitationGone}, true
	default:
		return v.hindered(err), true
	}
}

// giveBack makes request and invitation usable again: nothing was sent.
func (v *callback) giveBack(ctx context.Context) {
	ctx, cancel := v.storing(ctx, lastTime, 0)
	defer cancel()
	// A request that cannot be given back is used up; the link still works.
	_ = v.AuthRequests.ReturnRequest(ctx, v.request.Hash, v.consumedAt)
	v.reinvite(ctx)
}

// reinvite gives the invitation back, so that the person can begin again.
func (v *callback) reinvite(ctx context.Context) {
	if v.usedAt.IsZero() {
		return
	}
	_ = v.AuthRequests.ReturnInvitation(ctx, v.request.Invitation, v.usedAt)
}

// exchange sends the code, once, and stores what comes. A refresh token is kept
// though the answer be of no other use.
func (v *callback) exchange(ctx context.Context) CallbackResult {
	token, err := v.conn.Token(ctx, reltioauth.AuthorizationCodeGrant{
		Code: v.cb.Code, RedirectURI: v.request.RedirectURI, Verifier: v.request.Verifier,
		Params: v.c.TokenParams,
	})
	v.token = token
	if unsent(err) {
		v.giveBack(ctx)
		return CallbackResult{Outcome: Busy, RetryAfter: time.Second, Err: err}
	}
	v.requests++
	if err != nil && !v.sameEnded(err) {
		v.failed = err
		v.recordRefusal(ctx, err)
		if token == nil || token.RefreshToken.IsZero() {
			v.discard(ctx)
			return v.withdrawn(ctx, CallbackResult{Outcome: ExchangeFailed, Err: err})
		}
	}
	if a, wrong := v.checkUser(ctx, err != nil && v.failed == nil); wrong {
		v.discard(ctx)
		v.recordSuccess(ctx)
		return v.withdrawn(ctx, a)
	}
	a := v.store(ctx)
	v.recordSuccess(ctx)
	return a
}

// sameEnded reports whether the answer is the token in hand with nothing left
// of its life: no failure, just the same token.
func (v *callback) sameEnded(err error) bool {
	return v.token != nil && errors.Is(err, reltioauth.ErrNoLifeLeft) && v.g.HasToken() &&
		v.g.Identity == v.c.IdentityHash() && v.token.AccessToken.Equal(v.g.AccessToken)
}

// unsent reports whether the code certainly did not leave, and may on another
// connection.
func unsent(err error) bool {
	var e *reltioauth.Error
	return errors.As(err, &e) && !e.Sent && !e.Permanent()
}

// blame counts a refusal of the client, and tells the budget of a 429.
func (v *callback) recordRefusal(ctx context.Context, err error) {
	var e *reltioauth.Error
	if !errors.As(err, &e) {
		return
	}
	if e.CredentialsRefused() {
		v.refused++
	}
	if e.Code != reltioauth.ErrRateLimited {
		return
	}
	v.throttled++
	ctx, cancel := v.storing(ctx, storeTime, closingTime)
	defer cancel()
	_, _ = v.RateLimits.Throttled(ctx, v.c.Host(), ratelimit.Throttle{
		Client: v.c.ClientKey(), RetryAfter: e.RetryAfter, Now: v.Now(),
	})
}

// praise tells the budget of a success, whoever has logged in, if it clears
// anything: what the host's record said after the exchange.
func (v *callback) recordSuccess(ctx context.Context) {
	if v.failed != nil || !v.host.Troubled() {
		return
	}
	ctx, cancel := v.storing(ctx, lookTime, closingTime)
	defer cancel()
	_ = v.RateLimits.Succeeded(ctx, v.c.Host(), v.c.ClientKey()) // the next success forgets it otherwise
}

// withdrawn gives the invitation back: nothing was stored.
func (v *callback) withdrawn(ctx context.Context, a CallbackResult) CallbackResult {
	ctx, cancel := v.storing(ctx, lastTime, 0)
	defer cancel()
	v.reinvite(ctx)
	return a
}
