package strangers_test

import (
	"bytes"
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"io/fs"
	"net"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const root = "../.."

// clean is a copy of the repository as a clone has it; TestMain removes it.
var clean string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "strangers-")
		if err != nil {
			fmt.Fprintln(os.Stderr, "FAIL: no folder for a copy of the repository:", err)
			return 1
		}
		defer func() { _ = os.RemoveAll(dir) }()
		clean = filepath.Join(dir, "reltio-tokens")
		return m.Run()
	}())
}

// repository copies what git has, with changes that are not committed, once. A
// script that changes it takes another copy.
func repository(t *testing.T, target string) string {
	t.Helper()
	if _, err := os.Stat(target); err == nil {
		return target
	}
	list := exec.CommandContext(t.Context(), "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = root
	names, err := list.Output()
	if err != nil {
		t.Skipf("this is no clone, so there is no list of its files: %v", err)
	}
	for name := range strings.SplitSeq(strings.TrimRight(string(names), "\x00"), "\x00") {
		copyFile(t, filepath.Join(root, name), filepath.Join(target, name))
	}
	return target
}

// copyFile copies a file or a symbolic link, unless it has been deleted.
func copyFile(t *testing.T, from, to string) {
	t.Helper()
	info, err := os.Lstat(from)
	if os.IsNotExist(err) {
		return
	}
	if err == nil {
		err = os.MkdirAll(filepath.Dir(to), 0o755)
	}
	if err == nil && info.Mode()&fs.ModeSymlink != 0 {
		var target string
		if target, err = os.Readlink(from); err == nil {
			err = os.Symlink(target, to)
		}
	} else if err == nil {
		var data []byte
		if data, err = os.ReadFile(from); err == nil {
			err = os.WriteFile(to, data, info.Mode().Perm())
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// stranger is a person with an empty home.
type stranger struct {
	folder      string
	environment []string
	// lambda is where the stack of `make run` listens.
	lambda string
}

func (s *stranger) set(name, value string) { s.environment = append(s.environment, name+"="+value) }

// newStranger makes a home, and an environment with nothing else of this machine
// than its programs and Go's caches.
func newStranger(t *testing.T) *stranger {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: a stranger builds and starts programs; make test runs it")
	}
	for _, tool := range []string{"bash", "make", "git", "curl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is missing", tool)
		}
	}
	s := &stranger{folder: filepath.Join(t.TempDir(), "home")}
	if err := os.Mkdir(s.folder, 0o700); err != nil {
		t.Fatal(err)
	}
	s.set("PATH", os.Getenv("PATH"))
	s.set("HOME", s.folder)
	s.set("NO_COLOR", "1")
	s.set("NPM_CONFIG_UPDATE_NOTIFIER", "false")
	s.set("AWS_EC2_METADATA_DISABLED", "true")
	for _, name := range []string{"GOCACHE", "GOMODCACHE", "GOPATH", "GOTOOLCHAIN"} {
		value, err := exec.CommandContext(t.Context(), "go", "env", name).Output()
		if err != nil {
			t.Fatal(err)
		}
		s.set(name, string(bytes.TrimSpace(value)))
	}
	s.set("GOPROXY", "off")
	s.set("CGO_ENABLED", "0")              // as the functions are built, whose parts the cache has
	s.set("GOFLAGS", "-mod=mod -trimpath") // -trimpath: one cache for all folders
	s.set("REPOSITORY", repository(t, clean))
	lambda := freePort(t)
	s.set("LAMBDA_PORT", lambda)
	s.set("CALLBACK_PORT", freePort(t))
	s.set("RELTIO_PORT", freePort(t))
	s.lambda = "http://127.0.0.1:" + lambda
	s.overTLS(t, s.lambda)
	return s
}

// overTLS starts an https address of the tenant API, which the stranger's programs
// trust.
func (s *stranger) overTLS(t *testing.T, address string) {
	t.Helper()
	upstream, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(httputil.NewSingleHostReverseProxy(upstream))
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	server.StartTLS()
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "server.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	s.set("SSL_CERT_FILE", file)
	s.set("NODE_EXTRA_CA_CERTS", file)
	s.set("API_URL", server.URL+"/reltio/api/demo-tenant")
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// alone lets all that a script has started end with it, when its time is over.
func alone(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
}
