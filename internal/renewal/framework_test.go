package renewal_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// frameworkCase is something that is wrong at a server which runs the framework, and
// how the next renewal reads it.
type frameworkCase struct {
	fields  map[string]any
	wrong   func(w *world)
	outcome rotateapi.Outcome
	err     apierr.Type
	status  grant.Status
	said    grant.Refusal // code and status
	counts  counts
}

// errors is the behaviour of a server that refuses in other words than the default.
func (w *world) errors(e reltioauthtest.Errors) {
	w.behave(func(b *reltioauthtest.Behaviour) { b.Errors = e })
}

// down lets one of the server's stores be down.
func down(kind reltioauthtest.FaultKind) func(w *world) {
	return func(w *world) { w.server.Outage(reltioauthtest.Outage{Fault: reltioauthtest.Fault{Kind: kind}}) }
}

func loginCases() map[string]frameworkCase {
	user := func(wrong func(w *world)) frameworkCase {
		return frameworkCase{
			password(), wrong, rotateapi.Failed, apierr.CredentialsRejected, grant.StatusFailing,
			grant.Refusal{Code: "invalid_grant", Status: 400},
			counts{1, 0},
		}
	}
	unclear := func(code string, fields map[string]any, wrong func(w *world)) frameworkCase {
		return frameworkCase{
			fields, wrong, rotateapi.Failed, apierr.ReltioUnavailable, grant.StatusFailing,
			grant.Refusal{Code: code, Status: 401},
			counts{0, 1},
		}
	}
	client := func(code string, fields map[string]any, wrong func(w *world)) frameworkCase {
		return frameworkCase{
			fields, wrong, rotateapi.Failed, apierr.CredentialsRejected, grant.StatusFailing,
			grant.Refusal{Code: code, Status: 401},
			counts{},
		}
	}
	state := func(s reltioauthtest.UserState) func(w *world) {
		return func(w *world) { w.server.SetUserState("ann", s) }
	}
	fine := func(*world) {}
	noGrantType := func(w *world) {
		w.server.Configure(func(c *reltioauthtest.Config) { c.Clients[0].GrantTypes = []string{"authorization_code"} })
	}
	noEntryPoint := func(w *world) { w.behave(func(b *reltioauthtest.Behaviour) { b.NoEntryPoint = true }) }
	inForm := func(w *world) {
		w.server.Configure(func(c *reltioauthtest.Config) {
			c.Clients[0].ClientAuth = []reltioauth.ClientAuth{reltioauth.ClientAuthPost}
		})
	}
	wrongSecret, unknownClient := with(clientCredentials(), "client_secret", "wrong"), with(clientCredentials(), "client_id", "nobody")
	return map[string]frameworkCase{
		"wrong password":               user(func(w *world) { w.server.SetPassword("ann", reltioauth.NewSecret("changed")) }),
		"user locked":                  user(state(reltioauthtest.UserLocked)),
		"user disabled":                user(state(reltioauthtest.UserDisabled)),
		"user expired":                 user(state(reltioauthtest.UserExpired)),
		"password expired":             user(state(reltioauthtest.UserCredentialsExpired)),
		"user store down":              unclear("unauthorized", password(), down(reltioauthtest.FaultUserStore)),
		"client store down, user":      unclear("unauthorized", password(), down(reltioauthtest.FaultClientStore)),
		"client store down":            client("unauthorized", clientCredentials(), down(reltioauthtest.FaultClientStore)),
		"wrong client secret":          client("unauthorized", wrongSecret, fine),
		"unknown client":               client("unauthorized", unknownClient, fine),
		"wrong client secret, user":    unclear("unauthorized", with(password(), "client_secret", "wrong"), fine),
		"no entry point":               client("unauthorized", wrongSecret, noEntryPoint),
		"no entry point, user":         unclear("unauthorized", with(password(), "client_secret", "wrong"), noEntryPoint),
		"form":                         client("invalid_client", with(wrongSecret, "client_auth", "post"), inForm),
		"without the grant type":       client("invalid_client", clientCredentials(), noGrantType),
		"without the grant type, user": unclear("invalid_client", password(), noGrantType),
		"a code is mailed": {
			password(), func(w *world) { w.wantFactor("123456") }, rotateapi.Failed, apierr.MFARequired,
			grant.StatusMFARequired,
			grant.Refusal{Code: "mfa_required", Status: 200},
			counts{},
		},
		"a scope not allowed": {with(clientCredentials(), "scope", "nobody_has_it"), func(w *world) {
			w.server.Configure(func(c *reltioauthtest.Config) { c.Clients[0].Scopes = []string{"entities_api"} })
		}, rotateapi.Failed, apierr.InvalidConnection, grant.StatusInvalidConnection, grant.Refusal{Code: "invalid_scope", Status: 400}, counts{}},
	}
}

