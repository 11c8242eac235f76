package renewal_test

import (
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/renewal"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// purge removes all versions of Secrets Manager, and puts the token of the newest one
// there once more, with an epoch; below 0: nothing.
func (w *world) purge(epoch int64) {
	w.t.Helper()
	r := w.refreshToken()
	if err := w.secrets.DeleteGrant(w.t.Context(), "acme"); err != nil {
		w.t.Fatal(err)
	}
	if r.Epoch = epoch; epoch >= 0 {
		w.putRefreshToken(r)
	}
}

// A pointer to nowhere is a fault of the store, never an inactive token: the newest
// version is used, at once if it is not older, else at a second look a minute later.
// If there is none, there is no refresh token then.
func TestVersionNotFound(t *testing.T) {
	for name, c := range map[string]struct {
		fields  map[string]any
		epoch   int64 // of the newest version; -1: there is none
		atOnce  bool
		asks    []string
		outcome rotateapi.Outcome
		err     apierr.Type
	}{
		"password, a newer one":           {password(), 9, true, []string{"refresh_token"}, rotateapi.Renewed, ""},
		"password, one as old":            {password(), 1, true, []string{"refresh_token"}, rotateapi.Renewed, ""},
		"password, an older one":          {password(), 0, false, []string{"refresh_token"}, rotateapi.Renewed, ""},
		"password, none":                  {password(), -1, false, []string{"password"}, rotateapi.Renewed, ""},
		"authorization_code, a newer one": {authorizationCode(), 9, true, []string{"refresh_token"}, rotateapi.Renewed, ""},
		"authorization_code, an older":    {authorizationCode(), 0, false, []string{"refresh_token"}, rotateapi.Renewed, ""},
		"authorization_code, none":        {authorizationCode(), -1, false, nil, rotateapi.Reauthorize, apierr.ReauthorizationRequired},
	} {
		for how, ask := range map[string]func(w *world) renewal.Report{
			"forced": (*world).force,
			"asked":  func(w *world) renewal.Report { time.Sleep(time.Minute); return w.acme() }, // the back-off is over
		} {
			t.Run(name+", "+how, func(t *testing.T) {
				bubble(t, func(w *world) {
					w.started(c.fields)
					w.due()
					w.purge(c.epoch)
					began := time.Now()
					if !c.atOnce {
						w.expect(w.acme(), rotateapi.Failed, apierr.StoreUnavailable)
						w.wantAsked(began)
						time.Sleep(59 * time.Second)
						w.expect(w.force(), rotateapi.Failed, apierr.StoreUnavailable)
						w.status(grant.StatusFailing)
						w.wantAsked(began)
						time.Sleep(time.Second)
					}
					w.expect(ask(w), c.outcome, c.err)
					w.wantAsked(began, c.asks...)
					if c.outcome != rotateapi.Renewed {
						return
					}
					w.due()
					w.expect(w.acme(), rotateapi.Renewed, "")
					if g := w.status(grant.StatusOK); !g.TokenMissingAt.IsZero() {
						t.Errorf("missing since %v", g.TokenMissingAt)
					}
				})
			})
		}
	}
}

// A version that is not there for a moment only is used as if nothing had been.
func TestVersionNotFoundOnce(t *testing.T) {
	for name, fields := range map[string]map[string]any{"password": password(), "authorization_code": authorizationCode()} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				before := w.started(fields)
				w.putRefreshToken(grant.RefreshToken{Token: reltioauth.NewSecret("older"), LoggedInAt: time.Now()})
				w.due()
				w.out.before = func(op string) error {
					return map[bool]error{true: grant.ErrNotFound}[op == tokenVersion]
				}
				w.expect(w.acme(), rotateapi.Failed, apierr.StoreUnavailable)
				w.heal()
				time.Sleep(30 * time.Second)
				w.expect(w.acme(), rotateapi.Renewed, "")
				if g := w.status(grant.StatusOK); g.RefreshFingerprint != before.RefreshFingerprint || !g.TokenMissingAt.IsZero() {
					t.Errorf("refresh token %s, missing since %v", g.RefreshFingerprint, g.TokenMissingAt)
				}
			})
		})
	}
}

// A grant that waits remembers the first look too: else there would be no second. That
// comes a minute later, and not with the next of the looks that a waiting grant has.
func TestVersionNotFoundOfAWaitingGrant(t *testing.T) {
	bubble(t, func(w *world) {
		g := w.started(password())
		w.server.Kill(g.RefreshFingerprint)
		w.connect("acme", wrongPassword())
		w.due()
		for range 3 {
			w.force()
		}
		w.status(grant.StatusCredentialsRejected)
		w.purge(-1)
		w.connect("acme", password())
		w.atDue()
		if w.status(grant.StatusCredentialsRejected).TokenMissingAt.IsZero() {
			t.Fatal("the first look is not remembered")
		}
		first := time.Now()
		w.expect(w.atDue(), rotateapi.Renewed, "")
		w.status(grant.StatusOK)
		if later := time.Since(first); later > 61*time.Second {
			t.Errorf("the second look came %s after the first", later)
		}
	})
}
