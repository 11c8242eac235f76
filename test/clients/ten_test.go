package clients

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/reltio-tokens/reltio-tokens/internal/local"
	"github.com/reltio-tokens/reltio-tokens/internal/testkit/engines"
	"github.com/reltio-tokens/reltio-tokens/internal/testkit/localtest"
)

// Ten lines with an installed package get a token from what `make run` starts.
func TestTenLines(t *testing.T) {
	for name, command := range map[string]func(testing.TB) []string{
		"python": func(t testing.TB) []string {
			return []string{engines.Tool(t, "packages", "PACKAGE_PYTHON"), absolute(t, "test/clients/testdata/ten.py")}
		},
		"node": func(t testing.TB) []string {
			return []string{"node", inEmptyFolder(t, "ten.mjs", engines.Tool(t, "packages", "PACKAGE_NODE"))}
		},
		"java": func(t testing.TB) []string {
			return append(java(t, "")[:3:3], absolute(t, "test/clients/testdata/Ten.java"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			line := command(t)
			stack := localtest.Start(t, local.Config{})
			if printed := run(t, environment(t, stack.LambdaURL), nil, line...); !bytes.Contains(printed, []byte("Token(sha256:")) {
				t.Errorf("it printed %s", printed)
			}
		})
	}
}

// inEmptyFolder copies a program into a folder that has the packages of another
// and nothing else.
func inEmptyFolder(t testing.TB, program, installed string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", program))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(filepath.Join(installed, "node_modules"), filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, program), text, 0o600); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, program)
}
