package grant_test

import (
	"testing"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
)

// That a user needs a second factor is known until a login is accepted or an
// operator resumes, whatever fails meanwhile; the release before said it in the
// last error.
func TestSecondFactorVersion(t *testing.T) {
	asked := fresh(func(g *grant.Grant) { g.ConnectionVersion, g.SecondFactorVersion = "v1", "v1" })
	down := apierr.New(apierr.ReltioUnavailable, "down")
	before := fresh(func(g *grant.Grant) { g.ConnectionVersion, g.LastError = "v1", apierr.MFARequired })
	for name, c := range map[string]struct {
		g    grant.Grant
		want string
	}{
		"after an outage":           {asked.Failed(grant.StatusFailing, down, issued(), 0, 0), "v1"},
		"put off":                   {asked.Postponed(down, expires()), "v1"},
		"looked at":                 {asked.LookedAt(issued()), "v1"},
		"healthy":                   {asked.Healthy(), ""},
		"another identity":          {asked.Reset("id"), ""},
		"of the release before":     {before.Upgraded(), "v1"},
		"healthy, of before":        {fresh().Upgraded(), ""},
		"failing, of before":        {before.Failed(grant.StatusFailing, down, issued(), 0, 0).Upgraded(), ""},
		"mfa_required, of before":   {fresh(status(grant.StatusMFARequired), func(g *grant.Grant) { g.ConnectionVersion, g.LastError = "v1", apierr.MFARequired }).Upgraded(), "v1"},
		"without a secret's name":   {fresh(func(g *grant.Grant) { g.LastError = apierr.MFARequired }).Upgraded(), ""},
		"what is left of one ended": {asked.Deleted(issued()), ""},
	} {
		if got := c.g.SecondFactorVersion; got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
