package lambdahost_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/test/lambdahost"
)

// withExtension deploys f with an extension that does something. record is what
// its processes wrote.
func withExtension(t *testing.T, h *lambdahost.Host, does string, change func(*lambdahost.Function)) (record func() string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "record")
	// The function and its extension differ in one variable, which env sets.
	env, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	deploy(t, h, func(f *lambdahost.Function) {
		f.Env[envRecord] = file
		f.Extensions = []lambdahost.Extension{{Name: "watcher", Command: []string{"env", envChild + "=extension", env, does, "watcher"}}}
		if change != nil {
			change(f)
		}
	})
	return func() string {
		text, err := os.ReadFile(file)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		return string(text)
	}
}

func TestAnExtensionHearsOfInvocationsAndTheEnd(t *testing.T) {
	h := newHost(t)
	record := withExtension(t, h, "listen", nil)
	got := ask(t, h, order{})
	e := only(t, h)
	eventually(t, "the extension is done", func() bool { return !e.Busy() })
	before := time.Now()
	h.Recycle("f")
	if passed := time.Since(before); passed > 1900*time.Millisecond {
		t.Errorf("the shutdown took %v: it waited for somebody who had ended", passed)
	}
	told := strings.Split(strings.TrimSpace(record()), "\n")
	if len(told) != 4 {
		t.Fatalf("it recorded %q", told)
	}
	if want := `registered 200 {"functionName":"f","functionVersion":"$LATEST","handler":"bootstrap"}`; told[0] != want {
		t.Errorf("%s, want %s", told[0], want)
	}
	var invoke struct {
		EventType, RequestID, InvokedFunctionArn string
		DeadlineMs                               int64
		Tracing                                  struct{ Type, Value string }
	}
	if err := json.Unmarshal([]byte(told[1]), &invoke); err != nil {
		t.Fatal(err)
	}
	if invoke.EventType != "INVOKE" || invoke.RequestID != got.Request || invoke.InvokedFunctionArn != got.ARN ||
		invoke.DeadlineMs != got.Deadline.UnixMilli() || invoke.Tracing.Value != got.Trace {
		t.Errorf("event %s, function was told %+v", told[1], got)
	}
	if told[2] != "SIGTERM" {
		t.Errorf("%s, want the function's SIGTERM first", told[2])
	}
	var shutdown struct {
		EventType, ShutdownReason string
		DeadlineMs                int64
	}
	if err := json.Unmarshal([]byte(told[3]), &shutdown); err != nil {
		t.Fatal(err)
	}
	if left := time.UnixMilli(shutdown.DeadlineMs).Sub(before); shutdown.EventType != "SHUTDOWN" || shutdown.ShutdownReason != "spindown" || left < time.Second || left > 3*time.Second {
		t.Errorf("event %s, %v left", told[3], left)
	}
}

func TestTheEnvironmentWaitsForExtensionsAndTheCallerDoesNot(t *testing.T) {
	h := newHost(t)
	reports := make(chan lambdahost.Report, 2)
	record := withExtension(t, h, "slow", func(f *lambdahost.Function) {
		f.Report = func(r lambdahost.Report) { reports <- r }
	})
	first := ask(t, h, order{})
	if strings.Contains(record(), "done") {
		t.Error("the caller waited for the extension")
	}
	if r := <-reports; r.Duration < 400*time.Millisecond || r.Answered >= r.Duration {
		t.Errorf("%+v: the extension takes 400 ms longer", r)
	}
	if !strings.Contains(record(), "done") {
		t.Error("the invocation ended before the extension was done")
	}
	eventually(t, "frozen", func() bool { return state(first.PID) == "T" })
}

func TestAnExtensionIsToldOfATimeOut(t *testing.T) {
	h := newHost(t)
	record := withExtension(t, h, "listen", func(f *lambdahost.Function) { f.Timeout = 200 * time.Millisecond })
	wantError(t, invoke(t, h, order{Do: "sleep", Ms: 5000}), "Sandbox.Timedout", "RequestId: ID Error: Task timed out after 0.20 seconds")
	eventually(t, "the end", func() bool { return len(h.Environments("f")) == 0 })
	if got := record(); !strings.Contains(got, `"shutdownReason":"timeout"`) || strings.Contains(got, "SIGTERM") {
		t.Errorf("recorded:\n%s", got)
	}
}

func TestExtensionsThatFail(t *testing.T) {
	for does, want := range map[string]wrong{
		"exit": {"Extension.Crash", "RequestId: ID Error: exit status 4"},
		"fail": {"Extension.NoWay", "RequestId: ID Error: no way"},
	} {
		t.Run(does, func(t *testing.T) {
			h := newHost(t)
			withExtension(t, h, does, nil)
			wantError(t, invoke(t, h, order{}), want.ErrorType, want.ErrorMessage)
		})
	}
}

func TestExtensionsAreNotToldWhatIsTheRuntimes(t *testing.T) {
	h := newHost(t)
	record := withExtension(t, h, "environment", func(f *lambdahost.Function) { f.Env["OWN"], f.Runtime = "1", "some1" })
	ask(t, h, order{})
	told := "\n" + record()
	for _, name := range []string{
		"_HANDLER", "AWS_EXECUTION_ENV", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME",
		"AWS_XRAY_CONTEXT_MISSING", "AWS_XRAY_DAEMON_ADDRESS", "LAMBDA_RUNTIME_DIR", "LAMBDA_TASK_ROOT",
	} {
		if strings.Contains(told, "\n"+name+"=") {
			t.Errorf("%s is there", name)
		}
	}
	for _, want := range []string{"OWN=1", "AWS_LAMBDA_FUNCTION_NAME=f", "AWS_REGION=us-east-1", "AWS_SESSION_TOKEN=", "AWS_LAMBDA_RUNTIME_API=127.0.0.1:", "PATH="} {
		if !strings.Contains(told, "\n"+want) {
			t.Errorf("no %s in\n%s", want, told)
		}
	}
}

func TestAFunctionThatWantsSIGTERM(t *testing.T) {
	h := newHost(t)
	file := filepath.Join(t.TempDir(), "record")
	deploy(t, h, func(f *lambdahost.Function) { f.Env[envRecord] = file })
	ask(t, h, order{})
	h.Recycle("f")
	if text, err := os.ReadFile(file); err != nil || string(text) != "SIGTERM\n" {
		t.Errorf("it recorded %q, %v", text, err)
	}
}
