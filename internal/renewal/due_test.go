package renewal_test

import (
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// A single renewal waits for a due moment at most 5 s ahead.
func TestDueMoment(t *testing.T) {
	for name, c := range map[string]struct {
		ahead time.Duration
		want  rotateapi.Outcome
	}{
		"past":               {-time.Second, rotateapi.Renewed},
		"now":                {0, rotateapi.Renewed},
		"5 s ahead":          {5 * time.Second, rotateapi.Renewed},
		"more than 5 s away": {5100 * time.Millisecond, rotateapi.Unchanged},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.behave(newTokens)
				due := w.started(clientCredentials()).Due()
				time.Sleep(time.Until(due.Add(-c.ahead)))
				dialled := false
				w.out.before = func(op string) error {
					if op == connect && !dialled {
						dialled = true
						if time.Now().Before(due) {
							t.Errorf("dialled at %v, due at %v", time.Now(), due)
						}
					}
					return nil
				}
				w.expect(w.acme(), c.want, "")
				if dialled != (c.want == rotateapi.Renewed) {
					t.Errorf("dialled %t", dialled)
				}
			})
		})
	}
}

// A sweep does not wait for due moments.
func TestDueMomentInASweep(t *testing.T) {
	bubble(t, func(w *world) {
		due := w.started(clientCredentials()).Due()
		time.Sleep(time.Until(due.Add(-time.Second)))
		if got := w.sweep(); got.Due != 0 {
			t.Errorf("result %+v", got)
		}
	})
}

// The index is a hint: what is not due any more is left alone.
func TestDueMomentIsDecidedAgain(t *testing.T) {
	bubble(t, func(w *world) {
		g := w.started(clientCredentials())
		w.out.before = func(op string) error {
			if op == queryDue {
				w.out.before = nil
				g.Shard, g.DueAt = grant.ShardDue, time.Now().Add(-time.Hour)
				return w.table.PutGrant(w.t.Context(), w.seize(), g)
			}
			return nil
		}
		w.sweep()
		time.Sleep(time.Minute)
		if got := w.sweep(); got.Due != 1 || got.Unchanged != 1 {
			t.Errorf("result %+v, want one unchanged", got)
		}
		w.wantRequests(1)
	})
}

// The caller goes away while the due moment is waited for.
func TestDueMomentIsNotReached(t *testing.T) {
	bubble(t, func(w *world) {
		w.behave(newTokens)
		due := w.started(clientCredentials()).Due()
		time.Sleep(time.Until(due.Add(-4 * time.Second)))
		w.expect(w.within(time.Second, rotateapi.Request{Connection: "acme"}), rotateapi.LeftOver, "")
		w.wantRequests(1)
	})
}

// min_ttl_seconds renews early only where the old token lives on, not while it
// is young, and not against the back-off.
func TestMinTTL(t *testing.T) {
	for name, c := range map[string]struct {
		mode grant.Mode
		at   time.Duration // of the token's hour
		need int64
		fail bool
		want rotateapi.Outcome
	}{
		"overlap, old enough":     {grant.Overlap, 35 * time.Minute, 1800, false, rotateapi.Renewed},
		"overlap, enough left":    {grant.Overlap, 35 * time.Minute, 1200, false, rotateapi.Unchanged},
		"overlap, young":          {grant.Overlap, 25 * time.Minute, 3600, false, rotateapi.Unchanged},
		"overlap, failing":        {grant.Overlap, 35 * time.Minute, 1800, true, rotateapi.Unchanged},
		"at end":                  {grant.AtEnd, 50 * time.Minute, 3600, false, rotateapi.Unchanged},
		"unknown":                 {grant.Unknown, 50 * time.Minute, 3600, false, rotateapi.Unchanged},
		"overlap, nothing needed": {grant.Overlap, 35 * time.Minute, 0, false, rotateapi.Unchanged},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.behave(newTokens)
				g := w.started(clientCredentials())
				g.LoginMode, g.EarlyAskedAt = c.mode, time.Now()
				if c.fail {
					g = g.Failed(grant.StatusFailing, apierr.New(apierr.ReltioUnavailable, ""), g.IssuedAt.Add(c.at), 0, 0)
				}
				held := w.seize()
				if err := w.table.PutGrant(w.t.Context(), held, g.Indexed(time.Now())); err != nil {
					t.Fatal(err)
				}
				time.Sleep(c.at)
				got := w.renew(rotateapi.Request{Connection: "acme", MinTTLSeconds: c.need})
				if got.Outcome != c.want {
					t.Errorf("outcome %s (%v), want %s", got.Outcome, got.Err, c.want)
				}
			})
		})
	}
}

