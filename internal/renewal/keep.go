package renewal

import (
	"context"
	"slices"

	"github.com/reltio-tokens/reltio-tokens/internal/budget"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// keep stores the refresh token of an answer before anything else, and returns
// the one that the grant has from now on. It tries again for as long as storing
// may take: a refresh token that is lost may need a person.
//
// Of an answer that failed only a refresh token counts: that there is none says
// nothing.
func (p *path) keep(ctx context.Context, s step, token *reltioauth.Token, failed error) (grant.RefreshToken, error) {
	if !p.c.Refreshes() || token == nil || failed != nil && token.RefreshToken.IsZero() {
		return grant.RefreshToken{}, nil
	}
	next, write := p.refreshTokenOf(s, token)
	if !write {
		return next, nil
	}
	next.Epoch = p.nextEpoch()
	limit := keepTime
	if p.counted {
		limit -= settleTime
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for wait := firstRetry; ; wait = min(2*wait, longestRetry) {
		version, err := p.Vault.Put(ctx, p.c.Name, next)
		if err == nil {
			next.Version, p.highest = version, next.Epoch
			return next, nil
		}
		if budget.Sleep(ctx, jittered(wait, p.chance())) != nil {
			return grant.RefreshToken{}, err
		}
	}
}

// refreshTokenOf is the refresh token after an answer, and whether it has to be
// written. One that did not change is not; a refresh does not restart its
// clock, and neither does a login that gives it again.
func (p *path) refreshTokenOf(s step, token *reltioauth.Token) (next grant.RefreshToken, write bool) {
	given := token.RefreshToken
	if s.kind == refresh {
		if given.IsZero() || given.Equal(s.refresh.Token) {
			// Written again only to come before one that was refused.
			return s.refresh, s.refresh.Epoch < p.highest
		}
		return grant.RefreshToken{Token: given, LoggedInAt: s.refresh.LoggedInAt}, true
	}
	if given.IsZero() {
		// A login without a refresh token ends the ones before. A tombstone
		// that is there already is pointed at still.
		return grant.RefreshToken{LoggedInAt: token.IssuedAt, Version: p.g.SecretVersion}, len(p.tokens) > 0
	}
	for i, known := range p.tokens {
		ended := !known.LoggedInAt.Add(p.c.RefreshTokenLife).After(token.IssuedAt)
		spent := slices.Contains(p.spent, known.Fingerprint())
		if known.Token.Equal(given) && !ended && !spent && p.g.Relogin != grant.ReloginLogin {
			return known, i > 0
		}
	}
	return grant.RefreshToken{Token: given, LoggedInAt: token.IssuedAt}, true
}
