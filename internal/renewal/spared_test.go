package renewal_test

import (
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
)

// What ends the renewal between the login and its revocation leaves the login's
// token to the callers, and the revocation to its end.
func TestReloginThatStopsBeforeItsRevocation(t *testing.T) {
	for name, c := range map[string]struct {
		hinder func(w *world)
		want   rotateapi.Outcome
		err    apierr.Type
	}{
		"the host is paused":              {func(w *world) { w.pause(5 * time.Minute) }, rotateapi.LeftOver, apierr.RateLimited},
		"the rate limit is used up":       {func(w *world) { w.busy(time.Now().Add(9 * time.Second)) }, rotateapi.LeftOver, apierr.RateLimited},
		"the rate limit cannot be read":   {func(w *world) { w.out.fail(always, readBudget) }, rotateapi.Failed, apierr.StoreUnavailable},
		"the host cannot be dialled":      {func(w *world) { w.out.fail(always, connect) }, rotateapi.Failed, apierr.ReltioUnavailable},
		"the lease is nearly over":        {func(w *world) { w.out.after = slowly(extendLease, 20*time.Second) }, rotateapi.LeftOver, ""},
		"the rate limit is beyond belief": {func(w *world) { w.absurd() }, rotateapi.Renewed, ""},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				before := w.started(password())
				w.toRelogin()
				w.out.after = func(op string) error {
					if op == putGrant && w.grant("acme").Relogin == grant.ReloginRevoke {
						w.out.after = nil
						c.hinder(w)
					}
					return nil
				}
				w.expect(w.renewAtEnd(), c.want, c.err)
				w.heal()
				g := w.grant("acme")
				if !g.Valid(time.Now()) || !w.server.Valid(g.AccessToken) {
					t.Errorf("status %s, re-login %q: callers have no token", g.Status, g.Relogin)
				}
				if c.want == rotateapi.Renewed {
					return
				}
				began := w.atEnd()
				w.wantAsked(began, "password", "revoke", "password")
				if g := w.status(grant.StatusOK); g.RefreshFingerprint == before.RefreshFingerprint || g.Relogin != "" {
					t.Errorf("re-login %q, want a new refresh token", g.Relogin)
				}
			})
		})
	}
}

// slowly delays the answers of an operation.
func slowly(slow string, d time.Duration) func(op string) error {
	return func(op string) error {
		if op == slow {
			time.Sleep(d)
		}
		return nil
	}
}

// absurd books the rate limit up to a moment that only a broken clock can mean.
func (w *world) absurd() {
	w.t.Helper()
	now := time.Now().Add(time.Hour)
	window := ratelimit.Window{Now: now, Earliest: now, Latest: now, Interval: time.Millisecond}
	if _, err := w.table.Reserve(w.t.Context(), host, window); err != nil {
		w.t.Fatal(err)
	}
}
