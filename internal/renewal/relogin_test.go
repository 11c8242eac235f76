package renewal_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/renewal"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// asked are the operations that the sandbox has seen from a moment on.
func (w *world) asked(from time.Time) []string {
	var all []string
	for _, r := range w.server.Requests() {
		if r.At.Before(from) {
			continue
		}
		if r.GrantType != "" {
			all = append(all, r.GrantType)
		} else {
			all = append(all, string(r.Op))
		}
	}
	return all
}

func (w *world) wantAsked(from time.Time, want ...string) {
	w.t.Helper()
	if diff := cmp.Diff(want, w.asked(from)); diff != "" {
		w.t.Fatalf("requests (-want +got):\n%s", diff)
	}
}

// atEnd lets the token end and renews it.
func (w *world) atEnd() (began time.Time) {
	w.t.Helper()
	time.Sleep(time.Until(w.grant("acme").ExpiresAt.Add(2 * time.Second)))
	began = time.Now()
	w.expect(w.acme(), rotateapi.Renewed, "")
	return began
}

func TestReloginBetweenThreeQuartersAndNineTenths(t *testing.T) {
	for days, life := range map[float64]time.Duration{
		28:  28 * 24 * time.Hour,
		2.5: 60 * time.Hour,
	} {
		bubble(t, func(w *world) {
			w.behave(func(b *reltioauthtest.Behaviour) { b.LoginRefreshToken = reltioauthtest.NewToken })
			g := w.started(with(password(), "refresh_token_days", days))
			w.toRelogin()
			last := w.grant("acme")
			if got := last.Due(); !got.Equal(last.ExpiresAt.Add(time.Second)) {
				t.Errorf("due %v, want at the token's end, %v", got, last.ExpiresAt)
			}
			began := w.atEnd()
			w.wantAsked(began, "password")
			next := w.status(grant.StatusOK)
			if next.RefreshFingerprint == g.RefreshFingerprint || next.Relogin != "" {
				t.Errorf("refresh token %s, re-login %q, want a new one", next.RefreshFingerprint, next.Relogin)
			}
			at, from, to := next.LoggedInAt.Sub(g.LoggedInAt), life*3/4, life*9/10
			if at < from-time.Hour || at > to+time.Hour {
				t.Errorf("%g days: logged in again after %v, want between %v and %v", days, at, from, to)
			}
			w.wantAttempts(0)
		})
	}
}

// The login gives the same refresh token with its old clock: it is revoked,
// and the next login brings a new one; each step is stored before the next.
func TestReloginWithTheSameRefreshToken(t *testing.T) {
	bubble(t, func(w *world) {
		g := w.started(password())
		w.toRelogin()
		var steps []string
		w.out.before = func(op string) error {
			if op == sendToken || op == sendRevoke {
				stored := w.grant("acme")
				steps = append(steps, op+" at "+string(stored.Relogin))
				if stored.Relogin != grant.ReloginDue && stored.HasToken() {
					t.Error("the access token is still handed out")
				}
			}
			return nil
		}
		began := w.atEnd()
		w.wantAsked(began, "password", "revoke", "password")
		want := []string{sendToken + " at due", sendRevoke + " at revoke", sendToken + " at login"}
		if diff := cmp.Diff(want, steps); diff != "" {
			t.Errorf("steps (-want +got):\n%s", diff)
		}
		next := w.status(grant.StatusOK)
		if next.RefreshFingerprint == g.RefreshFingerprint || next.Relogin != "" || !next.LoggedInAt.After(g.LoggedInAt) {
			t.Errorf("refresh token %s of %v, re-login %q", next.RefreshFingerprint, next.LoggedInAt, next.Relogin)
		}
		if !w.server.Valid(next.AccessToken) || !w.server.Valid(w.refreshToken().Token) {
			t.Error("the new tokens are inactive")
		}
	})
}

