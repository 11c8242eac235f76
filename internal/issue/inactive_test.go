package issue_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/issue"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// fails lets one operation of the server fail, as it does with a 503 if no other
// fault is said.
func (w *world) fails(op reltioauthtest.Op, f reltioauthtest.Fault) {
	if f.Kind == reltioauthtest.FaultNone {
		f.Kind = reltioauthtest.FaultStatus
	}
	w.server.Outage(reltioauthtest.Outage{Fault: f, Ops: []reltioauthtest.Op{op}})
}

// operations counts the requests of an operation.
func (w *world) operations(op reltioauthtest.Op) (n int) {
	for _, r := range w.server.Requests() {
		if r.Op == op {
			n++
		}
	}
	return n
}

// authorized is a world in which a person has authorized the connection, and has
// left no refresh token.
func authorized(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, "")
	f := fields("authorization_code")
	f["tenant_id"] = "tenant"
	w.connect(f)
	w.refused(issue.Request{}, apierr.ReauthorizationRequired)
	client := reltioauth.Client{
		ClientID: "client-1", ClientSecret: reltioauth.NewSecret("client-secret-1"), Connect: w.server.Connector(), Now: time.Now,
	}
	token, err := client.Token(t.Context(), reltioauth.PasswordGrant{Username: "ann", Password: reltioauth.NewSecret("password-1")})
	if err != nil {
		t.Fatal(err)
	}
	w.alter(func(g *grant.Grant) { *g = g.Accept(token).Healthy() })
	return w
}

// A token that the server calls invalid is handed out to no caller, whatever keeps
// it from being replaced: each gets the error of the renewal.
func TestATokenFoundInactiveIsNotHandedOut(t *testing.T) {
	inUse := func(grantType string) func(*testing.T) *world {
		return func(t *testing.T) *world {
			t.Helper()
			w := newWorld(t, grantType)
			w.must(issue.Request{})
			return w
		}
	}
	tests := map[string]struct {
		world func(*testing.T) *world
		after func(w *world) // with the death of the token
		want  apierr.Type
		heal  func(w *world) // nil: it takes a person, or longer than the token lives
	}{
		"Reltio is down": {
			inUse("client_credentials"), func(w *world) { w.fails(reltioauthtest.OpToken, reltioauthtest.Fault{}) },
			apierr.ReltioUnavailable, (*world).up,
		},
		"Reltio throttles": {
			inUse("client_credentials"), func(w *world) {
				w.fails(reltioauthtest.OpToken, reltioauthtest.Fault{Kind: reltioauthtest.FaultRateLimit})
			}, apierr.RateLimited, (*world).up,
		},
		"the client is refused": {
			inUse("client_credentials"), func(w *world) {
				w.fails(reltioauthtest.OpToken, reltioauthtest.Fault{Kind: reltioauthtest.FaultInvalidClient})
			}, apierr.CredentialsRejected, (*world).up,
		},
		"the user is refused": {
			inUse("password"), func(w *world) {
				w.server.KillUserTokens("ann")
				w.server.SetPassword("ann", reltioauth.NewSecret("password-2"))
			}, apierr.CredentialsRejected, nil,
		},
		"the user needs a second factor": {
			inUse("password"), func(w *world) {
				w.server.KillUserTokens("ann")
				w.server.Configure(func(c *reltioauthtest.Config) { c.Users[0].TOTP = reltioauth.NewSecret("JBSWY3DPEHPK3PXP") })
			}, apierr.MFARequired, nil,
		},
		"the scope is none": {
			inUse("client_credentials"), func(w *world) {
				w.fails(reltioauthtest.OpToken, reltioauthtest.Fault{
					Kind: reltioauthtest.FaultStatus, Status: 400, Body: `{"error":"invalid_scope"}`,
				})
			}, apierr.InvalidConnection, nil,
		},
		"a person has to log in": {authorized, func(*world) {}, apierr.ReauthorizationRequired, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := test.world(t)
				remembers := w.issuer()
				if _, err := w.issue(remembers, issue.Request{}); err != nil {
					t.Fatal(err)
				}
				inactive := w.grant().Fingerprint
				w.server.Kill(inactive)
				test.after(w)
				w.refused(issue.Request{RejectedFingerprint: inactive}, test.want)
				requests := w.requests()
				for _, r := range []issue.Request{{RejectedFingerprint: inactive}, {}, {MinTTL: time.Hour}, {RejectedFingerprint: other}} {
					w.refused(r, test.want)
				}
				if w.requests() != requests {
					t.Error("Reltio was asked again before the next moment to try")
				}
				time.Sleep(31 * time.Second) // until the next read of an instance that remembers the token
				if a, err := w.issue(remembers, issue.Request{}); err == nil {
					t.Errorf("an instance that remembers it hands out %s", a.Fingerprint)
				}
				if w.grant().Fingerprint != inactive || !w.grant().Unexpired(time.Now()) {
					t.Error("the token that was found inactive is not in the grant, so nothing was shown")
				}
				if test.heal == nil {
					return
				}
				test.heal(w)
				time.Sleep(10 * time.Minute)
				if a := w.must(issue.Request{}); a.Fingerprint == inactive || a.Version != 2 {
					t.Errorf("version %d afterwards, want a new token", a.Version)
				}
			})
		})
	}
}

