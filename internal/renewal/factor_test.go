package renewal_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// wantFactor lets the user need a second factor, or no longer.
func (w *world) wantFactor(code string) {
	w.server.Configure(func(c *reltioauthtest.Config) { c.Users[0].TOTP = reltioauth.NewSecret(code) })
}

// resume does what an operator's resume does to the grant.
func (w *world) resume() {
	w.t.Helper()
	g := w.grant("acme")
	held, err := w.table.SeizeLease(w.t.Context(), lease.Request{
		Connection: "acme", Owner: lease.NewOwner(), Floor: g.Epoch, Now: time.Now(), Until: time.Now().Add(lease.Term),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	status := g.Status
	g = g.Healthy()
	g.Status = status
	if err := w.table.PutGrant(w.t.Context(), held, g.Indexed(time.Now())); err != nil {
		w.t.Fatal(err)
	}
	if err := w.table.ReleaseLease(w.t.Context(), held); err != nil {
		w.t.Fatal(err)
	}
}

// logins counts the logins of users that were sent since a moment.
func (w *world) logins(from time.Time) (n int) {
	for _, asked := range w.asked(from) {
		if asked == "password" {
			n++
		}
	}
	return n
}

func (w *world) wantLogins(from time.Time, want int) {
	w.t.Helper()
	if got := w.logins(from); got != want {
		w.t.Fatalf("%d logins, want %d", got, want)
	}
}

// A user with a second factor is logged in once: each login mails a code. Neither
// time nor force nor a report sends another, except after another secret or an
// operator.
func TestSecondFactor(t *testing.T) {
	for name, text := range map[string]string{
		"framework": `{"expires_in":599,"state_token":{"mfaType":"AUTHENTICATOR","expires_in":"600","status":"ENROLL","token":"t"}}`,
		"by mail":   `{"state_token":{"mfaType":"EMAIL","token":"t"}}`,
		"a text":    `{"state_token":"t"}`,
		"gzip":      packed(`{"state_token":{"token":"t"}}`),
		"a number":  `{"state_token":{"mfaType":7,"expires_in":"soon"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				began := time.Now()
				w.answer(body(200, text), reltioauthtest.OpToken)
				w.connect("acme", password())
				w.expect(w.acme(), rotateapi.Failed, apierr.MFARequired)
				if g := w.status(grant.StatusMFARequired); g.Shard != grant.ShardWaiting || !near(g.RetryAt, time.Now().Add(5*time.Minute)) {
					t.Errorf("retry at %v in %q", g.RetryAt, g.Shard)
				}
				w.wantCounts(counts{})
				for hour := range 30 {
					w.expect(w.force(), rotateapi.Failed, apierr.MFARequired)
					w.sweep()
					w.renewer = w.fresh()
					time.Sleep(time.Duration(hour) * time.Hour)
					w.acme()
				}
				w.wantLogins(began, 1)
				w.connect("acme", with(password(), "scope", "s"))
				w.expect(w.force(), rotateapi.Failed, apierr.MFARequired)
				w.force()
				w.wantLogins(began, 2)
				w.resume()
				for range 10 {
					w.sweep()
					w.force()
				}
				w.wantLogins(began, 3)
				w.heal()
				w.resume()
				w.expect(w.force(), rotateapi.Renewed, "")
				w.status(grant.StatusOK)
			})
		})
	}
}

// troubles are what may come between a login that was answered with the wish for
// a second factor and the renewals after it.
func troubles() map[string]func(w *world) {
	return map[string]func(w *world){
		"nothing":                      func(*world) {},
		"outage":                       func(w *world) { w.answer(says(503, "server_error"), reltioauthtest.OpToken) },
		"unheard":                      func(w *world) { w.answer(reltioauthtest.Fault{Kind: reltioauthtest.FaultCut}, reltioauthtest.OpToken) },
		"429":                          func(w *world) { w.answer(says(429, "slow_down"), reltioauthtest.OpToken) },
		"no slot":                      func(w *world) { w.busy(time.Now().Add(9 * time.Second)) },
		"host paused":                  func(w *world) { w.pause(20 * time.Second) },
		"Secrets Manager out of order": func(w *world) { w.out.fail(always, tokenCurrent) },
		"refresh refused":              func(w *world) { w.answer(says(401, "unauthorized"), reltioauthtest.OpToken, "refresh_token") },
		"secret unreadable":            func(w *world) { w.out.fail(always, readSecret) },
		"no connection":                func(w *world) { w.out.fail(always, connect) },
		"wrong scope":                  func(w *world) { w.answer(says(400, "invalid_scope"), reltioauthtest.OpToken) },
		"inactive refresh token":       func(w *world) { w.answer(says(400, "invalid_grant"), reltioauthtest.OpToken, "refresh_token") },
	}
}

// The re-login of a connection with a refresh token is answered so: the refresh
// token is used on, and no other login is sent whatever comes between; not even
// after its end.
func TestSecondFactorAtARelogin(t *testing.T) {
	for name, hinder := range troubles() {
		for _, forced := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", forced ", forced), func(t *testing.T) {
				bubble(t, func(w *world) {
					w.behave(func(b *reltioauthtest.Behaviour) { b.LoginRefreshToken = reltioauthtest.NewToken })
					w.started(halfDay())
					w.toRelogin()
					w.wantFactor("123456")
					began := time.Now()
					w.expect(w.renewAtEnd(), rotateapi.Renewed, "")
					w.wantLogins(began, 1)
					if g := w.status(grant.StatusFailing); g.LastError != apierr.MFARequired || !g.Valid(time.Now()) {
						t.Errorf("last error %s, want a valid token and MFARequired", g.LastError)
					}
					w.due()
					hinder(w)
					for range 3 {
						w.renew(rotateapi.Request{Connection: "acme", Force: forced})
						time.Sleep(31 * time.Second)
					}
					w.heal()
					for range 26 { // its refresh token ends meanwhile
						w.renew(rotateapi.Request{Connection: "acme", Force: forced})
						w.sweep()
						time.Sleep(time.Hour)
					}
					w.wantLogins(began, 1)
					w.status(grant.StatusMFARequired)
					w.wantFactor("")
					w.resume()
					w.expect(w.acme(), rotateapi.Renewed, "")
					w.status(grant.StatusOK)
					w.wantLogins(began, 2)
				})
			})
		}
	}
}

// The refresh token is inactive, and the login that replaces it is answered so.
func TestSecondFactorInsteadOfAInactiveRefreshToken(t *testing.T) {
	bubble(t, func(w *world) {
		g := w.started(password())
		w.server.Kill(g.RefreshFingerprint)
		w.wantFactor("123456")
		w.due()
		began := time.Now()
		w.expect(w.acme(), rotateapi.Failed, apierr.MFARequired)
		w.wantAsked(began, "refresh_token", "password")
		for range 30 {
			w.sweep()
			w.force()
			time.Sleep(time.Hour)
		}
		w.wantLogins(began, 1)
		w.status(grant.StatusMFARequired)
	})
}

// A refresh that is answered so waits as a login does.
func TestSecondFactorAtARefresh(t *testing.T) {
	for _, fields := range []map[string]any{password(), authorizationCode()} {
		t.Run(fmt.Sprint(fields["grant_type"]), func(t *testing.T) {
			bubble(t, func(w *world) {
				w.started(fields)
				w.due()
				w.answer(body(200, `{"state_token":{"token":"t"}}`), reltioauthtest.OpToken)
				began := time.Now()
				w.expect(w.acme(), rotateapi.Failed, apierr.MFARequired)
				for range 24 * 12 {
					time.Sleep(5 * time.Minute)
					w.sweep()
				}
				w.wantAsked(began, "refresh_token")
				w.status(grant.StatusMFARequired)
				w.heal()
				w.resume()
				w.expect(w.acme(), rotateapi.Renewed, "")
				w.status(grant.StatusOK)
			})
		})
	}
}
