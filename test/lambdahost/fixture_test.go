package lambdahost_test

import (
	"encoding/json"
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/reltio-tokens/reltio-tokens/test/lambdahost"
)

// newHost runs until the test ends.
func newHost(t *testing.T) *lambdahost.Host {
	t.Helper()
	h, err := lambdahost.Start(t.Context(), lambdahost.Config{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// child is this test binary as a function, changed as the test wants it.
func child(change func(*lambdahost.Function)) lambdahost.Function {
	f := lambdahost.Function{
		Name:    "f",
		Command: []string{os.Args[0]},
		Env:     map[string]string{envChild: "function", "GORACE": "atexit_sleep_ms=0"},
		Timeout: 20 * time.Second,
	}
	if change != nil {
		change(&f)
	}
	return f
}

func deploy(t *testing.T, h *lambdahost.Host, change func(*lambdahost.Function)) {
	t.Helper()
	if err := h.Deploy(child(change)); err != nil {
		t.Fatal(err)
	}
}

// invoke gives f an order.
func invoke(t *testing.T, h *lambdahost.Host, o order) lambdahost.Result {
	t.Helper()
	payload, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	r, err := h.Invoke(t.Context(), lambdahost.Invocation{Function: "f", Payload: payload, LogTail: true})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// later gives f an order while the test runs. The channel is closed in any
// case, so that no test waits for an answer that never comes.
func later(t *testing.T, h *lambdahost.Host, o order) <-chan lambdahost.Result {
	t.Helper()
	payload, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan lambdahost.Result, 1)
	go func() {
		defer close(done)
		r, err := h.Invoke(t.Context(), lambdahost.Invocation{Function: "f", Payload: payload, LogTail: true})
		if err != nil {
			t.Errorf("%+v: %v", o, err)
			return
		}
		done <- r
	}()
	return done
}

// ask gives f an order that it carries out.
func ask(t *testing.T, h *lambdahost.Host, o order) said {
	t.Helper()
	r := invoke(t, h, o)
	if r.FunctionError != "" {
		t.Fatalf("%+v failed: %s\n%s", o, r.Payload, r.LogTail)
	}
	return decode[said](t, r.Payload)
}

// wrong is a function's error.
type wrong struct {
	ErrorType    string `json:"errorType"`
	ErrorMessage string `json:"errorMessage"`
}

// wantError compares a failed invocation. In the message, ID stands for the
// request's id.
func wantError(t *testing.T, r lambdahost.Result, kind, message string) {
	t.Helper()
	got := decode[wrong](t, r.Payload)
	want := wrong{kind, strings.ReplaceAll(message, "ID", r.RequestID)}
	if r.FunctionError != "Unhandled" || got != want {
		t.Errorf("%q %+v, want Unhandled %+v\n%s", r.FunctionError, got, want, r.LogTail)
	}
}

func wantRefused(t *testing.T, err error, code string) {
	t.Helper()
	var refused *lambdahost.Error
	if !errors.As(err, &refused) || refused.Code != code {
		t.Errorf("error %v, want %s", err, code)
	}
}

// sdk is AWS's own client, which does not try again.
func sdk(h *lambdahost.Host) *lambda.Client {
	return lambda.New(lambda.Options{
		Region:       "us-east-1",
		BaseEndpoint: aws.String(h.URL()),
		Credentials:  credentials.NewStaticCredentialsProvider("a", "b", ""),
		Retryer:      aws.NopRetryer{},
	})
}

// only is the one environment that there is.
func only(t *testing.T, h *lambdahost.Host) *lambdahost.Environment {
	t.Helper()
	all := h.Environments("f")
	if len(all) != 1 {
		t.Fatalf("%d environments, want 1", len(all))
	}
	return all[0]
}

// eventually waits until ok, and not for ever.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for !ok() {
		select {
		case <-deadline:
			t.Fatalf("not in 10 s: %s", what)
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// state is what the system says of a process: R, S, T (stopped), or empty.
func state(pid int) string {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return ""
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	return after[:1]
}

// computed is how long a process has used a processor, in the system's ticks
// (10 ms).
func computed(t *testing.T, pid int) int {
	t.Helper()
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(after) // from the third one
	ticks := 0
	for _, text := range fields[11:13] { // utime, stime
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		ticks += n
	}
	return ticks
}
