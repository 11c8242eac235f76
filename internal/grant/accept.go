package grant

import (
	"time"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// Lesson is what a renewal can teach about the server.
type Observation int

// The lessons.
const (
	// NoLesson: nothing can be concluded, or nothing is asked just now.
	NoObservation Observation = iota
	// SameToken: the server gave the token that it had given before.
	SameToken
	// AskAboutOld: a new token came; whether the old one lives on has to be
	// asked.
	AskAboutOld
)

// Learn says what a renewal sent at sent teaches: only one of an unreported
// token that had enough of its life left, since a token about to end dies of
// itself, and not of one that was found dead, since it died before.
func (g Grant) Observe(next Grant, m Mode, sent time.Time, reported bool) Observation {
	left := g.ExpiresAt.Sub(sent)
	if !g.HasToken() || reported || g.CheckVerdict == Inactive || left < min(learnLeft, g.Life()/learnShare) {
		return NoObservation
	}
	if next.Fingerprint == g.Fingerprint {
		return SameToken
	}
	if m != Unknown && recently(g.EarlyAskedAt, sent, TestEvery) {
		return NoObservation
	}
	return AskAboutOld
}

// WithMode sets what was learned, for refreshes or for logins, and when.
func (g Grant) WithMode(refresh bool, m Mode, at time.Time) Grant {
	if refresh {
		g.RefreshMode = m
	} else {
		g.LoginMode = m
	}
	g.EarlyAskedAt = at
	return g
}

// ModeOf is the mode learned for refreshes or for logins. A refresh begins as
// AtEnd, so that no token which callers hold is ended to learn.
func (g Grant) ModeOf(refresh bool) Mode {
	switch {
	case refresh && g.RefreshMode != Overlap:
		return AtEnd
	case refresh:
		return Overlap
	case g.LoginMode == "":
		return Unknown
	}
	return g.LoginMode
}

// Accept puts an answer's access token into the grant. A token that is the one
// already held keeps its version; if its two deadlines nearly agree the earlier
// one counts for callers, else the new one, and the later one is remembered as
// the moment after which the server may be asked once more.
func (g Grant) Accept(t *reltioauth.Token) Grant {
	same := g.HasToken() && g.AccessToken.Equal(t.AccessToken)
	old := g
	g.AccessToken = t.AccessToken
	g.Fingerprint = t.Fingerprint()
	g.TokenType = t.TokenType
	g.Scope = t.Scope
	g.ExpiresInMissing = t.ExpiresInMissing
	g.ExpiresAt = t.ExpiresAt()
	if !same {
		g.IssuedAt = t.IssuedAt
		g.Version = old.Version + 1
		g.RepeatedUntil = time.Time{}
		if t.ExpiresIn == 0 { // the last second of a token that another asked for
			g.RepeatedUntil = g.ExpiresAt
		}
		return g.unchecked()
	}
	g.RepeatedUntil = g.ExpiresAt
	if old.ExpiresAt.After(g.ExpiresAt) {
		g.RepeatedUntil = old.ExpiresAt
	}
	if apart := g.ExpiresAt.Sub(old.ExpiresAt); apart > 0 && apart <= sameDeadline {
		g.ExpiresAt = old.ExpiresAt
	}
	return g
}

// Stuck reports whether the server gave an ended token again that it had
// already given a second time: asking once more in a moment gives nothing.
func (g Grant) Stuck(next Grant, sent time.Time) bool {
	return next.Fingerprint == g.Fingerprint && g.HasToken() && !next.Unexpired(sent) &&
		!g.RepeatedUntil.IsZero() && !sent.Before(g.RepeatedUntil)
}

// Fleeting reports whether the server's new token ended on its way, and asking
// again at once gives nothing: the one before it was as short-lived, or lives
// on. A first one may be another client's in its last second.
func (g Grant) Fleeting(next Grant, now time.Time) bool {
	return next.Version != g.Version && !next.Valid(now) &&
		(g.Valid(now) || g.HasToken() && g.Life() < fleeting)
}

// WithoutToken removes the access token; its fingerprint and version stay.
func (g Grant) WithoutToken() Grant {
	g.AccessToken = reltioauth.Secret{}
	g.RepeatedUntil = time.Time{}
	return g
}

// WithRefreshToken points at the refresh token's version in the vault and
// starts its clock at its login.
func (g Grant) WithRefreshToken(r RefreshToken, life time.Duration) Grant {
	g.SecretVersion = r.Version
	g.RefreshFingerprint = r.Fingerprint()
	g.LoggedInAt, g.RefreshExpiresAt = r.LoggedInAt, r.LoggedInAt.Add(life)
	if g.RefreshFingerprint == "" {
		g.LoggedInAt, g.RefreshExpiresAt = time.Time{}, time.Time{}
	}
	return g
}

// Newborn is the empty grant of an identity: nothing of the one before is kept
// but what fences writers and orders versions.
func (g Grant) Reset(identity string) Grant {
	return Grant{
		Connection:  g.Connection,
		Version:     g.Version,
		Epoch:       g.Epoch,
		Owner:       g.Owner,
		Identity:    identity,
		RefreshMode: AtEnd,
		LoginMode:   Unknown,
		Status:      StatusOK,
	}
}
