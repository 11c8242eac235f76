package issue

import (
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueapi"
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
		want        issueapi.Outcome
	}{
		"the first token":                        {grant.Grant{}, held, issueapi.Renewed},
		"a new token":                            {held, held.Accept(given("second", now, time.Hour)), issueapi.Renewed},
		"the same token with another deadline":   {held, held.Accept(given("first", now, time.Minute)), issueapi.Renewed},
		"the same token with the same deadline":  {held, held.Accept(given("first", now, 0)), issueapi.Renewed},
		"the same token, and Reltio insisted":    {held, with(held, func(g *grant.Grant) { g.ReissuedAt = now }), issueapi.Renewed},
		"a new token that could not all be kept": {held, held.Accept(given("second", now, time.Hour)).Failed(grant.StatusFailing, failure, now, 0, 0), issueapi.Renewed},
		"nothing":                                {held, held, issueapi.Cached},
		"read in another zone":                   {held, with(held, func(g *grant.Grant) { g.ExpiresAt = g.ExpiresAt.In(time.FixedZone("", 3600)) }), issueapi.Cached},
		"the token was found active":             {held, with(held, func(g *grant.Grant) { g.CheckedAt = now }), issueapi.Cached},
		"a failure":                              {held, held.Failed(grant.StatusFailing, failure, now, 0, 0), issueapi.Cached},
		"a renewal put off":                      {held, held.Postponed(failure, now.Add(time.Second)), issueapi.Cached},
		"another lease":                          {held, with(held, func(g *grant.Grant) { g.Epoch, g.Owner = 7, "another" }), issueapi.Cached},
		"an operator's pause":                    {held, with(held, func(g *grant.Grant) { g.Status = grant.StatusPaused }), issueapi.Cached},
	} {
		t.Run(name, func(t *testing.T) {
			waited := call{first: test.first, g: test.last, waited: true}
			if got := waited.outcome(); got != test.want {
				t.Errorf("outcome %s, want %s", got, test.want)
			}
			if got := (&call{first: test.first, g: test.last}).outcome(); got != issueapi.Cached {
				t.Errorf("of a call that did not wait: %s, want %s", got, issueapi.Cached)
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
