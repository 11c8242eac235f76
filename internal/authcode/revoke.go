package authcode

import (
	"context"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// sight is what a strongly consistent read shows of this callback's tokens.
type sight int

const (
	// unseen: the read failed, so it is unknown.
	unseen sight = iota
	// absent: the grant does not have them.
	absent
	// elsewhere: the grant has them, from another callback that was given the
	// same tokens.
	elsewhere
	// present: the grant has them, from this callback.
	present
)

// seen reads the grant with a strongly consistent read to find out. If that
// fails, it tries once more.
func (v *callback) seen(ctx context.Context) sight {
	ctx, cancel := v.storing(ctx, lookTime, revokeTime)
	defer cancel()
	for range 2 {
		g, err := v.read(ctx)
		switch {
		case err != nil:
			continue
		case !v.has(g):
			return absent
		case v.held.Wrote(g) && v.newest(g):
			return present
		default:
			return elsewhere
		}
	}
	return unseen
}

// has reports whether a grant has the token that would be revoked.
func (v *callback) has(g grant.Grant) bool {
	switch t := v.token.RefreshToken; {
	case g.Identity != v.c.IdentityHash():
		return false
	case t.IsZero():
		return g.HasToken() && g.Fingerprint == v.token.Fingerprint()
	default:
		return g.RefreshFingerprint == reltioauth.Fingerprint(t)
	}
}

// newest reports whether a grant also has the access token of this callback, if
// there is one to be stored.
func (v *callback) newest(g grant.Grant) bool {
	return v.failed != nil || g.Fingerprint == v.token.Fingerprint()
}

// discard revokes tokens that the callback has not tried to store. Tokens that
// the grant has stay: another callback may have seized the lease and have been
// given the same tokens.
func (v *callback) discard(ctx context.Context) {
	if v.token == nil || v.has(v.g) {
		return
	}
	switch v.seen(ctx) {
	case present, elsewhere:
	default:
		v.giveUp(ctx)
	}
}

// giveUp revokes the tokens of this callback. Revoking the refresh token also
// ends its access token.
func (v *callback) giveUp(ctx context.Context) {
	text, hint := v.token.RefreshToken, reltioauth.HintRefreshToken
	if text.IsZero() {
		text, hint = v.token.AccessToken, reltioauth.HintAccessToken
	}
	if !text.IsZero() {
		v.revoke(ctx, text, hint)
	}
	if v.parked != nil {
		ctx, cancel := v.storing(ctx, closingTime, 0)
		defer cancel()
		v.unpark(ctx)
	}
}

// revoke revokes a token, within its own time limit. If it fails, the token is
// valid until its deadline.
func (v *callback) revoke(ctx context.Context, token reltioauth.Secret, hint reltioauth.TokenHint) {
	ctx, cancel := v.storing(ctx, revokeTime, 0)
	defer cancel()
	if v.unthrottled(ctx) == nil {
		_ = v.client().Revoke(ctx, token, hint)
	}
}
