package stack

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// ExtensionsAPI is Lambda's, for one extension, which it registers, and which it shuts
// down when Shutdown is closed.
type ExtensionsAPI struct {
	// Address is its host and port.
	Address string
	// Shutdown lets the extension's pending call of Next return.
	Shutdown chan struct{}
	// Ready is closed by the extension's first call of Next.
	Ready chan struct{}

	mu    sync.Mutex // guards calls
	calls []string
}

// StartExtensionsAPI starts one; it ends with the test.
func StartExtensionsAPI(t testing.TB) *ExtensionsAPI {
	t.Helper()
	a := &ExtensionsAPI{Shutdown: make(chan struct{}), Ready: make(chan struct{})}
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	a.Address = strings.TrimPrefix(server.URL, "http://")
	return a
}

// Calls are those that the extension has made.
func (a *ExtensionsAPI) Calls() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]string(nil), a.calls...)
}

// ServeHTTP implements http.Handler.
func (a *ExtensionsAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	a.mu.Lock()
	a.calls = append(a.calls, fmt.Sprintf("%s %s %s%s%s %s", r.Method, r.URL.Path, r.Header.Get("Lambda-Extension-Name"),
		r.Header.Get("Lambda-Extension-Identifier"), r.Header.Get("Lambda-Extension-Function-Error-Type"), body))
	a.mu.Unlock()
	switch r.URL.Path {
	case "/2020-01-01/extension/register":
		w.Header().Set("Lambda-Extension-Identifier", "id-1")
		_, _ = io.WriteString(w, `{"functionName":"f","functionVersion":"1","handler":"h"}`)
	case "/2020-01-01/extension/event/next":
		close(a.Ready)
		select {
		case <-a.Shutdown:
			_, _ = io.WriteString(w, `{"eventType":"SHUTDOWN","shutdownReason":"SPINDOWN","deadlineMs":1}`)
		case <-r.Context().Done():
		}
	default:
		w.WriteHeader(http.StatusAccepted)
	}
}

// CompileExtension makes the binary of the extension in a folder, as it is deployed,
// under the name that Lambda sees.
func CompileExtension(ctx context.Context, folder string) (string, error) {
	name := filepath.Join(folder, "extensions", "reltio-tokens")
	return name, Compile(ctx, runtime.GOARCH, "cmd/extension", name)
}

// StartExtension starts a binary of the extension, which is ended by the context at the
// latest. What it writes goes to out; done gets how it ended.
func StartExtension(ctx context.Context, binary string, env []string, out io.Writer) (done <-chan error, err error) {
	cmd := exec.CommandContext(ctx, binary)
	cmd.Env, cmd.Stdout, cmd.Stderr = env, out, out
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	return ended, nil
}

// FreePort is a port of this machine on which no program listens.
func FreePort(t testing.TB) int {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}
