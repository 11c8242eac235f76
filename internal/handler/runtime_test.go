package handler_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/memstore"
	"github.com/reltio-tokens/reltio-tokens/internal/telemetry"
)

// asFunction names the function that a child process of this test is.
const asFunction = "HANDLER_TEST_FUNCTION"

// invoked is one invocation, and what became of it.
type invoked struct {
	payload, arn string
	// clientContext is what the caller's Client-Context header holds; "" for none.
	clientContext string
	// kind is "response" or "error".
	kind string
	body map[string]any
}

// runtimeAPI plays Lambda's Runtime API: it hands the invocations out one by
// one and then waits.
func runtimeAPI(t *testing.T, invocations []*invoked) (address string, done <-chan struct{}) {
	t.Helper()
	all := make(chan struct{})
	var mu sync.Mutex // guards next and the answers
	next := 0
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if next == len(invocations) {
			close(all)
			next++
		}
		if next > len(invocations) {
			mu.Unlock()
			<-r.Context().Done()
			mu.Lock()
			return
		}
		h := w.Header()
		h.Set("Lambda-Runtime-Aws-Request-Id", fmt.Sprintf("request-%d", next))
		h.Set("Lambda-Runtime-Deadline-Ms", fmt.Sprint(time.Now().Add(25*time.Second).UnixMilli()))
		h.Set("Lambda-Runtime-Invoked-Function-Arn", invocations[next].arn)
		if c := invocations[next].clientContext; c != "" {
			h.Set("Lambda-Runtime-Client-Context", c)
		}
		_, _ = io.WriteString(w, invocations[next].payload)
	})
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/{kind}", func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if want := fmt.Sprintf("request-%d", next); r.PathValue("id") != want {
			t.Errorf("an answer to %s, want %s", r.PathValue("id"), want)
		}
		invocations[next].kind = r.PathValue("kind")
		if err := json.NewDecoder(r.Body).Decode(&invocations[next].body); err != nil {
			t.Errorf("answer to invocation %d: %v", next, err)
		}
		next++
		w.WriteHeader(http.StatusAccepted)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://"), all
}

// panicsFor panics for the connection "panic".
type panicsFor struct{ *memstore.Table }

// Grant implements grant.Store.
func (p panicsFor) Grant(ctx context.Context, name string, c grant.Consistency) (grant.Grant, error) {
	if name == "panic" {
		panic(password)
	}
	return p.Table.Grant(ctx, name, c)
}

// run starts this test again as a function, lets it answer the invocations, and
// ends it. It returns what the function wrote.
func run(t *testing.T, function string, invocations []*invoked) (output string) {
	t.Helper()
	address, done := runtimeAPI(t, invocations)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	child := exec.CommandContext(ctx, os.Args[0], "-test.run=^"+t.Name()+"$")
	child.Env = append(os.Environ(), asFunction+"="+function, "AWS_LAMBDA_RUNTIME_API="+address)
	var said strings.Builder
	child.Stdout, child.Stderr = &said, &said
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- child.Wait() }()
	select {
	case <-done:
	case err := <-ended:
		t.Fatalf("the function ended: %v\n%s", err, said.String())
	}
	_ = child.Process.Kill()
	if err := <-ended; err == nil {
		t.Error("the function ended by itself")
	}
	if strings.Contains(said.String(), "kanari") {
		t.Errorf("the function wrote %s", said.String())
	}
	return said.String()
}

