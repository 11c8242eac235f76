package extension_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net"
	"net/http"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/test/stack"
)

func TestItKeepsTheTokenOfAFunction(t *testing.T) {
	binary := build(t)
	a := startAWS(t, always)
	p := a.start(t, binary, "RELTIO_CONNECTIONS=acme-prod")

	if requests := a.seen(); len(requests) != 1 {
		t.Errorf("%d invocations before it was ready, want one to warm", len(requests))
	}
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			status, got := p.ask(t, "GET", "/token?connection=acme-prod", "", session)
			if status != http.StatusOK || got["access_token"] != token+"-1" {
				t.Errorf("status %d, %v", status, got["errorMessage"])
			}
		})
	}
	all.Wait()
	_, got := p.ask(t, "GET", "/token?connection=acme-prod", "", session)
	want := []string{
		"access_token", "api_url", "connection", "expires_at", "expires_in", "fingerprint", "min_ttl_met",
		"outcome", "scope", "tenant_id", "token_type", "version", "warnings",
	}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(got))); diff != "" {
		t.Errorf("keys of an answer:\n%s", diff)
	}
	for name, proof := range map[string][]string{"none": nil, "another": {"kanari"}} {
		if status, got := p.ask(t, "GET", "/token?connection=acme-prod", "", proof...); status != http.StatusForbidden {
			t.Errorf("session %s: status %d, %v, want 403", name, status, got)
		}
	}
	a.wantNoConnection()
	out := a.stop(t, p)

	calls, requests := a.api.Calls(), a.seen()
	wantCalls := []string{
		`POST /2020-01-01/extension/register reltio-tokens {"events":["SHUTDOWN"]}`,
		`GET /2020-01-01/extension/event/next id-1 `,
	}
	if diff := cmp.Diff(wantCalls, calls); diff != "" {
		t.Errorf("calls of the Extensions API:\n%s", diff)
	}
	if len(requests) != 1 {
		t.Errorf("%d invocations of issue, want 1", len(requests))
	}
	a.wantSigned(t)
	for line := range strings.Lines(out) {
		if !json.Valid([]byte(line)) {
			t.Errorf("no JSON line: %s", line)
		}
	}
}

// wantSigned checks where invocations go and how they are signed.
func (a *aws) wantSigned(t *testing.T) {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	for i, h := range a.headers {
		if got, want := a.paths[i], "/2015-03-31/functions/issue%3Alive/invocations"; got != want {
			t.Errorf("invoked %s, want %s", got, want)
		}
		signature := h.Get("Authorization")
		if !strings.HasPrefix(signature, "AWS4-HMAC-SHA256 Credential=key-id/") || !strings.Contains(signature, "/eu-central-1/lambda/aws4_request") {
			t.Errorf("signature %s", signature)
		}
		if h.Get("X-Amz-Security-Token") != session {
			t.Error("the session token is not sent")
		}
	}
}

func TestARejectedTokenIsReplaced(t *testing.T) {
	binary := build(t)
	a := startAWS(t, func(_ context.Context, request map[string]any) (int, bool, string) {
		if request["rejected_fingerprint"] == print1 {
			return 200, false, issued(2, print2, 3600)
		}
		return 200, false, issued(1, print1, 3600)
	})
	p := a.start(t, binary)
	if _, got := p.ask(t, "GET", "/token?connection=acme-prod", "", session); got["fingerprint"] != print1 {
		t.Errorf("fingerprint %v, want the first", got["fingerprint"])
	}
	report := `{"connection":"acme-prod","fingerprint":"` + print1 + `"}`
	if status, got := p.ask(t, "POST", "/rejected", report, session); status != 200 || got["fingerprint"] != print2 {
		t.Errorf("reported: status %d, fingerprint %v, want the second", status, got["fingerprint"])
	}
	if _, got := p.ask(t, "GET", "/token?connection=acme-prod", "", session); got["fingerprint"] != print2 {
		t.Errorf("then fingerprint %v, want the second", got["fingerprint"])
	}
	if requests := a.seen(); len(requests) != 2 {
		t.Errorf("%d invocations, want 2", len(requests))
	}
	a.stop(t, p)
}

