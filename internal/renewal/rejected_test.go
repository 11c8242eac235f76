package renewal_test

import (
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/fault"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/renewal"
	"github.com/reltio-tokens/reltio-tokens/internal/rotation"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// reject reports the present token as refused.
func (w *world) reject() renewal.Report {
	w.t.Helper()
	return w.renew(rotation.Request{Connection: "acme", RejectedFingerprint: w.grant("acme").Fingerprint})
}

func TestReportedTokenIsAlive(t *testing.T) {
	bubble(t, func(w *world) {
		before := w.started(password())
		time.Sleep(time.Minute)
		began := time.Now()
		w.expect(w.reject(), rotation.Unchanged, "")
		w.wantAsked(began, "checkToken")
		g := w.status(grant.StatusOK)
		if g.Fingerprint != before.Fingerprint || !near(g.CheckedAt, time.Now()) || !g.FoundAlive(time.Now()) {
			t.Errorf("checked at %v, found alive %t", g.CheckedAt, g.FoundAlive(time.Now()))
		}
		// At most one check in 30 s, whoever reports.
		time.Sleep(29 * time.Second)
		for range 5 {
			w.expect(w.reject(), rotation.Unchanged, "")
		}
		w.wantAsked(began, "checkToken")
		time.Sleep(2 * time.Second)
		w.expect(w.reject(), rotation.Unchanged, "")
		w.wantAsked(began, "checkToken", "checkToken")
	})
}

func TestReportedTokenOfBefore(t *testing.T) {
	bubble(t, func(w *world) {
		w.behave(newTokens)
		old := w.started(password()).Fingerprint
		w.expect(w.force(), rotation.Renewed, "")
		began := time.Now().Add(time.Nanosecond)
		w.expect(w.renew(rotation.Request{Connection: "acme", RejectedFingerprint: old}), rotation.Unchanged, "")
		w.wantAsked(began)
	})
}

func TestReportedTokenIsDead(t *testing.T) {
	for name, status := range map[string]int{"400": 400, "401": 401, "403": 403, "404": 404} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.behave(func(b *reltioauthtest.Behaviour) { b.DeadTokenStatus = status })
				g := w.started(password())
				w.server.Kill(g.Fingerprint)
				time.Sleep(time.Minute)
				began := time.Now()
				w.expect(w.reject(), rotation.Renewed, "")
				w.wantAsked(began, "checkToken", "refresh_token")
				next := w.status(grant.StatusOK)
				if next.Version != g.Version+1 || !w.server.Alive(next.AccessToken) {
					t.Errorf("version %d", next.Version)
				}
				if next.Mode() != grant.Unknown {
					t.Errorf("mode %s learned from a reported token", next.Mode())
				}
			})
		})
	}
}

// The same dead token comes back: it is revoked, and asked for once more.
func TestReportedTokenIsReissued(t *testing.T) {
	for name, c := range map[string]struct {
		killed reltioauthtest.KilledTokens
		want   rotation.Outcome
	}{
		"until it is revoked": {reltioauthtest.KilledUntilRevoked, rotation.Renewed},
		"until its end":       {reltioauthtest.KilledUntilEnd, rotation.Unchanged},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.behave(func(b *reltioauthtest.Behaviour) { b.KilledTokens = c.killed })
				g := w.started(clientCredentials())
				w.server.Kill(g.Fingerprint)
				time.Sleep(time.Minute)
				began := time.Now()
				w.expect(w.reject(), c.want, "")
				w.wantAsked(began, "checkToken", "client_credentials", "revoke", "client_credentials")
				next, now := w.grant("acme"), time.Now()
				if reissued := c.want == rotation.Unchanged; next.Reissued(now) != reissued {
					t.Errorf("reissued %t, want %t", next.Reissued(now), reissued)
				}
				if c.want == rotation.Renewed {
					return
				}
				// Not checked again for five minutes.
				began = time.Now().Add(time.Nanosecond)
				for range 4 {
					time.Sleep(time.Minute)
					w.expect(w.reject(), rotation.Unchanged, "")
				}
				w.wantAsked(began)
				time.Sleep(61 * time.Second)
				w.reject()
				w.wantAsked(began, "checkToken", "client_credentials", "revoke", "client_credentials")
			})
		})
	}
}