func (c frameworkCase) check(w *world, r grantReport) {
	w.t.Helper()
	w.expect(r.Report, c.outcome, c.err)
	if r.Grant.Status != c.status {
		w.t.Errorf("status %s, want %s", r.Grant.Status, c.status)
	}
	if got := (grant.Refusal{Code: r.Refusal.Code, Status: r.Refusal.Status}); got != c.said {
		w.t.Errorf("refusal %+v, want %+v", got, c.said)
	}
}

// Each thing that can be wrong at a login, as the framework says it.
func TestLoginAtTheFramework(t *testing.T) {
	for name, c := range loginCases() {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.connect("acme", c.fields)
				c.wrong(w)
				c.check(w, grantReport{w.acme(), w.grant("acme")})
				if w.parsed("acme").HasUser() {
					w.wantCounts(c.counts)
				}
				w.wantRequests(1)
			})
		})
	}
}

// Each thing that can be wrong at a refresh, as the framework says it: a user who is
// refused, or whose store is down, is no inactive refresh token.
func TestRefreshAtTheFramework(t *testing.T) {
	unclear := func(code string, status int, fields map[string]any, wrong func(w *world)) frameworkCase {
		return frameworkCase{
			fields, wrong, rotateapi.Failed, apierr.ReltioUnavailable, grant.StatusFailing,
			grant.Refusal{Code: code, Status: status},
			counts{},
		}
	}
	inactive := func(code string, status int, wrong func(w *world)) frameworkCase {
		return frameworkCase{
			authorizationCode(), wrong, rotateapi.Reauthorize, apierr.ReauthorizationRequired, grant.StatusReauthorize,
			grant.Refusal{Code: code, Status: status},
			counts{},
		}
	}
	killed := func(w *world) { w.server.Kill(w.grant("acme").RefreshFingerprint) }
	cases := map[string]frameworkCase{
		"unknown":  inactive("invalid_grant", 400, killed),
		"restart":  inactive("invalid_grant", 400, func(w *world) { w.server.Restart() }),
		"past end": inactive("invalid_token", 401, func(w *world) { w.behave(func(b *reltioauthtest.Behaviour) { b.DeadRefreshStatus = 401 }); killed(w) }),
	}
	for kind, fields := range map[string]map[string]any{"password": password(), "person": authorizationCode()} {
		cases["user locked, 2.3, "+kind] = unclear("unauthorized", 401, fields, func(w *world) {
			w.errors(reltioauthtest.Framework23Errors)
			w.server.LockUser("ann")
		})
		cases["user store down, "+kind] = unclear("unauthorized", 401, fields, down(reltioauthtest.FaultUserStore))
		cases["user store down, 500, "+kind] = unclear("", 500, fields, func(w *world) {
			w.behave(func(b *reltioauthtest.Behaviour) { b.ServerErrorAtRefresh = true })
			down(reltioauthtest.FaultUserStore)(w)
		})
		cases["client store down, "+kind] = unclear("unauthorized", 401, fields, down(reltioauthtest.FaultClientStore))
		cases["firewall, "+kind] = unclear("", 403, fields, down(reltioauthtest.FaultFirewall))
		cases["secret changed, "+kind] = unclear("unauthorized", 401, fields, func(w *world) {
			w.server.SetClientSecret("client-1", reltioauth.NewSecret("changed"))
		})
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.started(c.fields)
				w.due()
				c.wrong(w)
				before := w.requests()
				got := w.acme()
				if c.said.Status == 500 { // an outage is no refusal
					c.said = grant.Refusal{Status: 500}
				}
				c.check(w, grantReport{got, w.grant("acme")})
				w.wantRequests(before + 1)
			})
		})
	}
}

