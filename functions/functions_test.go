// Package functions_test runs the binaries of the three functions as Lambda starts
// them: with a wrong environment, and with one invocation.
package functions_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// binaries is the folder of the three binaries, which TestMain builds once for all
// tests.
var binaries string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	folder, err := os.MkdirTemp("", "functions")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(folder) }()
	cmd := exec.Command("go", "build", "-tags", "lambda.norpc", "-ldflags", "-s -w", "-o", folder, "./issue", "./rotate", "./callback")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
		return 1
	}
	binaries = folder
	return m.Run()
}

// alone copies a function's binary, as it is deployed, into a folder of its own.
func alone(t *testing.T, function string) string {
	t.Helper()
	bootstrap := filepath.Join(t.TempDir(), "bootstrap")
	if err := os.Link(filepath.Join(binaries, function), bootstrap); err != nil {
		t.Fatal(err)
	}
	return bootstrap
}

// command is the binary with an environment of its own.
func command(ctx context.Context, bootstrap string, env ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, bootstrap)
	cmd.Dir = filepath.Dir(bootstrap)
	cmd.Env = append([]string{"AWS_REGION=eu-central-1", "AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=s"}, env...)
	return cmd
}

func TestAWrongEnvironmentStopsTheColdStart(t *testing.T) {
	const (
		rotateNeeds = "SECRET_PREFIX: is required; TABLE_NAME: is required"
		hosts       = "AUTH_HOSTS: must be a comma-separated list of host or host:port; "
		base        = "CALLBACK_BASE_URL: must be an https URL without query (http is for loopback alone); "
		level       = "LOG_LEVEL: must be DEBUG, INFO, WARN or ERROR"
		requests    = "; TOKEN_REQUESTS_PER_SECOND: must be a whole number from 1 to 8"
		wrong       = "TABLE_NAME=kanari SECRET_PREFIX=kanari AUTH_HOSTS=/kanari/ TOKEN_REQUESTS_PER_SECOND=kanari " +
			"CALLBACK_BASE_URL=http://kanari LOG_LEVEL=kanari"
	)
	for function, tests := range map[string]map[string]struct{ env, want string }{
		"issue": {
			"nothing set":         {"", "ROTATE_FUNCTION: is required; TABLE_NAME: is required"},
			"one missing":         {"TABLE_NAME=kanari", "ROTATE_FUNCTION: is required"},
			"one wrong":           {"TABLE_NAME=kanari ROTATE_FUNCTION=kanari LOG_LEVEL=kanari", level},
			"others' are ignored": {"TABLE_NAME=kanari LOGIN_ATTEMPTS=kanari AUTH_HOSTS=/kanari/", "ROTATE_FUNCTION: is required"},
		},
		"rotate": {
			"nothing set": {"", rotateNeeds},
			"one missing": {"TABLE_NAME=kanari", "SECRET_PREFIX: is required"},
			"all wrong": {
				wrong + " LOGIN_ATTEMPTS=kanari ROTATE_CONCURRENCY=kanari",
				hosts + base + "LOGIN_ATTEMPTS: must be a whole number from 1 to 2; " + level +
					"; ROTATE_CONCURRENCY: must be a whole number from 1 to 32" + requests,
			},
			"others' are ignored": {"TABLE_NAME=kanari ROTATE_FUNCTION=", "SECRET_PREFIX: is required"},
		},
		"callback": {
			"nothing set":         {"", rotateNeeds},
			"one missing":         {"TABLE_NAME=kanari", "SECRET_PREFIX: is required"},
			"all wrong":           {wrong, hosts + base + level + requests},
			"others' are ignored": {"TABLE_NAME=kanari ROTATE_CONCURRENCY=kanari LOGIN_ATTEMPTS=kanari", "SECRET_PREFIX: is required"},
		},
	} {
		t.Run(function, func(t *testing.T) {
			bootstrap := alone(t, function)
			for name, test := range tests {
				t.Run(name, func(t *testing.T) { stops(t, bootstrap, strings.Fields(test.env), test.want) })
			}
		})
	}
}

// stops fails the test unless the binary ends, with one line that says why and
// shows no value. There is no time limit, since a busy machine may take long: a
// binary that does not end is stopped with the test.
func stops(t *testing.T, bootstrap string, env []string, want string) {
	t.Helper()
	out, err := command(t.Context(), bootstrap, env...).CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("it ended with %v, want exit 1", err)
	}
	var line map[string]string
	if err := json.Unmarshal(out, &line); err != nil || bytes.Count(out, []byte("\n")) != 1 {
		t.Fatalf("it wrote %q, want one JSON line", out)
	}
	if line["error"] != want || line["level"] != "ERROR" {
		t.Errorf("line %v, want %q", line, want)
	}
	if bytes.Contains(out, []byte("kanari")) {
		t.Errorf("it wrote a value: %s", out)
	}
}

func TestTheyAnswerInvocations(t *testing.T) {
	const request = "/2018-06-01/runtime/invocation/request-1/"
	const refused = request + `error {"errorMessage":"connection: is required","errorType":"InvalidRequest"}`
	for function, test := range map[string]struct{ env, event, want string }{
		"issue":  {"ROTATE_FUNCTION=r", `{}`, refused},
		"rotate": {"SECRET_PREFIX=s", `{"force":true}`, refused},
		"callback": {
			"SECRET_PREFIX=s", `{"version":"2.0","rawPath":"/done","requestContext":{"http":{"method":"GET"},"stage":"$default"}}`,
			request + `response {"statusCode":200,"headers":{"Cache-Control":"no-store",`,
		},
	} {
		t.Run(function, func(t *testing.T) {
			if got := answer(t, alone(t, function), test.env, test.event); !strings.HasPrefix(got, test.want) {
				t.Errorf("answer %s, want %s", got, test.want)
			}
		})
	}
}

// answer invokes the binary once by a Runtime API, and returns the path and the
// body of its answer; how it ended, if it does before that.
func answer(t *testing.T, bootstrap, env, event string) string {
	t.Helper()
	answers := make(chan string, 1)
	var asked atomic.Bool
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			body, _ := io.ReadAll(r.Body)
			w.WriteHeader(http.StatusAccepted)
			answers <- r.URL.Path + " " + string(body)
			return
		}
		if asked.Swap(true) {
			<-r.Context().Done()
			return
		}
		w.Header().Set("Lambda-Runtime-Aws-Request-Id", "request-1")
		w.Header().Set("Lambda-Runtime-Deadline-Ms", "99999999999999")
		_, _ = io.WriteString(w, event)
	}))
	defer api.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cmd := command(ctx, bootstrap, "TABLE_NAME=t", env, "AWS_LAMBDA_RUNTIME_API="+strings.TrimPrefix(api.URL, "http://"))
	if err := cmd.Start(); err != nil {
		cancel()
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case got := <-answers:
		cancel()
		_ = <-ended //nolint:staticcheck // it was stopped, and how does not matter
		return got
	case err := <-ended:
		cancel()
		return fmt.Sprint("none: it ended with ", err)
	}
}
