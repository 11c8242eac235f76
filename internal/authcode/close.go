package authcode

import (
	"context"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// closer does the steps that close a callback. Each has its own time limit, and
// what fails changes nothing in the result.
type closer struct{ *run }

// close does one step. result is the callback's.
func (c closer) close(ctx context.Context, s step, result CallbackResult) {
	switch s {
	case giveBack:
		c.giveBack(ctx)
	case discard:
		c.discard(ctx)
	case giveUp:
		c.giveUp(ctx)
	case revokeKnown:
		c.revoke(ctx, c.o.refresh.Token, reltioauth.HintRefreshToken)
	case recordSuccess:
		c.recordSuccess(ctx)
	case reinvite:
		c.reinvite(ctx)
	case remember:
		c.remember(ctx, result)
	}
}

// giveBack makes the request and the invitation usable again, because nothing was
// sent.
func (c closer) giveBack(ctx context.Context) {
	ctx, cancel := c.storing(ctx, lastTime, 0)
	defer cancel()
	// If this fails, the request is used up, but the link still works.
	_ = c.AuthRequests.ReturnRequest(ctx, c.o.request.Hash, c.consumedAt)
	c.returnInvitation(ctx)
}

// reinvite makes the invitation usable again, so that the person can begin again:
// nothing was stored.
func (c closer) reinvite(ctx context.Context) {
	ctx, cancel := c.storing(ctx, lastTime, 0)
	defer cancel()
	c.returnInvitation(ctx)
}

func (c closer) returnInvitation(ctx context.Context) {
	if !c.usedAt.IsZero() {
		_ = c.AuthRequests.ReturnInvitation(ctx, c.o.request.Invitation, c.usedAt)
	}
}

// remember stores the outcome of a consumed request. If this write fails, a reload
// is told that the request was used.
func (c closer) remember(ctx context.Context, a CallbackResult) {
	ctx, cancel := c.storing(ctx, lastTime, 0)
	defer cancel()
	_ = c.AuthRequests.FinishRequest(ctx, c.o.request.Hash, a.stored())
}

// recordSuccess records the success if it clears a mark: refusals in the host's
// record as read after the exchange. Any user's login counts.
func (c closer) recordSuccess(ctx context.Context) {
	if c.o.failed != nil || !c.o.host.Troubled() {
		return
	}
	ctx, cancel := c.storing(ctx, lookTime, closingTime)
	defer cancel()
	if err := c.RateLimits.Succeeded(ctx, c.o.connection.Host(), c.o.connection.ClientKey()); err != nil {
		c.hostErr = err // the next success clears the mark
	}
}

// discard revokes tokens that the callback has not tried to store. Tokens that
// the grant has stay: another callback may have seized the lease and have been
// given the same tokens.
func (c closer) discard(ctx context.Context) {
	if c.o.token == nil || c.o.has(c.o.grant) {
		return
	}
	switch reader(c).sight(ctx) {
	case present, elsewhere:
	default:
		c.giveUp(ctx)
	}
}

// giveUp revokes the tokens of this callback. Revoking the refresh token also
// ends its access token.
func (c closer) giveUp(ctx context.Context) {
	text, hint := c.o.token.RefreshToken, reltioauth.HintRefreshToken
	if text.IsZero() {
		text, hint = c.o.token.AccessToken, reltioauth.HintAccessToken
	}
	if !text.IsZero() {
		c.revoke(ctx, text, hint)
	}
	if c.o.parked != nil {
		ctx, cancel := c.storing(ctx, closingTime, 0)
		defer cancel()
		keeper(c).unpark(ctx)
	}
}

// revoke revokes a token, within its own time limit. If it fails, the token is
// valid until its deadline.
func (c closer) revoke(ctx context.Context, token reltioauth.Secret, hint reltioauth.TokenHint) {
	ctx, cancel := c.storing(ctx, revokeTime, 0)
	defer cancel()
	if c.unthrottled(ctx) == nil {
		_ = c.client().Revoke(ctx, token, hint)
	}
}
