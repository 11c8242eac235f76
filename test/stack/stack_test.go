package stack_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/reltio-tokens/reltio-tokens/internal/testkit/engines"
	"github.com/reltio-tokens/reltio-tokens/internal/testkit/logtest"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
	"github.com/reltio-tokens/reltio-tokens/test/lambdahost"
	"github.com/reltio-tokens/reltio-tokens/test/stack"
)

// binaries are built once for all tests; TestMain removes them.
var binaries = sync.OnceValues(func() (string, error) {
	return folder, stack.Build(context.Background(), folder)
})

// folder holds them.
var folder string

func TestMain(m *testing.M) {
	var err error
	if folder, err = os.MkdirTemp("", "stack-test-"); err != nil {
		panic(err)
	}
	status := m.Run()
	_ = os.RemoveAll(folder)
	os.Exit(status)
}

// start runs a stack on the tests' engines until the test ends. Its sandbox
// knows the client acme.
func start(t *testing.T, c stack.Config) *stack.Stack {
	t.Helper()
	c.Now = time.Now
	c.Sandbox.Clients = []reltioauthtest.Client{{ID: "acme", Secret: reltioauth.NewSecret("secret-of-acme")}}
	var err error
	if c.Binaries, err = binaries(); err != nil {
		t.Fatal(err)
	}
	s := stack.Run(t, c)
	err = s.AddConnection(t.Context(), "acme-prod", map[string]any{
		"grant_type": "client_credentials", "client_id": "acme", "client_secret": "secret-of-acme",
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// issued is what a test looks at of an answer.
type issued struct {
	AccessToken string `json:"access_token"`
	Outcome     string `json:"outcome"`
	ErrorType   string `json:"errorType"`
	Version     int    `json:"version"`
}

func issue(ctx context.Context, t *testing.T, s *stack.Stack, name string) issued {
	t.Helper()
	out, err := s.Lambda.Invoke(ctx, &lambda.InvokeInput{
		FunctionName: aws.String("issue"), Qualifier: aws.String("live"), Payload: []byte(`{"connection":"` + name + `"}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	var answer issued
	if err := json.Unmarshal(out.Payload, &answer); err != nil {
		t.Fatal(err)
	}
	return answer
}

func TestTheBinariesIssueTokens(t *testing.T) {
	s := start(t, stack.Config{})
	first := issue(t.Context(), t, s, "acme-prod")
	if first.Outcome != "renewed" || !s.Sandbox.Valid(reltioauth.NewSecret(first.AccessToken)) {
		t.Fatalf("first answer: outcome %q, error %q", first.Outcome, first.ErrorType)
	}
	again := issue(t.Context(), t, s, "acme-prod")
	if again.Outcome != "cached" || again.AccessToken != first.AccessToken {
		t.Errorf("second answer: outcome %q, error %q", again.Outcome, again.ErrorType)
	}
	if got := issue(t.Context(), t, s, "nobody"); got.ErrorType != "UnknownConnection" {
		t.Errorf("an unknown connection: %q", got.ErrorType)
	}
	if got := s.Sandbox.TokenRequests(time.Time{}, time.Now().Add(time.Hour)); got != 1 {
		t.Errorf("%d token requests, want 1", got)
	}
	if n := s.Host.Starts("issue"); n != 1 {
		t.Errorf("%d environments of issue, want 1", n)
	}
}

func TestTheScheduleSweeps(t *testing.T) {
	log := &logtest.Buffer{}
	s := start(t, stack.Config{Log: log})
	issue(t.Context(), t, s, "acme-prod")
	if _, err := s.Schedule.Tick(); err != nil {
		t.Fatal(err)
	}
	if err := s.Host.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), `"SweepFinished"`) {
		t.Errorf("no sweep in the log:\n%s", log.String())
	}
}

func TestTheBrowserLegIsThere(t *testing.T) {
	s := start(t, stack.Config{})
	err := s.AddConnection(t.Context(), "person", map[string]any{
		"grant_type": "authorization_code", "client_id": "acme", "client_secret": "secret-of-acme", "tenant_id": "acme",
	})
	if err != nil {
		t.Fatal(err)
	}
	link, err := s.Invite(t.Context(), "person", false)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, link, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := new(http.Client).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK || response.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%d %v", response.StatusCode, response.Header)
	}
}

func TestSomethingInBetween(t *testing.T) {
	var mu sync.Mutex
	seen := map[string]bool{}
	changed := map[string]bool{}
	s := start(t, stack.Config{
		Via: func(function string, service stack.Service, endpoint string) string {
			upstream, err := url.Parse(endpoint)
			if err != nil {
				t.Error(err)
			}
			proxy := httputil.NewSingleHostReverseProxy(upstream)
			return serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				seen[function+" "+string(service)] = true
				mu.Unlock()
				proxy.ServeHTTP(w, r)
			}))
		},
		Change: func(f *lambdahost.Function) { changed[f.Name] = true },
	})
	if got := issue(t.Context(), t, s, "acme-prod"); got.Outcome != "renewed" {
		t.Fatalf("%q %q", got.Outcome, got.ErrorType)
	}
	mu.Lock()
	defer mu.Unlock()
	for _, want := range []string{"issue DynamoDB", "issue Lambda", "rotate DynamoDB", "rotate Secrets Manager", " Reltio"} {
		if !seen[want] {
			t.Errorf("nothing went through %q, only %v", want, seen)
		}
	}
	if len(changed) != 3 {
		t.Errorf("changed %v, want three functions", changed)
	}
}

func TestAStackThatCannotStart(t *testing.T) {
	c := stack.Config{Now: time.Now, DynamoDB: engines.DynamoDBEndpoint(t), Moto: engines.Moto(t), LambdaAddress: "0.0.0.0:0"}
	if s, err := stack.Start(t.Context(), c); err == nil {
		t.Errorf("it listens on %s", s.LambdaURL)
		_ = s.Close()
	}
}

// serve serves until the test ends.
func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}