// After a crash between the steps the revocation waits for a login to be seen
// working: else it would take away the only way in.
func TestReloginRevokesOnlyWhileTheLoginWorks(t *testing.T) {
	bubble(t, func(w *world) {
		w.started(password())
		w.toRelogin()
		time.Sleep(time.Until(w.grant("acme").ExpiresAt.Add(2 * time.Second)))
		w.out.before = func(op string) error {
			if op == sendRevoke || w.out.count(sendRevoke) > 0 {
				return errKilled
			}
			return nil
		}
		w.acme()
		w.heal()
		if g := w.grant("acme"); g.Relogin != grant.ReloginRevoke || g.HasToken() {
			t.Fatalf("re-login %q, want revoke", g.Relogin)
		}
		w.server.SetPassword("ann", reltioauth.NewSecret("changed"))
		began := time.Now()
		time.Sleep(10 * time.Minute)
		w.acme()
		for _, asked := range w.asked(began) {
			if asked == "revoke" {
				t.Error("the refresh token was revoked though the login does not work")
			}
		}
		if !w.server.Valid(w.refreshToken().Token) {
			t.Error("the refresh token is inactive")
		}
	})
}

// The login is refused while the refresh token lives: that is used on, two
// logins are tried and no more.
func TestReloginRefused(t *testing.T) {
	for name, c := range map[string]struct {
		hinder func(w *world)
		err    apierr.Type
		logins int
	}{
		"wrong password": {func(w *world) {
			w.server.SetPassword("ann", reltioauth.NewSecret("changed"))
		}, apierr.CredentialsRejected, 2},
		"second factor": {func(w *world) {
			w.server.Configure(func(c *reltioauthtest.Config) { c.Users[0].TOTP = reltioauth.NewSecret("123456") })
		}, apierr.MFARequired, -1},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.started(password())
				w.toRelogin()
				c.hinder(w)
				before := w.requests()
				w.expect(w.renewAtEnd(), rotateapi.Renewed, "")
				w.wantRequests(before + 2)
				g := w.status(grant.StatusFailing)
				if !g.Valid(time.Now()) || g.LastError != c.err {
					t.Errorf("last error %s, want a valid token with %s", g.LastError, c.err)
				}
				for range 40 {
					w.expect(w.renewAtEnd(), rotateapi.Renewed, "")
				}
				if got := w.refused(); c.logins >= 0 && got != c.logins {
					t.Errorf("%d refused logins, want %d", got, c.logins)
				}
				if w.server.Locked("ann") {
					t.Error("the user is locked")
				}
			})
		})
	}
}

// renewAtEnd is atEnd with the report.
func (w *world) renewAtEnd() renewal.Report {
	w.t.Helper()
	time.Sleep(time.Until(w.grant("acme").ExpiresAt.Add(2 * time.Second)))
	return w.acme()
}

// The client is refused at the login and at the refresh: that is two requests,
// not as many as there are passes.
func TestReloginRefusedWithTheClient(t *testing.T) {
	bubble(t, func(w *world) {
		w.started(password())
		w.toRelogin()
		w.answer(says(401, "invalid_client"), reltioauthtest.OpToken)
		before := w.requests()
		w.expect(w.renewAtEnd(), rotateapi.Failed, apierr.ReltioUnavailable)
		w.wantRequests(before + 2)
		w.wantCounts(counts{0, 1})
	})
}

// Login refused, then the refresh finds no answer: the login stays counted.
func TestReloginRefusedStaysCounted(t *testing.T) {
	for name, hinder := range map[string]func(w *world){
		"the refresh is accepted":    func(*world) {},
		"the refresh is unavailable": func(w *world) { w.answer(says(503, "server_error"), reltioauthtest.OpToken, "refresh_token") },
		"the refresh cannot be sent": func(w *world) { w.out.before = failSecond(connect) },
		"the refresh gets no slot":   func(w *world) { w.out.before = failSecond(reserve) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.started(password())
				w.toRelogin()
				w.server.SetPassword("ann", reltioauth.NewSecret("changed"))
				hinder(w)
				w.renewAtEnd()
				w.heal()
				w.wantRefused(1)
				w.wantAttempts(1)
			})
		})
	}
}

// The refresh token is inactive as well: the next login waits for the back-off.
func TestReloginRefusedAndNothingElse(t *testing.T) {
	bubble(t, func(w *world) {
		w.started(halfDay())
		w.toRelogin()
		w.server.SetPassword("ann", reltioauth.NewSecret("changed"))
		w.server.Kill(w.grant("acme").RefreshFingerprint)
		w.due()
		began := time.Now()
		w.expect(w.acme(), rotateapi.Failed, apierr.CredentialsRejected)
		w.wantAsked(began, "password", "refresh_token")
		if g := w.status(grant.StatusFailing); !g.RetryAt.After(time.Now()) {
			t.Errorf("retry at %v", g.RetryAt)
		}
		w.wantAttempts(1)
		w.server.SetPassword("ann", reltioauth.NewSecret("password-1"))
		w.expect(w.atDue(), rotateapi.Renewed, "")
		w.status(grant.StatusOK)
		w.wantAttempts(0)
	})
}

