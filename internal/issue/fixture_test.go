package issue_test

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/issue"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/memstore"
	"github.com/reltio-tokens/reltio-tokens/internal/renewal"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// acme is the connection of all tests, host the sandbox as it names it.
const (
	acme = "acme"
	host = "auth.reltio.com:443"
)

// world is everything around Issuers: the embedded store, the sandbox, and the
// real renewal behind an invocation, in one bubble of virtual time.
type world struct {
	t       *testing.T
	store   *store
	secrets *memstore.Secrets
	server  *reltioauthtest.Server
	rotate  *rotate
}

// newWorld makes a world with one connection of the grant type.
func newWorld(t *testing.T, grantType string) *world {
	t.Helper()
	w := &world{
		t: t, store: &store{Table: &memstore.Table{}}, secrets: &memstore.Secrets{},
		server: reltioauthtest.New(reltioauthtest.Config{
			Now: time.Now,
			Clients: []reltioauthtest.Client{
				{ID: "client-1", Secret: reltioauth.NewSecret("client-secret-1"), Scopes: []string{"read"}},
			},
			Users: []reltioauthtest.User{{Username: "ann", Password: reltioauth.NewSecret("password-1")}},
		}),
	}
	w.rotate = &rotate{renewer: &renewal.Renewer{
		Grants: w.store, Leases: w.store, Lockouts: w.store, RateLimits: w.store,
		Connections: w.secrets, RefreshTokens: w.secrets, Parking: w.store,
		Hosts: connection.Hosts{host}, Now: time.Now, Connect: w.server.Connector(),
	}}
	if grantType != "" {
		w.connect(fields(grantType))
	}
	return w
}

// fields are a connection's secret.
func fields(grantType string) map[string]any {
	f := map[string]any{"grant_type": grantType, "client_id": "client-1", "client_secret": "client-secret-1"}
	if grantType == "password" {
		f["username"], f["password"] = "ann", "password-1"
	}
	return f
}

// connect writes acme's secret.
func (w *world) connect(f map[string]any) {
	w.t.Helper()
	text, err := json.Marshal(f)
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.secrets.PutConnection(w.t.Context(), acme, reltioauth.NewSecret(string(text))); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) behave(change func(*reltioauthtest.Behaviour)) {
	w.server.Configure(func(c *reltioauthtest.Config) { change(&c.Behaviour) })
}

// down makes Reltio answer no request; up ends it.
func (w *world) down() {
	w.server.Outage(reltioauthtest.Outage{Fault: reltioauthtest.Fault{Kind: reltioauthtest.FaultStatus}})
}

func (w *world) up() { w.server.Outage(reltioauthtest.Outage{}) }

// issuer is an execution environment of its own.
func (w *world) issuer() *issue.Issuer {
	return &issue.Issuer{Grants: w.store, Leases: w.store, Rotate: w.rotate, Now: time.Now}
}

// issue asks as an invocation of 25 s does.
func (w *world) issue(v *issue.Issuer, r issue.Request) (issue.Answer, error) {
	if r.Connection == "" {
		r.Connection = acme
	}
	ctx, cancel := context.WithTimeout(w.t.Context(), 25*time.Second)
	defer cancel()
	return v.Issue(ctx, r)
}

// must asks an instance that has nothing cached, and wants a token.
func (w *world) must(r issue.Request) issue.Answer {
	w.t.Helper()
	a, err := w.issue(w.issuer(), r)
	if err != nil {
		w.t.Fatalf("issue: %v", err)
	}
	return a
}

// refused asks an instance that has nothing cached, and wants an error.
func (w *world) refused(r issue.Request, want apierr.Type) (message string) {
	w.t.Helper()
	a, err := w.issue(w.issuer(), r)
	if err == nil {
		w.t.Fatalf("issue answered a token (%s, %v), want %s", a.Fingerprint, a.Warnings, want)
	}
	got := apierr.Of(err)
	if got.Type != want {
		w.t.Fatalf("error %v, want %s", got, want)
	}
	return got.Message
}

