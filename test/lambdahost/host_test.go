package lambdahost_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/testkit/logtest"
	"github.com/reltio-tokens/reltio-tokens/test/lambdahost"
)

func TestAFunctionIsToldWhatLambdaTells(t *testing.T) {
	h := newHost(t)
	deploy(t, h, func(f *lambdahost.Function) { f.Aliases, f.MemoryMB = []string{"team-a"}, 256; f.Env["OWN"] = "1" })
	before := time.Now()
	r, err := h.Invoke(t.Context(), lambdahost.Invocation{
		Function: "f", Qualifier: "team-a", Payload: []byte(`{"text":"hello"}`),
		ClientContext: `{"custom":{"who":"me"}}`, TraceID: "Root=1-2-3",
	})
	if err != nil {
		t.Fatal(err)
	}
	got := decode[said](t, r.Payload)
	if got.Text != "hello" || got.Request != r.RequestID || got.Client != "me" || got.Trace != "Root=1-2-3" {
		t.Errorf("it was told %+v, request id %s", got, r.RequestID)
	}
	if want := "arn:aws:lambda:us-east-1:123456789012:function:f:team-a"; got.ARN != want {
		t.Errorf("ARN %s, want %s", got.ARN, want)
	}
	if left := got.Deadline.Sub(before); left < 19*time.Second || left > 40*time.Second {
		t.Errorf("deadline in %v, want about 20 s", left)
	}
	if !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(r.RequestID) {
		t.Errorf("request id %q", r.RequestID)
	}
	environment := strings.Join(decode[[]string](t, invoke(t, h, order{Do: "environment"}).Payload), "\n") + "\n"
	for _, want := range []string{
		"_HANDLER=bootstrap\n", "AWS_REGION=us-east-1\n", "AWS_DEFAULT_REGION=us-east-1\n", "AWS_LAMBDA_FUNCTION_NAME=f\n",
		"AWS_LAMBDA_FUNCTION_VERSION=$LATEST\n", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=256\n", "AWS_LAMBDA_INITIALIZATION_TYPE=on-demand\n",
		"AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/f\n", "/[$LATEST]" + only(t, h).ID() + "\n", "AWS_LAMBDA_RUNTIME_API=127.0.0.1:",
		"AWS_SESSION_TOKEN=", "LAMBDA_TASK_ROOT=/", "TZ=:UTC\n", "OWN=1\n",
	} {
		if !strings.Contains(environment, want) {
			t.Errorf("no %q in\n%s", want, environment)
		}
	}
	if strings.Contains(environment, "HOME=") || strings.Contains(environment, "AWS_EXECUTION_ENV") {
		t.Errorf("a variable that Lambda does not set:\n%s", environment)
	}
}

func TestAnEnvironmentIsUsedAgainAndFrozenInBetween(t *testing.T) {
	h := newHost(t)
	deploy(t, h, nil)
	deploy(t, h, func(f *lambdahost.Function) { f.Name = "g" })
	first := ask(t, h, order{Do: "busily"}) // it would compute on
	eventually(t, "frozen", func() bool { return state(first.PID) == "T" })
	before := computed(t, first.PID)
	if _, err := h.Invoke(t.Context(), lambdahost.Invocation{Function: "g", Payload: []byte(`{"do":"sleep","ms":100}`)}); err != nil {
		t.Fatal(err)
	}
	if after := computed(t, first.PID); after != before {
		t.Errorf("it computed for %d ticks while it was frozen", after-before)
	}
	second := ask(t, h, order{})
	if second.PID != first.PID || h.Starts("f") != 1 {
		t.Errorf("two environments, %d starts", h.Starts("f"))
	}
	if got := only(t, h).Invocations(); got != 2 {
		t.Errorf("%d invocations, want 2", got)
	}
}

// together gives f orders at the same time.
func together(t *testing.T, h *lambdahost.Host, n int, o order) (answers []said, refused int) {
	t.Helper()
	payload, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			r, err := h.Invoke(t.Context(), lambdahost.Invocation{Function: "f", Payload: payload})
			mu.Lock()
			defer mu.Unlock()
			var e *lambdahost.Error
			switch {
			case errors.As(err, &e) && e.Code == "TooManyRequestsException":
				refused++
			case err != nil || r.FunctionError != "":
				t.Errorf("%v %s", err, r.Payload)
			default:
				answers = append(answers, decode[said](t, r.Payload))
			}
		})
	}
	all.Wait()
	return answers, refused
}

