package renewal_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/memory"
	"github.com/reltio-tokens/reltio-tokens/internal/renewal"
	"github.com/reltio-tokens/reltio-tokens/internal/rotation"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// world is everything around a Renewer: the embedded store and the sandbox, in
// one bubble of virtual time.
type world struct {
	t       *testing.T
	table   *memory.Table
	secrets *memory.Secrets
	server  *reltioauthtest.Server
	renewer *renewal.Renewer
}

// The sandbox's host, as a connection names it.
const host = "auth.reltio.com:443"

// newWorld makes a sandbox with one client and one user; change may say more.
func newWorld(t *testing.T, change func(*reltioauthtest.Config)) *world {
	t.Helper()
	cfg := reltioauthtest.Config{
		Now: time.Now,
		Clients: []reltioauthtest.Client{
			{ID: "client-1", Secret: reltioauth.NewSecret("client-secret-1")},
			{ID: "client-2", Secret: reltioauth.NewSecret("client-secret-2")},
		},
		Users: []reltioauthtest.User{{Username: "ann", Password: reltioauth.NewSecret("password-1")}},
	}
	if change != nil {
		change(&cfg)
	}
	w := &world{
		t:       t,
		table:   &memory.Table{},
		secrets: &memory.Secrets{},
		server:  reltioauthtest.New(cfg),
	}
	w.renewer = &renewal.Renewer{
		Grants: w.table, Leases: w.table, Accounts: w.table, Budgets: w.table,
		Connections: w.secrets, Vault: w.secrets,
		Hosts: connection.Hosts{host}, Now: time.Now, Connect: w.server.Connector(),
	}
	return w
}

// behave changes the sandbox's behaviour.
func (w *world) behave(change func(*reltioauthtest.Behaviour)) {
	w.server.Configure(func(c *reltioauthtest.Config) { change(&c.Behaviour) })
}

// connect writes a connection's secret.
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

func clientCredentials() map[string]any {
	return map[string]any{"grant_type": "client_credentials", "client_id": "client-1", "client_secret": "client-secret-1"}
}

func password() map[string]any {
	return map[string]any{
		"grant_type": "password", "client_id": "client-1", "client_secret": "client-secret-1",
		"username": "ann", "password": "password-1",
	}
}

// renew renews one connection by name, as an invocation of 90 s would.
func (w *world) renew(request rotation.Request) renewal.Report {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 90*time.Second)
	defer cancel()
	return w.renewer.Renew(ctx, request)
}

func (w *world) grant(name string) grant.Grant {
	w.t.Helper()
	g, err := w.table.Grant(w.t.Context(), name, grant.Strong)
	if err != nil {
		w.t.Fatalf("grant %s: %v", name, err)
	}
	return g
}

// requests counts all token requests that the sandbox has seen.
func (w *world) requests() int {
	return w.server.TokenRequests(time.Time{}, time.Now().Add(time.Hour))
}
