package extension_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/extension"
	"github.com/reltio-tokens/reltio-tokens/test/stack"
)

// The canaries that no output may hold.
const (
	session = "kanari-session"
	secret  = "kanari-key"
	token   = "kanari-token"
)

const (
	print1 = "sha256:0123456789abcdef0123456789abcdef"
	print2 = "sha256:fedcba9876543210fedcba9876543210"
)

// folder holds the binary; it is removed when all tests have run.
var folder string

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		child()
		return
	}
	os.Exit(func() int {
		var err error
		if folder, err = os.MkdirTemp("", "extension"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer func() { _ = os.RemoveAll(folder) }()
		return m.Run()
	}())
}

// built makes the binary once.
var built = sync.OnceValues(func() (string, error) {
	return stack.CompileExtension(context.Background(), folder)
})

func build(t testing.TB) string {
	t.Helper()
	name, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// aws stands in for the Extensions API, Lambda's API, and issue behind it.
type aws struct {
	api    *stack.ExtensionsAPI
	lambda *httptest.Server
	// issue answers invocations.
	issue func(ctx context.Context, request map[string]any) (status int, functionError bool, body string)

	mu       sync.Mutex // guards the rest
	requests []map[string]any
	headers  []http.Header
	paths    []string
	open     map[net.Conn]bool // connections to Lambda's API
	closed   *sync.Cond        // on mu: one of them was closed
}

// always is an issue that has one token.
func always(context.Context, map[string]any) (status int, functionError bool, body string) {
	return http.StatusOK, false, issued(1, print1, 3600)
}

func startAWS(t testing.TB, issue func(context.Context, map[string]any) (int, bool, string)) *aws {
	t.Helper()
	a := &aws{issue: issue, api: stack.StartExtensionsAPI(t), open: map[net.Conn]bool{}}
	a.closed = sync.NewCond(&a.mu)
	a.lambda = httptest.NewUnstartedServer(http.HandlerFunc(a.serveLambda))
	a.lambda.Config.ConnState = func(c net.Conn, state http.ConnState) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.open[c] = true
		if state == http.StateClosed {
			delete(a.open, c)
			a.closed.Broadcast()
		}
	}
	a.lambda.Start()
	t.Cleanup(a.lambda.Close)
	return a
}

func (a *aws) serveLambda(w http.ResponseWriter, r *http.Request) {
	var request map[string]any
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	a.mu.Lock()
	a.requests = append(a.requests, request)
	a.headers = append(a.headers, r.Header.Clone())
	a.paths = append(a.paths, r.URL.EscapedPath())
	a.mu.Unlock()
	status, functionError, body := a.issue(r.Context(), request)
	if functionError {
		w.Header().Set("X-Amz-Function-Error", "Unhandled")
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// seen is a copy of the requests to issue.
func (a *aws) seen() []map[string]any {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.requests)
}

// wantNoConnection returns when none to Lambda's API is open; if one stays the
// test runs into its time limit.
func (a *aws) wantNoConnection() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for len(a.open) > 0 {
		a.closed.Wait()
	}
}

// issued is an answer of issue.
func issued(version int, fingerprint string, life int) string {
	return fmt.Sprintf(`{"connection":"acme-prod","access_token":"%s-%d","token_type":"bearer","scope":"a b","expires_in":%d,`+
		`"expires_at":"2026-11-23T17:00:00Z","fingerprint":"%s","version":%d,"outcome":"cached","min_ttl_met":true,"warnings":[]}`,
		token, version, life, fingerprint, version)
}

// process is a running extension.
type process struct {
	url  string
	out  *bytes.Buffer // to be read when it has ended
	done <-chan error
}

// environment is what Lambda sets, and the template.
func (a *aws) environment(port int) []string {
	return []string{
		"AWS_LAMBDA_RUNTIME_API=" + a.api.Address,
		"AWS_REGION=eu-central-1", "AWS_ACCESS_KEY_ID=key-id", "AWS_SECRET_ACCESS_KEY=" + secret, "AWS_SESSION_TOKEN=" + session,
		"AWS_ENDPOINT_URL_LAMBDA=" + a.lambda.URL, "RELTIO_TOKENS_FUNCTION=issue:live",
		"RELTIO_TOKENS_PORT=" + strconv.Itoa(port), "LOG_LEVEL=debug",
	}
}

// run starts the extension; it is ended with the test at the latest.
func run(t testing.TB, binary string, env ...string) *process {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	p := &process{out: &bytes.Buffer{}}
	var err error
	if p.done, err = stack.StartExtension(ctx, binary, env, p.out); err != nil {
		t.Fatal(err)
	}
	return p
}

// start runs an extension and waits until it is ready.
func (a *aws) start(t testing.TB, binary string, env ...string) *process {
	t.Helper()
	port := stack.FreePort(t)
	p := run(t, binary, append(a.environment(port), env...)...)
	p.url = "http://localhost:" + strconv.Itoa(port)
	select {
	case <-a.api.Ready:
	case err := <-p.done:
		t.Fatalf("it ended with %v:\n%s", err, p.out)
	}
	return p
}

// stop ends it as Lambda does, and returns what it wrote.
func (a *aws) stop(t *testing.T, p *process) string {
	t.Helper()
	close(a.api.Shutdown)
	if err := <-p.done; err != nil {
		t.Errorf("it ended with %v, want exit 0", err)
	}
	if strings.Contains(p.out.String(), "kanari") {
		t.Errorf("it wrote a secret:\n%s", p.out)
	}
	return p.out.String()
}

// ask sends a request as the function does.
func (p *process) ask(t testing.TB, method, path, body string, proof ...string) (int, map[string]any) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, p.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range proof {
		request.Header.Set(extension.SessionHeader, value)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Error(err)
		return 0, nil
	}
	defer func() { _ = response.Body.Close() }()
	var answer map[string]any
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		t.Error(err)
	}
	return response.StatusCode, answer
}
