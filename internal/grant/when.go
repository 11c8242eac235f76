package grant

import (
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// The moments of a token's life at which things happen. A share is a share of
// the token's life.
const (
	// ended: a token with less time left than this is never handed out.
	ended = time.Second
	// fleeting: most tokens of a shorter life have expired when they arrive.
	fleeting = 2 * time.Second
	// A token of mode Overlap is renewed between these shares before its end,
	// at a moment fixed by its fingerprint, so that a fleet spreads.
	overlapEarliest, overlapLatest = 0.25, 0.20
	// unknownBefore its end, but at most unknownShare of its life, a token of
	// mode Unknown is renewed.
	unknownBefore = 3 * time.Minute
	unknownShare  = 20
	// atEndAfter its end a token of mode AtEnd is renewed.
	atEndAfter = time.Second
	// repeatAfter its end the successor of a token that came again is
	// requested.
	repeatAfter = 2 * time.Second
	// TestEvery is how often an observed mode is tested again.
	TestEvery = 7 * 24 * time.Hour
	// learnLeft is the time that an old token must have left (at most
	// learnShare of its life) for a renewal to show the server's mode.
	learnLeft  = time.Minute
	learnShare = 60
	// sameDeadline: two deadlines of one token this close are one deadline seen
	// through rounding and clocks.
	sameDeadline = 10 * time.Second
	// LookEvery is how often the sweep looks at a waiting grant.
	LookEvery = 5 * time.Minute
	// TryEvery is how often a waiting grant is tried at Reltio without new
	// credentials.
	TryEvery = time.Hour
	// CheckEvery is how often a reported token is checked at most.
	CheckEvery = 30 * time.Second
	// AskEvery is how often at most another token is requested after
	// inconclusive checks, and how long a token that came again is not checked
	// again.
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

// Life is the access token's whole life, from its request to its deadline.
func (g Grant) Life() time.Duration { return g.ExpiresAt.Sub(g.IssuedAt) }

// HasToken reports whether there is an access token, valid or not.
func (g Grant) HasToken() bool { return !g.AccessToken.IsZero() }

// HasRefreshToken reports whether the grant has a refresh token.
func (g Grant) HasRefreshToken() bool { return g.RefreshFingerprint != "" }

// Valid reports whether the token can be handed out at now: its deadline has
// not passed, and no check found it inactive.
func (g Grant) Valid(now time.Time) bool { return g.Unexpired(now) && !g.foundInactive() }

// Unexpired reports whether the token's deadline has not passed, whatever a
// check found.
func (g Grant) Unexpired(now time.Time) bool {
	return g.HasToken() && g.ExpiresAt.Sub(now) >= ended
}

// Mode is the mode that decides about the next renewal: that of logins if there
// is no refresh token, else that of refreshes.
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

// Retrying reports whether RetryAt is after now: until then Reltio is not
// asked.
func (g Grant) Retrying(now time.Time) bool { return g.RetryAt.After(now) }

// Due is the moment from which the grant is to be renewed, or to be looked at.
// Issue, renewal and the index all use it. A grant without a token is due at
// once; after a failure it is not due before RetryAt.
func (g Grant) Due() time.Time {
	due := g.natural()
	if g.Waiting() || !g.SecretMissingAt.IsZero() || g.RetryAt.After(due) {
		due = g.RetryAt
	}
	return due
}

// natural is when the token would be due without any failure.
func (g Grant) natural() time.Time {
	if !g.HasToken() || g.foundInactive() || g.Doubted {
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

// EarlyWindow reports whether a valid token is so near its end that a caller
// starts its renewal in the background. It is false where an early request
// would give no new token.
func (g Grant) EarlyWindow(now time.Time) bool {
	if g.Doubted {
		return g.Valid(now) && !g.Retrying(now) && !g.Waiting() && g.Status != StatusPaused
	}
	if g.Mode() == AtEnd || g.Relogin != "" || !g.RepeatedUntil.IsZero() || g.Waiting() || g.Status == StatusPaused {
		return false
	}
	return g.Valid(now) && !g.Retrying(now) && !g.Due().After(now)
}

// UsedHalf reports whether a caller's min_ttl may start an early renewal. It
// may only in mode Overlap, past half of the token's life, and not while the
// grant waits, is paused or backs off. A token that came again instead of a new
// one is not renewed early.
func (g Grant) UsedHalf(now time.Time, need time.Duration) bool {
	left := g.ExpiresAt.Sub(now)
	return g.HasToken() && left < need && left < g.Life()/2 && g.Mode() == Overlap && g.Relogin == "" &&
		g.RepeatedUntil.IsZero() && !g.Retrying(now) && !g.Waiting() && g.Status != StatusPaused
}

// TryDue reports whether a waiting grant may be tried at Reltio again without
// new credentials: an hour after the last try, after a client's first refusals
// sooner. A grant whose user needs a second factor is not tried until an
// operator resumes it, because Reltio sends a code at each login.
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

// recently reports whether at lies less than d before now. A moment up to d
// after now counts as recent, because clocks differ; a later one does not
// count.
func recently(at, now time.Time, d time.Duration) bool {
	return !at.IsZero() && at.Add(d).After(now) && !at.After(now.Add(d))
}

// ReloginAt is the moment from which a connection that can log in without a
// person replaces its refresh token: between 75 % and 90 % of its life, fixed
// by the connection's name.
func (g Grant) ReloginAt() time.Time {
	life := g.RefreshExpiresAt.Sub(g.LoggedInAt)
	share := reloginFrom + (reloginTo-reloginFrom)*spread(g.Connection)
	return g.LoggedInAt.Add(scale(life, share))
}

// RefreshEndsSoon reports whether callers are warned that the refresh token
// ends soon: after a person was warned, or when even a connection that logs in
// without a person should have replaced it.
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

// spread maps a text to a number in [0, 1), evenly distributed.
func spread(text string) float64 {
	sum := sha256.Sum256([]byte(text))
	return float64(binary.BigEndian.Uint32(sum[:4])) / (1 << 32)
}
