package renewal_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// errKilled is what a process sees of the world after its end: nothing.
var errKilled = errors.New("killed")

// killAt ends the process at the n-th operation from now: before it happens, or
// after it did and before the answer is there. All later ones fail. It reports
// whether the process came that far.
func (w *world) killAt(n int, acted bool) (killed func() bool) {
	began, inactive := 0, false
	w.out.before = func(string) error {
		began++
		if inactive || began == n && !acted {
			inactive = true
			return errKilled
		}
		return nil
	}
	w.out.after = func(string) error {
		if began == n && acted {
			inactive = true
			return errKilled
		}
		return nil
	}
	return func() bool { return inactive }
}

// crashCase is a renewal that is killed at every operation.
type crashCase struct {
	fields  map[string]any
	behave  func(*reltioauthtest.Behaviour)
	arrange func(w *world) // after the first token
	first   bool           // the very first renewal
	byHand  bool           // the server may have taken the only refresh token
}

func crashCases() map[string]crashCase {
	rotate := func(b *reltioauthtest.Behaviour) { b.RefreshTokens = reltioauthtest.Rotate }
	dies := func(b *reltioauthtest.Behaviour) {
		b.Refresh, b.Login = reltioauthtest.NewTokenOldDies, reltioauthtest.NewTokenOldDies
		b.LoginRefreshToken = reltioauthtest.NewTokenOldDies
	}
	relogin := func(w *world) { w.toRelogin() }
	inactive := func(w *world) { w.server.Kill(w.grant("acme").RefreshFingerprint) }
	moved := func(w *world) { w.connect("acme", with(password(), "username", "ben")); w.passwordOf("ben") }
	return map[string]crashCase{
		"client credentials, first":         {fields: clientCredentials(), first: true},
		"client credentials":                {fields: clientCredentials()},
		"client credentials, new token":     {fields: clientCredentials(), behave: newTokens},
		"client credentials, old dies":      {fields: clientCredentials(), behave: dies},
		"password, first":                   {fields: password(), first: true},
		"password, kept":                    {fields: password()},
		"password, rotated":                 {fields: password(), behave: rotate},
		"password, new token":               {fields: password(), behave: newTokens},
		"password, old dies":                {fields: password(), behave: dies},
		"password, inactive refresh token":  {fields: password(), arrange: inactive},
		"password, re-login, same":          {fields: halfDay(), arrange: relogin},
		"password, re-login, new":           {fields: halfDay(), behave: dies, arrange: relogin},
		"password, another identity":        {fields: password(), arrange: moved},
		"authorization code, kept":          {fields: authorizationCode()},
		"authorization code, rotated":       {fields: authorizationCode(), behave: rotate, byHand: true},
		"authorization code, rotated, mild": {fields: authorizationCode(), behave: mild},
	}
}

// newTokens is a server that gives a new token each time and lets the old one
// live.
func newTokens(b *reltioauthtest.Behaviour) {
	b.Refresh, b.Login = reltioauthtest.NewToken, reltioauthtest.NewToken
}

// mild rotates with a grace for the refresh token before.
func mild(b *reltioauthtest.Behaviour) {
	b.RefreshTokens, b.RotationGrace = reltioauthtest.Rotate, 10*time.Minute
}

// halfDay is a connection whose refresh token lives for that long.
func halfDay() map[string]any { return with(password(), "refresh_token_days", 0.5) }

// toRelogin lets time pass, with a token an hour, until a re-login is next.
func (w *world) toRelogin() {
	w.t.Helper()
	for range 28 * 24 {
		g := w.grant("acme")
		if g.Relogin == grant.ReloginDue {
			return
		}
		time.Sleep(time.Until(g.ExpiresAt.Add(time.Second)))
		w.acme()
	}
	w.t.Fatal("no re-login within 28 days")
}

func (w *world) passwordOf(user string) {
	w.server.Configure(func(c *reltioauthtest.Config) {
		for i := range c.Users {
			if c.Users[i].Username == user {
				c.Users[i].Password = c.Users[0].Password
			}
		}
	})
}

