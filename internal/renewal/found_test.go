package renewal_test

import (
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
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
