package clients

import (
	"path/filepath"
	"testing"

	"github.com/reltio-tokens/reltio-tokens/internal/testkit/engines"
)

// Each package has tests of its own, in its language, of what the cases do not
// say. They run against the stub, with the package as it was installed.
func TestThePackagesOwnTests(t *testing.T) {
	for name, command := range map[string]func(testing.TB) []string{
		"python": func(t testing.TB) []string {
			return []string{engines.Tool(t, "packages", "PACKAGE_PYTHON"), absolute(t, "clients/python/tests/test_package.py")}
		},
		"node": func(t testing.TB) []string {
			return []string{"node", "--test", filepath.Join(engines.Tool(t, "packages", "PACKAGE_NODE"), "package.test.mjs")}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			line := command(t)
			stub := newStub(nil).serve(t).URL
			run(t, environment(t, stub), nil, line...)
		})
	}
}
