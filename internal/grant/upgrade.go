package grant

import (
	"strings"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
)

// Upgraded is a grant that the release before this one wrote. That release had
// no attributes for four things. The result of a check was in the order of two
// times. The counts of refusals and of throttled requests were in the message
// of the last failure. The demand for a second factor was in the type of the
// last failure. Upgraded can be removed in the next release.
func (g Grant) Upgraded() Grant {
	if g.ReissuedAt.Before(g.CheckedAt) { // there was a later check
		g.ReissuedAt = time.Time{}
	}
	switch {
	case !g.ReissuedAt.IsZero(): // only a token that was found inactive was reissued
		g.CheckVerdict = Inactive
	case g.CheckedAt.IsZero() || g.TriedAt.After(g.CheckedAt):
	case g.TriedAt.Equal(g.CheckedAt):
		g.CheckVerdict = Inactive
	default:
		g.CheckVerdict = Active
	}
	// The refusals of a user are counted in the lockout record.
	if g.Failures > 0 && strings.HasPrefix(g.LastErrorMessage, "Reltio refused the client") {
		g.Refusals = 1
		if g.Status == StatusCredentialsRejected {
			g.Refusals = 2
		}
	}
	switch g.LastErrorMessage {
	case "Reltio throttled the client":
		g.Throttles = 1
	case "Reltio throttled the client twice in a row":
		g.Throttles = 2
	}
	if g.Status == StatusTokenLimit {
		g.Throttles = 3
	}
	if g.LastError == apierr.MFARequired {
		g.SecondFactorVersion = g.ConnectionVersion
	}
	return g
}
