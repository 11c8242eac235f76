package renewal

import (
	"slices"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// refreshTokenOf is the refresh token after a response, and whether it has to
// be written. An unchanged one is not written. A refresh does not restart its
// life, and neither does a login that gives it again.
func (p *path) refreshTokenOf(s step, token *reltioauth.Token) (next grant.RefreshToken, write bool) {
	given := token.RefreshToken
	if s.kind == refresh {
		if given.IsZero() || given.Equal(s.refresh.Token) {
			// An unchanged one is written only to come before one that was
			// refused, or to add its identity.
			return s.refresh, s.refresh.Epoch < p.highest || s.refresh.Identity == ""
		}
		return grant.RefreshToken{Token: given, LoggedInAt: s.refresh.LoggedInAt}, true
	}
	if given.IsZero() {
		// A login without a refresh token ends the earlier ones. A tombstone
		// that is there already stays.
		return grant.RefreshToken{LoggedInAt: token.IssuedAt, Version: p.g.SecretVersion}, len(p.tokens) > 0
	}
	for i, known := range p.tokens {
		ended := !known.LoggedInAt.Add(p.c.RefreshTokenLife).After(token.IssuedAt)
		spent := slices.Contains(p.spent, known.Fingerprint())
		if known.Token.Equal(given) && !ended && !spent && p.g.Relogin != grant.ReloginLogin {
			return known, i > 0 || known.Identity == ""
		}
	}
	return grant.RefreshToken{Token: given, LoggedInAt: token.IssuedAt}, true
}
