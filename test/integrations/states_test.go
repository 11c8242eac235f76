package integrations

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/testkit/engines"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
	"github.com/reltio-tokens/reltio-tokens/test/lambdahost"
)

// outcome is that of an execution.
type outcome struct {
	Status, Output, Error string
	History               json.RawMessage
}

// entered reports whether the execution was in a state.
func (o outcome) entered(state string) bool {
	var events []struct {
		StateEnteredEventDetails struct{ Name string }
	}
	if json.Unmarshal(o.History, &events) != nil {
		return false
	}
	for _, e := range events {
		if e.StateEnteredEventDetails.Name == state {
			return true
		}
	}
	return false
}

// execute runs a state machine with each of the inputs; its tasks invoke
// functions at lambdaAPI.
func execute(t testing.TB, definition, lambdaAPI string, inputs ...any) []outcome {
	t.Helper()
	file := filepath.Join(t.TempDir(), "definition.json")
	if err := os.WriteFile(file, []byte(definition), 0o600); err != nil {
		t.Fatal(err)
	}
	input, err := json.Marshal(inputs)
	if err != nil {
		t.Fatal(err)
	}
	env := []string{"AWS_ENDPOINT_URL_LAMBDA=" + lambdaAPI, "AWS_ACCESS_KEY_ID=key", "AWS_SECRET_ACCESS_KEY=key"}
	var outcomes []outcome
	if err := json.Unmarshal(run(t, string(input), env, engines.Tool(t, "engines", "STATES"), file), &outcomes); err != nil {
		t.Fatal(err)
	}
	return outcomes
}

// machine is the page's state machine; it waits for seconds where that one waits
// for minutes and hours.
func machine(t testing.TB) string {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(page(t, "states/import.asl.json")), &m); err != nil {
		t.Fatal(err)
	}
	states := m["States"].(map[string]any)
	for _, r := range states["Import"].(map[string]any)["Retry"].([]any) {
		retry := r.(map[string]any)
		retry["IntervalSeconds"], retry["BackoffRate"] = 1, 1
	}
	states["Wait for somebody"].(map[string]any)["Seconds"] = 1
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(text), "${Integration}", app)
}

// failing is Lambda's API with a function that fails as often, and as, its event
// says.
type failing struct {
	mu    sync.Mutex
	tried map[string]int // by errorType
}

func (f *failing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var event struct {
		Fail  string
		Times int
	}
	if err := json.NewDecoder(r.Body).Decode(&event); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tried[event.Fail]++
	w.Header().Set("X-Amz-Executed-Version", "1")
	w.Header().Set("X-Amzn-Requestid", "a-request")
	switch {
	case f.tried[event.Fail] > event.Times:
		_, _ = fmt.Fprint(w, `{"imported":1}`)
	case strings.HasPrefix(event.Fail, "Lambda."):
		w.Header().Set("X-Amzn-Errortype", strings.TrimPrefix(event.Fail, "Lambda."))
		w.WriteHeader(lambdaErrors[event.Fail])
		_, _ = fmt.Fprint(w, `{"message":"what Lambda says"}`)
	default:
		w.Header().Set("X-Amz-Function-Error", "Unhandled")
		_, _ = fmt.Fprintf(w, `{"errorType":%q,"errorMessage":"why"}`, event.Fail)
	}
}

// lambdaErrors are the errors of the state's own call, with the status that Lambda
// gives them. The others that a state can name (Lambda.AWSLambdaException,
// Lambda.SdkClientException, Lambda.Unknown, States.Timeout) are made by Step
// Functions itself.
var lambdaErrors = map[string]int{
	"Lambda.TooManyRequestsException":  http.StatusTooManyRequests,
	"Lambda.ServiceException":          http.StatusInternalServerError,
	"Lambda.ResourceConflictException": http.StatusConflict,
	"Lambda.ResourceNotReadyException": http.StatusBadGateway,
	"Lambda.EC2ThrottledException":     http.StatusBadGateway,
}

// lambdaMakes are the errors of a state's own call that Step Functions makes
// itself: no function and no response of Lambda causes them.
var lambdaMakes = []string{"Lambda.AWSLambdaException", "Lambda.SdkClientException", "Lambda.Unknown", "States.Timeout"}

// waitedFor are the errorTypes that the clients wait for, by the cases of their
// contract.
func waitedFor(t testing.TB) []string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, "clients", "contract", "cases.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Cases []struct {
			Name    string
			Answers []struct{ ErrorType string }
		}
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, c := range file.Cases {
		if kind := c.Answers[0].ErrorType; kind != "" && strings.HasSuffix(c.Name, "outlasts the timeout") {
			all = append(all, kind)
		}
	}
	return append(all, "RateLimited")
}

// Every error that the state names is executed by the test below, and every error
// that the clients wait for is named.
func TestTheStateNamesWhatTheClientsWaitFor(t *testing.T) {
	var m struct {
		States struct {
			Import struct {
				Retry []struct{ ErrorEquals []string }
			}
		}
	}
	if err := json.Unmarshal([]byte(page(t, "states/import.asl.json")), &m); err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, r := range m.States.Import.Retry {
		for _, name := range r.ErrorEquals {
			if named[name] {
				t.Errorf("%s is named twice: the first counts", name)
			}
			named[name] = true
		}
	}
	waited := waitedFor(t)
	if len(waited) < 7 {
		t.Errorf("the cases have %v only", waited)
	}
	for _, name := range waited {
		if !named[name] {
			t.Errorf("%s is waited for by the clients, and the state does not try again", name)
		}
	}
	executed := expectations()
	for _, name := range lambdaMakes {
		executed[name] = expectation{}
	}
	for name := range named {
		if _, is := executed[name]; !is {
			t.Errorf("%s is named by the state, and not executed by the test", name)
		}
	}
}

