package authcode

import (
	"context"
	"errors"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/authrequest"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// consume reserves a slot for the exchange. While it waits for the slot, it
// consumes the request and the invitation and makes the grant the connection's.
// It returns at the slot. If there is no slot, or too little time for the steps
// that follow, the request stays usable or becomes so again.
func (v *callback) consume(ctx context.Context) (CallbackResult, bool) {
	if !v.fits(ratelimit.MaxWait) {
		return v.hindered(errNoTime), true
	}
	waiting, cancel := context.WithTimeout(ctx, ratelimit.MaxWait+ratelimit.MaxLate)
	defer cancel()
	began := v.Now()
	slot := &ratelimit.Slot{
		Store: v.RateLimits, Host: v.c.Host(), Interval: v.interval(),
		Latest: began.Add(ratelimit.MaxWait), Now: v.Now,
	}
	at, err := slot.Reserve(waiting, began.Add(ahead))
	if err != nil {
		return v.hindered(err), true
	}
	if a, ended := v.use(waiting); ended {
		return a, true
	}
	if err = v.resetGrant(waiting); err == nil {
		err = slot.Wait(waiting, at)
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

// useInvitation uses up the invitation. The first of two passes through the login
// page makes it usable again, so that the person may also begin again. The second
// pass goes on without it if the invitation is used or expired by then.
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
		v.usedAt = time.Time{} // another request used it, so this callback must not give it back
		return CallbackResult{}, false
	case errors.Is(err, authrequest.ErrUsed), errors.Is(err, authrequest.ErrNotFound):
		return CallbackResult{Outcome: InvitationGone}, true
	default:
		return v.hindered(err), true
	}
}

// giveBack makes the request and the invitation usable again, because nothing was
// sent.
func (v *callback) giveBack(ctx context.Context) {
	ctx, cancel := v.storing(ctx, lastTime, 0)
	defer cancel()
	// If this fails, the request is used up, but the link still works.
	_ = v.AuthRequests.ReturnRequest(ctx, v.request.Hash, v.consumedAt)
	v.reinvite(ctx)
}

// reinvite makes the invitation usable again, so that the person can begin again.
func (v *callback) reinvite(ctx context.Context) {
	if v.usedAt.IsZero() {
		return
	}
	_ = v.AuthRequests.ReturnInvitation(ctx, v.request.Invitation, v.usedAt)
}

// exchange sends the code once and stores the tokens. It stores the refresh token
// even if the access token cannot be used.
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

// sameEnded reports whether Reltio gave the present access token again, and it
// has no life left. That is no failure.
func (v *callback) sameEnded(err error) bool {
	return v.token != nil && errors.Is(err, reltioauth.ErrNoLifeLeft) && v.g.HasToken() &&
		v.g.Identity == v.c.IdentityHash() && v.token.AccessToken.Equal(v.g.AccessToken)
}

// unsent reports whether the code was certainly not sent, so that it may be sent
// on another connection.
func unsent(err error) bool {
	var e *reltioauth.Error
	return errors.As(err, &e) && !e.Sent && !e.Permanent()
}

// recordRefusal counts a refusal of the client, and records a 429 for the rate
// limit.
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

// recordSuccess records the success if it clears a mark: refusals in the host's
// record as read after the exchange. Any user's login counts.
func (v *callback) recordSuccess(ctx context.Context) {
	if v.failed != nil || !v.host.Troubled() {
		return
	}
	ctx, cancel := v.storing(ctx, lookTime, closingTime)
	defer cancel()
	_ = v.RateLimits.Succeeded(ctx, v.c.Host(), v.c.ClientKey()) // on failure the next success clears the mark
}

// withdrawn makes the invitation usable again: nothing was stored.
func (v *callback) withdrawn(ctx context.Context, a CallbackResult) CallbackResult {
	ctx, cancel := v.storing(ctx, lastTime, 0)
	defer cancel()
	v.reinvite(ctx)
	return a
}
