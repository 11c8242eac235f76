package renewal_test

import (
	"slices"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lockout"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

const authenticatorKey = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"

// shows is what an authenticator with a key shows.
func shows(t testing.TB, key string) func(time.Time) reltioauth.Secret {
	c := connection.Connection{TOTPSecret: reltioauth.NewSecret(key)}
	return func(now time.Time) reltioauth.Secret {
		code, err := c.TOTP(now)
		if err != nil {
			t.Error(err)
		}
		return code
	}
}

// withAuthenticator gives the user an authenticator.
func (w *world) withAuthenticator(key string) {
	w.server.Configure(func(c *reltioauthtest.Config) { c.Users[0].Authenticator = shows(w.t, key) })
}

func withTOTP() map[string]any { return with(password(), "totp_secret", authenticatorKey) }

// A login is followed by its second step, over the same lease, at a slot of its own,
// with a code that was not used before.
func TestLoginWithAnAuthenticator(t *testing.T) {
	bubble(t, func(w *world) {
		w.withAuthenticator(authenticatorKey)
		w.connect("acme", withTOTP())
		for i := range 4 {
			began := time.Now()
			w.expect(w.force(), rotateapi.Renewed, "")
			if i == 0 {
				w.wantAsked(began, "password", "state_token")
			}
			w.wantCounts(counts{0, 0})
			g := w.status(grant.StatusOK)
			w.server.Kill(g.Fingerprint)
			w.server.Kill(g.RefreshFingerprint) // the next one logs in at once
			time.Sleep(time.Second)
		}
		requests := w.server.Requests()
		for i, r := range requests {
			if i > 0 && r.Op == reltioauthtest.OpToken && requests[i-1].Op == reltioauthtest.OpToken && r.At.Sub(requests[i-1].At) < 100*time.Millisecond {
				t.Errorf("%s %v after %s", r.GrantType, r.At.Sub(requests[i-1].At), requests[i-1].GrantType)
			}
		}
	})
}

// A login that replaces a refresh token logs in twice: the second code is another.
func TestReloginWithAnAuthenticator(t *testing.T) {
	bubble(t, func(w *world) {
		w.withAuthenticator(authenticatorKey)
		w.started(with(withTOTP(), "refresh_token_days", 0.5))
		w.toRelogin()
		began := w.atEnd()
		w.wantAsked(began, "password", "state_token", "revoke", "password", "state_token")
		w.status(grant.StatusOK)
		w.wantCounts(counts{0, 0})
	})
}

// What is wrong with the second step counts as the login's, and what no program can
// complete waits for a person.
func TestSecondSteps(t *testing.T) {
	const other = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
	challenge := func(body string) func(w *world) {
		return func(w *world) {
			w.answer(reltioauthtest.Fault{Kind: reltioauthtest.FaultStatus, Status: 200, Body: body}, reltioauthtest.OpToken, "password")
		}
	}
	second := func(f reltioauthtest.Fault) func(w *world) {
		return func(w *world) { w.answer(f, reltioauthtest.OpToken, "state_token") }
	}
	for name, c := range map[string]struct {
		secret  map[string]any
		prepare func(w *world)
		err     apierr.Type
		status  grant.Status
		counts  counts
		asked   []string
	}{
		"no key":                    {password(), nil, apierr.MFARequired, grant.StatusMFARequired, counts{}, []string{"password"}},
		"another key":               {with(withTOTP(), "totp_secret", other), nil, apierr.CredentialsRejected, grant.StatusFailing, counts{1, 0}, []string{"password", "state_token"}},
		"a code by mail":            {withTOTP(), challenge(`{"state_token":{"mfaType":"EMAIL","token":"t"}}`), apierr.MFARequired, grant.StatusMFARequired, counts{}, []string{"password"}},
		"a challenge without type":  {withTOTP(), challenge(`{"state_token":{"token":"t"}}`), apierr.MFARequired, grant.StatusMFARequired, counts{}, []string{"password"}},
		"a challenge without token": {withTOTP(), challenge(`{"state_token":{"mfaType":"AUTHENTICATOR"}}`), apierr.MFARequired, grant.StatusMFARequired, counts{}, []string{"password"}},
		"a challenge that ends now": {withTOTP(), challenge(`{"state_token":{"mfaType":"AUTHENTICATOR","token":"t","expires_in":3}}`), apierr.MFARequired, grant.StatusMFARequired, counts{}, []string{"password"}},
		"the state is not known":    {withTOTP(), challenge(`{"state_token":{"mfaType":"AUTHENTICATOR","token":"t"}}`), apierr.CredentialsRejected, grant.StatusFailing, counts{1, 0}, []string{"password", "state_token"}},
		"it is unclear":             {withTOTP(), second(says(401, "unauthorized")), apierr.ReltioUnavailable, grant.StatusFailing, counts{0, 1}, []string{"password", "state_token"}},
		"it is not seen":            {withTOTP(), second(reltioauthtest.Fault{Kind: reltioauthtest.FaultCut}), apierr.ReltioUnavailable, grant.StatusFailing, counts{1, 1}, []string{"password", "state_token"}},
		"it is down":                {withTOTP(), second(says(503, "server_error")), apierr.ReltioUnavailable, grant.StatusFailing, counts{}, []string{"password", "state_token"}},
		"another challenge follows": {withTOTP(), second(reltioauthtest.Fault{Kind: reltioauthtest.FaultStatus, Status: 200, Body: `{"state_token":{"mfaType":"AUTHENTICATOR","token":"t"}}`}), apierr.MFARequired, grant.StatusMFARequired, counts{}, []string{"password", "state_token"}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.withAuthenticator(authenticatorKey)
				if c.prepare != nil {
					c.prepare(w)
				}
				w.connect("acme", c.secret)
				began := time.Now()
				w.expect(w.acme(), rotateapi.Failed, c.err)
				w.status(c.status)
				w.wantAsked(began, c.asked...)
				w.wantCounts(c.counts)
			})
		})
	}
}

// A user is never refused more than twice, whichever step is refused, and an unclear
// login before does not stand between the two steps.
func TestSecondStepsAreCounted(t *testing.T) {
	bubble(t, func(w *world) {
		w.withAuthenticator("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP")
		w.connect("acme", withTOTP())
		for range 10 {
			w.force()
			time.Sleep(time.Hour)
		}
		w.wantCounts(counts{2, 0})
		w.status(grant.StatusCredentialsRejected)
	})
	bubble(t, func(w *world) {
		w.withAuthenticator(authenticatorKey)
		w.connect("acme", withTOTP())
		w.loggedInBefore(1, lockout.Unclear)
		time.Sleep(time.Hour)
		began := time.Now()
		w.expect(w.acme(), rotateapi.Renewed, "")
		if got := w.asked(began); !slices.Equal(got, []string{"password", "state_token"}) {
			t.Errorf("asked %v", got)
		}
		w.wantCounts(counts{0, 0})
	})
}
