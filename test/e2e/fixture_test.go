package e2e_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/testkit/engines"
	"github.com/reltio-tokens/reltio-tokens/internal/testkit/logtest"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
	"github.com/reltio-tokens/reltio-tokens/test/lambdahost"
	"github.com/reltio-tokens/reltio-tokens/test/stack"
)

// folder holds the binaries; they are built once.
var folder string

var build = sync.OnceValue(func() error { return stack.Build(context.Background(), folder) })

// shared is the stack of all tests but the floods, and flooded theirs.
var shared, flooded stage

// stage is a stack that is started by the first test that needs it, and ended by
// TestMain.
type stage struct {
	once  sync.Once
	world *world
	err   error
}

func TestMain(m *testing.M) {
	var err error
	if folder, err = os.MkdirTemp("", "e2e-test-"); err != nil {
		panic(err)
	}
	status := m.Run()
	for _, s := range []*stage{&shared, &flooded} {
		if s.world == nil {
			continue
		}
		if err := s.world.finish(); err != nil {
			fmt.Fprintln(os.Stderr, "FAIL: after all tests:", err)
			status = 1
		}
	}
	_ = os.RemoveAll(folder)
	os.Exit(status)
}

// world is a stack with what is around it.
type world struct {
	*stack.Stack
	log       *logtest.Buffer
	secrets   *secretsSeen
	published *published
	// functions as they are deployed, by name.
	functions map[string]lambdahost.Function
	// spare are authorization servers that no test has taken.
	spare chan *server
	// closers end what stands around the stack.
	closers []func() error
}

// server is an authorization server.
type server struct {
	*reltioauthtest.Server
	url string
}

// servers is how many there are; each test takes at most a few.
const servers = 200

// start returns the shared stack.
func start(t *testing.T) *world {
	t.Helper()
	return shared.start(t, nil)
}

func (s *stage) start(t *testing.T, change func(*lambdahost.Function)) *world {
	t.Helper()
	dynamo, moto := engines.DynamoDBEndpoint(t), engines.Moto(t)
	s.once.Do(func() { s.world, s.err = newWorld(dynamo, moto, change) })
	if s.err != nil {
		t.Fatal(s.err)
	}
	return s.world
}

