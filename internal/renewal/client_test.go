package renewal_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// A client without a user cannot be locked: it is tried at growing pauses for an
// hour, then hourly; operators hear of the second refusal, and force is obeyed.
func TestRefusedClientIsTriedOn(t *testing.T) {
	for _, attempts := range []int{1, 2} {
		t.Run(fmt.Sprintf("LOGIN_ATTEMPTS %d", attempts), func(t *testing.T) {
			bubble(t, func(w *world) {
				w.renewer.LoginAttempts = attempts
				w.connect("acme", clientCredentials())
				w.answer(says(401, "invalid_client"), reltioauthtest.OpToken)
				w.expect(w.acme(), rotateapi.Failed, apierr.CredentialsRejected)
				g := w.status(grant.StatusFailing)
				if got := time.Until(g.RetryAt); got != 30*time.Second || g.Refusals != 1 {
					t.Errorf("%d refusals, retry in %v", g.Refusals, got)
				}
				w.expect(w.atDue(), rotateapi.Failed, apierr.CredentialsRejected)
				if g := w.status(grant.StatusCredentialsRejected); g.Shard != grant.ShardWaiting || g.Refusals != 2 {
					t.Errorf("%d refusals in shard %q", g.Refusals, g.Shard)
				}
				perHour := make([]int, 6)
				for minute := range 6 * 60 {
					before := w.requests()
					time.Sleep(time.Minute)
					w.sweep()
					perHour[minute/60] += w.requests() - before
				}
				if perHour[0] < 10 || perHour[0] > 16 {
					t.Errorf("%d requests in the first hour, want one each 5 min", perHour[0])
				}
				for hour, n := range perHour[1:] {
					if n > 2 || hour > 0 && n != 1 {
						t.Errorf("%d requests in hour %d, want one", n, hour+2)
					}
				}
				refusals, before := w.grant("acme").Refusals, w.requests()
				for range 3 {
					w.expect(w.force(), rotateapi.Failed, apierr.CredentialsRejected)
				}
				w.wantRequests(before + 3)
				if got := w.grant("acme").Refusals; got > refusals+1 {
					t.Errorf("%d refusals after %d, want no more of what was forced", got, refusals)
				}
				w.heal()
				time.Sleep(65 * time.Minute)
				w.sweep()
				if g := w.status(grant.StatusOK); g.Refusals != 0 {
					t.Errorf("%d refusals, want none", g.Refusals)
				}
			})
		})
	}
}

// A success ends the row, even one that is of no use.
func TestRefusalsWithASuccessBetween(t *testing.T) {
	bubble(t, func(w *world) {
		w.connect("acme", clientCredentials())
		for _, f := range []reltioauthtest.FaultKind{
			reltioauthtest.FaultInvalidClient, reltioauthtest.FaultTruncate, reltioauthtest.FaultInvalidClient,
		} {
			w.answer(reltioauthtest.Fault{Kind: f}, reltioauthtest.OpToken)
			w.acme()
			g := w.status(grant.StatusFailing)
			time.Sleep(time.Until(g.RetryAt))
		}
		w.acme()
		w.status(grant.StatusCredentialsRejected)
	})
}

// An outage in which no answer is heard is no refusal: a client comes back as
// soon as its server does.
func TestUnheardClientIsNotRefused(t *testing.T) {
	bubble(t, func(w *world) {
		w.connect("acme", clientCredentials())
		w.answer(reltioauthtest.Fault{Kind: reltioauthtest.FaultCut}, reltioauthtest.OpToken)
		w.force()
		for range 60 {
			time.Sleep(time.Minute)
			w.sweep()
		}
		w.status(grant.StatusFailing)
		w.heal()
		time.Sleep(6 * time.Minute)
		w.sweep()
		w.status(grant.StatusOK)
	})
}

// A refresh that is refused in words that name neither the refresh token nor the
// request is repeated; what comes between two such refusals and says nothing is
// none, and what is forced lengthens no row. After the second in a row a
// connection that can logs in, in the same renewal.
func TestUnclearRefreshOfAUser(t *testing.T) {
	for name, f := range unclearRefreshes() {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.started(password())
				w.due()
				began := time.Now()
				w.answer(f, reltioauthtest.OpToken, "refresh_token")
				w.expect(w.acme(), rotateapi.Failed, apierr.ReltioUnavailable)
				w.busy(time.Now().Add(8 * time.Second))
				w.expect(w.force(), rotateapi.LeftOver, apierr.RateLimited)
				time.Sleep(10 * time.Second)
				w.out.fail(always, tokenCurrent)
				w.expect(w.force(), rotateapi.Failed, apierr.StoreUnavailable)
				w.out.before = nil
				w.expect(w.force(), rotateapi.Failed, apierr.ReltioUnavailable)
				w.expect(w.force(), rotateapi.Failed, apierr.ReltioUnavailable)
				w.wantAsked(began, "refresh_token", "refresh_token", "refresh_token")
				if g := w.status(grant.StatusFailing); g.Refusals != 1 || g.Refusal.Status != f.Status {
					t.Errorf("%d refusals, refusal %+v", g.Refusals, g.Refusal)
				}
				w.expect(w.atDue(), rotateapi.Renewed, "")
				w.wantAsked(began, "refresh_token", "refresh_token", "refresh_token", "refresh_token", "password")
				if g := w.status(grant.StatusOK); g.Refusals != 0 {
					t.Errorf("%d refusals, want none", g.Refusals)
				}
			})
		})
	}
}

