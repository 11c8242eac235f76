package renewal_test

import (
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

func TestFirstToken(t *testing.T) {
	for name, fields := range map[string]map[string]any{
		"client credentials": clientCredentials(),
		"password":           password(),
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.connect("acme", fields)
				report := w.acme()
				w.expect(report, rotateapi.Renewed, "")
				g := w.status(grant.StatusOK)
				if !g.Valid(time.Now()) || g.Version != 1 || report.Version != 1 || report.Fingerprint != g.Fingerprint {
					t.Errorf("grant %+v, report %+v: want a valid token of version 1", g, report)
				}
				if want := g.IssuedAt.Add(3599 * time.Second); !g.ExpiresAt.Equal(want) {
					t.Errorf("ends %v, want %v", g.ExpiresAt, want)
				}
				if g.HasRefreshToken() != (name == "password") {
					t.Errorf("refresh token %q", g.RefreshFingerprint)
				}
				w.wantRequests(1)
			})
		})
	}
}

// A connection that no person has authorized says so, and is looked at every five
// minutes without asking Reltio.
func TestFirstTokenOfAuthorizationCodeNeedsAPerson(t *testing.T) {
	bubble(t, func(w *world) {
		w.connect("acme", authorizationCode())
		w.expect(w.acme(), rotateapi.Reauthorize, apierr.ReauthorizationRequired)
		g := w.status(grant.StatusReauthorize)
		if want := time.Now().Add(5 * time.Minute); !near(g.RetryAt, want) || !near(g.DueAt, want) {
			t.Errorf("retry at %v, due at %v, want %v", g.RetryAt, g.DueAt, want)
		}
		if g.Shard != grant.ShardWaiting {
			t.Errorf("shard %q, want waiting", g.Shard)
		}
		if n := w.out.count(connect); n != 0 {
			t.Errorf("%d connections dialled, want none", n)
		}
		w.expect(w.acme(), rotateapi.Unchanged, apierr.ReauthorizationRequired)
	})
}

func TestRefreshesWhenDue(t *testing.T) {
	for name, fields := range map[string]map[string]any{
		"password":           password(),
		"authorization code": authorizationCode(),
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				g := w.started(fields)
				w.expect(w.acme(), rotateapi.Unchanged, "") // not due
				w.wantRequests(1)
				time.Sleep(time.Until(g.ExpiresAt.Add(time.Second)))
				w.expect(w.acme(), rotateapi.Renewed, "")
				next := w.grant("acme")
				if next.Version != 2 || next.Fingerprint == g.Fingerprint || !next.Valid(time.Now()) {
					t.Errorf("version %d, %s, want a new token", next.Version, next.Fingerprint)
				}
				requests := w.server.Requests()
				if got := requests[len(requests)-1].GrantType; got != "refresh_token" {
					t.Errorf("asked with %s, want refresh_token", got)
				}
				if !next.LoggedInAt.Equal(g.LoggedInAt) {
					t.Errorf("logged in at %v, want %v still", next.LoggedInAt, g.LoggedInAt)
				}
			})
		})
	}
}

func TestClientCredentialsLogInEachTime(t *testing.T) {
	bubble(t, func(w *world) {
		w.started(clientCredentials())
		for version := int64(2); version < 5; version++ {
			g := w.grant("acme")
			time.Sleep(time.Until(g.ExpiresAt.Add(3 * time.Second)))
			w.expect(w.acme(), rotateapi.Renewed, "")
			if got := w.grant("acme").Version; got != version {
				t.Errorf("version %d, want %d", got, version)
			}
		}
		for _, r := range w.server.Requests() {
			if r.GrantType != "client_credentials" {
				t.Errorf("asked with %s", r.GrantType)
			}
		}
		if n := w.out.count(tokenCurrent) + w.out.count(tokenPut); n != 0 {
			t.Errorf("%d times at Secrets Manager, want never", n)
		}
	})
}

// A server that gives no refresh token is logged in to each time.
func TestPasswordWithoutRefreshTokenLogsInEachTime(t *testing.T) {
	bubble(t, func(w *world) {
		w.behave(func(b *reltioauthtest.Behaviour) { b.OmitRefreshToken = true })
		g := w.started(password())
		if g.HasRefreshToken() || g.Mode() != g.LoginMode {
			t.Fatalf("refresh token %q, mode %q", g.RefreshFingerprint, g.Mode())
		}
		time.Sleep(time.Until(g.ExpiresAt.Add(time.Second)))
		w.expect(w.acme(), rotateapi.Renewed, "")
		if n := w.out.count(tokenPut); n != 0 {
			t.Errorf("%d writes to Secrets Manager, want none", n)
		}
	})
}
