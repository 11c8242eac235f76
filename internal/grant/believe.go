package grant

import "time"

// What is believed of stored instants. A clock that was wrong once, on an
// instance that is long gone, must not stop a connection.
const (
	// clocksApart is how far two clocks may differ.
	clocksApart = 10 * time.Second
	// furthestRetry is further ahead than any try is ever put off.
	furthestRetry = 65 * time.Minute
	// longestLife is the longest life of an access token that is counted.
	longestLife = 31 * 24 * time.Hour
)

// Believed is the grant as it is read at now, without what a wrong clock wrote: a
// try that is put off too far may be made now; a token that was issued in the
// future lives from now at the latest, and is due; a deadline that is too far
// ahead has passed; what was missed in the future was not missed, nor was anybody
// warned then.
func (g Grant) Believed(now time.Time) Grant {
	if g.RetryAt.After(now.Add(furthestRetry)) {
		g.RetryAt = now
	}
	if ahead := g.IssuedAt.Sub(now); g.HasToken() && ahead > clocksApart {
		g.IssuedAt, g.ExpiresAt = now, g.ExpiresAt.Add(-ahead)
		g.RepeatedUntil, g.Doubted = time.Time{}, true
	}
	if g.HasToken() && g.ExpiresAt.After(now.Add(longestLife)) {
		g.ExpiresAt, g.RepeatedUntil, g.Doubted = now, time.Time{}, true
	}
	for _, at := range []*time.Time{&g.SecretMissingAt, &g.TokenMissingAt, &g.WarnedAt} {
		if at.After(now.Add(clocksApart)) {
			*at = time.Time{}
		}
	}
	return g
}
