package grant_test

import (
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

const (
	ms   = time.Millisecond
	day  = 24 * time.Hour
	week = 7 * day
)

// The life of the grant in most tests: an hour.
func issued() time.Time  { return time.Date(2026, 11, 23, 16, 0, 0, 0, time.UTC) }
func expires() time.Time { return issued().Add(time.Hour) }

// fresh is a healthy grant without a refresh token, changed as a test wants it.
func fresh(changes ...func(*grant.Grant)) grant.Grant {
	token := reltioauth.NewSecret("access-1")
	g := grant.Grant{
		Connection: "acme", AccessToken: token, Fingerprint: reltioauth.Fingerprint(token), TokenType: "bearer",
		IssuedAt: issued(), ExpiresAt: expires(), Version: 41, Status: grant.StatusOK,
		RefreshMode: grant.Unknown, LoginMode: grant.Unknown,
	}
	for _, change := range changes {
		change(&g)
	}
	return g
}

func mode(m grant.Mode) func(*grant.Grant) { return func(g *grant.Grant) { g.LoginMode = m } }

func refreshMode(m grant.Mode) func(*grant.Grant) {
	return func(g *grant.Grant) { g.RefreshMode = m }
}

func life(d time.Duration) func(*grant.Grant) {
	return func(g *grant.Grant) { g.ExpiresAt = g.IssuedAt.Add(d) }
}

func status(s grant.Status) func(*grant.Grant) { return func(g *grant.Grant) { g.Status = s } }

func retryAt(at time.Time) func(*grant.Grant) { return func(g *grant.Grant) { g.RetryAt = at } }

func testedAt(at time.Time) func(*grant.Grant) { return func(g *grant.Grant) { g.EarlyAskedAt = at } }

func repeatedUntil(at time.Time) func(*grant.Grant) {
	return func(g *grant.Grant) { g.RepeatedUntil = at }
}

func relogin(r grant.Relogin) func(*grant.Grant) { return func(g *grant.Grant) { g.Relogin = r } }

func withoutToken(g *grant.Grant) { *g = g.WithoutToken() }

// refreshable gives the grant a refresh token of 28 days.
func refreshable(g *grant.Grant) {
	g.RefreshFingerprint, g.LoggedInAt, g.RefreshExpiresAt = "sha256:r", issued(), issued().Add(28*day)
}

// waitings are the statuses that wait for a person or new credentials.
func waitings() []grant.Status {
	return []grant.Status{
		grant.StatusCredentialsRejected, grant.StatusMFARequired,
		grant.StatusReauthorize, grant.StatusInvalidConnection,
	}
}
