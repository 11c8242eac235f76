package clients

import (
	"path/filepath"
	"testing"

	"github.com/reltio-tokens/reltio-tokens/internal/testkit/engines"
)

// Each package has tests of its own, in its language, of what the cases do not
// say. They run against the stub, with the package as it was installed.
func TestThePackagesOwnTests(t *testing.T) {
	for name, command := range map[string]func(t testing.TB, stub string) []string{
		"python": func(t testing.TB, _ string) []string {
			return []string{engines.Tool(t, "packages", "PACKAGE_PYTHON"), absolute(t, "clients/python/tests/test_package.py")}
		},
		"node": func(t testing.TB, _ string) []string {
			return []string{"node", "--test", filepath.Join(engines.Tool(t, "packages", "PACKAGE_NODE"), "package.test.mjs")}
		},
		"java": func(t testing.TB, stub string) []string {
			line := java(t, stub)
			return append(line[:3:3], "com.reltiotokens.PackageTest", stub)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stub := newStub(nil).serve(t).URL
			run(t, environment(t, stub), nil, command(t, stub)...)
		})
	}
}
