package operator_test

import (
	"strings"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/operator"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

func (w *world) tryLogin() (operator.Tried, error) {
	return w.operator.TryLogin(w.t.Context(), "acme")
}

// One login is sent, though none is due, and its tokens are stored.
func TestTryLogin(t *testing.T) {
	for name, fields := range map[string]map[string]any{"a user": password(), "a client": clientCredentials()} {
		for state, prepare := range map[string]func(w *world){
			"new":     func(*world) {},
			"healthy": func(w *world) { w.rotate(true) },
		} {
			t.Run(name+", "+state, func(t *testing.T) {
				bubble(t, func(t *testing.T, w *world) {
					w.connect("acme", fields)
					prepare(w)
					before := w.requests()
					tried, err := w.tryLogin()
					if err != nil || !tried.OK || tried.Server != nil || (tried.RefusedLogins != nil) != (fields["username"] != nil) {
						t.Fatalf("%+v, %v", tried, err)
					}
					requests := w.server.Requests()
					if last := requests[len(requests)-1]; w.requests() != before+1 || last.GrantType != fields["grant_type"] {
						t.Errorf("%d requests, the last is a %s", w.requests()-before, last.GrantType)
					}
					if g := w.grant(); !g.Valid(time.Now()) || g.Status != grant.StatusOK || g.HasRefreshToken() != (fields["username"] != nil) {
						t.Errorf("the grant is %s", g.Status)
					}
					if r := w.rotate(true); r.Error != nil {
						t.Errorf("the next renewal: %v", r.Fault())
					}
				})
			})
		}
	}
}

// What a response means for the account is what it means for a renewal.
func TestTryLoginCounts(t *testing.T) {
	says := func(status int, code string) reltioauthtest.Fault {
		return reltioauthtest.Fault{Kind: reltioauthtest.FaultStatus, Status: status, Body: `{"error":"` + code + `"}`}
	}
	type counts struct{ attempts, unclear int }
	for name, test := range map[string]struct {
		fault reltioauthtest.Fault
		want  counts
		said  string // by the server; empty: an error
	}{
		"400 invalid_grant":   {says(400, "invalid_grant"), counts{1, 0}, "invalid_grant, HTTP 400"},
		"400 anything":        {says(400, "x"), counts{1, 0}, "no OAuth error, HTTP 400"},
		"400 invalid_request": {says(400, "invalid_request"), counts{}, "invalid_request, HTTP 400"},
		"400 invalid_scope":   {says(400, "invalid_scope"), counts{}, "invalid_scope, HTTP 400"},
		"401 invalid_client":  {says(401, "invalid_client"), counts{0, 1}, "invalid_client, HTTP 401"},
		"403":                 {says(403, "x"), counts{0, 1}, "no OAuth error, HTTP 403"},
		"408":                 {says(408, "x"), counts{}, ""},
		"429":                 {says(429, "x"), counts{}, ""},
		"500":                 {says(500, "x"), counts{}, ""},
		"no response":         {reltioauthtest.Fault{Kind: reltioauthtest.FaultCut}, counts{1, 1}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				w.connect("acme", password())
				w.server.Configure(func(c *reltioauthtest.Config) {
					c.Fault = func(reltioauthtest.Request) reltioauthtest.Fault { return test.fault }
				})
				tried, err := w.tryLogin()
				switch {
				case tried.OK:
					t.Error("it is ok")
				case test.said == "" && err == nil, test.said != "" && (err != nil || tried.Server == nil || !strings.Contains(tried.Server.Said(), test.said)):
					t.Errorf("%+v %v, %v", tried, tried.Server, err)
				}
				c, err := connection.Parse("acme", w.source("acme"), w.operator.Hosts)
				if err != nil {
					t.Fatal(err)
				}
				account, err := w.table.Account(t.Context(), c.AccountHash())
				if got := (counts{account.Attempts, account.Unclear}); err != nil || got != test.want {
					t.Errorf("counted %+v, %v; want %+v", got, err, test.want)
				}
				if tried.RefusedLogins != nil && *tried.RefusedLogins != test.want.attempts {
					t.Errorf("it says %d refused logins", *tried.RefusedLogins)
				}
				w.nothingStored()
			})
		})
	}
}

func (w *world) source(name string) connection.Source {
	w.t.Helper()
	source, err := w.secrets.Connection(w.t.Context(), name)
	if err != nil {
		w.t.Fatal(err)
	}
	return source
}

// However often it is asked for, no login is sent at the limit, and a refusal
// leaves the token that callers have.
func TestTryLoginNeverLocksAUser(t *testing.T) {
	for limit, want := range map[int]int{0: 2, 1: 1, 2: 2} {
		bubble(t, func(t *testing.T, w *world) {
			w.operator.LoginAttempts = limit
			w.connect("acme", password())
			w.rotate(true)
			token := w.grant().Fingerprint
			w.connect("acme", wrongPassword())
			for range 5 {
				tried, err := w.tryLogin()
				if tried.OK || err != nil && apierr.Of(err).Type != apierr.CredentialsRejected {
					t.Errorf("%+v, %v", tried, err)
				}
				time.Sleep(time.Minute)
			}
			w.wantRefused(want)
			if g := w.grant(); g.Fingerprint != token || g.Status != grant.StatusOK {
				t.Errorf("the grant is %s", g.Status)
			}
		})
	}
}

func TestTryLoginRefuses(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.connect("person", authorizationCode())
		w.connect("first", password())
		w.connect("second", password())
		w.connectText("malformed", "{}")
		w.connect("paused", clientCredentials())
		if _, err := w.operator.Pause(t.Context(), "paused"); err != nil {
			t.Fatal(err)
		}
		if tried, err := w.operator.TryLogin(t.Context(), "first"); err != nil || !tried.OK {
			t.Fatalf("%+v, %v", tried, err)
		}
		before := w.requests()
		for name, want := range map[string]apierr.Type{
			"person": apierr.InvalidRequest, "nope": apierr.UnknownConnection, "No": apierr.InvalidRequest,
			"malformed": apierr.InvalidConnection, "second": apierr.InvalidConnection, "paused": apierr.ConnectionPaused,
		} {
			_, err := w.operator.TryLogin(t.Context(), name)
			w.wantError(err, want)
		}
		if w.requests() != before {
			t.Error("Reltio was asked")
		}
		w.disconnect("first") // its claim moves to who names the account
		if tried, err := w.operator.TryLogin(t.Context(), "second"); err != nil || !tried.OK {
			t.Errorf("%+v, %v", tried, err)
		}
	})
}

// A user with an authenticator logs in with two steps.
func TestTryLoginWithAnAuthenticator(t *testing.T) {
	const key = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
	bubble(t, func(t *testing.T, w *world) {
		c := connection.Connection{TOTPSecret: reltioauth.NewSecret(key)}
		w.server.Configure(func(config *reltioauthtest.Config) {
			config.Users[0].Authenticator = func(now time.Time) reltioauth.Secret {
				code, _ := c.TOTP(now)
				return code
			}
		})
		w.connect("acme", with(password(), "totp_secret", key))
		for range 2 {
			if tried, err := w.tryLogin(); err != nil || !tried.OK {
				t.Fatalf("%+v, %v", tried, err)
			}
		}
		w.connect("acme", password())
		tried, err := w.tryLogin()
		if err != nil || tried.OK || tried.Server == nil || tried.Server.Reason != operator.ReasonSecondFactor {
			t.Errorf("without the key: %+v, %v", tried, err)
		}
	})
}
