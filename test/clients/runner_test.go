package clients

import (
	"bytes"
	"context"
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/testkit/engines"
)

// client is one client of the table.
type client struct {
	name string
	// command is the runner's, with what follows the stub's address; nil if the
	// client runs in the test's own process.
	command func(t testing.TB, stub string) []string
	// inProcess runs one case in a bubble.
	inProcess func(t *testing.T, s *scenario, n int, on *stub) []did
	// own is what is expected of this client in a case, and how that differs from
	// what is expected of all; nil if nothing differs.
	own func(scenario) (scenario, string)
	// has reports whether a case can happen with this client; nil if each can.
	has func(*scenario) bool
	// extension: it asks the extension, so that Lambda's own answers do not reach it.
	extension bool
}

// clients are the columns of the table.
func clients() []client {
	python := func(style, via string) func(testing.TB, string) []string {
		return func(t testing.TB, stub string) []string {
			return []string{engines.Tool(t, "packages", "PACKAGE_PYTHON"), absolute(t, "clients/python/tests/contract.py"), stub, style, via}
		}
	}
	node := func(via string) func(testing.TB, string) []string {
		return func(t testing.TB, stub string) []string {
			return []string{"node", filepath.Join(engines.Tool(t, "packages", "PACKAGE_NODE"), "contract.mjs"), stub, via}
		}
	}
	return []client{
		{name: "Go", inProcess: runGo},
		{
			name: "The extension", inProcess: runExtension, own: scenario.forExtension,
			has: func(s *scenario) bool { return s.Options.RefreshBefore == nil },
		},
		{name: "Python", command: python("sync", "lambda")},
		{name: "Python, asyncio", command: python("async", "lambda")},
		{name: "Python, extension", command: python("sync", "extension"), extension: true},
		{name: "Node.js", command: node("lambda")},
		{name: "Node.js, extension", command: node("extension"), extension: true},
		{name: "Java", command: java},
	}
}

// java is the runner in Java. Where there is no JDK there is no package, and
// scripts/packages says so.
func java(t testing.TB, stub string) []string {
	t.Helper()
	for _, tool := range []string{"javac", "mvn"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("the package for Java is left out: %v", err)
		}
	}
	dir := engines.Tool(t, "packages", "PACKAGE_JAVA")
	path := strings.Join([]string{dir + "/classes", dir + "/dist/*", dir + "/lib/*"}, string(os.PathListSeparator))
	return []string{"java", "-cp", path, "com.reltiotokens.Contract", stub}
}

func absolute(t testing.TB, path string) string {
	t.Helper()
	full, err := filepath.Abs(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return full
}

// reaches reports whether the answers of a case can come from the extension.
func (s *scenario) reaches() bool {
	for _, a := range s.Answers {
		if a.Status != 0 || a.Takes != 0 {
			return false
		}
	}
	return true
}

// environment is that of a runner: its credentials are no one's, and its Lambda
// and its extension are the stub.
func environment(t testing.TB, stub string) []string {
	t.Helper()
	u, err := url.Parse(stub)
	if err != nil {
		t.Fatal(err)
	}
	return append(os.Environ(),
		"AWS_ENDPOINT_URL_LAMBDA="+stub, "AWS_REGION=eu-west-1", "AWS_DEFAULT_REGION=eu-west-1", "AWS_EC2_METADATA_DISABLED=true",
		"AWS_ACCESS_KEY_ID=key", "AWS_SECRET_ACCESS_KEY=secret", "AWS_SESSION_TOKEN="+sessionToken, "RELTIO_TOKENS_PORT="+u.Port(),
		"AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null",
	)
}

// runAll runs the cases with a runner.
func runAll(t *testing.T, c *client, cases []scenario, r result) {
	t.Helper()
	on := newStub(cases)
	stub := on.serve(t).URL
	data, err := os.ReadFile(root + "/clients/contract/cases.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Cases []json.RawMessage }
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	chosen := map[int]json.RawMessage{}
	for n := range cases {
		if !c.extension || cases[n].reaches() {
			chosen[n] = file.Cases[n]
		}
	}
	input, err := json.Marshal(chosen)
	if err != nil {
		t.Fatal(err)
	}
	var all map[string][]did
	printed := run(t, environment(t, stub), input, c.command(t, stub)...)
	if err := json.Unmarshal(printed, &all); err != nil {
		t.Fatalf("%v\n%s", err, printed)
	}
	for n := range chosen {
		r.did[n] = all[strconv.Itoa(n)]
		r.differences[n] = cases[n].differences(n, r.did[n], on.asked(connectionOf(n)))
	}
}

// runTime is the longest that a runner may take.
const runTime = 2 * time.Minute

// run runs a program, and returns what it printed. It must not print the session
// token or write it to its log.
func run(t testing.TB, env []string, input []byte, command ...string) []byte {
	t.Helper()
	var output, trouble bytes.Buffer
	ctx, cancel := context.WithTimeout(t.Context(), runTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = env, bytes.NewReader(input), &output, &trouble
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(command, " "), err, trouble.String())
	}
	if strings.Contains(output.String()+trouble.String(), sessionToken) {
		t.Error("it shows the session token")
	}
	return output.Bytes()
}
