package renewal_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
)

// kinds are connections of every grant type.
func kinds() map[string]map[string]any {
	return map[string]map[string]any{
		"client_credentials": clientCredentials(), "password": password(), "authorization_code": authorizationCode(),
	}
}

// sweeps is a tick every half minute for a while.
func (w *world) sweeps(d time.Duration) {
	w.t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); {
		time.Sleep(min(30*time.Second, time.Until(end)))
		w.sweep()
	}
}

// A connection's secret is away and comes back as it was: its refresh token is the
// same, no login is sent, and a short absence sends nothing at all.
func TestSecretThatComesBack(t *testing.T) {
	for name, fields := range kinds() {
		for _, away := range []time.Duration{0, 59 * time.Second, 2 * time.Minute, time.Hour, 24 * time.Hour} {
			t.Run(fmt.Sprintf("%s, after %v", name, away), func(t *testing.T) {
				bubble(t, func(w *world) {
					before := w.started(fields)
					requests := w.requests()
					w.disconnect("acme")
					w.expect(w.force(), rotateapi.Failed, apierr.UnknownConnection)
					w.sweeps(away)
					believed := away >= time.Minute
					if g := w.grant("acme"); g.Valid(time.Now()) == believed || (g.Status == grant.StatusUnknown) != believed {
						t.Errorf("status %s, valid %t after %v", g.Status, g.Valid(time.Now()), away)
					}
					w.wantRequests(requests)
					w.connect("acme", fields)
					time.Sleep(time.Minute)
					w.sweep()
					began := time.Now()
					w.acme()
					g := w.status(grant.StatusOK)
					if !g.Valid(began) || g.Identity != before.Identity || !g.SecretMissingAt.IsZero() {
						t.Errorf("valid %t, missing since %v", g.Valid(began), g.SecretMissingAt)
					}
					if !believed {
						w.wantRequests(requests)
					}
					if g.RefreshFingerprint != before.RefreshFingerprint || w.refreshToken().Fingerprint() != before.RefreshFingerprint {
						t.Error("the refresh token is another one")
					}
					if asked := w.asked(began); before.HasRefreshToken() && slices.ContainsFunc(asked, func(a string) bool { return a != "refresh_token" }) {
						t.Errorf("asked %v, want the refresh token used", asked)
					}
				})
			})
		}
	}
}

// One look that does not find the secret shows nothing, whichever renewal looks.
func TestSecretNotFoundOnce(t *testing.T) {
	looks := map[string]func(w *world){
		"by force":    func(w *world) { w.force() },
		"at its end":  func(w *world) { w.due(); w.acme() },
		"by a sweep":  func(w *world) { w.due(); w.sweep() },
		"a few times": func(w *world) { w.force(); time.Sleep(20 * time.Second); w.force() },
	}
	for name, fields := range kinds() {
		for look, look1 := range looks {
			t.Run(name+", "+look, func(t *testing.T) {
				bubble(t, func(w *world) {
					before := w.started(fields)
					w.out.before = func(op string) error {
						if op == readSecret || op == readVersion {
							return connection.ErrNotFound
						}
						return nil
					}
					look1(w)
					if g := w.status(grant.StatusFailing); !g.HasToken() || g.Identity != before.Identity || g.Shard != grant.ShardDue {
						t.Errorf("in %q, with a token: %t", g.Shard, g.HasToken())
					}
					w.heal()
					w.sweeps(2 * time.Minute)
					if g := w.status(grant.StatusOK); !g.Valid(time.Now()) || g.RefreshFingerprint != before.RefreshFingerprint {
						t.Error("no token, or another refresh token")
					}
				})
			})
		}
	}
}

// What is left of a connection whose absence is believed.
func TestSecretMissing(t *testing.T) {
	for name, fields := range kinds() {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				before := w.started(fields)
				w.disconnect("acme")
				for _, wait := range []time.Duration{0, time.Second, 58 * time.Second} { // the last one is 59 s later
					time.Sleep(wait)
					w.expect(w.force(), rotateapi.Failed, apierr.UnknownConnection)
					if g := w.status(grant.StatusFailing); g.Fingerprint != before.Fingerprint || !g.Valid(time.Now()) {
						t.Fatal("it is believed too early")
					}
				}
				time.Sleep(time.Second)
				w.expect(w.acme(), rotateapi.Failed, apierr.UnknownConnection)
				g := w.grant("acme")
				want := grant.Grant{
					Connection: "acme", Epoch: g.Epoch, Owner: g.Owner, Version: before.Version, Status: grant.StatusUnknown,
					RetryAt: time.Now().Add(time.Minute).UTC(), TTL: time.Now().Add(24 * time.Hour).Truncate(time.Second).UTC(),
				}
				if diff := cmp.Diff(want, g); diff != "" {
					t.Errorf("grant (-want +got):\n%s", diff)
				}
				if n := w.out.count(tokenPut); before.HasRefreshToken() && w.refreshToken().Token.IsZero() || n > 1 {
					t.Errorf("the refresh token has a tombstone, in %d writes", n)
				}
				reads := w.out.count(readSecret) // within a minute nothing is read
				w.expect(w.acme(), rotateapi.Unchanged, apierr.UnknownConnection)
				if got := w.out.count(readSecret); got != reads {
					t.Errorf("%d reads of the secret within the minute", got-reads)
				}
			})
		})
	}
}

