package grant

import (
	"time"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// Observation is what a renewal shows about the server.
type Observation int

// The observations.
const (
	// NoObservation: the renewal shows nothing, or the mode need not be tested
	// now.
	NoObservation Observation = iota
	// SameToken: the server gave the token that it had given before.
	SameToken
	// AskAboutOld: a new token came; a check has to show whether the old one is
	// still active.
	AskAboutOld
)

// Observe returns what a renewal sent at sent shows. Only the renewal of an
// unreported token that had enough of its life left shows anything: a token
// near its end expires anyway, and one that was found inactive had become so
// before.
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

// WithMode sets the observed mode, of refreshes or of logins, and when it was
// observed.
func (g Grant) WithMode(refresh bool, m Mode, at time.Time) Grant {
	if refresh {
		g.RefreshMode = m
	} else {
		g.LoginMode = m
	}
	g.EarlyAskedAt = at
	return g
}

// ModeOf is the mode of refreshes or of logins. Refreshes begin as AtEnd, so
// that no test makes a token inactive that callers have.
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

// Accept puts a response's access token into the grant. A token that the grant
// has already keeps its version. If its two deadlines nearly agree the earlier
// one counts for callers, else the new one. The later one becomes
// RepeatedUntil: after it the server is asked again.
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
		if t.ExpiresIn == 0 { // the last second of a token that another client requested
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

// Stuck reports whether the server gave an expired token again that it had
// already given a second time: a new request at once would give nothing new.
func (g Grant) Stuck(next Grant, sent time.Time) bool {
	return next.Fingerprint == g.Fingerprint && g.HasToken() && !next.Unexpired(sent) &&
		!g.RepeatedUntil.IsZero() && !sent.Before(g.RepeatedUntil)
}

// Fleeting reports whether the server's new token expired before it arrived,
// and a new request at once would give nothing better: the token before it had
// as short a life, or is still valid. A first such token may be another
// client's in its last second.
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

// WithRefreshToken points at the refresh token's version in the
// RefreshTokenStore and counts its life from its login.
func (g Grant) WithRefreshToken(r RefreshToken, life time.Duration) Grant {
	g.SecretVersion = r.Version
	g.RefreshFingerprint = r.Fingerprint()
	g.LoggedInAt, g.RefreshExpiresAt = r.LoggedInAt, r.LoggedInAt.Add(life)
	if g.RefreshFingerprint == "" {
		g.LoggedInAt, g.RefreshExpiresAt = time.Time{}, time.Time{}
	}
	return g
}

// Reset is the empty grant of an identity. Of the grant before it keeps only
// what fences writers and orders versions.
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
