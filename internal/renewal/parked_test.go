package renewal_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// parked is the refresh token in the table; none: false.
func (w *world) parked() (grant.RefreshToken, bool) {
	w.t.Helper()
	r, err := w.table.Parked(w.t.Context(), "acme")
	if err != nil && !errors.Is(err, grant.ErrNotFound) {
		w.t.Fatal(err)
	}
	return r, err == nil
}

// whole makes sure that nothing was lost: the grant's refresh token is Secrets Manager's
// and the server's, and the table keeps none.
func (w *world) whole() {
	w.t.Helper()
	g, r := w.status(grant.StatusOK), w.refreshToken()
	if r.Fingerprint() != g.RefreshFingerprint || !w.server.Valid(r.Token) || r.Identity != g.Identity {
		w.t.Errorf("Secrets Manager holds %s of %.8s, grant %s of %.8s; at the server: %t",
			r.Fingerprint(), r.Identity, g.RefreshFingerprint, g.Identity, w.server.Valid(r.Token))
	}
	if pointed, err := w.secrets.Version(w.t.Context(), "acme", g.SecretVersion); err != nil || !pointed.Token.Equal(r.Token) {
		w.t.Errorf("the grant points elsewhere (%v)", err)
	}
	if _, ok := w.parked(); ok {
		w.t.Error("a refresh token is parked still")
	}
}

// storeTrouble is what becomes of writes into Secrets Manager, for how long, and whether
// the refresh token is parked.
type storeTrouble struct {
	arrange func(w *world)
	lasts   time.Duration
	parks   bool
}

func storeTroubles() map[string]storeTrouble {
	refusing := func(d time.Duration) func(w *world) {
		return func(w *world) { w.out.fail(until(time.Now().Add(d)), tokenPut) }
	}
	return map[string]storeTrouble{
		"once":           {func(w *world) { w.out.fail(times(1), tokenPut) }, 0, false},
		"for 1.5 s":      {refusing(1500 * time.Millisecond), 0, false},
		"for 3 s":        {refusing(3 * time.Second), 0, true},
		"for 6 s":        {refusing(6 * time.Second), 0, true},
		"for a minute":   {refusing(time.Minute), time.Minute, true},
		"for an hour":    {refusing(time.Hour), time.Hour, true},
		"denied for now": {func(w *world) { w.out.fail(always, tokenPut) }, 12 * time.Hour, true},
		"all of it":      {func(w *world) { w.out.fail(always, tokenPut, tokenVersion, tokenCurrent) }, 0, true},
		"hanging":        {func(w *world) { w.out.hangs = true }, 2 * time.Hour, true},
		"response lost": {func(w *world) {
			w.out.after = func(op string) error { return map[bool]error{true: errDown}[op == tokenPut] }
		}, time.Hour, true},
	}
}

// Secrets Manager does not take a refresh token that Reltio has given: it is parked, that
// is said, and it is used and brought home when Secrets Manager works again. No person is
// needed whatever the trouble and however long it lasts.
func TestRefreshTokenStoreTrouble(t *testing.T) {
	for name, c := range storeTroubles() {
		for kind, fields := range map[string]map[string]any{"password": password(), "authorization_code": authorizationCode()} {
			t.Run(name+", "+kind, func(t *testing.T) {
				bubble(t, func(w *world) {
					w.behave(rotating)
					before := w.started(fields)
					w.due()
					w.out.after = func(op string) error { // what is read before the request is there
						if op == sendToken {
							w.out.after = nil
							c.arrange(w)
						}
						return nil
					}
					began := time.Now()
					report := w.acme()
					w.expect(report, rotateapi.Renewed, map[bool]apierr.Type{true: apierr.StoreUnavailable}[c.parks])
					if took := time.Since(began); took > 4*time.Second || report.Parked != c.parks || report.Lost || report.Unstored {
						t.Errorf("parked %t, lost %t, unstored %t after %v", report.Parked, report.Lost, report.Unstored, took)
					}
					g := w.grant("acme")
					kept, ok := w.parked()
					if !g.Valid(time.Now()) || g.RefreshFingerprint == before.RefreshFingerprint || ok != c.parks {
						t.Errorf("status %s, parked %t", g.Status, ok)
					}
					if c.parks && (kept.Fingerprint() != g.RefreshFingerprint || kept.Identity != g.Identity || g.Status != grant.StatusFailing || g.LastError != apierr.StoreUnavailable) {
						t.Errorf("status %s with %s, parked %s of %.8s", g.Status, g.LastError, kept.Fingerprint(), kept.Identity)
					}
					for end := time.Now().Add(c.lasts); time.Now().Before(end); time.Sleep(5 * time.Minute) {
						w.sweep()
						if s := w.grant("acme").Status; s == grant.StatusReauthorize {
							t.Fatal("a person is called")
						}
					}
					w.heal()
					w.sweeps(10 * time.Minute)
					w.due()
					w.expect(w.acme(), rotateapi.Renewed, "")
					w.whole()
				})
			})
		}
	}
}

