package issue

import (
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// What lies between a call's first read and its last, and what the call says of
// it.
func TestOutcome(t *testing.T) {
	now := time.Date(2026, 11, 23, 17, 0, 0, 0, time.UTC)
	held := grant.Grant{}.Accept(given("first", now.Add(-time.Hour), time.Hour))
	held.CheckedAt = now.Add(-time.Minute)
	failure := apierr.New(apierr.ReltioUnavailable, "")
	for name, test := range map[string]struct {
		first, last grant.Grant
		want        Outcome
	}{
		"the first token":                        {grant.Grant{}, held, Renewed},
		"a new token":                            {held, held.Accept(given("second", now, time.Hour)), Renewed},
		"the same token with another deadline":   {held, held.Accept(given("first", now, time.Minute)), Renewed},
		"the same token with the same deadline":  {held, held.Accept(given("first", now, 0)), Renewed},
		"the same token, and Reltio insisted":    {held, with(held, func(g *grant.Grant) { g.ReissuedAt = now }), Renewed},
		"a new token that could not all be kept": {held, held.Accept(given("second", now, time.Hour)).Failed(grant.StatusFailing, failure, now, 0, 0), Renewed},
		"nothing":                                {held, held, Cached},
		"read in another zone":                   {held, with(held, func(g *grant.Grant) { g.ExpiresAt = g.ExpiresAt.In(time.FixedZone("", 3600)) }), Cached},
		"the token was found active":             {held, with(held, func(g *grant.Grant) { g.CheckedAt = now }), Cached},
		"a failure":                              {held, held.Failed(grant.StatusFailing, failure, now, 0, 0), Cached},
		"a renewal put off":                      {held, held.Postponed(failure, now.Add(time.Second)), Cached},
		"another lease":                          {held, with(held, func(g *grant.Grant) { g.Epoch, g.Owner = 7, "another" }), Cached},
		"an operator's pause":                    {held, with(held, func(g *grant.Grant) { g.Status = grant.StatusPaused }), Cached},
	} {
		t.Run(name, func(t *testing.T) {
			waited := call{first: test.first, g: test.last, waited: true}
			if got := waited.outcome(); got != test.want {
				t.Errorf("outcome %s, want %s", got, test.want)
			}
			if got := (&call{first: test.first, g: test.last}).outcome(); got != Cached {
				t.Errorf("of a call that did not wait: %s, want %s", got, Cached)
			}
		})
	}
}

func given(text string, sent time.Time, life time.Duration) *reltioauth.Token {
	return &reltioauth.Token{AccessToken: reltioauth.NewSecret(text), IssuedAt: sent, ExpiresIn: life}
}

func with(g grant.Grant, change func(*grant.Grant)) grant.Grant {
	change(&g)
	return g
}
