package grant

import (
	"strings"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
)

// Upgraded is a grant that the release before this one wrote, in which four
// things stood between the lines: what a check had said, in the order of two
// moments; how often the client was refused, and how often throttled, in the
// message of the last failure; that a login was answered with the wish for a
// second factor, in its type. It can go with the next release.
func (g Grant) Upgraded() Grant {
	if g.ReissuedAt.Before(g.CheckedAt) { // there was a check since
		g.ReissuedAt = time.Time{}
	}
	switch {
	case !g.ReissuedAt.IsZero(): // only one that was found dead
		g.CheckVerdict = Inactive
	case g.CheckedAt.IsZero() || g.TriedAt.After(g.CheckedAt):
	case g.TriedAt.Equal(g.CheckedAt):
		g.CheckVerdict = Inactive
	default:
		g.CheckVerdict = Active
	}
	// A user's refusals are counted with its account.
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
