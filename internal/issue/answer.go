package issue

import (
	"cmp"
	"slices"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueapi"
)

// allowed reports whether the invoked alias may have the connection's token.
func (c *call) allowed() bool {
	return len(c.g.Aliases) == 0 || slices.Contains(c.g.Aliases, c.request.Alias) && c.request.Alias != ""
}

// answer hands out the token of the grant last read, or returns the error that
// says why there is none.
func (c *call) answer() (Answer, error) {
	now := c.now()
	if !c.allowed() {
		return Answer{}, apierr.New(apierr.AccessDenied, "the invoked alias may not have this connection")
	}
	if !c.g.Valid(now) {
		if e := c.g.Error(now); e != nil {
			return Answer{}, e
		}
		return Answer{}, unavailable()
	}
	a := Answer{
		Connection:  c.request.Connection,
		AccessToken: c.g.AccessToken,
		TokenType:   cmp.Or(c.g.TokenType, "bearer"),
		Scope:       c.g.Scope,
		ExpiresIn:   c.g.ExpiresAt.Sub(now).Truncate(time.Second),
		ExpiresAt:   c.g.ExpiresAt.UTC().Truncate(time.Second),
		Fingerprint: c.g.Fingerprint,
		Version:     c.g.Version,
		Outcome:     c.outcome(),
		Warnings:    c.warnings(now),
		APIURL:      c.g.APIURL,
		TenantID:    c.g.TenantID,
	}
	a.MinTTLMet = a.ExpiresIn >= c.request.MinTTL
	return a, nil
}

// outcome says where the token of the grant last read comes from. It is issueapi.Cached
// if the call did not wait, or if the renewal gave no token.
func (c *call) outcome() issueapi.Outcome {
	if c.waited && renewed(c.first, c.g) {
		return issueapi.Renewed
	}
	return issueapi.Cached
}

// renewed reports whether Reltio gave a token between two reads of a grant: a
// new one, or the stored one again, with another deadline or the same. A failed
// renewal gives none, and a check gives none.
func renewed(before, after grant.Grant) bool {
	return after.Version != before.Version ||
		!after.ExpiresAt.Equal(before.ExpiresAt) ||
		!after.RepeatedUntil.Equal(before.RepeatedUntil) ||
		!after.ReissuedAt.IsZero() && !after.ReissuedAt.Equal(before.ReissuedAt)
}

// warnings lists what the caller should know, sorted.
func (c *call) warnings(now time.Time) []issueapi.Warning {
	list := []issueapi.Warning{}
	add := func(w issueapi.Warning, when bool) {
		if when {
			list = append(list, w)
		}
	}
	add(issueapi.ExpiresInMissing, c.g.ExpiresInMissing)
	add(issueapi.RefreshTokenEndsSoon, c.g.RefreshEndsSoon(now))
	active, reissued := c.g.FoundActive(now), c.g.Reissued(now)
	add(issueapi.RejectedTokenIsAlive, c.reported() && active)
	add(issueapi.RejectedTokenReissued, c.reported() && reissued)
	unsettled := c.reported() && !active && !reissued && c.g.Status != grant.StatusPaused
	add(issueapi.RenewalFailing, c.trouble || c.g.Failing() || unsettled)
	add(issueapi.StoreFailing, c.storeFailing)
	return list
}