func TestItScalesOutToItsConcurrency(t *testing.T) {
	h := newHost(t)
	deploy(t, h, func(f *lambdahost.Function) { f.Concurrency = 3 })
	answers, refused := together(t, h, 5, order{Do: "sleep", Ms: 300})
	if len(answers) != 3 || refused != 2 || h.Starts("f") != 3 {
		t.Errorf("%d answers, %d refused, %d starts, want 3, 2, 3", len(answers), refused, h.Starts("f"))
	}
	seen := map[int]bool{}
	for _, a := range answers {
		seen[a.PID] = true
	}
	if len(seen) != 3 {
		t.Errorf("%d processes for 3 invocations at once", len(seen))
	}
	last := ask(t, h, order{})
	for range 3 {
		if again := ask(t, h, order{}); again.PID != last.PID {
			t.Error("it used another environment than the one used last")
		}
	}
}

func TestReservedForNothing(t *testing.T) {
	h := newHost(t)
	deploy(t, h, func(f *lambdahost.Function) { f.Concurrency = -1 })
	_, err := h.Invoke(t.Context(), lambdahost.Invocation{Function: "f"})
	wantRefused(t, err, "TooManyRequestsException")
}

func TestAllFunctionsShareTheConcurrencyOfTheHost(t *testing.T) {
	h, err := lambdahost.Start(t.Context(), lambdahost.Config{Now: time.Now, Concurrency: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = h.Close() }()
	deploy(t, h, nil)
	deploy(t, h, func(f *lambdahost.Function) { f.Name = "g" })
	done := later(t, h, order{Do: "sleep", Ms: 500})
	eventually(t, "an invocation", func() bool { return len(h.Environments("f")) == 1 })
	_, err = h.Invoke(t.Context(), lambdahost.Invocation{Function: "g"})
	var refused *lambdahost.Error
	if !errors.As(err, &refused) || refused.Reason != "ConcurrentInvocationLimitExceeded" {
		t.Errorf("error %v", err)
	}
	<-done
}

func TestTimeOutsKill(t *testing.T) {
	h := newHost(t)
	log := &logtest.Buffer{}
	deploy(t, h, func(f *lambdahost.Function) { f.Timeout, f.Log = 700*time.Millisecond, log })
	first := ask(t, h, order{})
	r := invoke(t, h, order{Do: "sleep", Ms: 5000})
	wantError(t, r, "Sandbox.Timedout", "RequestId: ID Error: Task timed out after 0.70 seconds")
	if got := state(first.PID); got != "" {
		t.Errorf("its process is there, state %s", got)
	}
	if !strings.Contains(log.String(), r.RequestID+" Task timed out after 0.70 seconds") || !strings.Contains(log.String(), "Status: timeout") {
		t.Errorf("log:\n%s", log)
	}
	if again := ask(t, h, order{}); again.PID == first.PID || h.Starts("f") != 2 {
		t.Errorf("%d starts, want 2", h.Starts("f"))
	}
}

func TestAFunctionFrozenByATestTimesOut(t *testing.T) {
	h := newHost(t)
	deploy(t, h, func(f *lambdahost.Function) { f.Timeout = 500 * time.Millisecond })
	ask(t, h, order{})
	e := only(t, h)
	done := later(t, h, order{Do: "sleep", Ms: 5000})
	eventually(t, "busy and running", func() bool { return e.Invocations() == 2 && state(e.PID()) != "T" })
	e.Freeze()
	wantError(t, <-done, "Sandbox.Timedout", "RequestId: ID Error: Task timed out after 0.50 seconds")
}

func TestAFrozenFunctionGoesOnWhenThawed(t *testing.T) {
	h := newHost(t)
	deploy(t, h, nil)
	ask(t, h, order{})
	e := only(t, h)
	done := later(t, h, order{Do: "sleep", Ms: 300})
	eventually(t, "busy and running", func() bool { return e.Invocations() == 2 && state(e.PID()) != "T" })
	e.Freeze()
	select {
	case r := <-done:
		t.Fatalf("a frozen function answered: %s", r.Payload)
	case <-time.After(500 * time.Millisecond):
	}
	e.Thaw()
	if r := <-done; r.FunctionError != "" {
		t.Errorf("it failed: %s", r.Payload)
	}
}

func TestProcessesThatEnd(t *testing.T) {
	tests := map[string]struct {
		order         order
		kind, message string
	}{
		"exit 1":   {order{Do: "exit", N: 1}, "Runtime.ExitError", "RequestId: ID Error: Runtime exited with error: exit status 1"},
		"exit 0":   {order{Do: "exit"}, "Runtime.ExitError", "RequestId: ID Error: Runtime exited without providing a reason"},
		"killed":   {order{Do: "kill"}, "Runtime.ExitError", "RequestId: ID Error: Runtime exited with error: signal: killed"},
		"an error": {order{Do: "fail", Text: "why"}, "Some.Type", "why"},
	}
	h := newHost(t)
	deploy(t, h, nil)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			before := h.Starts("f")
			wantError(t, invoke(t, h, test.order), test.kind, test.message)
			ask(t, h, order{})
			if got, lost := h.Starts("f")-before, test.kind == "Runtime.ExitError"; lost && got == 0 {
				t.Error("no new environment")
			}
		})
	}
	t.Run("a panic says its own words and then ends", func(t *testing.T) {
		wantError(t, invoke(t, h, order{Do: "panic", Text: "oh"}), "string", "oh")
		before := h.Starts("f")
		ask(t, h, order{})
		if h.Starts("f") != before+1 {
			t.Error("no new environment")
		}
	})
}

