package grant

import "time"

// Verdict is what the authorization server said of the token in hand when it
// was last checked (checkToken; RFC 7662 calls it introspection).
type Verdict string

// The verdicts.
const (
	// Unchecked: the token was never checked.
	Unchecked Verdict = ""
	// Active: the server accepts the token.
	Active Verdict = "alive"
	// Inactive: the server says that the token is invalid. Such a token is not
	// handed out.
	Inactive Verdict = "dead"
	// Unclear: the server said neither. The framework's default does so,
	// because it lets no client check a token.
	Unclear Verdict = "unclear"
)

// CheckedAs is the grant after a check of its token.
func (g Grant) CheckedAs(v Verdict, now time.Time) Grant {
	g.CheckedAt, g.CheckVerdict, g.ReissuedAt = now, v, time.Time{}
	return g
}

// AskedAs is the grant whose checked token was given again when another was
// requested. With Active the server gave a token that it accepts, with Inactive
// it gave a token again that it calls invalid.
func (g Grant) AskedAs(v Verdict, now time.Time) Grant {
	g.CheckVerdict, g.ReissuedAt = v, now
	return g
}

// unchecked is the grant with a new token, about which the last check said
// nothing. After an inconclusive check it keeps that verdict, and marks the
// request for another token as done.
func (g Grant) unchecked() Grant {
	if g.CheckVerdict == Unclear {
		g.ReissuedAt = g.CheckedAt
		return g
	}
	g.CheckVerdict, g.ReissuedAt = Unchecked, time.Time{}
	return g
}

// Asking reports whether a recent check was inconclusive and another token is
// being requested, unless that request has failed.
func (g Grant) Asking(now time.Time) bool {
	return g.CheckVerdict == Unclear && g.ReissuedAt.IsZero() && recently(g.CheckedAt, now, CheckEvery)
}

// foundInactive reports whether the last check found the token inactive and the
// server has not given it again.
func (g Grant) foundInactive() bool { return g.CheckVerdict == Inactive && g.ReissuedAt.IsZero() }

// Checkable reports whether a reported token may be checked: once per
// CheckEvery, whichever token was checked. After the server gave the token
// again, and after an inconclusive check, the wait is AskEvery.
func (g Grant) Checkable(now time.Time) bool {
	every := CheckEvery
	if g.CheckVerdict == Unclear {
		every = AskEvery
	}
	return !recently(g.CheckedAt, now, every) && !g.reissued(now)
}

// reissued reports whether the server gave a checked token again within
// AskEvery.
func (g Grant) reissued(now time.Time) bool { return recently(g.ReissuedAt, now, AskEvery) }

// FoundActive reports whether the server recently accepted the token.
func (g Grant) FoundActive(now time.Time) bool {
	return g.CheckVerdict == Active && (recently(g.CheckedAt, now, CheckEvery) || g.reissued(now))
}

// Reissued reports whether the server recently gave a token again that it calls
// invalid.
func (g Grant) Reissued(now time.Time) bool { return g.CheckVerdict == Inactive && g.reissued(now) }