// expectation is what a state machine makes of an error.
type expectation struct {
	failures      int
	status, error string
	waits         bool // for a person or an operator
}

// expectations are those of every error, by its name.
func expectations() map[string]expectation {
	retried := func(n int) expectation { return expectation{failures: n, status: "SUCCEEDED"} }
	person := expectation{failures: 1, status: "SUCCEEDED", waits: true}
	final := func(name string) expectation { return expectation{failures: 1, status: "FAILED", error: name} }
	want := map[string]expectation{
		"RateLimited":             retried(3),
		"ReltioUnavailable":       retried(3),
		"StoreUnavailable":        retried(3),
		"Internal":                retried(1),
		"Runtime.ExitError":       retried(3),
		"Sandbox.Timedout":        retried(3),
		"Extension.Crash":         retried(1),
		"TokenLimitReached":       retried(2),
		"ReauthorizationRequired": person,
		"CredentialsRejected":     person,
		"MFARequired":             person,
		"InvalidConnection":       person,
		"ConnectionPaused":        person,
		"InvalidRequest":          final("InvalidRequest"),
		"UnknownConnection":       final("UnknownConnection"),
		"AccessDenied":            final("AccessDenied"),
		"KeyError":                final("KeyError"), // the integration's own
	}
	for name := range lambdaErrors {
		want[name] = retried(2)
	}
	for _, name := range []string{
		"TooManyRequestsException", "ServiceException", "EC2ThrottledException", "ResourceConflictException", "ClientError",
		"ConnectionClosedError", "ConnectTimeoutError", "EndpointConnectionError", "ReadTimeoutError", "TimeoutError", "IncompleteReadError",
		"software.amazon.awssdk.services.lambda.model.TooManyRequestsException",
		"software.amazon.awssdk.services.lambda.model.ServiceException",
		"software.amazon.awssdk.services.lambda.model.Ec2ThrottledException",
		"software.amazon.awssdk.services.lambda.model.ResourceConflictException",
		"software.amazon.awssdk.core.exception.SdkClientException",
		"software.amazon.awssdk.core.exception.ApiCallTimeoutException",
		"software.amazon.awssdk.core.exception.ApiCallAttemptTimeoutException",
	} {
		want[name] = retried(2) // of an SDK that the function uses itself
	}
	return want
}

// Each errorType leads where the table of issue's errors says.
func TestTheStateMachineKnowsEveryError(t *testing.T) {
	want := expectations()
	var names []string
	var inputs []any
	for name, e := range want {
		names = append(names, name)
		inputs = append(inputs, map[string]any{"fail": name, "times": e.failures})
	}
	f := &failing{tried: map[string]int{}}
	for i, got := range execute(t, machine(t), serve(t, f), inputs...) {
		name := names[i]
		e := want[name]
		if got.Status != e.status || got.Error != e.error || got.entered("Wait for somebody") != e.waits {
			t.Errorf("%s: %s %s, waited for somebody: %v; want %+v", name, got.Status, got.Error, got.entered("Wait for somebody"), e)
		}
		tries := e.failures
		if e.status == "SUCCEEDED" {
			tries++
			if got.Output != `{"imported": 1}` {
				t.Errorf("%s: output %s", name, got.Output)
			}
		}
		if f.tried[name] != tries {
			t.Errorf("%s: %d tries, want %d", name, f.tried[name], tries)
		}
	}
}

// An integration that asks for its token itself leaves none in the history; a
// task that invokes issue does, whatever it makes of the answer.
func TestWhatTheHistoryKeeps(t *testing.T) {
	vendor := &reltioauthtest.IssueServer{}
	var shown string
	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		shown = strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		vendor.Tenant(nil).ServeHTTP(w, r)
	})
	host, err := lambdahost.Start(t.Context(), lambdahost.Config{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = host.Close() })
	issue := serve(t, vendor)
	f := keepers["python"](t)
	f.Env = map[string]string{"RELTIO_CONNECTION": connection}
	deploy(t, host, f, app, issue, serve(t, api), nil)

	good := execute(t, machine(t), host.URL(), map[string]any{"entities": []string{"1"}})[0]
	if good.Status != "SUCCEEDED" || shown == "" {
		t.Fatalf("%s %s, token shown: %v", good.Status, good.Error, shown != "")
	}
	if strings.Contains(string(good.History), shown) {
		t.Error("the history holds the token")
	}

	bad := execute(t, `{"StartAt": "Ask", "States": {"Ask": {
		"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke",
		"Parameters": {"FunctionName": "issue", "Payload.$": "$"},
		"ResultSelector": {"fingerprint.$": "$.Payload.fingerprint"},
		"End": true}}}`, issue, map[string]any{"connection": connection})[0]
	if bad.Status != "SUCCEEDED" || strings.Contains(bad.Output, shown) {
		t.Fatalf("%s %s", bad.Status, bad.Error)
	}
	if !strings.Contains(string(bad.History), shown) {
		t.Error("the history of a task that drops the token by ResultSelector does not hold it: the page's warning is wrong")
	}
}