// Where a login needs a person it is repeated for an hour, then the person is
// called; and it is tried hourly all the same.
func TestUnclearRefreshOfAPerson(t *testing.T) {
	for name, f := range unclearRefreshes() {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				first := w.started(authorizationCode())
				w.due()
				began := time.Now()
				w.answer(f, reltioauthtest.OpToken)
				for time.Since(began) < 55*time.Minute {
					w.sweep()
					w.status(grant.StatusFailing)
					time.Sleep(time.Minute)
				}
				if n := len(w.asked(began)); n < 10 || n > 15 {
					t.Errorf("%d refreshes in the first hour", n)
				}
				for range 15 {
					w.sweep()
					time.Sleep(time.Minute)
				}
				w.status(grant.StatusReauthorize)
				before := w.requests()
				for range 3 * 60 {
					w.sweep()
					time.Sleep(time.Minute)
				}
				w.wantRequests(before + 3)
				w.heal()
				time.Sleep(65 * time.Minute)
				w.sweep()
				if g := w.status(grant.StatusOK); g.RefreshFingerprint != first.RefreshFingerprint {
					t.Error("the refresh token is another one")
				}
				for _, asked := range w.asked(began) {
					if asked != "refresh_token" {
						t.Errorf("asked with %s", asked)
					}
				}
			})
		})
	}
}

// unclearRefreshes are refusals of a refresh that do not say that its token has
// ended.
func unclearRefreshes() map[string]reltioauthtest.Fault {
	status := func(n int, body string) reltioauthtest.Fault {
		return reltioauthtest.Fault{Kind: reltioauthtest.FaultStatus, Status: n, Body: body}
	}
	return map[string]reltioauthtest.Fault{
		"401 invalid_client":      says(401, "invalid_client"),
		"401 unauthorized":        says(401, "unauthorized"),
		"401 invalid_grant":       says(401, "invalid_grant"),
		"401 plain text":          status(401, "Invalid refresh token"),
		"400 plain text":          status(400, "Invalid refresh token"),
		"400 unauthorized_client": says(400, "unauthorized_client"),
		"400 invalid_token":       says(400, "invalid_token"),
		"400 number":              status(400, `{"errorCode":400,"errorMessage":"no"}`),
		"403 page":                {Kind: reltioauthtest.FaultHTML, Status: 403},
		"404 empty":               {Kind: reltioauthtest.FaultEmpty, Status: 404},
	}
}

// An inactive refresh token that is told in unclear words, for two days, costs few
// requests, and the password gives a token soon.
func TestInactiveRefreshTokenToldInOtherWords(t *testing.T) {
	for name, f := range unclearRefreshes() {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.behave(func(b *reltioauthtest.Behaviour) { b.LoginRefreshToken = reltioauthtest.NewToken })
				g := w.started(password())
				w.server.Kill(g.RefreshFingerprint)
				w.due()
				w.answer(f, reltioauthtest.OpToken, "refresh_token")
				before := w.requests()
				for range 2 {
					w.sweep()
					time.Sleep(time.Minute)
				}
				if !w.valid() {
					t.Error("no token after two minutes, though the password is there")
				}
				for range 2 * 24 * 60 {
					w.sweep()
					time.Sleep(time.Minute)
				}
				if n := w.requests() - before; n > 3*49 {
					t.Errorf("%d requests in 48 h, want at most three an hour", n)
				}
				w.status(grant.StatusOK)
			})
		})
	}
}

// A client that waits because it was refused, and then is answered in unclear words,
// waits on as it did: the row grows, and what callers are told stays.
func TestUnclearAfterRefusals(t *testing.T) {
	bubble(t, func(w *world) {
		w.connect("acme", clientCredentials())
		w.answer(says(401, "invalid_client"), reltioauthtest.OpToken)
		w.acme()
		w.atDue()
		before := w.status(grant.StatusCredentialsRejected)
		w.answer(reltioauthtest.Fault{Kind: reltioauthtest.FaultHTML, Status: 403}, reltioauthtest.OpToken)
		w.expect(w.atDue(), rotateapi.Failed, apierr.ReltioUnavailable)
		g := w.status(grant.StatusCredentialsRejected)
		if g.Refusals != 3 || g.Refusal.Status != 403 || !near(g.TriedAt, time.Now()) || g.LastErrorMessage != before.LastErrorMessage {
			t.Errorf("%d refusals, the last %+v, tried at %v, message %q", g.Refusals, g.Refusal, g.TriedAt, g.LastErrorMessage)
		}
	})
}

// A login that has to wait, for up to an hour, holds up no refresh, which locks
// no user and may be accepted any moment.
func TestUnclearRefreshWhileTheLoginWaits(t *testing.T) {
	bubble(t, func(w *world) {
		w.started(password())
		for unclear := 1; unclear <= 3; unclear++ {
			w.due()
			w.answer(says(401, "unauthorized"), reltioauthtest.OpToken)
			w.expect(w.acme(), rotateapi.Failed, apierr.ReltioUnavailable)
			w.expect(w.atDue(), rotateapi.Failed, apierr.ReltioUnavailable)
			w.wantCounts(counts{0, unclear})
			if wait := time.Until(w.status(grant.StatusFailing).RetryAt); wait > 5*time.Minute {
				t.Errorf("after %d unclear logins the refresh waits %v, as long as the login", unclear, wait)
			}
			w.answer(says(401, "unauthorized"), reltioauthtest.OpToken, "password")
			w.expect(w.atDue(), rotateapi.Renewed, "")
			w.status(grant.StatusOK)
			w.wantCounts(counts{0, unclear})
		}
	})
}
