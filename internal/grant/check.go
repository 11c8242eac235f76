package grant

import "time"

// Verdict is what the authorization server said of a reported token.
type Verdict int

// The verdicts.
const (
	// Undecided: nothing definite, or of another token.
	Undecided Verdict = iota
	// Alive: the server accepts it.
	Alive
	// Dead: the server refuses it, definitely.
	Dead
)

// besides is how far TriedAt is from CheckedAt at least where the two are not
// to be the same.
const besides = time.Millisecond

// CheckedAs is the grant after a check of its token. The verdict stands in the
// order of two moments: TriedAt comes before CheckedAt (alive), is the same
// (dead), or comes after it (undecided). A waiting grant is checked only when it
// may be tried; found dead, it may be still, until it was.
func (g Grant) CheckedAs(v Verdict, now time.Time) Grant {
	g.CheckedAt = now
	switch v {
	case Dead:
		g.TriedAt = now
	case Alive:
		if !g.TriedAt.Before(now) {
			g.TriedAt = now.Add(-besides)
		}
	default:
		g.TriedAt = now.Add(besides)
	}
	return g
}

// unchecked is the grant with a token of which the last check said nothing.
func (g Grant) unchecked() Grant {
	if !g.CheckedAt.IsZero() && !g.TriedAt.After(g.CheckedAt) {
		g.TriedAt = g.CheckedAt.Add(besides)
	}
	return g
}

// Tried is the grant with a try of Reltio that a waiting one makes once in a
// while. It is never the moment of a check, which would be a verdict.
func (g Grant) Tried(now time.Time) Grant {
	g.TriedAt = now
	if now.Equal(g.CheckedAt) {
		g.TriedAt = now.Add(besides)
	}
	return g
}

// Untried forgets when a waiting grant was tried last, so that it may be now. A
// check that said nothing definite is forgotten with it: without that moment it
// would read as another verdict.
func (g Grant) Untried() Grant {
	if g.TriedAt.Equal(g.CheckedAt) {
		return g // found dead: it may be tried
	}
	if g.TriedAt.After(g.CheckedAt) {
		g.CheckedAt = time.Time{}
	}
	g.TriedAt = time.Time{}
	return g
}

// Checkable reports whether a reported token may be checked: once per
// CheckEvery, whichever token it was, and not for a while after the server
// insisted on a dead one.
func (g Grant) Checkable(now time.Time) bool { return !g.checked(now) && !g.Reissued(now) }

// checked reports whether the last check was a moment ago.
func (g Grant) checked(now time.Time) bool { return recently(g.CheckedAt, now, CheckEvery) }

// Reissued reports whether the server insisted on a dead token a while ago.
func (g Grant) Reissued(now time.Time) bool { return recently(g.ReissuedAt, now, ReissuedFor) }

// FoundAlive reports whether the last check, a moment ago, found the token
// alive. What else was asked of Reltio in vain does not matter.
func (g Grant) FoundAlive(now time.Time) bool {
	return g.checked(now) && !g.Reissued(now) && g.TriedAt.Before(g.CheckedAt)
}

// FoundDead reports whether the last check, a moment ago, found the token dead:
// it is being replaced, or has to be.
func (g Grant) FoundDead(now time.Time) bool {
	return g.checked(now) && !g.Reissued(now) && g.TriedAt.Equal(g.CheckedAt)
}
