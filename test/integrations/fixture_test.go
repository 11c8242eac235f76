package integrations

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/testkit/engines"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
	"github.com/reltio-tokens/reltio-tokens/test/lambdahost"
	"github.com/reltio-tokens/reltio-tokens/test/stack"
)

// start runs the whole service. Each of the names is a connection, and a client
// whose tokens are valid for so long; each login brings a new token, and the one
// before stays valid.
func start(t testing.TB, life time.Duration, names ...string) *stack.Stack {
	t.Helper()
	c := stack.Config{Now: time.Now, Binaries: folder}
	if err := built(); err != nil {
		t.Fatal(err)
	}
	c.Sandbox.Behaviour.Login = reltioauthtest.NewToken
	for _, name := range names {
		c.Sandbox.Clients = append(c.Sandbox.Clients, reltioauthtest.Client{ID: name, Secret: secretOf(name), AccessTokenTTL: life})
	}
	s := stack.Run(t, c)
	for _, name := range names {
		err := s.AddConnection(t.Context(), name, map[string]any{
			"grant_type": "client_credentials", "client_id": name, "client_secret": secretOf(name).Reveal(),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func secretOf(name string) reltioauth.Secret { return reltioauth.NewSecret("secret-of-" + name) }

// tenant is the API of a tenant, which asks the sandbox about each token.
type tenant struct {
	url     string
	sandbox *reltioauthtest.Server

	mu sync.Mutex // guards the rest
	// answered are those by 200, refused those by 401.
	answered, refused int
	// deaths says after how many answers the token that is shown is revoked.
	deaths map[int]bool
	// last is the token shown last.
	last reltioauth.Secret
}

func startTenant(t testing.TB, s *stack.Stack, deaths ...int) *tenant {
	t.Helper()
	a := &tenant{sandbox: s.Sandbox, deaths: map[int]bool{}}
	for _, n := range deaths {
		a.deaths[n] = true
	}
	a.url = serve(t, a)
	return a
}

// ServeHTTP answers GET /entities/<name>.
func (a *tenant) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	a.last = reltioauth.NewSecret(token)
	if a.deaths[a.answered] {
		delete(a.deaths, a.answered)
		a.sandbox.Kill(reltioauth.Fingerprint(a.last))
	}
	if !a.sandbox.Valid(a.last) {
		a.refused++
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = fmt.Fprintf(w, `{"error":"invalid_token","error_description":"Token is invalid: %s"}`, token)
		return
	}
	a.answered++
	_, _ = fmt.Fprintf(w, `{"uri":%q}`, strings.TrimPrefix(r.URL.Path, "/"))
}

// seen is how many calls were answered, and refused.
func (a *tenant) seen() (answered, refused int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.answered, a.refused
}

// current is the token shown last.
func (a *tenant) current() reltioauth.Secret {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.last
}

// counted is Lambda's API with a count of the invocations.
func counted(t testing.TB, lambdaURL string) (address string, count *atomic.Int32) {
	t.Helper()
	upstream, err := url.Parse(lambdaURL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(upstream)
	count = &atomic.Int32{}
	return serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		count.Add(1)
		proxy.ServeHTTP(w, r)
	})), count
}

// serve serves until the test ends.
func serve(t testing.TB, h http.Handler) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

// language is how a function is run that is written in one.
type language func(t testing.TB) lambdahost.Function

// python is a function of app.py with the package for Python, which asks through
// Lambda's API or the extension.
func python(via string) language {
	return func(t testing.TB) lambdahost.Function {
		return lambdahost.Function{
			Command: append([]string{engines.Tool(t, "packages", "PACKAGE_PYTHON")}, lambdahost.Python()[1:]...), Runtime: "python3.13", Handler: "app.handler",
			Dir: recipe(t, "python/app.py"), Env: map[string]string{"RELTIO_TOKENS_VIA": via},
		}
	}
}

// node is a function of app.mjs with the package for Node.js.
func node(via string) language {
	return func(t testing.TB) lambdahost.Function {
		dir := recipe(t, "node/app.mjs")
		installed := filepath.Join(engines.Tool(t, "packages", "PACKAGE_NODE"), "node_modules")
		if err := os.Symlink(installed, filepath.Join(dir, "node_modules")); err != nil {
			t.Fatal(err)
		}
		return lambdahost.Function{
			Command: lambdahost.Node(), Runtime: "nodejs22.x", Handler: "app.handler",
			Dir: dir, Env: map[string]string{"RELTIO_TOKENS_VIA": via},
		}
	}
}

// withExtension adds the layer to a function.
func withExtension(next language) language {
	return func(t testing.TB) lambdahost.Function {
		f := next(t)
		f.Extensions = []lambdahost.Extension{{Name: "reltio-tokens", Command: []string{extension()}}}
		f.Env = merged(f.Env, map[string]string{"RELTIO_TOKENS_PORT": strconv.Itoa(stack.FreePort(t))})
		return f
	}
}

// deploy deploys a function that calls a tenant by a connection.
func deploy(t testing.TB, host *lambdahost.Host, f lambdahost.Function, name, lambdaAPI, tenantAPI string, logs io.Writer) {
	t.Helper()
	f.Env = merged(map[string]string{
		"RELTIO_API": tenantAPI, "RELTIO_CONNECTION": name, "RELTIO_TOKENS_FUNCTION": "issue", "AWS_ENDPOINT_URL_LAMBDA": lambdaAPI,
	}, f.Env)
	f.Name, f.Timeout, f.InitTimeout, f.Log = name, 50*time.Second, 30*time.Second, logs
	if err := host.Deploy(f); err != nil {
		t.Fatal(err)
	}
}
