package reltioauthtest_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

var epoch = time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)

// clock stands still until it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// fixture is a server with one client, one user, and a clock.
type fixture struct {
	*reltioauthtest.Server
	t     *testing.T
	clock *clock
	*reltioauth.Client
}

const redirectURI = "https://app.example/callback"

func secret(text string) reltioauth.Secret { return reltioauth.NewSecret(text) }

func config() reltioauthtest.Config {
	return reltioauthtest.Config{
		RateLimit: -1,
		Clients: []reltioauthtest.Client{{
			ID: "acme", Secret: secret("acme-secret"), Scopes: []string{"read", "write"}, Roles: []string{"ROLE_API"},
			RedirectURIs: []string{redirectURI},
		}, {ID: "other", Secret: secret("other-secret")}},
		Users: []reltioauthtest.User{{
			Username: "Ann", Password: secret("ann-password"), Email: "ann@acme.example", Customer: "Acme",
			Tenants: []string{"t1", "t2"}, Roles: []string{"ROLE_USER"},
		}, {Username: "mia", Password: secret("mia-password"), TOTP: secret("123456")}},
	}
}

// setup makes a documented server, changed by change.
func setup(t *testing.T, change func(*reltioauthtest.Config)) *fixture {
	t.Helper()
	f := &fixture{t: t, clock: &clock{now: epoch}}
	cfg := config()
	cfg.Now, cfg.Behaviour = f.clock.Now, reltioauthtest.Documented()
	if change != nil {
		change(&cfg)
	}
	f.Server = reltioauthtest.New(cfg)
	f.Client = f.Server.Client("acme")
	return f
}

// like is a documented server that differs in its behaviour only.
func like(t *testing.T, b reltioauthtest.Behaviour) *fixture {
	t.Helper()
	return setup(t, func(cfg *reltioauthtest.Config) { cfg.Behaviour = b.OrDocumented() })
}

// framework is a server that runs the framework, as change says.
func framework(t *testing.T, change func(*reltioauthtest.Config)) *fixture {
	t.Helper()
	return setup(t, func(cfg *reltioauthtest.Config) {
		cfg.Behaviour = reltioauthtest.Framework()
		if change != nil {
			change(cfg)
		}
	})
}

func ctx() context.Context { return context.Background() }

// must asks for a token that has to be given.
func (f *fixture) must(g reltioauth.Grant) *reltioauth.Token {
	f.t.Helper()
	token, err := f.Token(ctx(), g)
	if err != nil {
		f.t.Fatalf("token request: %v", err)
	}
	return token
}

func (f *fixture) login() *reltioauth.Token { f.t.Helper(); return f.must(annPassword()) }

func (f *fixture) refresh(token *reltioauth.Token) *reltioauth.Token {
	f.t.Helper()
	return f.must(reltioauth.RefreshTokenGrant{RefreshToken: token.RefreshToken})
}

func annPassword() reltioauth.Grant {
	return reltioauth.PasswordGrant{Username: "ann", Password: secret("ann-password")}
}

// refused asks for a token that must not be given.
func (f *fixture) refused(g reltioauth.Grant, want reltioauth.ErrorCode) {
	f.t.Helper()
	_, err := f.Token(ctx(), g)
	if !errors.Is(err, want) {
		f.t.Errorf("token request: got %v, want %v", err, want)
	}
}

// valid compares whether a token is valid with whether it should be.
func (f *fixture) valid(what string, token reltioauth.Secret, want bool) {
	f.t.Helper()
	if got := f.Valid(token); got != want {
		f.t.Errorf("%s: got valid=%t, want %t", what, got, want)
	}
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func closing(t *testing.T, c io.Closer) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// reply is an answer as it came over the wire.
type reply struct {
	status int
	header http.Header
	body   string
}

func (r reply) json(t *testing.T) map[string]any {
	t.Helper()
	var fields map[string]any
	if err := json.Unmarshal([]byte(r.body), &fields); err != nil {
		t.Fatalf("answer %d is no JSON object: %v", r.status, err)
	}
	return fields
}

// send makes a plain HTTP request, with acme's credentials unless header has
// its own.
func (f *fixture) send(method, target string, form url.Values, header http.Header) reply {
	f.t.Helper()
	r, err := http.NewRequestWithContext(ctx(), method, "https://auth.example"+target, strings.NewReader(form.Encode()))
	if err != nil {
		f.t.Fatal(err)
	}
	if header == nil {
		r.SetBasicAuth("acme", "acme-secret")
	} else {
		r.Header = header
	}
	if r.Header.Get("Content-Type") == "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	conn, err := f.Connector()(ctx(), r.URL)
	if err != nil {
		f.t.Fatal(err)
	}
	defer closing(f.t, conn)
	response, err := conn.RoundTrip(r)
	if err != nil {
		f.t.Fatal(err)
	}
	defer closing(f.t, response.Body)
	body, err := io.ReadAll(response.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	return reply{status: response.StatusCode, header: response.Header, body: string(body)}
}

func (f *fixture) post(path string, form url.Values) reply {
	f.t.Helper()
	return f.send(http.MethodPost, path, form, nil)
}

// last is the latest request on record.
func (f *fixture) last() reltioauthtest.Request {
	f.t.Helper()
	all := f.Requests()
	if len(all) == 0 {
		f.t.Fatal("no request on record")
	}
	return all[len(all)-1]
}