// The revocation gives no definite answer: asking again would give nothing.
func TestReissuedTokenCannotBeRevoked(t *testing.T) {
	bubble(t, func(w *world) {
		w.behave(func(b *reltioauthtest.Behaviour) { b.KilledTokens = reltioauthtest.KilledUntilRevoked })
		g := w.started(clientCredentials())
		w.server.Kill(g.Fingerprint)
		w.answer(says(503, "server_error"), reltioauthtest.OpRevoke)
		time.Sleep(time.Minute)
		began := time.Now()
		w.expect(w.reject(), rotation.Unchanged, "")
		w.wantAsked(began, "checkToken", "client_credentials", "revoke")
		if next := w.grant("acme"); !next.Reissued(time.Now()) {
			t.Error("not said that it came back")
		}
	})
}

// No definite answer: nothing is renewed, and no check for a while.
func TestReportedTokenWithoutADefiniteAnswer(t *testing.T) {
	for name, f := range map[string]reltioauthtest.Fault{
		"401 invalid_client": says(401, "invalid_client"),
		"401 unauthorized":   says(401, "unauthorized"),
		"500":                says(500, "server_error"),
		"429":                says(429, "slow_down"),
		"web page":           {Kind: reltioauthtest.FaultHTML},
		"web page with 404":  {Kind: reltioauthtest.FaultHTML, Status: 404},
		"cut":                {Kind: reltioauthtest.FaultCut},
		"too late":           {Delay: 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				g := w.started(password())
				w.server.Kill(g.Fingerprint)
				w.answer(f, reltioauthtest.OpCheckToken)
				time.Sleep(time.Minute)
				began := time.Now()
				w.expect(w.reject(), rotation.Failed, fault.ReltioUnavailable)
				for range 5 {
					time.Sleep(5 * time.Second)
					w.expect(w.reject(), rotation.Unchanged, "")
				}
				w.wantAsked(began, "checkToken")
				if next := w.status(grant.StatusFailing); next.Fingerprint != g.Fingerprint || !next.Living(time.Now()) {
					t.Error("the token is gone")
				}
				w.heal()
				time.Sleep(10 * time.Second)
				w.expect(w.reject(), rotation.Renewed, "")
			})
		})
	}
}

// Found dead, and then Reltio is down: after the back-off it is renewed without
// another check.
func TestReportedTokenIsDeadAndReltioDown(t *testing.T) {
	bubble(t, func(w *world) {
		w.renewer.Chance = func() float64 { return 0.99 }
		g := w.started(password())
		w.server.Kill(g.Fingerprint)
		w.answer(says(503, "server_error"), reltioauthtest.OpToken)
		time.Sleep(time.Minute)
		began := time.Now()
		w.expect(w.reject(), rotation.Failed, fault.ReltioUnavailable)
		w.expect(w.reject(), rotation.Unchanged, "")
		w.wantAsked(began, "checkToken", "refresh_token")
		w.heal()
		next := w.grant("acme")
		if !next.RetryAt.Before(next.CheckedAt.Add(grant.CheckEvery)) {
			t.Fatalf("retry at %v", next.RetryAt)
		}
		time.Sleep(time.Until(next.RetryAt))
		w.expect(w.reject(), rotation.Renewed, "")
		w.wantAsked(began, "checkToken", "refresh_token", "refresh_token")
	})
}

// A crash after the check: the next report renews at once.
func TestReportedTokenIsDeadAndTheRenewerToo(t *testing.T) {
	bubble(t, func(w *world) {
		g := w.started(password())
		w.server.Kill(g.Fingerprint)
		time.Sleep(time.Minute)
		dead := false
		w.out.before = func(op string) error {
			if dead = dead || op == sendToken; dead {
				return errKilled
			}
			return nil
		}
		w.reject()
		w.heal()
		time.Sleep(40 * time.Second)
		w.expect(w.reject(), rotation.Renewed, "")
	})
}

// A forced report spares the check.
func TestReportedTokenForced(t *testing.T) {
	bubble(t, func(w *world) {
		g := w.started(password())
		w.server.Kill(g.Fingerprint)
		began := time.Now().Add(time.Nanosecond)
		w.expect(w.renew(rotation.Request{Connection: "acme", RejectedFingerprint: g.Fingerprint, Force: true}), rotation.Renewed, "")
		w.wantAsked(began, "refresh_token")
	})
}

// There is not enough time left for a check.
func TestReportedTokenWithoutTime(t *testing.T) {
	bubble(t, func(w *world) {
		g := w.started(password())
		began := time.Now().Add(time.Nanosecond)
		w.expect(w.within(5*time.Second, rotation.Request{Connection: "acme", RejectedFingerprint: g.Fingerprint}), rotation.LeftOver, "")
		w.wantAsked(began)
	})
}