func TestReloginUnavailable(t *testing.T) {
	bubble(t, func(w *world) {
		w.started(password())
		w.toRelogin()
		w.answer(says(503, "server_error"), reltioauthtest.OpToken)
		w.expect(w.renewAtEnd(), rotateapi.Failed, apierr.ReltioUnavailable)
		w.heal()
		if g := w.grant("acme"); g.Relogin != grant.ReloginDue {
			t.Errorf("re-login %q, want due still", g.Relogin)
		}
		time.Sleep(time.Minute)
		w.expect(w.acme(), rotateapi.Renewed, "")
	})
}

// A revocation without an answer leaves the login's token to the callers, and is
// tried again at its end.
func TestReloginRevocationFails(t *testing.T) {
	for name, c := range map[string]struct {
		fault reltioauthtest.Fault
		want  rotateapi.Outcome
	}{
		"unavailable": {says(503, "server_error"), rotateapi.Failed},
		"refused":     {says(400, "invalid_token"), rotateapi.Renewed},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.started(password())
				w.toRelogin()
				w.answer(c.fault, reltioauthtest.OpRevoke)
				if got := w.renewAtEnd(); got.Outcome != c.want {
					t.Errorf("outcome %s (%v), want %s", got.Outcome, got.Err, c.want)
				}
				w.heal()
				if g := w.grant("acme"); !g.Valid(time.Now()) {
					t.Error("callers have no token meanwhile")
				}
				w.renewAtEnd()
				if g := w.status(grant.StatusOK); !g.Valid(time.Now()) || g.Relogin != "" {
					t.Errorf("re-login %q, want done", g.Relogin)
				}
			})
		})
	}
}

func TestAuthorizationCodePastItsDeadline(t *testing.T) {
	bubble(t, func(w *world) {
		g := w.started(with(authorizationCode(), "refresh_token_days", 0.5))
		if want := g.LoggedInAt.Add(12 * time.Hour); !g.RefreshExpiresAt.Equal(want) {
			t.Errorf("refresh token ends %v, want %v", g.RefreshExpiresAt, want)
		}
		for time.Now().Before(g.RefreshExpiresAt.Add(-time.Hour)) {
			w.atEnd()
		}
		time.Sleep(time.Until(w.grant("acme").ExpiresAt.Add(2 * time.Second)))
		for !time.Now().After(g.RefreshExpiresAt) {
			w.acme()
			time.Sleep(time.Until(w.grant("acme").ExpiresAt.Add(2 * time.Second)))
		}
		before := w.requests()
		w.expect(w.acme(), rotateapi.Reauthorize, apierr.ReauthorizationRequired)
		time.Sleep(2 * time.Hour)
		w.expect(w.acme(), rotateapi.Reauthorize, apierr.ReauthorizationRequired)
		w.wantRequests(before)
		w.authorize("acme") // a person came
		w.status(grant.StatusOK)
		w.atEnd()
	})
}

// Neither Secrets Manager nor table takes the login's refresh token: it is not known to be
// the same one, so nothing is revoked, and the access token serves.
func TestReloginThatCannotBeKept(t *testing.T) {
	bubble(t, func(w *world) {
		w.behave(func(b *reltioauthtest.Behaviour) { b.LoginRefreshToken = reltioauthtest.NewToken })
		g := w.started(password())
		w.toRelogin()
		w.out.fail(always, tokenPut, park)
		w.due()
		began := time.Now()
		report := w.acme()
		w.expect(report, rotateapi.Renewed, apierr.StoreUnavailable)
		if !report.Lost || report.Parked {
			t.Errorf("lost %t, parked %t", report.Lost, report.Parked)
		}
		w.wantAsked(began, "password")
		if next := w.status(grant.StatusFailing); !next.Valid(time.Now()) || next.Relogin != grant.ReloginDue {
			t.Errorf("re-login %q, want due; valid %t", next.Relogin, next.Valid(time.Now()))
		}
		w.heal()
		w.atEnd()
		if next := w.status(grant.StatusOK); next.RefreshFingerprint == g.RefreshFingerprint {
			t.Error("the refresh token was not replaced")
		}
	})
}
