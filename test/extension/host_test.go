package extension_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/internal/extension"
	"github.com/reltio-tokens/reltio-tokens/test/lambdahost"
	"github.com/reltio-tokens/reltio-tokens/test/stack"
)

// The test binary is also the functions that a host runs.
const (
	childVariable = "EXTENSION_TEST_FUNCTION"
	lifeVariable  = "EXTENSION_TEST_LIFE" // of tokens, in seconds
)

func child() {
	switch os.Getenv(childVariable) {
	case "issue":
		var invocations atomic.Int32
		life, _ := strconv.Atoi(os.Getenv(lifeVariable))
		lambda.Start(func(context.Context) (json.RawMessage, error) {
			return json.RawMessage(issued(int(invocations.Add(1)), print1, life)), nil
		})
	case "integration":
		lambda.Start(askTimes)
	}
}

// askTimes is an integration in a language without a client of its own: it asks
// the extension, and says what it got.
func askTimes(ctx context.Context, times int) (answers []string, err error) {
	for range times {
		answer, err := askOnce(ctx)
		if err != nil {
			return nil, err
		}
		answers = append(answers, answer)
	}
	return answers, nil
}

func askOnce(ctx context.Context) (string, error) {
	target := "http://localhost:" + os.Getenv("RELTIO_TOKENS_PORT") + "/token?connection=acme-prod"
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target, http.NoBody)
	if err != nil {
		return "", err
	}
	request.Header.Set(extension.SessionHeader, os.Getenv("AWS_SESSION_TOKEN"))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return "", err
	}
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	err = json.Unmarshal(body, &answer)
	return strconv.Itoa(response.StatusCode) + " " + answer.AccessToken, err
}

// integration deploys a function with the extension, and issue, whose tokens
// are valid for so long.
func integration(t testing.TB, life time.Duration, logs io.Writer, change ...func(*lambdahost.Function)) *lambdahost.Host {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	host, err := lambdahost.Start(t.Context(), lambdahost.Config{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = host.Close() })
	functions := []lambdahost.Function{
		{
			Name: "issue", Command: []string{self},
			Env: map[string]string{childVariable: "issue", lifeVariable: strconv.Itoa(int(life.Seconds()))},
		},
		{
			Name: "integration", Command: []string{self}, Timeout: 20 * time.Second,
			Env: map[string]string{
				childVariable: "integration", "RELTIO_TOKENS_FUNCTION": "issue", "RELTIO_CONNECTIONS": "acme-prod",
				"RELTIO_TOKENS_PORT": strconv.Itoa(stack.FreePort(t)), "AWS_ENDPOINT_URL": host.URL(),
			},
			Extensions: []lambdahost.Extension{{Name: "reltio-tokens", Command: []string{build(t)}}},
			Log:        logs,
		},
	}
	for _, c := range change {
		c(&functions[1])
	}
	for _, f := range functions {
		if err := host.Deploy(f); err != nil {
			t.Fatal(err)
		}
	}
	return host
}

func TestAFunctionAsksItsExtension(t *testing.T) {
	var logs strings.Builder
	host := integration(t, time.Hour, &logs)
	want := make([]string, 100)
	for i := range want {
		want[i] = "200 " + token + "-1"
	}
	for range 3 {
		if diff := cmp.Diff(want, invoke(t, host, len(want))); diff != "" {
			t.Errorf("answers:\n%s", diff)
		}
	}
	if got := host.Starts("integration"); got != 1 {
		t.Errorf("%d environments, want 1", got)
	}
	host.Recycle("integration")
	if err := host.Close(); err != nil {
		t.Error(err)
	}
	if out := logs.String(); !strings.Contains(out, `"message":"shutdown"`) {
		t.Errorf("the extension was not told of the end:\n%s", out)
	}
	if strings.Contains(logs.String(), "kanari") {
		t.Errorf("a token in the log:\n%s", logs.String())
	}
}

func TestATokenThatEndsWhileTheFunctionIsFrozenIsNotHandedOut(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: it waits until a token of 3 s has ended")
	}
	host := integration(t, 3*time.Second, io.Discard)
	first := invoke(t, host, 1)
	wall := time.NewTimer(3100 * time.Millisecond) // of another process, whose clock no test can move
	<-wall.C
	second := invoke(t, host, 1)
	if len(first) != 1 || len(second) != 1 || first[0] == second[0] || !strings.HasPrefix(second[0], "200 ") {
		t.Errorf("before %q, after %q, want another token", first, second)
	}
}

func invoke(t testing.TB, host *lambdahost.Host, times int) (answers []string) {
	t.Helper()
	result, err := host.Invoke(t.Context(), lambdahost.Invocation{Function: "integration", Payload: fmt.Append(nil, times)})
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(result.Payload, &answers); err != nil {
		t.Fatalf("payload %s: %v", result.Payload, err)
	}
	return answers
}

// What the extension adds to the init of a function that does nothing, and to
// its memory.
func BenchmarkInit(b *testing.B) {
	for _, test := range []struct {
		name   string
		change func(*lambdahost.Function)
	}{
		{"without", func(f *lambdahost.Function) { f.Extensions = nil }},
		{"cold", func(f *lambdahost.Function) { delete(f.Env, "RELTIO_CONNECTIONS") }},
		{"warm", func(*lambdahost.Function) {}},
	} {
		b.Run(test.name, func(b *testing.B) {
			host := integration(b, time.Hour, io.Discard, test.change)
			if _, err := host.Invoke(b.Context(), lambdahost.Invocation{Function: "issue", Payload: []byte("{}")}); err != nil {
				b.Fatal(err)
			}
			var inits []float64
			var memory int64
			for b.Loop() {
				host.Recycle("integration")
				invoke(b, host, 0)
				e := host.Environments("integration")[0]
				inits = append(inits, float64(e.InitDuration().Microseconds())/1000)
				memory, _ = e.RSS()
			}
			slices.Sort(inits)
			b.ReportMetric(inits[len(inits)/2], "init-ms")
			b.ReportMetric(float64(memory)/1e6, "MB")
		})
	}
}