// alter changes the stored grant, as a holder of its lease would.
func (w *world) alter(change func(*grant.Grant)) grant.Grant {
	w.t.Helper()
	now, g := time.Now(), w.grant()
	held, err := w.store.SeizeLease(w.t.Context(), lease.Request{
		Connection: acme, Owner: lease.NewOwner(), Floor: g.Epoch, Now: now, Until: now.Add(time.Second),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	change(&g)
	if err := w.store.PutGrant(w.t.Context(), held, g.Indexed(now)); err != nil {
		w.t.Fatal(err)
	}
	if err := w.store.ReleaseLease(w.t.Context(), held); err != nil {
		w.t.Fatal(err)
	}
	return w.grant()
}

func (w *world) grant() grant.Grant {
	w.t.Helper()
	g, err := w.store.Table.Grant(w.t.Context(), acme, grant.Strong)
	if err != nil {
		w.t.Fatalf("grant: %v", err)
	}
	return g
}

// requests counts all token requests that the sandbox has seen.
func (w *world) requests() int { return w.server.TokenRequests(time.Time{}, time.Time{}) }

// wantRequests fails unless the sandbox has seen exactly so many.
func (w *world) wantRequests(want int) {
	w.t.Helper()
	if got := w.requests(); got != want {
		w.t.Errorf("%d token requests, want %d", got, want)
	}
}

// checks counts the tokens that Reltio was asked about.
func (w *world) checks() int {
	n := 0
	for _, r := range w.server.Requests() {
		if r.Op == reltioauthtest.OpCheckToken {
			n++
		}
	}
	return n
}

func wantWarnings(t *testing.T, a issue.Answer, want ...issueapi.Warning) {
	t.Helper()
	if !slices.Equal(a.Warnings, want) {
		t.Errorf("warnings %v, want %v", a.Warnings, want)
	}
	if a.Warnings == nil {
		t.Error("warnings are nil, want a list")
	}
}

// rotate invokes the renewal as Lambda does: an invocation that was begun goes
// on though its caller went away, and an event waits in a queue.
type rotate struct {
	renewer *renewal.Renewer
	// refuse, if not nil, is asked before an invocation is accepted.
	refuse func(rotateapi.Request) error
	// answer, if not nil, answers in the renewal's place.
	answer func(context.Context, rotateapi.Request) (rotateapi.Result, error)

	mu    sync.Mutex
	calls []rotateapi.Request
	queue []rotateapi.Request
}

// Rotate implements rotateapi.Function.
func (f *rotate) Rotate(ctx context.Context, r rotateapi.Request) (rotateapi.Result, error) {
	f.mu.Lock()
	f.calls = append(f.calls, r)
	f.mu.Unlock()
	if f.refuse != nil {
		if err := f.refuse(r); err != nil {
			return rotateapi.Result{}, err
		}
	}
	if f.answer != nil {
		return f.answer(ctx, r)
	}
	results := make(chan rotateapi.Result, 1)
	go func() { results <- f.run(ctx, r) }()
	select {
	case result := <-results:
		return result, nil
	case <-ctx.Done():
		return rotateapi.Result{}, apierr.Wrap(apierr.StoreUnavailable, "rotate: no answer in time", ctx.Err())
	}
}

// run is one invocation of rotate.
func (f *rotate) run(ctx context.Context, r rotateapi.Request) rotateapi.Result {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 90*time.Second)
	defer cancel()
	report := f.renewer.Renew(ctx, r)
	return rotateapi.Single(report.Outcome, report.Err)
}

// RotateLater implements rotateapi.Function.
func (f *rotate) RotateLater(_ context.Context, r rotateapi.Request) error {
	if f.refuse != nil {
		if err := f.refuse(r); err != nil {
			return err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.queue = append(f.queue, r)
	return nil
}

// queued is what waits in the queue.
func (f *rotate) queued() []rotateapi.Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.queue)
}

// invoked counts the synchronous invocations.
func (f *rotate) invoked() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.calls)
}

// deliver runs what waits in the queue.
func (f *rotate) deliver(ctx context.Context) {
	f.mu.Lock()
	queue := f.queue
	f.queue = nil
	f.mu.Unlock()
	for _, r := range queue {
		f.run(ctx, r)
	}
}
