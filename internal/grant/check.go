package grant

import "time"

// Verdict is what the authorization server said of the token in hand when it
// was last checked (checkToken; RFC 7662 calls it introspection).
type Verdict string

// The verdicts.
const (
	// Unchecked: it was never checked.
	Unchecked Verdict = ""
	// Alive: the server accepts it.
	Active Verdict = "alive"
	// Dead: the server says that it is invalid. Such a token counts as ended.
	Inactive Verdict = "dead"
	// Unclear: the server said neither, as the framework's default does, where
	// nobody may check a token.
	Unclear Verdict = "unclear"
)

// CheckedAs is the grant after a check of its token.
func (g Grant) CheckedAs(v Verdict, now time.Time) Grant {
	g.CheckedAt, g.CheckVerdict, g.ReissuedAt = now, v, time.Time{}
	return g
}

// AskedAs is the grant whose checked token was given again when another was
// asked for. With Alive the server took it for valid all the same, with Dead it
// insists on a token that it calls invalid.
func (g Grant) AskedAs(v Verdict, now time.Time) Grant {
	g.CheckVerdict, g.ReissuedAt = v, now
	return g
}

// unchecked is the grant with a new token, of which the last check said nothing.
// That nobody may check tokens stays known, and that nothing is asked for any more.
func (g Grant) unchecked() Grant {
	if g.CheckVerdict == Unclear {
		g.ReissuedAt = g.CheckedAt
		return g
	}
	g.CheckVerdict, g.ReissuedAt = Unchecked, time.Time{}
	return g
}

// Asking reports whether a check a moment ago said nothing of the token, and
// another one is being asked for, unless that has failed.
func (g Grant) Asking(now time.Time) bool {
	return g.CheckVerdict == Unclear && g.ReissuedAt.IsZero() && recently(g.CheckedAt, now, CheckEvery)
}

// foundDead reports whether the token counts as ended, because the server calls
// it invalid and has not given it again.
func (g Grant) foundDead() bool { return g.CheckVerdict == Inactive && g.ReissuedAt.IsZero() }

// Checkable reports whether a reported token may be checked: once per
// CheckEvery, whichever token it was; not for a while after the server gave it
// again, nor after it said nothing, because then another token was asked for.
func (g Grant) Checkable(now time.Time) bool {
	every := CheckEvery
	if g.CheckVerdict == Unclear {
		every = AskEvery
	}
	return !recently(g.CheckedAt, now, every) && !g.reissued(now)
}

// reissued reports whether the server gave a checked token again a while ago.
func (g Grant) reissued(now time.Time) bool { return recently(g.ReissuedAt, now, AskEvery) }

// FoundAlive reports whether the server took the token for valid a moment ago.
func (g Grant) FoundActive(now time.Time) bool {
	return g.CheckVerdict == Active && (recently(g.CheckedAt, now, CheckEvery) || g.reissued(now))
}

// Reissued reports whether the server insisted a while ago on a token that it
// calls invalid.
func (g Grant) Reissued(now time.Time) bool { return g.CheckVerdict == Inactive && g.reissued(now) }