// A refresh token is in the table before the access token is, and Secrets Manager is
// tried first.
func TestParkedBeforeTheAccessToken(t *testing.T) {
	bubble(t, func(w *world) {
		w.behave(rotating)
		w.started(authorizationCode())
		w.due()
		w.out.fail(always, tokenPut)
		w.out.forget()
		w.expect(w.acme(), rotateapi.Renewed, apierr.StoreUnavailable)
		if diff := cmp.Diff([]string{sendToken, tokenPut, park, putGrant}, slices.Compact(w.out.only(sendToken, tokenPut, park, putGrant))); diff != "" {
			t.Errorf("order (-want +got):\n%s", diff)
		}
		w.due()
		w.heal()
		w.out.forget()
		w.expect(w.acme(), rotateapi.Renewed, "")
		if diff := cmp.Diff([]string{tokenPut, unpark, sendToken, tokenPut, putGrant}, w.out.only(sendToken, tokenPut, park, unpark, putGrant)); diff != "" {
			t.Errorf("order afterwards (-want +got):\n%s", diff)
		}
		w.whole()
	})
}

// A server that does not rotate: the parked refresh token is used though Secrets Manager
// refuses still, and each renewal says that it does.
func TestParkedTokenIsUsed(t *testing.T) {
	bubble(t, func(w *world) {
		w.connect("acme", password())
		w.out.fail(always, tokenPut)
		w.expect(w.acme(), rotateapi.Renewed, apierr.StoreUnavailable)
		for range 5 {
			w.due()
			began := time.Now()
			report := w.acme()
			w.expect(report, rotateapi.Renewed, apierr.StoreUnavailable)
			w.wantAsked(began, "refresh_token")
			if !report.Parked || !w.grant("acme").Valid(time.Now()) {
				t.Error("it is not said that the refresh token is parked")
			}
		}
		w.heal()
		w.due()
		w.expect(w.acme(), rotateapi.Renewed, "")
		w.whole()
	})
}

// While Secrets Manager refuses, a server that rotates is sent no refresh: not by a
// process that has seen it, nor by another one, which the parked token tells. The
// first write that succeeds ends it.
func TestNoRotationWhileSecretsManagerRefuses(t *testing.T) {
	for name, next := range map[string]func(w *world){
		"the same process": func(*world) {},
		"another process":  func(w *world) { w.renewer = w.fresh() },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.behave(rotating)
				w.started(authorizationCode())
				w.due()
				w.out.fail(always, tokenPut)
				w.expect(w.acme(), rotateapi.Renewed, apierr.StoreUnavailable)
				next(w)
				requests := w.requests()
				for range 12 {
					w.due()
					report := w.force()
					w.expect(report, rotateapi.Failed, apierr.StoreUnavailable)
					if !report.Parked {
						t.Error("it is not said that the refresh token is parked")
					}
					time.Sleep(5 * time.Minute)
				}
				w.wantRequests(requests)
				w.status(grant.StatusFailing)
				w.heal()
				w.expect(w.force(), rotateapi.Renewed, "")
				w.whole()
			})
		})
	}
}

