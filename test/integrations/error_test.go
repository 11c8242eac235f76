package integrations

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/testkit/logtest"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
	"github.com/reltio-tokens/reltio-tokens/test/lambdahost"
)

// keepers are the packages that ask issue themselves; askers ask the extension.
var (
	keepers = map[string]language{"python": python("lambda"), "node": node("lambda")}
	askers  = map[string]language{"python, extension": withExtension(python("extension")), "node, extension": withExtension(node("extension"))}
)

// integration is a function whose issue is an IssueServer.
type integration struct {
	*reltioauthtest.IssueServer
	host *lambdahost.Host
	log  logtest.Buffer
}

// connection is the one that it calls Reltio by; app is the function's name.
const (
	connection = "acme-prod"
	app        = "app"
)

// startOne starts an integration against an API of a tenant; nil means one that
// refuses inactive tokens.
func startOne(t testing.TB, language language, api http.Handler) *integration {
	t.Helper()
	f := language(t)
	if err := built(); err != nil {
		t.Fatal(err)
	}
	host, err := lambdahost.Start(t.Context(), lambdahost.Config{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = host.Close() })
	i := &integration{IssueServer: &reltioauthtest.IssueServer{}, host: host}
	if api == nil {
		api = i.Tenant(nil)
	}
	f.Env = merged(f.Env, map[string]string{"RELTIO_CONNECTION": connection})
	deploy(t, host, f, app, serve(t, i.IssueServer), serve(t, api), &i.log)
	return i
}

// entities are what an invocation asks for, and what it was told.
func (i *integration) entities(t testing.TB, n int) (errorType, errorMessage string) {
	t.Helper()
	told, err := i.invoke(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	return told.ErrorType, told.ErrorMessage
}

// failure is what an invocation was told; empty: nothing.
type failure struct{ ErrorType, ErrorMessage string }

// invoke is entities for any goroutine.
func (i *integration) invoke(ctx context.Context, n int) (told failure, err error) {
	payload, err := json.Marshal(map[string]any{"entities": make([]int, n)})
	if err != nil {
		return failure{}, err
	}
	result, err := i.host.Invoke(ctx, lambdahost.Invocation{Function: app, Payload: payload})
	if err != nil || result.FunctionError == "" {
		return failure{}, err
	}
	err = json.Unmarshal(result.Payload, &told)
	return told, err
}

// Step Functions names errors by what a function's runtime reports.
func TestAnErrorKeepsItsName(t *testing.T) {
	for name, language := range merged(keepers, askers) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := startOne(t, language, nil)
			i.Fail(connection, "ReauthorizationRequired", "a person must log in at Reltio")
			errorType, message := i.entities(t, 20)
			if errorType != "ReauthorizationRequired" || message != "a person must log in at Reltio" {
				t.Errorf("%s: %s\n%s", errorType, message, i.log.String())
			}
			if got := i.Asked(connection); got != 1 {
				t.Errorf("issue was asked %d times, want once for all who fail together", got)
			}
		})
	}
}

// An error that passes is waited for, one that does not is said at once.
func TestWhatPassesIsWaitedFor(t *testing.T) {
	for name, language := range keepers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := startOne(t, language, nil)
			i.Fail(connection, "RateLimited", "retry after 1 s")
			done := make(chan error, 1)
			go func() {
				told, err := i.invoke(t.Context(), 20)
				if told.ErrorType != "" {
					err = errors.New(told.ErrorType)
				}
				done <- err
			}()
			began := until(t, func() bool { return i.Asked(connection) > 0 })
			i.Fail(connection, "", "")
			if err := <-done; err != nil {
				t.Errorf("it failed with %v\n%s", err, i.log.String())
			}
			if took := time.Since(began); took < 500*time.Millisecond {
				t.Errorf("it asked again after %v, want a second", took)
			}
			if got := i.Asked(connection); got != 2 {
				t.Errorf("issue was asked %d times, want 2", got)
			}

			i.Fail(connection, "TokenLimitReached", "")
			i.Kill(connection)
			began = time.Now()
			if errorType, _ := i.entities(t, 20); errorType != "TokenLimitReached" {
				t.Errorf("it failed with %q, want what can last as long as a token", errorType)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("that took %v", took)
			}
		})
	}
}

// A throttled invocation is not the integration's concern.
func TestLambdaThrottles(t *testing.T) {
	for name, language := range merged(keepers, askers) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := startOne(t, language, nil)
			i.Throttle(1)
			if errorType, message := i.entities(t, 20); errorType != "" {
				t.Errorf("%s: %s\n%s", errorType, message, i.log.String())
			}
		})
	}
}

// An API that refuses every token does not make issue's callers ask each time.
func TestAnAPIThatRefusesValidTokens(t *testing.T) {
	for name, language := range merged(keepers, askers) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := startOne(t, language, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }))
			for range 5 {
				if _, message := i.entities(t, 10); !strings.HasSuffix(message, ": 401") {
					t.Errorf("it said %q, want the 401", message)
				}
			}
			if got := i.Asked(connection); got != 2 {
				t.Errorf("issue was asked %d times, want 2: a token, and a report", got)
			}
		})
	}
}

// merged is a map of both, the second one first.
func merged[V any](a, b map[string]V) map[string]V {
	both := maps.Clone(a)
	if both == nil {
		both = map[string]V{}
	}
	maps.Copy(both, b)
	return both
}

// until returns when a condition holds, and when it began to.
func until(t testing.TB, holds func() bool) time.Time {
	t.Helper()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for !holds() {
		select {
		case <-look.C:
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		}
	}
	return time.Now()
}