// A response of checkToken that says nothing about the token ends none: another is
// asked for, once in five minutes, and nothing is revoked.
func TestACheckThatSaysNothing(t *testing.T) {
	tests := map[string]func(w *world){
		"checks are denied": func(w *world) { w.behave(func(b *reltioauthtest.Behaviour) { b.CheckDenied = true }) },
		"a firewall": func(w *world) {
			w.fails(reltioauthtest.OpCheckToken, reltioauthtest.Fault{Kind: reltioauthtest.FaultFirewall})
		},
		"the client is refused": func(w *world) {
			w.fails(reltioauthtest.OpCheckToken, reltioauthtest.Fault{Kind: reltioauthtest.FaultInvalidClient})
		},
		"no such page": func(w *world) {
			w.fails(reltioauthtest.OpCheckToken, reltioauthtest.Fault{Kind: reltioauthtest.FaultStatus, Status: 404})
		},
		"503": func(w *world) { w.fails(reltioauthtest.OpCheckToken, reltioauthtest.Fault{}) },
		"a web page with 200": func(w *world) {
			w.fails(reltioauthtest.OpCheckToken, reltioauthtest.Fault{Kind: reltioauthtest.FaultHTML})
		},
	}
	for name, say := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, "client_credentials")
				say(w)
				current := w.must(issue.Request{}).Fingerprint
				want := issueapi.Renewed
				for range 5 { // within five minutes
					a := w.must(issue.Request{RejectedFingerprint: current})
					if a.Fingerprint != current || a.Outcome != want {
						t.Errorf("answer %s, %s, want the same token, %s", a.Fingerprint, a.Outcome, want)
					}
					wantWarnings(t, a, issueapi.RejectedTokenIsAlive)
					want = issueapi.Cached
					time.Sleep(59 * time.Second)
				}
				wantWarnings(t, w.must(issue.Request{}))
				w.wantRequests(2)
				time.Sleep(5 * time.Second)
				w.must(issue.Request{RejectedFingerprint: current})
				w.wantRequests(3)

				w.server.Kill(current)
				time.Sleep(5 * time.Minute)
				a := w.must(issue.Request{RejectedFingerprint: current})
				if a.Fingerprint == current || a.Outcome != issueapi.Renewed || a.Version != 2 {
					t.Errorf("answer %s, %s, version %d, want a new token", a.Fingerprint, a.Outcome, a.Version)
				}
				wantWarnings(t, a)
				w.wantRequests(4)
				if n := w.operations(reltioauthtest.OpRevoke); n != 0 {
					t.Errorf("%d revocations, want none", n)
				}
			})
		})
	}
}

// A check is no renewal, though it ends what was known of the token before.
func TestACheckIsNotCalledARenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "client_credentials")
		current := w.must(issue.Request{}).Fingerprint
		w.alter(func(g *grant.Grant) {
			*g = g.CheckedAs(grant.Inactive, time.Now()).AskedAs(grant.Inactive, time.Now())
		})
		time.Sleep(6 * time.Minute)
		a := w.must(issue.Request{RejectedFingerprint: current})
		if a.Outcome != issueapi.Cached {
			t.Errorf("outcome %s, want cached: the token was checked, and none was given", a.Outcome)
		}
		wantWarnings(t, a, issueapi.RejectedTokenIsAlive)
		w.wantRequests(1)
	})
}

// A renewal that ended between a check that said nothing and the request for
// another token keeps no reporter waiting.
func TestARenewalThatFailedAfterACheckThatSaidNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "client_credentials")
		current := w.must(issue.Request{}).Fingerprint
		w.alter(func(g *grant.Grant) { *g = g.CheckedAs(grant.Unclear, time.Now()) })
		start := time.Now()
		a := w.must(issue.Request{RejectedFingerprint: current})
		wantWarnings(t, a, issueapi.RenewalFailing)
		if took := time.Since(start); took > time.Second || a.Fingerprint != current || a.Outcome != issueapi.Cached {
			t.Errorf("answer %s, %s after %v, want the current token at once", a.Fingerprint, a.Outcome, took)
		}
		wantWarnings(t, w.must(issue.Request{}))
		w.wantRequests(1)
	})
}
