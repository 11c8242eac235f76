package invoke_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/reltio-tokens/reltio-tokens/internal/aws/invoke"
	"github.com/reltio-tokens/reltio-tokens/internal/testkit/engines"
	"github.com/reltio-tokens/reltio-tokens/internal/testkit/logtest"
)

// canary is what a failed function may write and no caller may see.
const canary = "c4n4ry"

// request is an invocation as it came over the wire.
type request struct {
	Method, Path, Type, Body string
}

// api plays Lambda's Invoke API. It counts every request.
type api struct {
	answer http.HandlerFunc
	mu     sync.Mutex // guards seen
	seen   []request
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	a.mu.Lock()
	a.seen = append(a.seen, request{r.Method, r.URL.Path, r.Header.Get("X-Amz-Invocation-Type"), string(body)})
	a.mu.Unlock()
	a.answer(w, r)
}

func (a *api) requests() []request {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.seen
}

// serve starts the API and returns the function behind it. The client is one
// that retries at once, as often as it may.
func serve(t *testing.T, answer http.HandlerFunc) (*api, invoke.Function) {
	t.Helper()
	a := &api{answer: answer}
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	return a, function(server.URL)
}

func function(endpoint string) invoke.Function {
	return invoke.Function{Name: "rotate", Client: lambda.NewFromConfig(aws.Config{
		Region:           "eu-central-1",
		Credentials:      engines.Credentials(),
		BaseEndpoint:     aws.String(endpoint),
		RetryMaxAttempts: 10,
		RetryMode:        aws.RetryModeStandard,
		HTTPClient:       whole{},
	})}
}

// whole reads a response to its end before the SDK has it. The SDK closes the request's
// body as soon as it has a response, and net/http the connection if it has not yet seen
// that body's end: on loopback a response of many kilobytes was cut off so, now and then.
type whole struct{}

// Do implements aws.HTTPClient.
func (whole) Do(r *http.Request) (*http.Response, error) {
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(got.Body)
	if err := errors.Join(err, got.Body.Close()); err != nil {
		got.Body = io.NopCloser(io.MultiReader(bytes.NewReader(text), iotest.ErrReader(err)))
		return got, nil
	}
	got.Body = io.NopCloser(bytes.NewReader(text))
	return got, nil
}

// says answers with status, headers ("Name: value") and body.
func says(status int, body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for _, header := range headers {
			name, value, _ := strings.Cut(header, ": ")
			w.Header().Set(name, value)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

const renewed = `{"due":1,"renewed":1,"unchanged":0,"contended":0,"failed":0,"reauthorize":0,"left_over":0,"outcome":"renewed","error":null}`

// cutOff promises more than it says.
func cutOff(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "1000")
	_, _ = io.WriteString(w, `{"due":1,"access_token":"`+canary)
	panic(http.ErrAbortHandler)
}

// wantFault compares an error and looks for the canary however it is printed.
func wantFault(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %s", want)
	}
	if got := err.Error(); got != want {
		t.Errorf("error %s\nwant  %s", got, want)
	}
	if out := logtest.Printed(err); strings.Contains(out, canary) {
		t.Errorf("a secret comes out in %s", out)
	}
}