// newWorld starts a stack; change, if not nil, changes its functions. If the stack
// does not start there is no world.
func newWorld(dynamo, moto string, change func(*lambdahost.Function)) (*world, error) {
	if err := build(); err != nil {
		return nil, err
	}
	w := &world{
		log: &logtest.Buffer{}, secrets: &secretsSeen{}, functions: map[string]lambdahost.Function{},
		spare: make(chan *server, servers),
	}
	hosts := []string{"auth.reltio.com"} // the default; no test goes there
	for range servers {
		s := &server{Server: reltioauthtest.New(people())}
		var err error
		if s.url, err = s.Start("127.0.0.1:0"); err != nil {
			return nil, errors.Join(err, w.close())
		}
		w.closers = append(w.closers, s.Close)
		hosts = append(hosts, strings.TrimPrefix(s.url, "http://"))
		w.spare <- s
	}
	w.published = newPublished(moto)
	w.closers = append(w.closers, func() error { w.published.server.Close(); return nil })
	var err error
	w.Stack, err = stack.Start(context.Background(), stack.Config{
		Now: time.Now, Binaries: folder, DynamoDB: dynamo, Moto: moto, Log: w.log,
		Via: func(_ string, service stack.Service, endpoint string) string {
			if service == stack.EventBridge {
				return w.published.server.URL
			}
			return endpoint
		},
		Change: func(f *lambdahost.Function) {
			if f.Env["AUTH_HOSTS"] != "" {
				f.Env["AUTH_HOSTS"] = strings.Join(hosts, ",")
			}
			if f.Name == "issue" {
				f.Aliases = append(f.Aliases, "team-a", "team-b")
			}
			if change != nil {
				change(f)
			}
			w.functions[f.Name] = *f
		},
	})
	if err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

// close ends the stack, if there is one, and what stands around it.
func (w *world) close() (err error) {
	if w.Stack != nil {
		err = w.Close()
	}
	for _, end := range w.closers {
		err = errors.Join(err, end())
	}
	return err
}

// people are those whom an authorization server knows.
func people() reltioauthtest.Config {
	return reltioauthtest.Config{
		Clients: []reltioauthtest.Client{
			{ID: "app", Secret: canary(), Scopes: []string{"entities_api", "relations_api"}},
			{ID: "short", Secret: canary(), AccessTokenTTL: 6 * time.Second},
			{ID: "capped", Secret: canary(), MultiToken: 1},
		},
		Users: []reltioauthtest.User{
			{Username: "ann", Password: canary(), Email: "ann@example.com"},
			{Username: "bob", Password: canary()},
			{Username: "mfa", Password: canary(), TOTP: reltioauth.NewSecret("123456")},
		},
	}
}

func canary() reltioauth.Secret { return reltioauth.NewSecret("canary/" + rand.Text()) }

// canary is a secret that must not come out.
func (w *world) canary(kind string) string {
	text := canary().Reveal()
	w.secrets.put(kind, text)
	return text
}

// server takes an authorization server for the test alone.
func (w *world) server(t *testing.T) *server {
	t.Helper()
	var s *server
	select {
	case s = <-w.spare:
	default:
		t.Fatal("no authorization server is left: start more of them")
	}
	clients, users := s.secrets()
	for _, secret := range clients {
		w.secrets.put("client secret", secret)
	}
	for _, secret := range users {
		w.secrets.put("password", secret)
	}
	return s
}

// secrets of clients and users, as the server knows them.
func (s *server) secrets() (clients, users map[string]string) {
	clients, users = map[string]string{}, map[string]string{}
	s.Configure(func(c *reltioauthtest.Config) {
		for _, client := range c.Clients {
			clients[client.ID] = client.Secret.Reveal()
		}
		for _, user := range c.Users {
			users[user.Username] = user.Password.Reveal()
		}
	})
	return clients, users
}

// fields of a connection's secret.
type fields map[string]any

// with is a copy with other fields; nil removes one.
func (f fields) with(more fields) fields {
	all := maps.Clone(f)
	maps.Copy(all, more)
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
	return all
}

// clientCredentials, password and authorizationCode are secrets that work.
func (s *server) clientCredentials() fields {
	clients, _ := s.secrets()
	return fields{"grant_type": "client_credentials", "client_id": "app", "client_secret": clients["app"], "auth_url": s.url}
}

func (s *server) password(user string) fields {
	_, users := s.secrets()
	return s.clientCredentials().with(fields{"grant_type": "password", "username": user, "password": users[user]})
}

func (s *server) authorizationCode() fields {
	return s.clientCredentials().with(fields{"grant_type": "authorization_code", "tenant_id": "tenant"})
}

// client is the secret of a client of the other name.
func (s *server) client(id string) fields {
	clients, _ := s.secrets()
	return fields{"client_id": id, "client_secret": clients[id]}
}

// add writes a connection's secret, and returns its name, which no other test
// has.
func (w *world) add(t *testing.T, f fields) string {
	t.Helper()
	name := "c-" + unknownName()
	w.write(t, name, f)
	return name
}

// unknownName is a name that no connection has.
func unknownName() string { return strings.ToLower(rand.Text()[:12]) }

func (w *world) write(t *testing.T, name string, f fields) {
	t.Helper()
	text, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	w.writeText(t, name, string(text))
}

// writeText writes it as an operator with the AWS console would: whatever it is.
func (w *world) writeText(t *testing.T, name, text string) {
	t.Helper()
	if _, err := w.Secrets.PutConnection(t.Context(), name, reltioauth.NewSecret(text)); err != nil {
		t.Fatal(err)
	}
}

// eventually asks until the answer is yes.
func eventually(t *testing.T, what string, yes func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !yes() {
		if time.Now().After(deadline) {
			t.Fatalf("it did not come to this: %s", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// What does not start leaves nothing that TestMain would have to end.
func TestAWorldThatCannotStart(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: this test builds the functions")
	}
	if err := build(); err != nil {
		t.Fatal(err)
	}
	nothing := httptest.NewServer(http.NotFoundHandler())
	defer nothing.Close()
	if w, err := newWorld(nothing.URL, nothing.URL, nil); err == nil || w != nil {
		t.Errorf("world %v, error %v; want an error alone", w, err)
	}
}
