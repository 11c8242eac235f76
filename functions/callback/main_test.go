package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// build makes the binary as it is deployed, alone in a folder.
func build(t *testing.T) string {
	t.Helper()
	bootstrap := filepath.Join(t.TempDir(), "bootstrap")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-tags", "lambda.norpc", "-o", bootstrap, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
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
	bootstrap := build(t)
	tests := map[string]struct {
		env  []string
		want string
	}{
		"nothing set": {nil, "SECRET_PREFIX: is required; TABLE_NAME: is required"},
		"one missing": {[]string{"TABLE_NAME=kanari"}, "SECRET_PREFIX: is required"},
		"all wrong": {
			[]string{
				"TABLE_NAME=kanari", "SECRET_PREFIX=kanari", "AUTH_HOSTS=/kanari/", "TOKEN_REQUESTS_PER_SECOND=kanari",
				"CALLBACK_BASE_URL=http://kanari", "LOG_LEVEL=kanari",
			},
			"AUTH_HOSTS: must be a comma-separated list of host or host:port; " +
				"CALLBACK_BASE_URL: must be an https URL without query (http is for loopback alone); " +
				"LOG_LEVEL: must be DEBUG, INFO, WARN or ERROR; " +
				"TOKEN_REQUESTS_PER_SECOND: must be a whole number from 1 to 8",
		},
		"others' are ignored": {[]string{"TABLE_NAME=kanari", "ROTATE_CONCURRENCY=kanari", "LOGIN_ATTEMPTS=kanari"}, "SECRET_PREFIX: is required"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			out, err := command(ctx, bootstrap, test.env...).CombinedOutput()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != 1 {
				t.Errorf("it ended with %v, want exit 1", err)
			}
			var line map[string]string
			if err := json.Unmarshal(out, &line); err != nil || bytes.Count(out, []byte("\n")) != 1 {
				t.Fatalf("it wrote %q, want one JSON line", out)
			}
			if line["error"] != test.want || line["level"] != "ERROR" {
				t.Errorf("line %v, want %q", line, test.want)
			}
			if bytes.Contains(out, []byte("kanari")) {
				t.Errorf("it wrote a value: %s", out)
			}
		})
	}
}

func TestItAnswersInvocations(t *testing.T) {
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
		_, _ = io.WriteString(w, `{"version":"2.0","rawPath":"/done","requestContext":{"http":{"method":"GET"},"stage":"$default"}}`)
	}))
	defer api.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := command(ctx, build(t), "TABLE_NAME=t", "SECRET_PREFIX=s",
		"AWS_LAMBDA_RUNTIME_API="+strings.TrimPrefix(api.URL, "http://"))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		cancel()
		_ = cmd.Wait()
	}()
	select {
	case got := <-answers:
		const want = `/2018-06-01/runtime/invocation/request-1/response {"statusCode":200,"headers":{"Cache-Control":"no-store",`
		if !strings.HasPrefix(got, want) {
			t.Errorf("answer %s, want %s…", got, want)
		}
	case <-ctx.Done():
		t.Error("no answer")
	}
}
