package renewal_test

import (
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/fault"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/rotation"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// refusedTwice is a connection whose client was refused twice while its token,
// of a day, lives on; then the server is well, and the token dead.
func (w *world) refusedTwice() grant.Grant {
	w.t.Helper()
	w.behave(func(b *reltioauthtest.Behaviour) { b.ExpiresInJSON = "86400" })
	w.started(password())
	w.answer(says(401, "invalid_client"), reltioauthtest.OpToken)
	w.expect(w.force(), rotation.Failed, fault.CredentialsRejected)
	w.expect(w.force(), rotation.Failed, fault.CredentialsRejected)
	g := w.status(grant.StatusCredentialsRejected)
	w.heal()
	w.server.Kill(g.Fingerprint)
	return g
}

// The check that finds a reported token dead does not stand for the hourly try
// that it leads to, not even if that comes to nothing for a while.
func TestReportedTokenWhenTheHourlyTryIsDue(t *testing.T) {
	for name, c := range map[string]struct {
		hinder func(w *world)
		want   rotation.Outcome
		err    fault.Type
	}{
		"as it should": {func(*world) {}, rotation.Renewed, ""},
		"Reltio is down": {func(w *world) {
			w.answer(says(503, "server_error"), reltioauthtest.OpToken)
		}, rotation.Failed, fault.ReltioUnavailable},
		"no instant": {func(w *world) { w.busy(time.Now().Add(20 * time.Second)) }, rotation.LeftOver, fault.RateLimited},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.refusedTwice()
				time.Sleep(time.Hour)
				c.hinder(w)
				w.expect(w.reject(), c.want, c.err)
				w.heal()
				if c.want == rotation.Renewed {
					w.status(grant.StatusOK)
					return
				}
				time.Sleep(6 * time.Minute)
				w.sweep()
				w.status(grant.StatusOK)
			})
		})
	}
}

// Before it is due nothing is asked of Reltio, whoever reports the token, and
// nothing puts the try off.
func TestReportedTokenBeforeTheHourlyTry(t *testing.T) {
	bubble(t, func(w *world) {
		g := w.refusedTwice()
		began := time.Now().Add(time.Nanosecond)
		for time.Since(g.TriedAt) < 59*time.Minute {
			time.Sleep(20 * time.Second)
			if got := w.reject(); got.Outcome != rotation.Unchanged {
				t.Errorf("outcome %s, want unchanged", got.Outcome)
			}
		}
		w.expect(w.force(), rotation.Failed, fault.CredentialsRejected)
		w.wantAsked(began)
		if next := w.status(grant.StatusCredentialsRejected); !next.RetryAt.After(time.Now().Add(4 * time.Minute)) {
			t.Errorf("retry at %v, want a look in five minutes", next.RetryAt)
		}
		time.Sleep(6 * time.Minute)
		w.expect(w.reject(), rotation.Renewed, "")
	})
}

// A re-login is refused and the refresh instead is accepted: the next refusal of
// a refresh is the first in a row.
func TestRefreshRefusedAfterASuccess(t *testing.T) {
	bubble(t, func(w *world) {
		w.started(password())
		w.toRelogin()
		w.answer(says(401, "invalid_client"), reltioauthtest.OpToken, "password")
		w.expect(w.renewAtEnd(), rotation.Renewed, "")
		w.answer(says(401, "invalid_client"), reltioauthtest.OpToken)
		w.expect(w.renewAtEnd(), rotation.Failed, fault.CredentialsRejected)
		w.status(grant.StatusFailing)
		w.expect(w.atDue(), rotation.Failed, fault.CredentialsRejected)
		w.status(grant.StatusCredentialsRejected)
	})
}
