package renewal_test

import (
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// A grant and Secrets Manager may differ about the refresh token: a response of
// Secrets Manager was lost, the table was restored, a version was purged, a login
// elsewhere was stored. A grant without a refresh token is due as early as a login
// would be. However a renewal comes to a refresh token, the refresh waits for the
// end of the valid token that callers have, unless an operator forces it.
func TestRefreshTokenThatIsFoundEndsNoValidToken(t *testing.T) {
	unknown := func(g *grant.Grant) {
		g.RefreshFingerprint, g.SecretVersion, g.RefreshExpiresAt, g.LoggedInAt = "", "", time.Time{}, time.Time{}
	}
	for name, differ := range map[string]func(w *world, g *grant.Grant){
		"Secrets Manager took it and its response was lost": func(_ *world, g *grant.Grant) {
			unknown(g)
			g.Status, g.LastError = grant.StatusFailing, apierr.StoreUnavailable
		},
		"the grant was restored to before it": func(_ *world, g *grant.Grant) { unknown(g) },
		"the grant was restored to one before": func(w *world, _ *grant.Grant) {
			r := w.refreshToken()
			r.Epoch++
			w.putRefreshToken(r)
		},
		"its version was purged, a newer one is there": func(w *world, _ *grant.Grant) { w.purge(9) },
		"its version was purged, an older one is there": func(w *world, _ *grant.Grant) {
			w.purge(0)
		},
		"it is parked": func(w *world, g *grant.Grant) {
			r := w.refreshToken()
			r.Epoch = g.Epoch + 1
			if err := w.table.Park(w.t.Context(), "acme", r); err != nil {
				w.t.Fatal(err)
			}
			unknown(g)
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				g := w.started(password())
				differ(w, &g)
				w.change(g)
				ends, requests := g.ExpiresAt, w.requests()
				for _, early := range []time.Duration{10 * time.Minute, 4 * time.Minute, time.Minute, 10 * time.Second} {
					time.Sleep(time.Until(ends.Add(-early)))
					w.acme()
					w.sweep()
					w.wantRequests(requests)
					if got := w.grant("acme"); !got.Valid(time.Now()) || got.Fingerprint != g.Fingerprint {
						t.Fatalf("%v before its end the token is gone: %s", early, got.Status)
					}
				}
				time.Sleep(time.Until(ends.Add(70 * time.Second))) // a second look at what is purged
				for range 3 {
					w.acme()
					time.Sleep(time.Until(w.grant("acme").Due()))
					if w.grant("acme").Status == grant.StatusOK {
						break
					}
				}
				w.acme()
				g = w.status(grant.StatusOK)
				if g.RefreshFingerprint != w.refreshToken().Fingerprint() || g.RefreshFingerprint == "" {
					t.Errorf("refresh token %q", g.RefreshFingerprint)
				}
			})
		})
	}
	t.Run("an operator forces it", func(t *testing.T) {
		bubble(t, func(w *world) {
			g := w.started(password())
			unknown(&g)
			w.change(g)
			time.Sleep(time.Minute)
			began := time.Now()
			w.expect(w.force(), rotateapi.Renewed, "")
			w.wantAsked(began, "refresh_token", "checkToken", "checkToken")
		})
	})
}

// The table was restored to a moment at which the grant waited, and a login since then
// has ended the wait: its refresh token is in Secrets Manager. It is found within an hour,
// nothing is sent while the token that callers have is valid, and operators hear that the
// connection has recovered. A refresh token of an earlier login ends no wait.
func TestALaterLoginEndsTheWaitOfARestoredGrant(t *testing.T) {
	waits := map[grant.Status]apierr.Type{
		grant.StatusReauthorize: apierr.ReauthorizationRequired, grant.StatusCredentialsRejected: apierr.CredentialsRejected,
		grant.StatusInvalidConnection: apierr.InvalidConnection,
	}
	for status, e := range waits {
		for kind, fields := range map[string]map[string]any{"password": password(), "authorization_code": authorizationCode()} {
			for when, later := range map[string]time.Duration{"a later login": time.Minute, "the same login": 0} {
				t.Run(string(status)+", "+kind+", "+when, func(t *testing.T) {
					bubble(t, func(w *world) {
						g := w.started(fields)
						known := w.refreshToken()
						next := known
						if later > 0 {
							next = w.anotherLogin()
							next.LoggedInAt = known.LoggedInAt.Add(later)
						}
						next.Epoch, next.Identity = g.Epoch+1, g.Identity
						w.putRefreshToken(next)
						g = g.Failed(status, apierr.New(e, "of before"), time.Now(), 0, 0)
						g.TriedAt = time.Now().Add(-40 * time.Minute) // it is tried hourly
						g.Refusal = grant.Refusal{Status: 400}        // by the server
						w.change(g)
						ends, requests := g.ExpiresAt, w.requests()
						for time.Now().Before(ends.Add(-45 * time.Second)) {
							time.Sleep(15 * time.Second)
							w.sweep()
						}
						w.wantRequests(requests)
						got := w.grant("acme")
						if want := later > 0; (got.Status == grant.StatusOK) != want || got.Fingerprint != g.Fingerprint || want && got.RefreshFingerprint != next.Fingerprint() {
							t.Errorf("before the token's end: %s, refresh token %s; want ok: %t", got.Status, got.RefreshFingerprint, want)
						}
						if later > 0 {
							time.Sleep(time.Until(got.Due()))
							w.expect(w.acme(), rotateapi.Renewed, "")
						}
					})
				})
			}
		}
	}
}

// anotherLogin is the refresh token of a login that the service has not seen.
func (w *world) anotherLogin() grant.RefreshToken {
	w.t.Helper()
	w.behave(func(b *reltioauthtest.Behaviour) { b.LoginRefreshToken = reltioauthtest.NewToken })
	client := w.server.Client("client-1")
	client.Connect, client.Now = w.server.Connector(), time.Now
	token, err := client.Token(w.t.Context(), reltioauth.PasswordGrant{Username: "ann", Password: reltioauth.NewSecret("password-1")})
	if err != nil {
		w.t.Fatal(err)
	}
	return grant.RefreshToken{Token: token.RefreshToken, LoggedInAt: time.Now()}
}
