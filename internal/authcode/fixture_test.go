package authcode_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/authcode"
	"github.com/reltio-tokens/reltio-tokens/internal/authrequest"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"

	"github.com/reltio-tokens/reltio-tokens/internal/memstore"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// redirectURI is where browsers come back to.
const redirectURI = "https://callback.example/callback"

// host is the authorization server's, as rate limits know it.
const host = "auth.reltio.com:443"

// world is everything around a Flow, in one bubble of virtual time.
type world struct {
	t       testing.TB
	out     *outside
	table   *memstore.Table
	secrets *memstore.Secrets
	server  *reltioauthtest.Server
	flow    *authcode.Flow
	events  *published
}

// bubble runs a test in virtual time with a world of its own.
func bubble(t *testing.T, test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(newWorld(t)) })
}

// newWorld has a server that gives new tokens at every login, and the connection
// acme.
func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{
		t: t, table: &memstore.Table{}, secrets: &memstore.Secrets{}, events: &published{},
		server: reltioauthtest.New(reltioauthtest.Config{
			Now:     time.Now,
			Clients: []reltioauthtest.Client{{ID: "client-1", Secret: reltioauth.NewSecret("client-secret-1")}},
			Users: []reltioauthtest.User{
				{Username: "ann", Password: reltioauth.NewSecret("password-1")},
				{Username: "ben", Password: reltioauth.NewSecret("password-2")},
			},
			Behaviour: reltioauthtest.Behaviour{
				Code: reltioauthtest.NewToken, CodeRefreshToken: reltioauthtest.NewToken,
			},
		}),
	}
	w.out = &outside{Table: w.table, Secrets: w.secrets}
	w.flow = &authcode.Flow{
		AuthRequests: w.out, Grants: w.out, Leases: w.out, RateLimits: w.out, Connections: w.out, RefreshTokens: w.out, Parking: w.out,
		Hosts: connection.Hosts{host}, Now: time.Now, Events: w.events, Connect: w.server.Connector(),
	}
	w.connect("acme", secret())
	return w
}

// secret is the connection's, as an operator writes it.
func secret() map[string]any {
	return map[string]any{
		"grant_type": "authorization_code", "client_id": "client-1", "client_secret": "client-secret-1",
		"tenant_id": "tenant-1",
	}
}

func with(fields map[string]any, field string, value any) map[string]any {
	fields = maps.Clone(fields)
	fields[field] = value
	return fields
}

func (w *world) connect(name string, fields map[string]any) {
	w.t.Helper()
	text, err := json.Marshal(fields)
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.secrets.PutConnection(w.t.Context(), name, reltioauth.NewSecret(string(text))); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) behave(change func(*reltioauthtest.Behaviour)) {
	w.server.Configure(func(c *reltioauthtest.Config) { change(&c.Behaviour) })
}

// answer lets requests of an operation end in a fault.
func (w *world) answer(op reltioauthtest.Op, f reltioauthtest.Fault) {
	w.server.Configure(func(c *reltioauthtest.Config) {
		c.Fault = func(r reltioauthtest.Request) reltioauthtest.Fault {
			if r.Op == op {
				return f
			}
			return reltioauthtest.Fault{}
		}
	})
}

// heal ends all faults of server and stores.
func (w *world) heal() {
	w.server.Configure(func(c *reltioauthtest.Config) { c.Fault = nil })
	w.out.before, w.out.after, w.out.hangs = nil, nil, nil
}

// invite makes a link's text.
func (w *world) invite() string { return w.inviteTo("acme", false) }

func (w *world) inviteTo(name string, replaceUser bool) string {
	w.t.Helper()
	i, err := w.flow.Invite(w.t.Context(), name, authrequest.InvitationFromCommand, replaceUser)
	if err != nil {
		w.t.Fatal(err)
	}
	return i.Text.Reveal()
}

// begin leaves for Reltio.
func (w *world) begin(invitation string) authcode.AuthorizationRedirect {
	w.t.Helper()
	d, outcome, err := w.flow.Begin(w.t.Context(), invitation, redirectURI)
	if outcome != authcode.Done || err != nil {
		w.t.Fatalf("begin: %s, %v", outcome, err)
	}
	return d
}

// login logs in at Reltio and comes back to the door.
func (w *world) login(d authcode.AuthorizationRedirect, user string) authcode.Callback {
	w.t.Helper()
	back, err := w.server.Authorize(w.t.Context(), d.URL, user)
	if err != nil {
		w.t.Fatal(err)
	}
	u, err := url.Parse(back)
	if err != nil {
		w.t.Fatal(err)
	}
	q := u.Query()
	return authcode.Callback{
		Code: reltioauth.NewSecret(q.Get("code")), State: reltioauth.NewSecret(q.Get("state")),
		Error: q.Get("error"), Issuer: q.Get("iss"), Binding: d.Binding,
	}
}

// complete is a callback within the function's time.
func (w *world) complete(cb authcode.Callback) authcode.CallbackResult {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 29*time.Second)
	defer cancel()
	return w.flow.Complete(ctx, cb)
}

// journey is a user's whole login, from the link to the callback.
func (w *world) journey(invitation, user string) authcode.CallbackResult {
	w.t.Helper()
	return w.complete(w.login(w.begin(invitation), user))
}

// expect compares a callback's outcome.
func (w *world) expect(a authcode.CallbackResult, want authcode.Outcome) {
	w.t.Helper()
	if a.Outcome != want {
		w.t.Fatalf("outcome %s (%v), want %s", a.Outcome, a.Err, want)
	}
}

// exchanges counts token requests.
func (w *world) exchanges() int {
	return w.server.TokenRequests(time.Time{}, time.Now().Add(time.Hour))
}

func (w *world) wantExchanges(want int) {
	w.t.Helper()
	if got := w.exchanges(); got != want {
		w.t.Fatalf("%d token requests, want %d", got, want)
	}
}

// grant is the stored one; the zero one if there is none.
func (w *world) grant() grant.Grant {
	w.t.Helper()
	g, err := w.table.Grant(w.t.Context(), "acme", grant.Strong)
	if err != nil && !errors.Is(err, grant.ErrNotFound) {
		w.t.Fatal(err)
	}
	return g
}

// newestToken is the newest refresh token; the zero one if there is none.
func (w *world) newestToken() grant.RefreshToken {
	w.t.Helper()
	r, err := w.secrets.Current(w.t.Context(), "acme")
	if err != nil && !errors.Is(err, grant.ErrNotFound) {
		w.t.Fatal(err)
	}
	return r
}

// wantValid counts the tokens that the server would still accept.
func (w *world) wantValid(access, refresh int) {
	w.t.Helper()
	if a, r := w.server.Tokens(); a != access || r != refresh {
		w.t.Fatalf("%d access and %d refresh tokens are alive, want %d and %d", a, r, access, refresh)
	}
}

// published keeps events; unless it hangs.
type published struct {
	events []grant.Event
	err    error
	hangs  bool
}

// Publish implements grant.Publisher.
func (p *published) Publish(ctx context.Context, e grant.Event) error {
	if p.hangs {
		<-ctx.Done()
		return ctx.Err()
	}
	if p.err == nil {
		p.events = append(p.events, e)
	}
	return p.err
}

func says(status int, code string) reltioauthtest.Fault {
	return reltioauthtest.Fault{Kind: reltioauthtest.FaultStatus, Status: status, Body: fmt.Sprintf(`{"error":%q}`, code)}
}
