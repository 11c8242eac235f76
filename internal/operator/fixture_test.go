package operator_test

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"

	"github.com/reltio-tokens/reltio-tokens/internal/issue"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/memstore"
	"github.com/reltio-tokens/reltio-tokens/internal/operator"
	"github.com/reltio-tokens/reltio-tokens/internal/renewal"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// world is everything around a Service: the embedded stores, the sandbox, and the
// real verbs of issue and rotate, in one bubble of virtual time.
type world struct {
	t        testing.TB
	table    *memstore.Table
	secrets  *memstore.Secrets
	server   *reltioauthtest.Server
	renewer  *renewal.Renewer
	issuer   *issue.Issuer
	operator *operator.Service
	// events that were published.
	events []grant.EventType
}

// bubble runs a test in virtual time with a world of its own.
func bubble(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, newWorld(t)) })
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, table: &memstore.Table{}, secrets: &memstore.Secrets{}}
	w.server = reltioauthtest.New(reltioauthtest.Config{
		Now:     time.Now,
		Clients: []reltioauthtest.Client{{ID: "client-1", Secret: reltioauth.NewSecret("client-secret-1")}},
		Users:   []reltioauthtest.User{{Username: "ann", Password: reltioauth.NewSecret("password-1")}},
	})
	hosts := connection.Hosts{"auth.reltio.com:443"}
	w.renewer = &renewal.Renewer{
		Grants: w.table, Leases: w.table, Lockouts: w.table, RateLimits: w.table,
		Connections: w.secrets, RefreshTokens: w.secrets, Parking: w.table, Batches: w.table, Hosts: hosts, Events: w,
		Now: time.Now, Connect: w.server.Connector(), Rand: func() float64 { return 0 },
	}
	w.issuer = &issue.Issuer{Grants: w.table, Leases: w.table, Rotate: w, Now: time.Now}
	w.operator = &operator.Service{
		Grants: w.table, Leases: w.table, Lockouts: w.table, Connections: w.secrets,
		Rotations: w, Issues: w, Hosts: hosts, Now: time.Now,
		AuthRequests: w.table, CallbackURL: "https://example.com/callbacks", Secrets: w.secrets,
		RefreshTokens: w.secrets, Parking: w.table, RateLimits: w.table, Connector: w.server.Connector(),
	}
	return w
}

// Publish implements grant.Publisher.
func (w *world) Publish(_ context.Context, e grant.Event) error {
	w.events = append(w.events, e.Type)
	return nil
}

// Rotate implements rotateapi.Function with the real Renewer.
func (w *world) Rotate(ctx context.Context, r rotateapi.Request) (rotateapi.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, 90*time.Second)
	defer cancel()
	report := w.renewer.Renew(ctx, r)
	return rotateapi.Single(report.Outcome, report.Err), nil
}

// RotateLater implements rotateapi.Function.
func (w *world) RotateLater(ctx context.Context, r rotateapi.Request) error {
	_, err := w.Rotate(ctx, r)
	return err
}

// Issue implements operator.IssueFunction with the real Issuer.
func (w *world) Issue(ctx context.Context, r issueapi.Request) (issueapi.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, 25*time.Second)
	defer cancel()
	a, err := w.issuer.Issue(ctx, issue.Request{Connection: r.Connection, MinTTL: time.Duration(r.MinTTLSeconds) * time.Second})
	return issueapi.Response{Connection: a.Connection, AccessToken: a.AccessToken.Reveal(), Fingerprint: a.Fingerprint, ExpiresIn: int64(a.ExpiresIn / time.Second), Outcome: a.Outcome}, err
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

func wrongPassword() map[string]any { return with(password(), "password", "wrong") }

func authorizationCode() map[string]any {
	return map[string]any{
		"grant_type": "authorization_code", "client_id": "client-1", "client_secret": "client-secret-1", "tenant_id": "t",
	}
}

// with is a secret with one field changed.
func with(fields map[string]any, field string, value any) map[string]any {
	fields = maps.Clone(fields)
	fields[field] = value
	return fields
}

// rotate is an operator's rotate of acme.
func (w *world) rotate(force bool) rotateapi.Result {
	w.t.Helper()
	r, err := w.operator.Rotate(w.t.Context(), "acme", force)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// tick is one sweep, at the next whole minute.
func (w *world) tick() rotateapi.Result {
	w.t.Helper()
	time.Sleep(time.Until(time.Now().Truncate(time.Minute).Add(time.Minute)))
	ctx, cancel := context.WithTimeout(w.t.Context(), 90*time.Second)
	defer cancel()
	swept, err := w.renewer.Sweep(ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	return swept.Result
}

// must returns the change of a verb that works.
func (w *world) must(change operator.Change, err error) operator.Change {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
	return change
}

func (w *world) pause() operator.Change {
	w.t.Helper()
	return w.must(w.operator.Pause(w.t.Context(), "acme"))
}

func (w *world) unpause() operator.Change {
	w.t.Helper()
	return w.must(w.operator.Unpause(w.t.Context(), "acme"))
}

func (w *world) resume() operator.Change {
	w.t.Helper()
	return w.must(w.operator.Resume(w.t.Context(), "acme"))
}

// grant is acme's, as it is stored.
func (w *world) grant() grant.Grant {
	w.t.Helper()
	g, err := w.table.Grant(w.t.Context(), "acme", grant.Strong)
	if err != nil {
		w.t.Fatal(err)
	}
	return g
}

// put stores a grant as a holder of the lease would.
func (w *world) put(g grant.Grant) {
	w.t.Helper()
	now := time.Now()
	held, err := w.table.SeizeLease(w.t.Context(), lease.Request{Connection: g.Connection, Owner: lease.NewOwner(), Now: now, Until: now.Add(lease.Term)})
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.table.PutGrant(w.t.Context(), held, g.Indexed(now)); err != nil {
		w.t.Fatal(err)
	}
	if err := w.table.ReleaseLease(w.t.Context(), held); err != nil {
		w.t.Fatal(err)
	}
}

// indexed reports whether either shard lists acme as due now.
func (w *world) indexed() bool {
	w.t.Helper()
	for _, shard := range []grant.Shard{grant.ShardDue, grant.ShardWaiting} {
		due, err := w.table.DueGrants(w.t.Context(), shard, time.Now(), nil, 10)
		if err != nil {
			w.t.Fatal(err)
		}
		if slices.ContainsFunc(due, func(d grant.Due) bool { return d.Connection == "acme" }) {
			return true
		}
	}
	return false
}

// requests counts all token requests that the sandbox has seen, and refused the
// refused logins among them.
func (w *world) requests() int {
	return w.server.TokenRequests(time.Time{}, time.Now().Add(time.Hour))
}

func (w *world) refused() int { return w.server.RefusedLogins("ann", time.Time{}, time.Time{}) }

func (w *world) wantRefused(want int) {
	w.t.Helper()
	if got := w.refused(); got != want {
		w.t.Fatalf("%d refused logins, want %d", got, want)
	}
}

// wantError compares an error's type.
func (w *world) wantError(err error, want apierr.Type) {
	w.t.Helper()
	if err == nil || apierr.Of(err).Type != want {
		w.t.Errorf("error %v, want %s", err, want)
	}
}