func TestInitThatFails(t *testing.T) {
	tests := map[string]struct {
		init          string
		kind, message string
		status        string
	}{
		"says why":   {"error", "Wrong.Configuration", "TABLE_NAME: is required", "failure"},
		"exits":      {"exit", "Runtime.ExitError", "RequestId: ID Error: Runtime exited with error: exit status 3", "failure"},
		"never ends": {"hang", "Sandbox.Timedout", "RequestId: ID Error: Task timed out after 0.20 seconds", "timeout"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			h, log := newHost(t), &logtest.Buffer{}
			var got lambdahost.Report // the caller hears later
			deploy(t, h, func(f *lambdahost.Function) {
				f.Report = func(r lambdahost.Report) { got = r }
				f.Env[envInit], f.Timeout, f.Log = test.init, 5*time.Second, log
				if test.init == "hang" {
					f.Timeout, f.InitTimeout = 200*time.Millisecond, 200*time.Millisecond
				}
			})
			r := invoke(t, h, order{})
			wantError(t, r, test.kind, test.message)
			wantEnding(t, r, log.String(), test.status)
			if got.RequestID != r.RequestID || got.Status != test.status || got.Duration <= 0 || got.Answered > got.Duration {
				t.Errorf("report %+v, want %s", got, test.status)
			}
			if h.Starts("f") != 2 {
				t.Errorf("%d starts, want 2: Lambda tries again, in the invocation", h.Starts("f"))
			}
			if !strings.Contains(log.String(), "Phase: init\tStatus: ") || !strings.Contains(log.String(), "Phase: invoke\tStatus: ") {
				t.Errorf("log:\n%s", log)
			}
			if left := h.Environments("f"); len(left) != 0 {
				t.Errorf("%d environments are left", len(left))
			}
		})
	}
}

// wantEnding looks for the lines of an invocation in its tail and in the log.
func wantEnding(t *testing.T, r lambdahost.Result, log, status string) {
	t.Helper()
	want := []string{
		"START RequestId: " + r.RequestID + " Version: $LATEST\n", "END RequestId: " + r.RequestID + "\n",
		"REPORT RequestId: " + r.RequestID + "\tDuration: ", "	Status: " + status + "	\n",
	}
	if status == "timeout" {
		want = append(want, r.RequestID+" Task timed out after 0.20 seconds\n")
	}
	for _, line := range want {
		if !strings.Contains(string(r.LogTail), line) || !strings.Contains(log, line) {
			t.Errorf("no %q in the tail or the log\n%s", line, log)
		}
	}
}

func TestAnInitThatFailsOnce(t *testing.T) {
	h := newHost(t)
	deploy(t, h, func(f *lambdahost.Function) {
		f.Command = []string{"sh", "-c", `mkdir "$FIRST" 2>/dev/null && exec sleep 60; exec "$0"`, os.Args[0]}
		f.Env["FIRST"], f.InitTimeout = filepath.Join(t.TempDir(), "first"), 300*time.Millisecond
	})
	ask(t, h, order{})
	if h.Starts("f") != 2 {
		t.Errorf("%d starts, want 2", h.Starts("f"))
	}
}

func TestTheCallerMayLeave(t *testing.T) {
	h := newHost(t)
	reports := make(chan lambdahost.Report, 1)
	deploy(t, h, func(f *lambdahost.Function) { f.Report = func(r lambdahost.Report) { reports <- r } })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := h.Invoke(ctx, lambdahost.Invocation{Function: "f", Payload: []byte(`{"do":"sleep","ms":100}`)}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	if r := <-reports; r.Status != "success" {
		t.Errorf("%+v: the function must go on", r)
	}
}
