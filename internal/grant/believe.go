package grant

import "time"

// What is believed of stored instants. A clock that was wrong once, on an
// instance that is long gone, must not stop a connection.
const (
	// clocksApart is how far two clocks may differ.
	clocksApart = 10 * time.Second
	// furthestRetry is further ahead than any try is ever put off.
	furthestRetry = 65 * time.Minute
	// furthestLook is further ahead than the next look at a waiting grant ever is.
	furthestLook = LookEvery + clocksApart
	// longestLife is the longest life of an access token that is counted.
	longestLife = 31 * 24 * time.Hour
)

// Believed is the grant as it is read at now, without what a wrong clock wrote: a
// try that is put off too far may be made now; a token that was issued in the
// future lives from now at the latest, and is due; a deadline that is too far
// ahead has passed; what was missed, tried or told in the future was not.
func (g Grant) Believed(now time.Time) Grant {
	furthest := furthestRetry
	if g.Waiting() {
		furthest = furthestLook
	}
	if g.RetryAt.After(now.Add(furthest)) {
		g.RetryAt = now
	}
	if ahead := g.IssuedAt.Sub(now); g.HasToken() && ahead > clocksApart {
		g.IssuedAt, g.ExpiresAt = now, g.ExpiresAt.Add(-ahead)
		g.RepeatedUntil, g.Doubted = time.Time{}, true
	}
	if g.HasToken() && g.ExpiresAt.After(now.Add(longestLife)) {
		g.ExpiresAt, g.RepeatedUntil, g.Doubted = now, time.Time{}, true
	}
	happened := []*time.Time{&g.SecretMissingAt, &g.TokenMissingAt, &g.WarnedAt}
	if g.Status != StatusMFARequired { // whose try would mail a code
		happened = append(happened, &g.TriedAt)
	}
	for _, at := range happened {
		if at.After(now.Add(clocksApart)) {
			*at = time.Time{}
		}
	}
	return g
}

// Misdated reports whether an entry of the waiting shard was written by a wrong
// clock: none is ever so far ahead.
func (d Due) Misdated(now time.Time) bool { return d.DueAt.After(now.Add(furthestLook)) }
