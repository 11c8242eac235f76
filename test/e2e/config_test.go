package e2e_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/internal/testkit/logtest"
)

// A wrong or missing variable ends the cold start with exit 1 and one JSON line
// that names every fault, and no value.
func TestConfigurationFaults(t *testing.T) {
	t.Parallel()
	w := start(t)
	const value = "canary-of-a-variable"
	for state, test := range map[string]struct {
		function string
		env      map[string]string // added to what is right; empty removes
		faults   []string          // the variables named
	}{
		"issue, nothing":    {"issue", map[string]string{"TABLE_NAME": "", "ROTATE_FUNCTION": ""}, []string{"ROTATE_FUNCTION", "TABLE_NAME"}},
		"issue, no rotate":  {"issue", map[string]string{"ROTATE_FUNCTION": ""}, []string{"ROTATE_FUNCTION"}},
		"issue, log level":  {"issue", map[string]string{"LOG_LEVEL": value}, []string{"LOG_LEVEL"}},
		"rotate, nothing":   {"rotate", map[string]string{"TABLE_NAME": "", "SECRET_PREFIX": ""}, []string{"SECRET_PREFIX", "TABLE_NAME"}},
		"callback, nothing": {"callback", map[string]string{"TABLE_NAME": "", "SECRET_PREFIX": ""}, []string{"SECRET_PREFIX", "TABLE_NAME"}},
		"rotate, everything": {
			"rotate",
			map[string]string{
				"TABLE_NAME": "", "SECRET_PREFIX": "", "AUTH_HOSTS": value + "/x", "TOKEN_REQUESTS_PER_SECOND": "9", "LOGIN_ATTEMPTS": "3",
				"ROTATE_CONCURRENCY": "33", "CALLBACK_BASE_URL": "http://" + value, "LOG_LEVEL": "info",
			},
			[]string{
				"AUTH_HOSTS", "CALLBACK_BASE_URL", "LOGIN_ATTEMPTS", "LOG_LEVEL", "ROTATE_CONCURRENCY", "SECRET_PREFIX", "TABLE_NAME",
				"TOKEN_REQUESTS_PER_SECOND",
			},
		},
		"numbers below": {
			"rotate",
			map[string]string{"TOKEN_REQUESTS_PER_SECOND": "0", "LOGIN_ATTEMPTS": "0", "ROTATE_CONCURRENCY": "0"},
			[]string{"LOGIN_ATTEMPTS", "ROTATE_CONCURRENCY", "TOKEN_REQUESTS_PER_SECOND"},
		},
		"numbers that are none": {
			"rotate",
			map[string]string{"TOKEN_REQUESTS_PER_SECOND": "1.5", "LOGIN_ATTEMPTS": value, "ROTATE_CONCURRENCY": "-1"},
			[]string{"LOGIN_ATTEMPTS", "ROTATE_CONCURRENCY", "TOKEN_REQUESTS_PER_SECOND"},
		},
		"callback, its own": {
			"callback",
			map[string]string{
				"AUTH_HOSTS": "a b", "TOKEN_REQUESTS_PER_SECOND": "9", "CALLBACK_BASE_URL": "https://" + value + "?x", "LOG_LEVEL": "x",
			},
			[]string{"AUTH_HOSTS", "CALLBACK_BASE_URL", "LOG_LEVEL", "TOKEN_REQUESTS_PER_SECOND"},
		},
	} {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			out := w.coldStart(t, test.function, test.env)
			wantFaults(t, out, test.faults)
			if strings.Contains(out, value) {
				t.Error("the line holds a value")
			}
		})
	}
}

// coldStart runs a function whose variables are wrong, as its platform does, and
// returns what it wrote. What is empty in env is removed.
func (w *world) coldStart(t *testing.T, function string, env map[string]string) string {
	t.Helper()
	var out bytes.Buffer
	cmd := exec.CommandContext(t.Context(), filepath.Join(folder, function, "bootstrap"))
	cmd.Env, cmd.Stdout, cmd.Stderr = w.awsEnvironment(), &out, &out
	all := maps.Clone(w.functions[function].Env)
	maps.Copy(all, env)
	for name, value := range all {
		if value != "" {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	err := cmd.Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("it ended with %v, want exit status 1", err)
	}
	return out.String()
}

// wantFaults checks the one line of a cold start that ends.
func wantFaults(t *testing.T, out string, want []string) {
	t.Helper()
	var line map[string]any
	if strings.Count(out, "\n") != 1 || json.Unmarshal([]byte(out), &line) != nil {
		t.Fatalf("not one line of JSON:\n%s", out)
	}
	text, _ := line["error"].(string)
	var got []string
	for part := range strings.SplitSeq(text, "; ") {
		name, _, _ := strings.Cut(part, ":")
		got = append(got, name)
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("faults (-want +got):\n%s\n%s", diff, out)
	}
}

// Lambda's caller hears that the function does not start; the variables of other
// functions are not their business.
func TestAFunctionThatCannotStart(t *testing.T) {
	t.Parallel()
	w := start(t)
	for name, change := range map[string]map[string]string{
		"issue-without-table":      {"TABLE_NAME": ""},
		"issue-with-others-faults": {"LOGIN_ATTEMPTS": "99", "AUTH_HOSTS": "/", "CALLBACK_BASE_URL": "x", "SECRET_PREFIX": ""},
	} {
		f := w.functions["issue"]
		f.Name, f.Env = name, maps.Clone(f.Env)
		maps.Copy(f.Env, change)
		log := &logtest.Buffer{}
		f.Log = log
		if err := w.Host.Deploy(f); err != nil {
			t.Fatal(err)
		}
		a := w.invoke(t, name, fields{"connection": "nobody"})
		if _, broken := change["TABLE_NAME"]; !broken {
			wantError(t, a, "UnknownConnection")
			continue
		}
		wantError(t, a, "Runtime.ExitError")
		if got := strings.Count(log.String(), "TABLE_NAME: is required"); got == 0 {
			t.Errorf("the log does not say why:\n%s", log.String())
		}
	}
}