// A sweep of five while Secrets Manager refuses for an hour: none loses its refresh
// token, and each asks once at most.
func TestSweepWhileSecretsManagerRefuses(t *testing.T) {
	bubble(t, func(w *world) {
		w.behave(func(b *reltioauthtest.Behaviour) { rotating(b); b.LoginRefreshToken = reltioauthtest.NewToken })
		names := []string{"acme", "second", "third", "fourth", "fifth"}
		for _, name := range names {
			w.connect(name, authorizationCode())
			w.authorize(name)
		}
		w.due()
		requests := w.requests()
		w.out.fail(until(time.Now().Add(time.Hour)), tokenPut)
		w.sweeps(time.Hour)
		if n := w.requests() - requests; n > len(names) {
			t.Errorf("%d refreshes were sent meanwhile, want %d at most", n, len(names))
		}
		w.sweeps(2 * time.Hour)
		for _, name := range names {
			if g := w.grant(name); g.Status != grant.StatusOK || !g.Valid(time.Now()) {
				t.Errorf("%s: status %s (%s)", name, g.Status, g.LastErrorMessage)
			}
			if _, err := w.table.Parked(t.Context(), name); !errors.Is(err, grant.ErrNotFound) {
				t.Errorf("%s is parked still (%v)", name, err)
			}
		}
	})
}

// Neither store takes it: that is said, and the access token serves.
func TestNeitherStoreTakesTheRefreshToken(t *testing.T) {
	bubble(t, func(w *world) {
		w.behave(rotating)
		w.started(authorizationCode())
		w.due()
		w.out.fail(always, tokenPut, park)
		report := w.acme()
		w.expect(report, rotateapi.Renewed, apierr.StoreUnavailable)
		if !report.Lost || report.Parked || !w.status(grant.StatusFailing).Valid(time.Now()) {
			t.Errorf("lost %t, parked %t", report.Lost, report.Parked)
		}
	})
}

// A process dies after it parked: the next one goes on from there.
func TestCrashAfterParking(t *testing.T) {
	for name, killed := range map[string]func(w *world) bool{
		"before the grant is written":       func(w *world) bool { return w.out.count(park) > 0 },
		"between Secrets Manager and table": func(w *world) bool { return w.out.count(unpark) > 0 },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.behave(rotating)
				w.started(authorizationCode())
				w.due()
				w.out.before = func(op string) error {
					if op == tokenPut && w.out.count(park) == 0 {
						return errDown
					}
					if killed(w) && op != park {
						return errKilled
					}
					return nil
				}
				w.acme()
				time.Sleep(6 * time.Minute)
				w.acme()
				w.heal()
				w.renewer = w.fresh()
				time.Sleep(6 * time.Minute)
				w.acme()
				w.due()
				w.expect(w.acme(), rotateapi.Renewed, "")
				w.whole()
			})
		})
	}
}

// A parked refresh token that was overtaken is forgotten: it is neither sent nor
// written over the newer one.
func TestParkedTokenThatWasOvertaken(t *testing.T) {
	for name, epoch := range map[string]int64{"older": 0, "as old": 1} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				g := w.started(authorizationCode())
				old := grant.RefreshToken{Token: reltioauth.NewSecret("overtaken"), LoggedInAt: time.Now(), Epoch: epoch, Identity: g.Identity}
				if err := w.table.Park(t.Context(), "acme", old); err != nil {
					t.Fatal(err)
				}
				w.out.forget()
				w.due()
				w.expect(w.acme(), rotateapi.Renewed, "")
				if n := w.out.count(tokenPut); n != 0 || presented(w.server, old.Fingerprint()) {
					t.Errorf("%d writes into Secrets Manager, sent: %t", n, presented(w.server, old.Fingerprint()))
				}
				w.whole()
			})
		})
	}
}

// A parked refresh token of another identity is never sent.
func TestParkedTokenOfAnotherIdentity(t *testing.T) {
	for name, refuses := range map[string]bool{"Secrets Manager works again": false, "Secrets Manager refuses still": true} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.connect("acme", password())
				w.out.fail(always, tokenPut)
				w.expect(w.acme(), rotateapi.Renewed, apierr.StoreUnavailable)
				old, _ := w.parked()
				w.connect("acme", elsewhere())
				if refuses {
					w.expect(w.force(), rotateapi.Failed, apierr.StoreUnavailable)
					if w.grant("acme").HasToken() {
						t.Error("the access token of the other identity is handed out")
					}
				}
				w.heal()
				w.expect(w.force(), rotateapi.Renewed, "")
				w.due()
				w.expect(w.acme(), rotateapi.Renewed, "")
				if presented(w.other, old.Fingerprint()) {
					t.Error("it was sent")
				}
				if _, ok := w.parked(); ok {
					t.Error("it is kept")
				}
			})
		})
	}
}
