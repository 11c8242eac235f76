package handler_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/memstore"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// words are a server's own. The log may show them as what the server said, and
// nothing else may show them.
const words = "Nobody here is called that"

// echo is an answer of a server that repeats what it should not, some of it among
// its own words.
const echo = `{"error":"kanari_code","error_description":"` + words + `: ` + clientSecret + `, kanari-4f1c-9d2e-TOKEN-8b7a",` +
	`"access_token":"kanari-token","refresh_token":"kanari-refresh","kanari":1}`

// repeated is an answer to a login, with what that has sent.
const repeated = `{"error":"invalid_grant","error_description":"` + words + `: ` + password + `"}`

// description is where log lines show a server's own words.
var description = regexp.MustCompile(`"reltio_description":"[^"]*"`)

// The failing paths: each one breaks something and invokes.
var failingPaths = map[string]func(w *world){
	"the request holds a secret": func(w *world) {
		_, _ = w.ask(`{"connection":"kanari password","kanari-secret":1,"rejected_fingerprint":"kanari-token"}`)
		_, _ = w.tell(`{"connection":"kanari password","lease":{"owner":""}}`)
		_, _ = w.ask(`kanari-token`)
	},
	"the connection's secret is malformed": func(w *world) {
		for _, text := range []string{
			"kanari-password", `{"kanari-password":1}`, byPassword[:40], byPassword + "kanari",
			`{"grant_type":"kanari","client_id":["kanari"],"client_secret":{"kanari":"kanari"},"auth_url":"https://kanari@x/kanari"}`,
			strings.Replace(byPassword, "password", "kanari", 1),
		} {
			w.connect("acme", text)
			w.both("acme")
			time.Sleep(2 * time.Hour)
		}
	},
	"wrong password": func(w *world) {
		w.connect("acme", strings.Replace(byPassword, password, "kanari-wrong", 1))
		for range 3 {
			w.both("acme")
			time.Sleep(time.Minute)
		}
	},
	"wrong client": func(w *world) {
		w.connect("acme", strings.Replace(byClient, clientSecret, "kanari-wrong", 1))
		w.both("acme")
	},
	"a second factor": func(w *world) {
		w.server.Configure(func(c *reltioauthtest.Config) { c.Users[0].TOTP = reltioauth.NewSecret("kanari-totp") })
		w.both("acme")
	},
	"an account that belongs to another": func(w *world) {
		w.both("acme")
		w.connect("second", byPassword)
		w.both("second")
	},
	"the server echoes": func(w *world) {
		for _, status := range []int{200, 302, 400, 401, 403, 429, 500, 503} {
			w.fails(reltioauthtest.Fault{Kind: reltioauthtest.FaultStatus, Status: status, Body: echo, Header: http.Header{
				"Location": {"https://kanari.example"}, "Retry-After": {"kanari"},
			}})
		}
	},
	"the server echoes a login": func(w *world) {
		w.server.Outage(reltioauthtest.Outage{Fault: reltioauthtest.Fault{
			Kind: reltioauthtest.FaultStatus, Status: http.StatusBadRequest, Body: repeated,
		}})
		w.both("acme")
	},
	"odd answers": func(w *world) {
		for _, kind := range []reltioauthtest.FaultKind{
			reltioauthtest.FaultUnreachable, reltioauthtest.FaultCut, reltioauthtest.FaultTruncate, reltioauthtest.FaultHTML,
			reltioauthtest.FaultEmpty, reltioauthtest.FaultInvalidGrant, reltioauthtest.FaultInvalidClient, reltioauthtest.FaultRateLimit,
			reltioauthtest.FaultFirewall, reltioauthtest.FaultUserStore, reltioauthtest.FaultClientStore,
		} {
			w.fails(reltioauthtest.Fault{Kind: kind, Acted: true})
		}
	},
	"slow answers": func(w *world) {
		w.fails(reltioauthtest.Fault{Delay: time.Minute})
		w.fails(reltioauthtest.Fault{Hold: time.Minute})
	},
	"a refresh token that died, and is repeated": func(w *world) {
		w.server.Configure(func(c *reltioauthtest.Config) { c.Behaviour.Errors = reltioauthtest.Framework23Errors })
		w.both("acme")
		time.Sleep(2 * time.Hour)
		w.server.KillUserTokens("ann")
		w.both("acme")
	},
	"a reported token": func(w *world) {
		w.both("acme")
		w.server.Kill(w.grant("acme").Fingerprint)
		w.server.Configure(func(c *reltioauthtest.Config) { c.Behaviour.KilledTokens = reltioauthtest.KilledUntilEnd })
		_, _ = w.ask(`{"connection":"acme","rejected_fingerprint":"` + w.grant("acme").Fingerprint + `"}`)
	},
	"the store fails": func(w *world) {
		w.both("acme")
		w.rotate.Renewer.Grants, w.issue.Issuer.Grants = leaky{w.table}, leaky{w.table}
		w.both("acme")
		w.both("other")
	},
	"writes fail": func(w *world) {
		w.rotate.Renewer.Grants = unwritable{w.table}
		w.both("acme")
	},
	"the secrets fail": func(w *world) {
		w.rotate.Renewer.Connections, w.rotate.Renewer.RefreshTokens = &leakySecrets{}, &leakySecrets{}
		w.both("acme")
	},
	"a panic": func(w *world) {
		w.rotate.Renewer.Grants, w.issue.Issuer.Grants = panics{w.table}, panics{w.table}
		w.both("acme")
	},
	"a panic with the token in hand": func(w *world) {
		w.rotate.Renewer.Grants = panicsAtWrite{w.table}
		w.both("acme")
	},
}

