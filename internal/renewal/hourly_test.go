package renewal_test

import (
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// refusedLiving is a connection that waits for a person, though its token, of a
// day, has not ended; then the server is well, and the token is revoked.
func (w *world) refusedLiving() grant.Grant {
	w.t.Helper()
	w.behave(func(b *reltioauthtest.Behaviour) { b.ExpiresInJSON = "86400" })
	w.started(authorizationCode())
	w.answer(says(400, "invalid_grant"), reltioauthtest.OpToken)
	w.expect(w.force(), rotateapi.Reauthorize, apierr.ReauthorizationRequired)
	g := w.status(grant.StatusReauthorize)
	w.heal()
	w.server.Kill(g.Fingerprint)
	return g
}

// The check that finds a reported token inactive does not stand for the hourly try
// that it leads to, not even if that comes to nothing for a while.
func TestReportedTokenWhenTheHourlyTryIsDue(t *testing.T) {
	for name, c := range map[string]struct {
		hinder func(w *world)
		want   rotateapi.Outcome
		err    apierr.Type
	}{
		"as it should": {func(*world) {}, rotateapi.Renewed, ""},
		"Reltio is down": {func(w *world) {
			w.answer(says(503, "server_error"), reltioauthtest.OpToken)
		}, rotateapi.Failed, apierr.ReltioUnavailable},
		"no slot": {func(w *world) { w.busy(time.Now().Add(9 * time.Second)) }, rotateapi.LeftOver, apierr.RateLimited},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.refusedLiving()
				time.Sleep(time.Hour)
				c.hinder(w)
				w.expect(w.reject(), c.want, c.err)
				w.heal()
				if c.want == rotateapi.Renewed {
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

// Before it is due nothing is asked of Reltio, whichever caller reports the token, and
// nothing puts the try off.
func TestReportedTokenBeforeTheHourlyTry(t *testing.T) {
	bubble(t, func(w *world) {
		g := w.refusedLiving()
		began := time.Now().Add(time.Nanosecond)
		for time.Since(g.TriedAt) < 59*time.Minute {
			time.Sleep(20 * time.Second)
			if got := w.reject(); got.Outcome != rotateapi.Unchanged {
				t.Errorf("outcome %s, want unchanged", got.Outcome)
			}
		}
		w.wantAsked(began)
		if next := w.status(grant.StatusReauthorize); next.RetryAt.After(g.TriedAt.Add(65*time.Minute)) || !next.TriedAt.Equal(g.TriedAt) {
			t.Errorf("retry at %v, tried at %v, want a try within five minutes after the hour", next.RetryAt, next.TriedAt)
		}
		time.Sleep(6 * time.Minute)
		w.expect(w.reject(), rotateapi.Renewed, "")
	})
}

// A re-login is refused and the refresh instead is accepted: the next refusal of
// a refresh is the first in a row.
func TestRefreshRefusedAfterASuccess(t *testing.T) {
	bubble(t, func(w *world) {
		w.started(password())
		w.toRelogin()
		w.answer(says(401, "invalid_client"), reltioauthtest.OpToken, "password")
		w.expect(w.renewAtEnd(), rotateapi.Renewed, "")
		w.answer(says(401, "invalid_client"), reltioauthtest.OpToken)
		time.Sleep(time.Until(w.grant("acme").ExpiresAt))
		for want := 1; want <= 2; want++ {
			w.expect(w.atDue(), rotateapi.Failed, apierr.ReltioUnavailable)
			if g := w.status(grant.StatusFailing); g.Refusals != want {
				t.Errorf("%d refusals in a row, want %d", g.Refusals, want)
			}
		}
	})
}

// What was put right is not tried with a refresh that would end the token in hand: at
// that token's end is time enough. Force, a report and a resume are obeyed.
func TestRefreshOfAWaitingGrantSparesItsToken(t *testing.T) {
	for name, c := range map[string]struct {
		act  func(w *world)
		asks bool
	}{
		"an hour later": {func(w *world) { time.Sleep(time.Hour); w.sweep() }, false},
		"three hours":   {func(w *world) { time.Sleep(3 * time.Hour); w.sweep(); w.acme() }, false},
		"another secret": {func(w *world) {
			w.connect("acme", with(authorizationCode(), "scope", "s"))
			time.Sleep(6 * time.Minute)
			w.sweep()
		}, false},
		"forced":   {func(w *world) { w.force() }, true},
		"resumed":  {func(w *world) { w.resume(); w.sweep() }, true},
		"reported": {func(w *world) { w.server.Kill(w.grant("acme").Fingerprint); time.Sleep(time.Hour); w.reject() }, true},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.behave(func(b *reltioauthtest.Behaviour) { b.ExpiresInJSON = "86400" })
				w.started(authorizationCode())
				w.answer(says(400, "invalid_grant"), reltioauthtest.OpToken)
				w.expect(w.force(), rotateapi.Reauthorize, apierr.ReauthorizationRequired)
				w.heal()
				began := time.Now().Add(time.Nanosecond)
				time.Sleep(time.Minute)
				c.act(w)
				asked := false
				for _, op := range w.asked(began) {
					asked = asked || op == "refresh_token"
				}
				if asked != c.asks {
					t.Fatalf("asked %v, want a refresh: %t", w.asked(began), c.asks)
				}
				if c.asks {
					w.status(grant.StatusOK)
					return
				}
				w.status(grant.StatusReauthorize)
				w.due()
				time.Sleep(6 * time.Minute)
				w.sweep()
				w.status(grant.StatusOK)
			})
		})
	}
}

// A secret that could not be read and can be again needs no request while its token
// is valid.
func TestSecretThatCanBeReadAgain(t *testing.T) {
	bubble(t, func(w *world) {
		g := w.started(authorizationCode())
		w.connectText("acme", "{")
		w.expect(w.force(), rotateapi.Failed, apierr.InvalidConnection)
		w.status(grant.StatusInvalidConnection)
		w.connect("acme", authorizationCode())
		began := time.Now().Add(time.Nanosecond)
		time.Sleep(6 * time.Minute)
		w.sweep()
		if next := w.status(grant.StatusOK); next.Fingerprint != g.Fingerprint || next.LastError != "" {
			t.Errorf("last error %s, token %s", next.LastError, next.Fingerprint)
		}
		w.wantAsked(began)
	})
}
