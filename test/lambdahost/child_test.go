package lambdahost_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

// The test binary is also the functions and the extensions that the tests run.
const (
	envChild = "LAMBDAHOST_CHILD"
	// envInit is what a function does instead of starting.
	envInit = "LAMBDAHOST_INIT"
	// envRecord is a file to which a process says what it was told.
	envRecord = "LAMBDAHOST_RECORD"
	// envAnswer is what a function always answers.
	envAnswer = "LAMBDAHOST_ANSWER"
)

func TestMain(m *testing.M) {
	switch os.Getenv(envChild) {
	case "":
		os.Exit(m.Run())
	case "function":
		runFunction()
	case "answer":
		lambda.Start(fixed(os.Getenv(envAnswer)).answer)
	case "raw":
		runRaw()
	case "extension":
		runExtension()
	case "host":
		runHost()
	}
}

// order is what a test asks of a function.
type order struct {
	Do   string `json:"do,omitempty"`
	Text string `json:"text,omitempty"`
	Ms   int    `json:"ms,omitempty"`
	N    int    `json:"n,omitempty"`
}

func runFunction() {
	switch os.Getenv(envInit) {
	case "exit":
		_, _ = os.Stdout.WriteString("this function cannot start\n")
		leave(3)
	case "error":
		post("/2018-06-01/runtime/init/error", `{"errorType":"Wrong.Configuration","errorMessage":"TABLE_NAME: is required"}`)
		leave(1)
	case "hang":
		select {}
	}
	if os.Getenv(envRecord) != "" {
		lambda.StartWithOptions(carryOut, lambda.WithEnableSIGTERM(func() { record("SIGTERM") }))
		return
	}
	lambda.Start(carryOut)
}

func carryOut(ctx context.Context, o order) (any, error) {
	switch o.Do {
	case "sleep":
		time.Sleep(time.Duration(o.Ms) * time.Millisecond)
	case "log":
		fmt.Println(o.Text)
		fmt.Fprintln(os.Stderr, o.Text, "again")
	case "fail":
		return nil, messages.InvokeResponse_Error{Type: "Some.Type", Message: o.Text}
	case "panic":
		panic(o.Text)
	case "exit":
		leave(o.N)
	case "kill":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	case "large":
		return strings.Repeat("x", o.N), nil
	case "busily":
		go func() {
			for {
				_ = strings.Repeat("x", 100)
			}
		}()
	case "spin":
		for end := time.Now().Add(time.Duration(o.Ms) * time.Millisecond); time.Now().Before(end); {
			_ = strings.Repeat("x", 100)
		}
	case "environment":
		return os.Environ(), nil
	}
	return answer(ctx, o), nil
}

// said is how a function answers.
type said struct {
	Text     string
	PID      int
	ARN      string
	Request  string
	Client   string
	Trace    string
	Deadline time.Time
	CPU      time.Duration
}

func answer(ctx context.Context, o order) said {
	lc, _ := lambdacontext.FromContext(ctx)
	deadline, _ := ctx.Deadline()
	var used syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &used)
	return said{
		Text: o.Text, PID: os.Getpid(), ARN: lc.InvokedFunctionArn, Request: lc.AwsRequestID,
		Client: lc.ClientContext.Custom["who"], Trace: os.Getenv("_X_AMZN_TRACE_ID"), Deadline: deadline,
		CPU: time.Duration(used.Utime.Nano() + used.Stime.Nano()),
	}
}

// runExtension is an extension that records its events. Its name is its last
// argument, what it does the one before.
func runExtension() {
	name, does := os.Args[len(os.Args)-1], os.Args[len(os.Args)-2]
	if does == "exit" {
		leave(4)
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	id, status, body := call(http.MethodPost, "register", `{"events":["INVOKE","SHUTDOWN"]}`, "Lambda-Extension-Name", name)
	record(fmt.Sprintf("registered %d %s", status, body))
	if does == "fail" {
		_, _, _ = call(http.MethodPost, "init/error", `{"errorMessage":"no way"}`, "Lambda-Extension-Identifier", id, "Lambda-Extension-Function-Error-Type", "Extension.NoWay")
		return
	}
	if does == "environment" {
		record(strings.Join(os.Environ(), "\n"))
	}
	for {
		_, _, event := call(http.MethodGet, "event/next", "", "Lambda-Extension-Identifier", id)
		record(event)
		switch {
		case strings.Contains(event, "SHUTDOWN"):
			return
		case does == "slow":
			time.Sleep(400 * time.Millisecond)
			record("done")
		}
	}
}

// call is one request of an extension.
func call(method, path, body string, headers ...string) (id string, status int, answer string) {
	url := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2020-01-01/extension/" + path
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		return "", 0, err.Error()
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := new(http.Client).Do(r)
	if err != nil {
		return "", 0, err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	text, _ := io.ReadAll(response.Body)
	return response.Header.Get("Lambda-Extension-Identifier"), response.StatusCode, string(bytes.TrimSpace(text))
}

func post(path, body string) {
	response, err := new(http.Client).Post("http://"+os.Getenv("AWS_LAMBDA_RUNTIME_API")+path, "application/json", strings.NewReader(body))
	if err == nil {
		_ = response.Body.Close()
	}
}

func record(line string) {
	f, err := os.OpenFile(os.Getenv(envRecord), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	defer func() { _ = f.Close() }()
	_, _ = f.WriteString(line + "\n")
}

func decode[T any](t *testing.T, text []byte) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

// leave ends a child.
func leave(code int) {
	os.Exit(code) //nolint:revive // a child is a program of its own
}
