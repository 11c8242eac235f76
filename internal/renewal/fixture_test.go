package renewal_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/memstore"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
	"github.com/reltio-tokens/reltio-tokens/internal/renewal"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// world is everything around a Renewer: the embedded store and two sandboxes,
// in one bubble of virtual time.
type world struct {
	t       testing.TB
	out     *outside
	table   *memstore.Table
	secrets *memstore.Secrets
	// server is the usual one, other the one at otherURL.
	server, other *reltioauthtest.Server
	renewer       *renewal.Renewer
}

// The sandboxes' hosts, as a connection names them.
const (
	host      = "auth.reltio.com:443"
	otherHost = "auth-stg.reltio.com:443"
	otherURL  = "https://auth-stg.reltio.com"
)

// bubble runs a test in virtual time with a world of its own.
func bubble(t *testing.T, test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(newWorld(t, nil)) })
}

// newWorld makes sandboxes that run the framework, with two clients and two users;
// change may say more.
func newWorld(t testing.TB, change func(*reltioauthtest.Config)) *world {
	t.Helper()
	cfg := reltioauthtest.Config{
		Now: time.Now,
		Clients: []reltioauthtest.Client{
			{ID: "client-1", Secret: reltioauth.NewSecret("client-secret-1")},
			{ID: "client-2", Secret: reltioauth.NewSecret("client-secret-2")},
		},
		Users: []reltioauthtest.User{
			{Username: "ann", Password: reltioauth.NewSecret("password-1")},
			{Username: "ben", Password: reltioauth.NewSecret("password-2")},
		},
	}
	if change != nil {
		change(&cfg)
	}
	w := &world{
		t:       t,
		table:   &memstore.Table{},
		secrets: &memstore.Secrets{},
		server:  reltioauthtest.New(cfg),
		other:   reltioauthtest.New(cfg),
	}
	w.out = &outside{Table: w.table, Secrets: w.secrets}
	w.renewer = w.fresh()
	return w
}

// fresh is another process: a Renewer that shares nothing but the stores.
func (w *world) fresh() *renewal.Renewer {
	o := w.out
	return &renewal.Renewer{
		Grants: o, Leases: o, Lockouts: o, RateLimits: o, Connections: o, RefreshTokens: o, Parking: o, Batches: o,
		Hosts: connection.Hosts{host, otherHost}, Now: time.Now,
		Connect: o.connector(func(ctx context.Context, u *url.URL) (reltioauth.Transport, error) {
			if u.Hostname() == "auth-stg.reltio.com" {
				return w.other.Connector()(ctx, u)
			}
			return w.server.Connector()(ctx, u)
		}),
		Rand: func() float64 { return 0 },
	}
}

// behave changes the sandbox's behaviour.
func (w *world) behave(change func(*reltioauthtest.Behaviour)) {
	w.server.Configure(func(c *reltioauthtest.Config) { change(&c.Behaviour) })
}

// answer lets requests of an operation end in a fault; OpToken's grant type may
// be given too.
func (w *world) answer(f reltioauthtest.Fault, op reltioauthtest.Op, grantTypes ...string) {
	w.server.Configure(func(c *reltioauthtest.Config) {
		c.Fault = func(r reltioauthtest.Request) reltioauthtest.Fault {
			if r.Op == op && (len(grantTypes) == 0 || grantTypes[0] == r.GrantType) {
				return f
			}
			return reltioauthtest.Fault{}
		}
	})
}

// heal ends all faults of server and stores.
func (w *world) heal() {
	w.server.Configure(func(c *reltioauthtest.Config) { c.Fault = nil })
	w.out.before, w.out.after, w.out.hangs = nil, nil, false
}

// says is an answer with an OAuth error.
func says(status int, code string) reltioauthtest.Fault {
	return reltioauthtest.Fault{Kind: reltioauthtest.FaultStatus, Status: status, Body: `{"error":"` + code + `"}`}
}

// connect writes a connection's secret.
func (w *world) connect(name string, fields map[string]any) {
	w.t.Helper()
	text, err := json.Marshal(fields)
	if err != nil {
		w.t.Fatal(err)
	}
	w.connectText(name, string(text))
}

func (w *world) connectText(name, text string) {
	w.t.Helper()
	if _, err := w.secrets.PutConnection(w.t.Context(), name, reltioauth.NewSecret(text)); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) disconnect(name string) {
	w.t.Helper()
	if err := w.secrets.DeleteConnection(w.t.Context(), name); err != nil {
		w.t.Fatal(err)
	}
}

func clientCredentials() map[string]any {
	return map[string]any{"grant_type": "client_credentials", "client_id": "client-1", "client_secret": "client-secret-1"}
}

func password() map[string]any {
	return map[string]any{
		"grant_type": "password", "client_id": "client-1", "client_secret": "client-secret-1",
		"username": "ann", "password": "password-1",
	}
}

func authorizationCode() map[string]any {
	return map[string]any{
		"grant_type": "authorization_code", "client_id": "client-1", "client_secret": "client-secret-1",
		"tenant_id": "tenant-1",
	}
}

// with is a secret with one field changed.
func with(fields map[string]any, field string, value any) map[string]any {
	fields = maps.Clone(fields)
	fields[field] = value
	return fields
}