// The server restarts and has forgotten all tokens: what can log in alone has a token
// with the next renewal, and a report finds the inactive one.
func TestFrameworkRestarts(t *testing.T) {
	for _, fields := range []map[string]any{clientCredentials(), password()} {
		for _, reported := range []bool{false, true} {
			t.Run(fmt.Sprint(fields["grant_type"], ", reported ", reported), func(t *testing.T) {
				bubble(t, func(w *world) {
					w.started(fields)
					time.Sleep(time.Minute)
					w.server.Restart()
					if reported {
						w.expect(w.reject(), rotateapi.Renewed, "")
					} else {
						w.due()
						w.expect(w.acme(), rotateapi.Renewed, "")
					}
					if g := w.status(grant.StatusOK); !w.server.Valid(g.AccessToken) {
						t.Error("no valid token")
					}
				})
			})
		}
	}
}

// Checks are denied, which is the framework's default: a valid token that is
// reported every half minute is neither revoked nor asked for more often than once in
// five minutes.
func TestReportsWhereChecksAreDenied(t *testing.T) {
	for _, fields := range []map[string]any{clientCredentials(), password(), with(clientCredentials(), "client_auth", "post")} {
		t.Run(fmt.Sprint(fields["grant_type"], fields["client_auth"]), func(t *testing.T) {
			bubble(t, func(w *world) {
				w.server.Configure(func(c *reltioauthtest.Config) {
					c.Clients[0].ClientAuth = []reltioauth.ClientAuth{reltioauth.ClientAuthBasic, reltioauth.ClientAuthPost}
					c.Behaviour.CheckDenied = true
				})
				w.started(fields)
				time.Sleep(time.Minute)
				began := time.Now()
				for time.Since(began) < 30*time.Minute {
					w.reject()
					if g := w.status(grant.StatusOK); !g.Valid(time.Now()) || !w.server.Valid(g.AccessToken) {
						t.Fatal("the token in hand is not valid")
					}
					time.Sleep(30 * time.Second)
				}
				requests := 0
				for _, asked := range w.asked(began) {
					switch asked {
					case "revoke", "password":
						t.Errorf("a %s", asked)
					case "refresh_token", "client_credentials":
						requests++
					}
				}
				if requests > 6 {
					t.Errorf("%d token requests in half an hour, want one in five minutes", requests)
				}
			})
		})
	}
}

// A client that authenticates in the form, which the framework takes at the token
// endpoint alone: its inactive token is found and replaced, also where the server gives it
// again until it is revoked. So it is where the form is the client's style everywhere.
func TestReportedTokenOfAClientInTheForm(t *testing.T) {
	for name, preset := range map[string]reltioauthtest.Behaviour{
		"framework": reltioauthtest.Framework(), "documented": reltioauthtest.Documented(),
	} {
		for _, killed := range []reltioauthtest.KilledTokens{reltioauthtest.KilledAreReplaced, reltioauthtest.KilledUntilRevoked} {
			t.Run(fmt.Sprint(name, killed), func(t *testing.T) {
				bubble(t, func(w *world) {
					w.server.Configure(func(cfg *reltioauthtest.Config) {
						cfg.Clients[0].ClientAuth = []reltioauth.ClientAuth{reltioauth.ClientAuthPost}
						cfg.Behaviour = preset
						cfg.Behaviour.KilledTokens = killed
					})
					w.server.Kill(w.started(with(clientCredentials(), "client_auth", "post")).Fingerprint)
					time.Sleep(time.Minute)
					w.expect(w.reject(), rotateapi.Renewed, "")
					if g := w.status(grant.StatusOK); !w.server.Valid(g.AccessToken) {
						t.Error("the inactive token was not replaced")
					}
				})
			})
		}
	}
}