// A waiting grant is looked at every five minutes by its secret's version
// alone, and tried hourly.
func TestWaitingGrant(t *testing.T) {
	bubble(t, func(w *world) {
		w.connect("acme", wrongPassword())
		w.force()
		w.force()
		w.out.forget()
		for range 110 {
			time.Sleep(time.Minute)
			w.sweep()
		}
		if looks := w.out.count(readVersion); looks < 19 || looks > 22 {
			t.Errorf("%d looks in 110 minutes, want one in five minutes", looks)
		}
		if reads := w.out.count(readSecret); reads != 1 {
			t.Errorf("%d reads of the secret, want the hourly one", reads)
		}
		w.wantRefused(2)
		g := w.status(grant.StatusCredentialsRejected)
		if g.LastError != apierr.CredentialsRejected {
			t.Errorf("last error %s", g.LastError)
		}
	})
}

// The look fails: that is no news, and no reason to try Reltio.
func TestWaitingGrantCannotBeLookedAt(t *testing.T) {
	bubble(t, func(w *world) {
		w.started(authorizationCode())
		w.server.Kill(w.grant("acme").RefreshFingerprint)
		w.expect(w.atDue(), rotateapi.Reauthorize, apierr.ReauthorizationRequired)
		before := w.requests()
		w.out.fail(always, readVersion)
		for range 30 {
			time.Sleep(time.Minute)
			w.sweep()
		}
		w.heal()
		for range 20 {
			time.Sleep(time.Minute)
			w.sweep()
		}
		if g := w.status(grant.StatusReauthorize); g.LastError != apierr.ReauthorizationRequired || g.Shard != grant.ShardWaiting {
			t.Errorf("last error %s in %q", g.LastError, g.Shard)
		}
		w.wantRequests(before)
	})
}

func TestWaitingGrantWhoseSecretIsGone(t *testing.T) {
	bubble(t, func(w *world) {
		w.connect("acme", authorizationCode())
		w.acme()
		w.disconnect("acme")
		w.expect(w.atDue(), rotateapi.Failed, apierr.ReauthorizationRequired) // not believed yet
		w.status(grant.StatusReauthorize)
		w.expect(w.atDue(), rotateapi.Failed, apierr.UnknownConnection)
		w.status(grant.StatusUnknown)
	})
}

// A waiting grant whose hourly try meets an outage waits on as it was.
func TestWaitingGrantAndAnOutage(t *testing.T) {
	bubble(t, func(w *world) {
		w.started(authorizationCode())
		w.answer(says(400, "invalid_grant"), reltioauthtest.OpToken)
		w.expect(w.atDue(), rotateapi.Reauthorize, apierr.ReauthorizationRequired)
		w.answer(says(503, "server_error"), reltioauthtest.OpToken)
		time.Sleep(61 * time.Minute)
		w.expect(w.acme(), rotateapi.Failed, apierr.ReltioUnavailable)
		w.status(grant.StatusReauthorize)
	})
}

// force skips the due decision and the back-off after a refusal.
func TestForce(t *testing.T) {
	bubble(t, func(w *world) {
		w.behave(newTokens)
		w.started(clientCredentials())
		w.expect(w.force(), rotateapi.Renewed, "")
		w.answer(says(403, "access_denied"), reltioauthtest.OpToken)
		w.expect(w.force(), rotateapi.Failed, apierr.ReltioUnavailable)
		w.expect(w.force(), rotateapi.Failed, apierr.ReltioUnavailable)
		w.heal()
		w.expect(w.force(), rotateapi.Renewed, "")
		w.wantRequests(5)
	})
}