// both invokes both functions for a connection, and checks what comes out.
func (w *world) both(name string) {
	w.t.Helper()
	w.forget()
	data, err := w.ask(`{"connection":"` + name + `"}`)
	w.clean("issue", data, err)
	data, err = w.tell(`{"connection":"` + name + `","force":true}`)
	w.clean("rotate", data, err)
	data, err = w.tell(`{}`)
	w.clean("a sweep", data, err)
}

// forget forgets what the instance remembers, but not its store.
func (w *world) forget() {
	grants := w.issue.Issuer.Grants
	w.fresh()
	w.issue.Issuer.Grants = grants
}

// fails has Reltio fail so for a while.
func (w *world) fails(f reltioauthtest.Fault) {
	w.t.Helper()
	w.server.Outage(reltioauthtest.Outage{Fault: f})
	w.both("acme")
	time.Sleep(2 * time.Hour)
	w.both("acme")
	w.server.Outage(reltioauthtest.Outage{})
}

// clean fails if a token, or anything marked, is in an answer or error
// other than the access token where it belongs.
func (w *world) clean(what string, data []byte, err error) {
	w.t.Helper()
	var answer map[string]any
	if data != nil && json.Unmarshal(data, &answer) != nil {
		w.t.Fatalf("%s answered %s", what, data)
	}
	delete(answer, "access_token")
	rest, _ := json.Marshal(answer)
	text := string(rest)
	if err != nil {
		text += err.Error()
		if f := functionError(w.t, err); f.Type == "" {
			w.t.Errorf("%s: an error without a type", what)
		}
	}
	w.search(what, text)
}

// search looks for everything that is secret, and for the server's words.
func (w *world) search(what, text string) {
	w.t.Helper()
	secrets := []string{"kanari", words}
	if g, err := w.table.Grant(context.Background(), "acme", grant.Strong); err == nil && g.HasToken() {
		secrets = append(secrets, g.AccessToken.Reveal())
	}
	if r, err := w.secrets.Current(context.Background(), "acme"); err == nil && !r.Token.IsZero() {
		secrets = append(secrets, r.Token.Reveal())
	}
	for _, secret := range secrets {
		if strings.Contains(text, secret) {
			w.t.Errorf("%s holds something secret: %s", what, text)
		}
	}
}

func TestNothingSecretComesOut(t *testing.T) {
	for name, fail := range failingPaths {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.connect("acme", byPassword)
				fail(w)
				log := w.log.String()
				w.search("the log", description.ReplaceAllStringFunc(log, func(field string) string {
					return strings.Replace(field, words, "", 1) // and whatever else is in it is looked at
				}))
				if said := strings.Contains(log, words); said != strings.HasPrefix(name, "the server echoes") {
					t.Errorf("the log shows the server's words: %v", said)
				}
				if len(w.log.take(t)) == 0 {
					t.Error("nothing was logged")
				}
			})
		})
	}
}

var errLeaky = errors.New("a driver's text with kanari-password in it")

// leaky fails with a text that must not be shown.
type leaky struct{ *memstore.Table }

// Grant implements grant.Store.
func (leaky) Grant(_ context.Context, name string, _ grant.Consistency) (grant.Grant, error) {
	if name == "other" {
		return grant.Grant{}, errLeaky
	}
	return grant.Grant{}, apierr.Wrap(apierr.StoreUnavailable, "the table: out of order", errLeaky)
}

// unwritable takes no grant.
type unwritable struct{ *memstore.Table }

// PutGrant implements grant.Store.
func (unwritable) PutGrant(context.Context, lease.Lease, grant.Grant) error { return errLeaky }

// panicsAtWrite panics with the grant.
type panicsAtWrite struct{ *memstore.Table }

// PutGrant implements grant.Store.
func (panicsAtWrite) PutGrant(_ context.Context, _ lease.Lease, g grant.Grant) error {
	panic("a text with " + g.AccessToken.Reveal() + " and " + password + " in it")
}

// leakySecrets fail with a text that must not be shown.
type leakySecrets struct{ memstore.Secrets }

// Connection implements connection.Secrets.
func (*leakySecrets) Connection(context.Context, string) (connection.Source, error) {
	return connection.Source{}, errLeaky
}