// A process dies at any operation, before it or right after it: the next
// renewal succeeds without a person (I5), no account suffers (I3), and
// what is stored fits together.
func TestCrashAnywhere(t *testing.T) {
	for name, c := range crashCases() {
		for _, acted := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, acted %t", name, acted), func(t *testing.T) {
				for n := 1; ; n++ {
					over := false
					bubble(t, func(w *world) { over = crash(w, c, n, acted) })
					if over || t.Failed() {
						t.Logf("%d operations", n)
						break
					}
				}
			})
		}
	}
}

// crash kills one renewal at the n-th operation and lets another process go on.
// It reports whether the renewal was over before.
func crash(w *world, c crashCase, n int, acted bool) (over bool) {
	if c.behave != nil {
		w.behave(c.behave)
	}
	if c.first {
		w.connect("acme", c.fields)
	} else {
		w.started(c.fields)
		if c.arrange != nil {
			c.arrange(w)
		}
		time.Sleep(time.Until(w.grant("acme").ExpiresAt.Add(2 * time.Second)))
	}
	w.out.forget()
	killed := w.killAt(n, acted)
	w.force()
	w.heal()
	last := ""
	if log := w.out.log; killed() {
		last = log[min(n, len(log))-1]
	}
	w.renewer = w.fresh()
	time.Sleep(6 * time.Minute) // lease and back-off are over
	report := w.acme()
	for range 3 {
		if report.Outcome == rotateapi.Renewed || w.valid() {
			break
		}
		time.Sleep(6 * time.Minute)
		report = w.acme()
	}
	if c.byHand && (last == sendToken && acted || last == tokenPut && !acted) {
		w.status(grant.StatusReauthorize) // the answer is lost with the refresh token in it
		return false
	}
	w.consistent(fmt.Sprintf("killed at %d, %s", n, last), report.Outcome)
	return !killed()
}

func (w *world) valid() bool {
	g, err := w.table.Grant(w.t.Context(), "acme", grant.Strong)
	return err == nil && g.Valid(time.Now())
}

// consistent compares grant, Secrets Manager, account and server with each other.
func (w *world) consistent(when string, outcome rotateapi.Outcome) {
	w.t.Helper()
	if !w.valid() {
		w.t.Fatalf("%s: outcome %s, no valid token", when, outcome)
	}
	g, c := w.grant("acme"), w.parsed("acme")
	if !w.server.Valid(g.AccessToken) {
		w.t.Errorf("%s: the stored token is inactive at the server", when)
	}
	if g.Identity != c.IdentityHash() || g.Status != grant.StatusOK {
		w.t.Errorf("%s: status %s, identity %.8s, want %.8s", when, g.Status, g.Identity, c.IdentityHash())
	}
	if c.Refreshes() {
		r := w.refreshToken()
		if r.Fingerprint() != g.RefreshFingerprint || !w.server.Valid(r.Token) {
			w.t.Errorf("%s: Secrets Manager holds %s, grant %s, active %t", when, r.Fingerprint(), g.RefreshFingerprint, w.server.Valid(r.Token))
		}
		if pointed, err := w.secrets.Version(w.t.Context(), "acme", g.SecretVersion); err != nil || !pointed.Token.Equal(r.Token) {
			w.t.Errorf("%s: the grant points elsewhere (%v)", when, err)
		}
	}
	if c.LogsInAlone() && w.attempts() > 1 {
		w.t.Errorf("%s: %d attempts are counted", when, w.attempts())
	}
	if n := w.refused(); n > 0 {
		w.t.Errorf("%s: %d refused logins", when, n)
	}
	if !w.free() {
		w.t.Errorf("%s: the lease is held", when)
	}
}

// Wrong credentials and a crash anywhere: never more than two refused logins.
func TestCrashWithWrongPassword(t *testing.T) {
	for _, acted := range []bool{false, true} {
		for n := 1; ; n++ {
			over := false
			bubble(t, func(w *world) {
				w.connect("acme", wrongPassword())
				for range 4 {
					killed := w.killAt(n, acted)
					w.force()
					w.heal()
					over = over || !killed()
					time.Sleep(time.Minute)
				}
				for range 4 {
					w.force()
					time.Sleep(time.Minute)
				}
				if got := w.refused(); got > 2 {
					t.Errorf("killed at %d: %d refused logins", n, got)
				}
			})
			if over {
				break
			}
		}
	}
}