// authorize does what a person's login does: the tokens stand in Secrets Manager and
// table.
func (w *world) authorize(name string) {
	w.t.Helper()
	ctx := w.t.Context()
	ask := reltioauth.PasswordGrant{Username: "ann", Password: reltioauth.NewSecret("password-1")}
	token, err := w.server.Client("client-1").Token(ctx, ask)
	if err != nil {
		w.t.Fatal(err)
	}
	held, err := w.table.SeizeLease(ctx, lease.Request{Connection: name, Owner: lease.NewOwner(), Now: time.Now(), Until: time.Now().Add(lease.Term)})
	if err != nil {
		w.t.Fatal(err)
	}
	c := w.parsed(name)
	r := grant.RefreshToken{Token: token.RefreshToken, LoggedInAt: token.IssuedAt, Epoch: held.Epoch, Identity: c.IdentityHash()}
	if r.Version, err = w.secrets.Put(ctx, name, r); err != nil {
		w.t.Fatal(err)
	}
	g := grant.Grant{Connection: name}.Reset(c.IdentityHash()).Accept(token).Healthy().WithRefreshToken(r, c.RefreshTokenLife)
	g.ConnectionVersion = c.Version
	if err := w.table.PutGrant(ctx, held, g.Indexed(time.Now())); err != nil {
		w.t.Fatal(err)
	}
	if err := w.table.ReleaseLease(ctx, held); err != nil {
		w.t.Fatal(err)
	}
}

// parsed is the connection as its secret says.
func (w *world) parsed(name string) *connection.Connection {
	w.t.Helper()
	source, err := w.secrets.Connection(w.t.Context(), name)
	if err != nil {
		w.t.Fatal(err)
	}
	c, err := connection.Parse(name, source, connection.Hosts{host, otherHost})
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// renew renews one connection by name, as an invocation of 90 s would.
func (w *world) renew(request rotateapi.Request) renewal.Report {
	w.t.Helper()
	return w.within(90*time.Second, request)
}

// within is renew with less time.
func (w *world) within(d time.Duration, request rotateapi.Request) renewal.Report {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), d)
	defer cancel()
	return w.renewer.Renew(ctx, request)
}

// acme renews the connection that most tests are about.
func (w *world) acme() renewal.Report { return w.renew(rotateapi.Request{Connection: "acme"}) }

// force renews it whatever the clock says.
func (w *world) force() renewal.Report {
	return w.renew(rotateapi.Request{Connection: "acme", Force: true})
}

// started is a world whose connection has its first token.
func (w *world) started(fields map[string]any) grant.Grant {
	w.t.Helper()
	w.connect("acme", fields)
	if fields["grant_type"] == "authorization_code" {
		w.authorize("acme")
	} else {
		w.expect(w.acme(), rotateapi.Renewed, "")
	}
	return w.grant("acme")
}

// atDue waits until the grant is due and renews it.
func (w *world) atDue() renewal.Report {
	w.t.Helper()
	time.Sleep(time.Until(w.grant("acme").Due()))
	return w.acme()
}

// expect compares a report's outcome and error type.
func (w *world) expect(got renewal.Report, outcome rotateapi.Outcome, e apierr.Type) {
	w.t.Helper()
	var gotErr apierr.Type
	if got.Err != nil {
		gotErr = got.Err.Type
	}
	if got.Outcome != outcome || gotErr != e {
		w.t.Fatalf("outcome %s with error %q (%v), want %s with %q", got.Outcome, gotErr, got.Err, outcome, e)
	}
}

func (w *world) grant(name string) grant.Grant {
	w.t.Helper()
	g, err := w.table.Grant(w.t.Context(), name, grant.Strong)
	if err != nil {
		w.t.Fatalf("grant %s: %v", name, err)
	}
	return g
}

// status compares the grant's health.
func (w *world) status(want grant.Status) grant.Grant {
	w.t.Helper()
	g := w.grant("acme")
	if g.Status != want {
		w.t.Fatalf("status %s (%s), want %s", g.Status, g.LastErrorMessage, want)
	}
	return g
}

// requests counts all token requests that the sandbox has seen.
func (w *world) requests() int {
	return w.server.TokenRequests(time.Time{}, time.Now().Add(time.Hour))
}

// wantRequests compares them.
func (w *world) wantRequests(want int) {
	w.t.Helper()
	if got := w.requests(); got != want {
		w.t.Fatalf("%d token requests, want %d", got, want)
	}
}

// tokenStore is the newest refresh token; the zero one if there is none.
func (w *world) refreshToken() grant.RefreshToken {
	w.t.Helper()
	r, err := w.secrets.Current(w.t.Context(), "acme")
	if err != nil && !errors.Is(err, grant.ErrNotFound) {
		w.t.Fatal(err)
	}
	return r
}

// near compares two moments to a millisecond.
func near(got, want time.Time) bool { return got.Sub(want).Abs() <= time.Millisecond }

// grantReport is a renewal's report with the grant afterwards.
type grantReport struct {
	renewal.Report
	Grant grant.Grant
}

// sweep is one tick.
func (w *world) sweep() rotateapi.Result {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 120*time.Second)
	defer cancel()
	swept, err := w.renewer.Sweep(ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	return swept.Result
}

// busy books the rate limit up to a moment.
func (w *world) busy(next time.Time) {
	w.t.Helper()
	_, err := w.table.Reserve(w.t.Context(), host, ratelimit.Window{
		Now: time.Now(), Earliest: next, Latest: next, Interval: time.Millisecond,
	})
	if err != nil {
		w.t.Fatal(err)
	}
}