// The secret is away and comes back as another's: nothing of before is sent.
func TestSecretThatComesBackAsAnothers(t *testing.T) {
	for name, fields := range kinds() {
		for _, away := range []time.Duration{30 * time.Second, time.Hour} {
			t.Run(fmt.Sprintf("%s, after %v", name, away), func(t *testing.T) {
				bubble(t, func(w *world) {
					before := w.started(fields)
					w.disconnect("acme")
					w.force()
					w.sweeps(away)
					w.connect("acme", with(fields, "auth_url", otherURL))
					requests := w.requests()
					time.Sleep(time.Minute)
					report := w.force()
					if want := map[bool]rotateapi.Outcome{true: rotateapi.Reauthorize, false: rotateapi.Renewed}[name == "authorization_code"]; report.Outcome != want {
						t.Errorf("outcome %s (%v), want %s", report.Outcome, report.Err, want)
					}
					if g := w.grant("acme"); g.Fingerprint == before.Fingerprint || before.HasRefreshToken() && presented(w.other, before.RefreshFingerprint) {
						t.Error("what belongs to the other identity is used")
					}
					w.wantRequests(requests)
				})
			})
		}
	}
}

// Secrets Manager does not answer while the secret is away: it is not needed.
func TestSecretMissingWhileSecretsManagerIsDown(t *testing.T) {
	bubble(t, func(w *world) {
		w.started(password())
		w.disconnect("acme")
		w.out.fail(always, tokenPut, tokenCurrent, tokenVersion)
		w.force()
		time.Sleep(time.Minute)
		w.expect(w.acme(), rotateapi.Failed, apierr.UnknownConnection)
		w.status(grant.StatusUnknown)
	})
}

// The secret is away between a re-login and the revocation of its refresh token:
// callers have the login's token until the absence is believed.
func TestSecretMissingInARelogin(t *testing.T) {
	bubble(t, func(w *world) {
		w.started(password())
		w.toRelogin()
		w.out.after = func(op string) error {
			if op == putGrant && w.grant("acme").Relogin == grant.ReloginRevoke {
				w.out.after = nil
				w.disconnect("acme")
			}
			return nil
		}
		w.expect(w.renewAtEnd(), rotateapi.Failed, apierr.UnknownConnection)
		if !w.grant("acme").Valid(time.Now()) {
			t.Error("callers have no token")
		}
		time.Sleep(time.Minute)
		w.expect(w.acme(), rotateapi.Failed, apierr.UnknownConnection)
		if w.status(grant.StatusUnknown).HasToken() {
			t.Error("the token of a connection that is gone is handed out")
		}
	})
}

// A refresh token of a release before this one does not say whose it is. It says so
// before the grant forgets it, and a secret that comes back finds it.
func TestUnlabelledRefreshTokenOfASecretThatComesBack(t *testing.T) {
	bubble(t, func(w *world) {
		before := w.started(authorizationCode())
		r := w.refreshToken()
		r.Identity, r.Epoch = "", r.Epoch+1
		version, err := w.secrets.Put(t.Context(), "acme", r)
		if err != nil {
			t.Fatal(err)
		}
		before.SecretVersion = version
		if err := w.table.PutGrant(t.Context(), w.seize(), before.Indexed(time.Now())); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute) // the lease's
		w.disconnect("acme")
		w.expect(w.force(), rotateapi.Failed, apierr.UnknownConnection)
		w.sweeps(3 * time.Minute)
		w.status(grant.StatusUnknown)
		w.connect("acme", authorizationCode())
		w.sweeps(2 * time.Minute)
		w.acme()
		w.status(grant.StatusOK)
		if got := w.refreshToken(); got.Identity != before.Identity || got.Token.IsZero() {
			t.Errorf("the refresh token is %q's", got.Identity)
		}
	})
}
