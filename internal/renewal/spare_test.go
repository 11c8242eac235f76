package renewal_test

import (
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
)

// The secret changes between a re-login and the revocation of its refresh
// token: the login's token belongs to no connection.
func TestReloginWhoseConnectionIsAnothers(t *testing.T) {
	for name, c := range map[string]struct {
		change func(w *world)
		err    apierr.Type
	}{
		"another user, and Secrets Manager is down": {func(w *world) {
			w.connect("acme", with(with(password(), "username", "ben"), "password", "password-2"))
			w.out.fail(always, tokenPut)
		}, apierr.StoreUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.started(password())
				w.toRelogin()
				w.out.after = func(op string) error {
					if op == putGrant && w.grant("acme").Relogin == grant.ReloginRevoke {
						w.out.after = nil
						c.change(w)
					}
					return nil
				}
				w.expect(w.renewAtEnd(), rotateapi.Failed, c.err)
				g := w.grant("acme")
				if g.HasToken() {
					t.Errorf("status %s: the token of another identity is handed out", g.Status)
				}
			})
		})
	}
}

// A look at the refresh token's end that cannot read it is repeated by the
// next tick.
func TestEndThatCannotBeSeen(t *testing.T) {
	for _, op := range []string{readSecret, tokenCurrent} {
		t.Run(op, func(t *testing.T) {
			bubble(t, func(w *world) {
				g := w.started(with(authorizationCode(), "refresh_token_days", 1.0/48))
				time.Sleep(time.Until(g.RefreshExpiresAt))
				w.out.fail(times(1), op)
				if got := w.sweep(); got.LeftOver != 1 {
					t.Errorf("sweep %+v, want one left over", got)
				}
				w.status(grant.StatusOK)
				time.Sleep(time.Minute)
				w.sweep()
				if next := w.status(grant.StatusReauthorize); !next.Valid(time.Now()) {
					t.Error("the access token is gone, want it to its end")
				}
			})
		})
	}
}
