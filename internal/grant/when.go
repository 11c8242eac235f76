package grant

import (
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// The moments of a token's life at which things happen. A share is a share of
// the token's life.
const (
	// ended: a token with less left than this is never handed out.
	ended = time.Second
	// fleeting: tokens of a shorter life have mostly ended when they come.
	fleeting = 2 * time.Second
	// An overlapping token is renewed between these shares before its end, at
	// a moment fixed by its fingerprint, so that a fleet spreads.
	overlapEarliest, overlapLatest = 0.25, 0.20
	// unknownBefore its end, but at most unknownShare of its life.
	unknownBefore = 3 * time.Minute
	unknownShare  = 20
	// atEndAfter its end a token of mode AtEnd is asked for.
	atEndAfter = time.Second
	// repeatAfter the end of a token that came again it is asked for again.
	repeatAfter = 2 * time.Second
	// TestEvery is how often a learned mode is put to the test.
	TestEvery = 7 * 24 * time.Hour
	// learnLeft is what an old token must have left (at most learnShare of its
	// life) for a renewal to teach anything.
	learnLeft  = time.Minute
	learnShare = 60
	// sameDeadline: two deadlines of one token this close are one deadline seen
	// through rounding and clocks.
	sameDeadline = 10 * time.Second
	// LookEvery is how often a waiting grant is looked at.
	LookEvery = 5 * time.Minute
	// TryEvery is how often a waiting grant tries Reltio without new
	// credentials.
	TryEvery = time.Hour
	// CheckEvery is how often a reported token is checked at most.
	CheckEvery = 30 * time.Second
	// AskEvery is how often another token is asked for at most where a check
	// tells nothing, and how long a token that came again is not checked again.
	AskEvery = 5 * time.Minute
	// UnknownFor is how long an unknown connection is remembered.
	UnknownFor = 60 * time.Second
)

// A refresh token's life, in shares of it.
const (
	reloginFrom, reloginTo = 0.75, 0.90
	endsSoon               = 0.10
	endsSoonWarned         = 0.25
)

// Life is how long the access token lives in all.
func (g Grant) Life() time.Duration { return g.ExpiresAt.Sub(g.IssuedAt) }

// HasToken reports whether there is an access token, valid or not.
func (g Grant) HasToken() bool { return !g.AccessToken.IsZero() }

// HasRefreshToken reports whether the vault holds a refresh token.
func (g Grant) HasRefreshToken() bool { return g.RefreshFingerprint != "" }

// Living reports whether the token can be handed out at now: its deadline has
// not passed, and it was not found dead.
func (g Grant) Valid(now time.Time) bool { return g.Unexpired(now) && !g.foundDead() }

// Unexpired reports whether the token's deadline has not passed, whatever a
// check said.
func (g Grant) Unexpired(now time.Time) bool {
	return g.HasToken() && g.ExpiresAt.Sub(now) >= ended
}

// Mode is the one that decides about the next renewal: a login's where there
// is no refresh token, else a refresh's.
func (g Grant) Mode() Mode {
	return g.ModeOf(g.HasRefreshToken())
}

// Waiting reports whether the grant waits for a person or new credentials.
func (g Grant) Waiting() bool {
	switch g.Status {
	case StatusCredentialsRejected, StatusMFARequired, StatusReauthorize, StatusInvalidConnection:
		return true
	default:
		return false
	}
}

// Retrying reports whether retry_at lies ahead: until then Reltio is not asked.
func (g Grant) Retrying(now time.Time) bool { return g.RetryAt.After(now) }

// Due is the moment from which the grant is to be renewed, or looked at. It is
// the one answer to "when", for everybody: vending, renewing and the index. A
// grant without a token is due at once; after a failure not before RetryAt.
func (g Grant) Due() time.Time {
	due := g.natural()
	if g.Waiting() || !g.SecretMissingAt.IsZero() || g.RetryAt.After(due) {
		due = g.RetryAt
	}
	return due
}

// natural is when the token is due if nothing ever failed.
func (g Grant) natural() time.Time {
	if !g.HasToken() || g.foundDead() || g.Doubted {
		return time.Time{}
	}
	if g.Relogin != "" || !g.RepeatedUntil.IsZero() {
		return g.afterEnd()
	}
	switch g.Mode() {
	case Overlap:
		share := overlapEarliest - (overlapEarliest-overlapLatest)*spread(g.Fingerprint)
		return g.ExpiresAt.Add(-scale(g.Life(), share))
	case AtEnd:
		if early := g.unknownDue(); !g.HasRefreshToken() && !early.Before(g.EarlyAskedAt.Add(TestEvery)) {
			return early
		}
		return g.afterEnd()
	default:
		return g.unknownDue()
	}
}

func (g Grant) unknownDue() time.Time {
	return g.ExpiresAt.Add(-min(unknownBefore, g.Life()/unknownShare))
}

func (g Grant) afterEnd() time.Time {
	if !g.RepeatedUntil.IsZero() {
		return g.RepeatedUntil.Add(repeatAfter)
	}
	return g.ExpiresAt.Add(atEndAfter)
}

// EarlyWindow reports whether a living token is so near its end that a caller
// asks for its renewal on the way: only where asking early gives something.
func (g Grant) EarlyWindow(now time.Time) bool {
	if g.Doubted {
		return g.Valid(now) && !g.Retrying(now) && !g.Waiting() && g.Status != StatusPaused
	}
	if g.Mode() == AtEnd || g.Relogin != "" || !g.RepeatedUntil.IsZero() || g.Waiting() || g.Status == StatusPaused {
		return false
	}
	return g.Valid(now) && !g.Retrying(now) && !g.Due().After(now)
}

// LivesUp reports whether a caller that needs more life than is left may have
// the token renewed before it is due: only where the old one lives on, and not
// a token that is still young, or that came again instead of a new one.
func (g Grant) UsedHalf(now time.Time, need time.Duration) bool {
	left := g.ExpiresAt.Sub(now)
	return g.HasToken() && left < need && left < g.Life()/2 && g.Mode() == Overlap && g.Relogin == "" &&
		g.RepeatedUntil.IsZero() && !g.Retrying(now) && !g.Waiting() && g.Status != StatusPaused
}

// TryDue reports whether a waiting grant may try Reltio again without new
// credentials: an hour after it did, a refused client sooner at first. One whose
// user needs a second factor never, until an operator resumes it: Reltio mails a
// code at each login.
func (g Grant) TryDue(now time.Time) bool {
	if g.Status == StatusMFARequired {
		return g.TriedAt.IsZero()
	}
	return !recently(g.TriedAt, now, g.tryEvery())
}

func (g Grant) tryEvery() time.Duration {
	if g.Status == StatusCredentialsRejected && g.Refusals > 0 {
		return RefusalPause(g.Refusals, g.Life())
	}
	return TryEvery
}

// recently reports whether at lies less than d before now. A moment in the
// future is a clock's difference if it is near, and not believed if it is not.
func recently(at, now time.Time, d time.Duration) bool {
	return !at.IsZero() && at.Add(d).After(now) && !at.After(now.Add(d))
}

// ReloginAt is the moment from which a connection that can log in alone
// replaces its refresh token: between 75 % and 90 % of its life, fixed by the
// connection's name.
func (g Grant) ReloginAt() time.Time {
	life := g.RefreshExpiresAt.Sub(g.LoggedInAt)
	share := reloginFrom + (reloginTo-reloginFrom)*spread(g.Connection)
	return g.LoggedInAt.Add(scale(life, share))
}

// RefreshEndsSoon reports whether a caller should hear that the refresh token
// nears its end: once a person was warned, or when even a connection that logs
// in alone should have replaced it.
func (g Grant) RefreshEndsSoon(now time.Time) bool {
	if g.RefreshExpiresAt.IsZero() {
		return false
	}
	life := g.RefreshExpiresAt.Sub(g.LoggedInAt)
	if g.LoggedInAt.IsZero() {
		life = 28 * 24 * time.Hour
	}
	left := g.RefreshExpiresAt.Sub(now)
	warned := !g.WarnedAt.IsZero() && g.WarnedAt.After(g.LoggedInAt)
	return left <= scale(life, endsSoon) || warned && left <= scale(life, endsSoonWarned)
}

// scale is a share of a duration, in whole milliseconds.
func scale(d time.Duration, share float64) time.Duration {
	return time.Duration(float64(d) * share).Truncate(time.Millisecond)
}

// spread maps a text to a number in [0, 1), evenly.
func spread(text string) float64 {
	sum := sha256.Sum256([]byte(text))
	return float64(binary.BigEndian.Uint32(sum[:4])) / (1 << 32)
}
