package grant

import "time"

// These bounds say which stored times are believed. A clock that was wrong
// once, on an instance that no longer runs, must not stop a connection.
const (
	// clocksApart is how far two clocks may differ.
	clocksApart = 10 * time.Second
	// furthestRetry is longer than any wait until a retry.
	furthestRetry = 65 * time.Minute
	// furthestLook is longer than any wait until the next look at a waiting
	// grant.
	furthestLook = LookEvery + clocksApart
	// longestLife is the longest life of an access token that is believed.
	longestLife = 31 * 24 * time.Hour
)

// Believed is the grant as it is read at now, without what a wrong clock wrote.
// A RetryAt that is too far ahead becomes now. A token that was issued in the
// future counts its life from now, and is due. A deadline that is too far ahead
// has passed. Events dated in the future have not happened.
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
	if g.Status != StatusMFARequired { // a try of this status would make Reltio send a code
		happened = append(happened, &g.TriedAt)
	}
	for _, at := range happened {
		if at.After(now.Add(clocksApart)) {
			*at = time.Time{}
		}
	}
	return g
}

// Misdated reports whether a wrong clock wrote an entry of the waiting shard:
// it is further ahead than any entry can be.
func (d Due) Misdated(now time.Time) bool { return d.DueAt.After(now.Add(furthestLook)) }

// IndexedSince is the grant as it is indexed at now by a renewal that found it as
// before. A sweep sees a grant within minutes of its due moment. To whom it seems
// overdue for longer, either no sweep has run, or that clock is wrong, and so is
// whatever it writes: then the index keeps the moment at which the grant was due,
// so that the next sweep reads the grant again and judges it by a clock of its own.
func (g Grant) IndexedSince(before Grant, now time.Time) Grant {
	g = g.Indexed(now)
	was := before.Due()
	if was.IsZero() { // it was due from the moment at which it was written
		was = before.DueAt
	}
	if g.Shard == ShardDue && !was.IsZero() && was.Before(now.Add(-furthestLook)) && was.Before(g.DueAt) {
		g.DueAt = was
	}
	return g
}
