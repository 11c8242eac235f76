package renewal_test

import (
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/renewal"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// reject reports the present token as refused.
func (w *world) reject() renewal.Report {
	w.t.Helper()
	return w.renew(rotateapi.Request{Connection: "acme", RejectedFingerprint: w.grant("acme").Fingerprint})
}

func TestReportedTokenIsActive(t *testing.T) {
	bubble(t, func(w *world) {
		before := w.started(password())
		time.Sleep(time.Minute)
		began := time.Now()
		w.expect(w.reject(), rotateapi.Unchanged, "")
		w.wantAsked(began, "checkToken")
		g := w.status(grant.StatusOK)
		if g.Fingerprint != before.Fingerprint || !near(g.CheckedAt, time.Now()) || !g.FoundActive(time.Now()) {
			t.Errorf("checked at %v, found active %t", g.CheckedAt, g.FoundActive(time.Now()))
		}
		// At most one check in 30 s, whichever caller reports.
		time.Sleep(29 * time.Second)
		for range 5 {
			w.expect(w.reject(), rotateapi.Unchanged, "")
		}
		w.wantAsked(began, "checkToken")
		time.Sleep(2 * time.Second)
		w.expect(w.reject(), rotateapi.Unchanged, "")
		w.wantAsked(began, "checkToken", "checkToken")
	})
}

func TestReportedTokenOfBefore(t *testing.T) {
	bubble(t, func(w *world) {
		w.behave(newTokens)
		old := w.started(password()).Fingerprint
		w.expect(w.force(), rotateapi.Renewed, "")
		began := time.Now().Add(time.Nanosecond)
		w.expect(w.renew(rotateapi.Request{Connection: "acme", RejectedFingerprint: old}), rotateapi.Unchanged, "")
		w.wantAsked(began)
	})
}

// The same inactive token comes back: it is revoked, and asked for once more.
func TestReportedTokenIsReissued(t *testing.T) {
	for name, c := range map[string]struct {
		killed reltioauthtest.KilledTokens
		want   rotateapi.Outcome
	}{
		"until it is revoked": {reltioauthtest.KilledUntilRevoked, rotateapi.Renewed},
		"until its end":       {reltioauthtest.KilledUntilEnd, rotateapi.Unchanged},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.behave(func(b *reltioauthtest.Behaviour) { b.KilledTokens = c.killed })
				g := w.started(clientCredentials())
				w.server.Kill(g.Fingerprint)
				time.Sleep(time.Minute)
				began := time.Now()
				w.out.before = func(op string) error {
					// As others who report it see it: they wait.
					if seen := w.grant("acme"); op == sendToken || op == sendRevoke {
						if seen.CheckVerdict != grant.Inactive || seen.FoundActive(time.Now()) {
							t.Errorf("before %s it does not count as found inactive", op)
						}
					}
					return nil
				}
				w.expect(w.reject(), c.want, "")
				w.heal()
				w.wantAsked(began, "checkToken", "client_credentials", "revoke", "client_credentials")
				next, now := w.grant("acme"), time.Now()
				if reissued := c.want == rotateapi.Unchanged; next.Reissued(now) != reissued {
					t.Errorf("reissued %t, want %t", next.Reissued(now), reissued)
				}
				if c.want == rotateapi.Renewed {
					return
				}
				// Not checked again for five minutes.
				began = time.Now().Add(time.Nanosecond)
				for range 4 {
					time.Sleep(time.Minute)
					w.expect(w.reject(), rotateapi.Unchanged, "")
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
		w.expect(w.reject(), rotateapi.Unchanged, "")
		w.wantAsked(began, "checkToken", "client_credentials", "revoke")
		if next := w.grant("acme"); !next.Reissued(time.Now()) {
			t.Error("not said that it came back")
		}
	})
}

// A renewal that fails says nothing of the token that a check found active: it is
// not taken for an inactive one and revoked.
func TestReportedTokenIsActiveAndARenewalFails(t *testing.T) {
	bubble(t, func(w *world) {
		w.renewer.Rand = func() float64 { return 0.99 }
		g := w.started(clientCredentials())
		time.Sleep(time.Until(g.Due().Add(-time.Second)))
		began := time.Now()
		w.expect(w.reject(), rotateapi.Unchanged, "")
		w.answer(says(503, "server_error"), reltioauthtest.OpToken)
		time.Sleep(time.Second)
		w.sweep()
		w.heal()
		failed := w.status(grant.StatusFailing)
		if !failed.RetryAt.Before(failed.CheckedAt.Add(grant.CheckEvery)) {
			t.Fatalf("retry at %v", failed.RetryAt)
		}
		time.Sleep(time.Until(failed.RetryAt))
		w.expect(w.reject(), rotateapi.Unchanged, "")
		w.wantAsked(began, "checkToken", "client_credentials")
		if next := w.grant("acme"); !next.FoundActive(time.Now()) || !w.server.Valid(g.AccessToken) {
			t.Errorf("found active: %t, active: %t", next.FoundActive(time.Now()), w.server.Valid(g.AccessToken))
		}
	})
}

// At most one check in 30 s, whichever token it is of.
func TestTokenOfAMomentAgoIsReported(t *testing.T) {
	bubble(t, func(w *world) {
		g := w.started(password())
		w.server.Kill(g.Fingerprint)
		began := time.Now().Add(time.Nanosecond)
		time.Sleep(time.Minute)
		w.expect(w.reject(), rotateapi.Renewed, "")
		w.server.Kill(w.grant("acme").Fingerprint)
		for range 29 {
			time.Sleep(time.Second)
			w.expect(w.reject(), rotateapi.Unchanged, "")
		}
		w.wantAsked(began, "checkToken", "refresh_token")
		time.Sleep(time.Second)
		w.expect(w.reject(), rotateapi.Renewed, "")
		w.wantAsked(began, "checkToken", "refresh_token", "checkToken", "refresh_token")
	})
}

// A crash after the check: the next report renews at once.
func TestReportedTokenIsInactiveAndTheRenewerToo(t *testing.T) {
	bubble(t, func(w *world) {
		g := w.started(password())
		w.server.Kill(g.Fingerprint)
		time.Sleep(time.Minute)
		inactive := false
		w.out.before = func(op string) error {
			if inactive = inactive || op == sendToken; inactive {
				return errKilled
			}
			return nil
		}
		w.reject()
		w.heal()
		time.Sleep(40 * time.Second)
		w.expect(w.reject(), rotateapi.Renewed, "")
	})
}

// A forced report spares the check.
func TestReportedTokenForced(t *testing.T) {
	bubble(t, func(w *world) {
		g := w.started(password())
		w.server.Kill(g.Fingerprint)
		began := time.Now().Add(time.Nanosecond)
		w.expect(w.renew(rotateapi.Request{Connection: "acme", RejectedFingerprint: g.Fingerprint, Force: true}), rotateapi.Renewed, "")
		w.wantAsked(began, "refresh_token")
	})
}

// There is not enough time left for a check.
func TestReportedTokenWithoutTime(t *testing.T) {
	bubble(t, func(w *world) {
		g := w.started(password())
		began := time.Now().Add(time.Nanosecond)
		w.expect(w.within(5*time.Second, rotateapi.Request{Connection: "acme", RejectedFingerprint: g.Fingerprint}), rotateapi.LeftOver, "")
		w.wantAsked(began)
	})
}
