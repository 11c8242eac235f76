package framework

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/reltio-tokens/reltio-tokens/internal/testkit/engines"
)

// envFramework is the variable that says whether the framework has to be there.
const envFramework = "RELTIO_TOKENS_FRAMEWORK"

// spring is an authorization server of the framework itself.
type spring struct {
	control, port string
	now           settings
}

// control starts the program that runs the servers, once for all tests, and
// returns the address of its control. The program ends with this process, for its
// standard input does.
var control = sync.OnceValues(func() (string, error) {
	root, err := engines.Repository()
	if err != nil {
		return "", err
	}
	ctx := context.Background()
	text, err := exec.CommandContext(ctx, filepath.Join(root, "scripts", "framework"), "env").Output()
	if err != nil {
		return "", fmt.Errorf("scripts/framework env: %w", err)
	}
	_, jar, found := strings.Cut(strings.TrimSpace(string(text)), "=")
	if !found {
		return "", errors.New("the framework's server is not built: run scripts/framework")
	}
	// Little memory, and a start that is not worth compiling for.
	java := exec.CommandContext(ctx, "java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-jar", jar)
	java.Stderr = os.Stderr
	if _, err := java.StdinPipe(); err != nil { // the command holds it
		return "", err
	}
	output, err := java.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := java.Start(); err != nil {
		return "", err
	}
	lines := bufio.NewReader(output)
	port, err := lines.ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("the framework's server does not start: %w", err)
	}
	go func() {
		_, _ = io.Copy(os.Stderr, lines) // what it logs
		_ = java.Wait()
	}()
	return "http://127.0.0.1:" + strings.TrimSpace(port), nil
})

// needFramework skips the test unless the framework has to be there.
func needFramework(t *testing.T) {
	t.Helper()
	if os.Getenv(envFramework) != "required" {
		t.Skip("this test needs the framework's server: run make framework")
	}
}

// start are the settings of a server that cannot be changed while it runs.
type start struct{ rotate, check, form, boot bool }

// idle are the servers that no test uses now. A server takes a second to start.
var idle = struct {
	sync.Mutex
	servers map[start][]*spring
}{servers: map[start][]*spring{}}

// startSpring gives the test a server of the framework that knows no tokens,
// until the test ends.
func startSpring(t *testing.T, s settings) *spring {
	t.Helper()
	needFramework(t)
	address, err := control()
	if err != nil {
		t.Fatal(err)
	}
	kind := start{s.RotateRefreshTokens, s.CheckToken, s.FormAuthentication, s.BootEntryPoint}
	server := takeIdle(kind)
	if server == nil {
		server = &spring{control: address}
		server.port = server.tell(t.Context(), t, "/start", s)
	}
	server.now = s
	server.tell(t.Context(), t, "/change", s)
	server.forget(t)
	t.Cleanup(func() {
		idle.Lock()
		defer idle.Unlock()
		idle.servers[kind] = append(idle.servers[kind], server)
	})
	return server
}

// takeIdle returns an idle server of the kind, or nil.
func takeIdle(kind start) *spring {
	idle.Lock()
	defer idle.Unlock()
	servers := idle.servers[kind]
	if len(servers) == 0 {
		return nil
	}
	idle.servers[kind] = servers[1:]
	return servers[0]
}

func (s *spring) url() string { return "http://127.0.0.1:" + s.port }

func (s *spring) change(t *testing.T, change func(*settings)) {
	t.Helper()
	change(&s.now)
	s.tell(t.Context(), t, "/change", s.now)
}

func (s *spring) forget(t *testing.T) {
	t.Helper()
	s.tell(t.Context(), t, "/forget", nil)
}

func (s *spring) kill(t *testing.T, token string) {
	t.Helper()
	s.tell(t.Context(), t, "/kill", token)
}

// valid says whether an access token is valid.
func (s *spring) valid(t *testing.T, token string) bool {
	t.Helper()
	return s.tell(t.Context(), t, "/valid", token) == "true"
}

// tell tells the control something of this server.
func (s *spring) tell(ctx context.Context, t *testing.T, path string, what any) string {
	t.Helper()
	text, err := json.Marshal(what)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.control+path+"?"+s.port, strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	got, err := new(http.Client).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = got.Body.Close() }()
	answer, err := io.ReadAll(got.Body)
	if err != nil || got.StatusCode != http.StatusOK {
		t.Fatalf("the control answers %d to %s: %s, %v", got.StatusCode, path, answer, err)
	}
	return string(answer)
}
