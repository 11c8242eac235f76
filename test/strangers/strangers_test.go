package strangers_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/testkit/engines"
)

// longest is what one script may take.
const longest = 3 * time.Minute

func TestAnIntegratorInPython(t *testing.T) {
	s := newStranger(t)
	s.hasPython(t)
	s.plays(t, "integrator-python.sh")
}

// hasPython gives the stranger what Lambda's runtime has, boto3 among it, and a
// place where pip finds the package, which is in no registry yet.
func (s *stranger) hasPython(t *testing.T) {
	t.Helper()
	python := engines.Tool(t, "packages", "PACKAGE_PYTHON")
	s.set("PYTHONPATH", runtimeOf(t, python))
	s.set("PIP_NO_INDEX", "1")
	s.set("PIP_FIND_LINKS", filepath.Join(filepath.Dir(filepath.Dir(python)), "dist"))
}

// runtimeOf is a folder with all that a Python has, except the package.
func runtimeOf(t *testing.T, python string) string {
	t.Helper()
	where, err := exec.CommandContext(t.Context(), python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").Output()
	if err != nil {
		t.Fatal(err)
	}
	installed, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(where)), "*"))
	if err != nil || len(installed) == 0 {
		t.Fatalf("%s has no libraries: %v", python, err)
	}
	dir := t.TempDir()
	for _, path := range installed {
		name := filepath.Base(path)
		if strings.HasPrefix(name, "reltio_tokens") {
			continue
		}
		if err := os.Symlink(path, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestAnIntegratorInNode(t *testing.T) {
	s := newStranger(t)
	s.hasNode(t)
	s.plays(t, "integrator-node.sh")
}

// hasNode gives the stranger the package's archive, and the SDK, which Lambda's
// runtime brings: Node.js looks for it above the folder.
func (s *stranger) hasNode(t *testing.T) {
	t.Helper()
	installed := engines.Tool(t, "packages", "PACKAGE_NODE")
	archives, err := filepath.Glob(filepath.Join(filepath.Dir(installed), "dist", "*.tgz"))
	if err != nil || len(archives) != 1 {
		t.Fatalf("%d archives of the package, want 1: %v", len(archives), err)
	}
	s.set("NODE_PACKAGE", archives[0])
	above := filepath.Join(filepath.Dir(s.folder), "node_modules")
	if err := os.Mkdir(above, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(installed, "node_modules", "@aws-sdk"), filepath.Join(above, "@aws-sdk")); err != nil {
		t.Fatal(err)
	}
}

func TestAnIntegratorInGo(t *testing.T) {
	s := newStranger(t)
	s.plays(t, "integrator-go.sh")
}

func TestAnIntegratorWithTheExtension(t *testing.T) {
	s := newStranger(t)
	done := make(chan struct{})
	lambda := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Lambda-Extension-Identifier", "id")
		if strings.HasSuffix(r.URL.Path, "/event/next") {
			<-done // there is no event before the end
		}
	}))
	t.Cleanup(lambda.Close)
	t.Cleanup(func() { close(done) })
	s.set("AWS_LAMBDA_RUNTIME_API", strings.TrimPrefix(lambda.URL, "http://"))
	s.set("RELTIO_TOKENS_PORT", freePort(t))
	s.plays(t, "integrator-extension.sh")
}

func TestTheLinesOfTheREADME(t *testing.T) {
	s := newStranger(t)
	s.hasPython(t)
	s.hasNode(t)
	s.asReltio(t, s.lambda)
	s.plays(t, "readme.sh")
}

func TestAnOperatorWithThirtyConnections(t *testing.T) {
	newStranger(t).plays(t, "operator.sh")
}

func TestAContributorWhoAddsAField(t *testing.T) {
	s := newStranger(t)
	patch, err := filepath.Abs("testdata/field.patch")
	if err != nil {
		t.Fatal(err)
	}
	s.set("PATCH", patch)
	s.set("ORIGINAL", clean)
	s.set("REPOSITORY", repository(t, filepath.Join(t.TempDir(), "reltio-tokens")))
	s.plays(t, "contributor.sh")
}

// plays runs a script in the stranger's folder.
func (s *stranger) plays(t *testing.T, script string) {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("scripts", script))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), longest)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", path)
	cmd.Dir, cmd.Env = s.folder, s.environment
	alone(cmd)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v\n%s", script, err, out)
	}
	t.Logf("%s", out)
}