func TestErrorsComeOutOfTheLibraryAsTheyAre(t *testing.T) {
	if os.Getenv(asFunction) != "" {
		w := newWorld(t)
		w.connect("acme", byClient[:len(byClient)-1]+`,"aliases":["team-a"]}`)
		w.connect("wrong", strings.Replace(byPassword, password, "kanari-wrong", 1))
		w.issue.Issuer.Grants = panicsFor{w.table}
		lambda.Start(w.issue)
		return
	}
	invocations := []*invoked{
		{payload: `{"connection":"acme"}`, arn: plainARN},
		{payload: `{"connection":"acme"}`, arn: aliasARN},
		{payload: `{"connection":"wrong"}`, arn: plainARN},
		{payload: `{"connection":"nobody"}`, arn: plainARN},
		{payload: `{"connection":"panic"}`, arn: plainARN},
		{payload: `{"connection":"acme","min_ttl_seconds":-1,"x":1}`, arn: aliasARN},
		{payload: `{"connection":"acme"}`, arn: aliasARN},
	}
	want := []map[string]any{
		{"errorType": "AccessDenied", "errorMessage": "the invoked alias may not have this connection"},
		nil,
		{"errorType": "CredentialsRejected", "errorMessage": "Reltio refused the user (invalid_grant, HTTP 400)"},
		{"errorType": "UnknownConnection", "errorMessage": "no connection has this name"},
		{"errorType": "Internal", "errorMessage": "request request-4"},
		{"errorType": "InvalidRequest", "errorMessage": "min_ttl_seconds: must be from 0 to 86400; x: is not known here"},
		nil,
	}
	run(t, "issue", invocations)
	for i, got := range invocations {
		if want[i] == nil {
			if got.kind != "response" || got.body["connection"] != "acme" || got.body["access_token"] == nil {
				t.Errorf("invocation %d: %s of %v, want a response with a token of acme", i, got.kind, got.body["connection"])
			}
			continue
		}
		if got.kind != "error" || got.body["errorType"] != want[i]["errorType"] || got.body["errorMessage"] != want[i]["errorMessage"] {
			t.Errorf("invocation %d: %s %v, want error %v", i, got.kind, got.body, want[i])
		}
	}
}

// What fails before the handler is called has a line all the same, without the
// caller's words.
func TestAnInvocationThatReachesNoHandlerIsLogged(t *testing.T) {
	if os.Getenv(asFunction) != "" {
		telemetry.New(os.Stdout, slog.LevelInfo, time.Now).Capture()
		lambda.Start(newWorld(t).issue)
		return
	}
	invocations := []*invoked{
		{payload: `{"connection":"nobody"}`, arn: plainARN, clientContext: `{"custom":"kanari"}`},
		{payload: `{"connection":"nobody"}`, arn: plainARN, clientContext: `{"custom":{}}`},
	}
	written := run(t, "issue", invocations)
	if got := invocations[0]; got.kind != "error" {
		t.Errorf("a context that cannot be read: %s %v, want an error", got.kind, got.body)
	}
	if got := invocations[1]; got.body["errorType"] != "UnknownConnection" {
		t.Errorf("the next invocation: %s %v, want UnknownConnection", got.kind, got.body)
	}
	const want = `"message":"no handler was called: failed to unmarshal client context json"`
	if strings.Count(written, "\n") != 1 || !strings.Contains(written, want) || !strings.Contains(written, `"level":"ERROR"`) {
		t.Errorf("the function wrote %s, want one line with %s", written, want)
	}
}

func TestRotateInLambda(t *testing.T) {
	if os.Getenv(asFunction) != "" {
		w := newWorld(t)
		w.connect("acme", byClient)
		w.rotate.Renewer.Grants = panicsFor{w.table}
		lambda.Start(w.rotate)
		return
	}
	invocations := []*invoked{
		{payload: `{"connection":"acme"}`, arn: plainARN},
		{payload: `{"connection":"panic"}`, arn: plainARN},
		{payload: `[]`, arn: plainARN},
		{payload: `{"source":"aws.scheduler"}`, arn: plainARN},
	}
	run(t, "rotate", invocations)
	if got := invocations[0]; got.kind != "response" || got.body["outcome"] != "renewed" || len(got.body) != 9 {
		t.Errorf("a renewal: %s %v", got.kind, got.body)
	}
	if got := invocations[1]; got.kind != "error" || got.body["errorType"] != "Internal" || got.body["errorMessage"] != "request request-1" {
		t.Errorf("a panic: %s %v", got.kind, got.body)
	}
	if got := invocations[2]; got.kind != "error" || got.body["errorType"] != "InvalidRequest" {
		t.Errorf("a list: %s %v", got.kind, got.body)
	}
	if got := invocations[3]; got.kind != "response" || got.body["due"] != 0.0 {
		t.Errorf("a sweep: %s %v", got.kind, got.body)
	}
}