func TestAConnectionThatCannotBeWarmedStopsNothing(t *testing.T) {
	binary := build(t)
	a := startAWS(t, func(_ context.Context, request map[string]any) (int, bool, string) {
		if request["connection"] == "broken" {
			return 200, true, `{"errorType":"ReauthorizationRequired","errorMessage":"a person must log in"}`
		}
		return 200, false, issued(1, print1, 3600)
	})
	p := a.start(t, binary, "RELTIO_CONNECTIONS=broken, acme-prod,broken")
	want := map[string]any{"errorType": "ReauthorizationRequired", "errorMessage": "a person must log in"}
	status, got := p.ask(t, "GET", "/token?connection=broken", "", session)
	if diff := cmp.Diff(want, got); status != http.StatusConflict || diff != "" {
		t.Errorf("status %d, want 409:\n%s", status, diff)
	}
	if status, _ := p.ask(t, "GET", "/token?connection=acme-prod", "", session); status != http.StatusOK {
		t.Errorf("the other: status %d, want 200", status)
	}
	if out := a.stop(t, p); !strings.Contains(out, "ReauthorizationRequired") {
		t.Errorf("the log does not say so: %s", out)
	}
}

func TestWarmingHasAnEnd(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: it waits for the 4 s that warming may take")
	}
	binary := build(t)
	a := startAWS(t, func(ctx context.Context, _ map[string]any) (int, bool, string) {
		<-ctx.Done() // also: the extension gives the invocation up
		return 500, false, ""
	})
	start := time.Now()
	p := a.start(t, binary, "RELTIO_CONNECTIONS=acme-prod")
	if took := time.Since(start); took < 3*time.Second || took > 8*time.Second {
		t.Errorf("ready after %v, want about 4 s", took)
	}
	a.stop(t, p)
}

// faults are starts that must fail, and what Lambda is told.
var faults = map[string]struct {
	env  []string // without Extensions API
	want string
}{
	"nothing set": {nil, "AWS_ACCESS_KEY_ID: is required; AWS_REGION: is required; AWS_SECRET_ACCESS_KEY: is required; " +
		"AWS_SESSION_TOKEN: is required; RELTIO_TOKENS_FUNCTION: is required"},
	"all wrong": {
		[]string{
			"AWS_ACCESS_KEY_ID=kanari", "AWS_REGION=kanari", "AWS_SECRET_ACCESS_KEY=kanari", "AWS_SESSION_TOKEN=kanari",
			"RELTIO_CONNECTIONS=a,Bad_NAME,kanari kanari", "RELTIO_TOKENS_PORT=kanari",
		},
		"RELTIO_CONNECTIONS: must be names of connections, separated by commas, not Bad_NAME, a text of 13 bytes; RELTIO_TOKENS_FUNCTION: is required; " +
			"RELTIO_TOKENS_PORT: must be a whole number from 1 to 65535",
	},
}

func TestAWrongEnvironmentFailsTheColdStart(t *testing.T) {
	binary := build(t)
	for name, test := range faults {
		t.Run(name, func(t *testing.T) {
			a := startAWS(t, always)
			p := run(t, binary, append(test.env, a.environment(0)[0])...)
			wantExit1(t, <-p.done)
			var line map[string]string
			if err := json.Unmarshal(p.out.Bytes(), &line); err != nil || bytes.Count(p.out.Bytes(), []byte("\n")) != 1 {
				t.Fatalf("it wrote %q, want one JSON line", p.out)
			}
			if line["error"] != test.want {
				t.Errorf("it wrote\n%s, want\n%s", line["error"], test.want)
			}
			calls := a.api.Calls()
			want := `POST /2020-01-01/extension/init/error id-1Extension.Configuration ` +
				`{"errorMessage":"` + test.want + `","errorType":"Extension.Configuration","stackTrace":[]}`
			if len(calls) != 2 || calls[1] != want {
				t.Errorf("calls of the Extensions API %q, want the second to be\n%s", calls, want)
			}
			if strings.Contains(strings.ToLower(p.out.String()), "kanari") {
				t.Errorf("it wrote a value: %s", p.out)
			}
		})
	}
}

func TestATakenPortFailsTheColdStart(t *testing.T) {
	binary := build(t)
	a := startAWS(t, always)
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	p := run(t, binary, a.environment(taken.Addr().(*net.TCPAddr).Port)...)
	wantExit1(t, <-p.done)
	calls := a.api.Calls()
	if len(calls) != 2 || !strings.Contains(calls[1], "init/error") || !strings.Contains(calls[1], "address already in use") {
		t.Errorf("calls of the Extensions API %q, want an init error", calls)
	}
}

func TestOutsideOfLambdaItSaysSo(t *testing.T) {
	p := run(t, build(t), "RELTIO_TOKENS_FUNCTION=issue", "RELTIO_TOKENS_PORT="+strconv.Itoa(stack.FreePort(t)))
	wantExit1(t, <-p.done)
	if !strings.Contains(p.out.String(), "AWS_LAMBDA_RUNTIME_API: is required") {
		t.Errorf("it wrote %s", p.out)
	}
}

func wantExit1(t *testing.T, err error) {
	t.Helper()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("it ended with %v, want exit 1", err)
	}
}
