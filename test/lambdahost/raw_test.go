package lambdahost_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/test/lambdahost"
)

// envSteps are the requests of a raw runtime, as JSON.
const envSteps = "LAMBDAHOST_STEPS"

// step is one request of a raw runtime, which speaks HTTP by hand.
type step struct {
	Method, Path, Body string
	Header             map[string]string
	// Aside: the test does not wait for the answer.
	Aside bool
}

// What stands for what the APIs have said last: the request's id, and the
// extension's identifier.
const (
	requestID  = "REQUEST"
	identifier = "IDENTIFIER"
)

// raw is a runtime.
type raw struct{ requestID, identifier string }

// runRaw takes its steps, records what came of each, and hangs.
func runRaw() {
	var steps []step
	if err := json.Unmarshal([]byte(os.Getenv(envSteps)), &steps); err != nil {
		record(err.Error())
	}
	r := &raw{}
	for _, s := range steps {
		if s.Aside {
			go (&raw{r.requestID, r.identifier}).do(s)
			continue
		}
		record(r.do(s))
	}
	select {}
}

// do sends a request, and says what came of it.
func (r *raw) do(s step) string {
	fill := strings.NewReplacer(requestID, r.requestID, identifier, r.identifier)
	request, err := http.NewRequest(s.Method, "http://"+os.Getenv("AWS_LAMBDA_RUNTIME_API")+fill.Replace(s.Path), strings.NewReader(s.Body))
	if err != nil {
		return err.Error()
	}
	for name, value := range s.Header {
		request.Header.Set(name, fill.Replace(value))
	}
	response, err := new(http.Client).Do(request)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	text, _ := io.ReadAll(response.Body)
	if id := response.Header.Get("Lambda-Runtime-Aws-Request-Id"); id != "" {
		r.requestID = id
	}
	if id := response.Header.Get("Lambda-Extension-Identifier"); id != "" {
		r.identifier = id
	}
	var said struct{ ErrorType, AccountID string }
	_ = json.Unmarshal(text, &said) // an event has neither
	return strings.TrimSpace(fmt.Sprintf("%d %s", response.StatusCode, said.ErrorType+said.AccountID))
}

const (
	runtimeAPI    = "/2018-06-01/runtime/"
	extensionsAPI = "/2020-01-01/extension/"
)

// The steps of a runtime, and of an extension within it.

func next() step { return step{Method: http.MethodGet, Path: runtimeAPI + "invocation/next"} }

func respond(id string) step {
	return step{Method: http.MethodPost, Path: runtimeAPI + "invocation/" + id + "/response", Body: `"done"`}
}

func register(name, body string) step {
	return step{Method: http.MethodPost, Path: extensionsAPI + "register", Body: body, Header: map[string]string{"Lambda-Extension-Name": name}}
}

func listen(id string) step {
	return step{Method: http.MethodGet, Path: extensionsAPI + "event/next", Header: map[string]string{"Lambda-Extension-Identifier": id}}
}

func leaveWith(kind string) step {
	return step{Method: http.MethodPost, Path: extensionsAPI + "exit/error", Body: `{"errorMessage":"enough"}`, Header: map[string]string{
		"Lambda-Extension-Identifier": identifier, "Lambda-Extension-Function-Error-Type": kind,
	}}
}

func aside(s step) step {
	s.Aside = true
	return s
}

// taking deploys f as a raw runtime; the result is what it has recorded.
func taking(t *testing.T, h *lambdahost.Host, steps ...step) (recorded func() []string) {
	t.Helper()
	text, err := json.Marshal(steps)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "record")
	deploy(t, h, func(f *lambdahost.Function) {
		f.Env[envChild], f.Env[envSteps], f.Env[envRecord] = "raw", string(text), file
	})
	return func() []string {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Split(strings.TrimSpace(string(text)), "\n")
	}
}

func TestRequestsThatAreRefused(t *testing.T) {
	withAccount := register("inner", `{"events":["INVOKE"]}`)
	withAccount.Header["Lambda-Extension-Accept-Feature"] = "accountId"
	initError := step{Method: http.MethodPost, Path: runtimeAPI + "init/error", Body: `{"errorType":"Late"}`}
	failed := step{Method: http.MethodPost, Path: runtimeAPI + "invocation/another/error", Body: `{}`}
	for name, test := range map[string]struct {
		steps []step
		want  []string
	}{
		"the next event while one is unanswered": {
			[]step{next(), next(), respond(requestID), aside(next())},
			[]string{"200", "403 InvalidStateTransition", "202"},
		},
		"another invocation's answer, and a second one": {
			[]step{next(), respond("another"), failed, respond(requestID), respond(requestID), aside(next())},
			[]string{"200", "400 InvalidRequestID", "400 InvalidRequestID", "202", "400 InvalidRequestID"},
		},
		"an error of init after init": {
			[]step{next(), initError, respond(requestID), aside(next())},
			[]string{"200", "403 InvalidStateTransition", "202"},
		},
		"registrations": {
			[]step{
				register("inner", `{"events":["SOMETIMES"]}`), register("inner", `no`), register("", `{"events":[]}`),
				register("inner", `{"events":["SHUTDOWN"]}`), withAccount, register("inner", `{"events":[]}`), aside(listen(identifier)),
				next(), register("other", `{"events":[]}`), aside(listen(identifier)), respond(requestID), aside(next()),
			},
			[]string{
				"403 Extension.InvalidEventType", "400 InvalidRequestFormat", "403 Extension.MissingExtensionName",
				"403 ShutdownEventNotSupportedForInternalExtension", "200 123456789012", "403 Extension.AlreadyRegistered",
				"200", "403 Extension.RegistrationClosed", "202",
			},
		},
		"an extension that nobody knows": {
			[]step{listen("nobody"), leaveWith("Extension.Gone"), next(), respond(requestID), aside(next())},
			[]string{"403 Extension.UnknownExtensionIdentifier", "403 Extension.UnknownExtensionIdentifier", "200", "202"},
		},
		"an extension that leaves without a reason": {
			[]step{
				register("inner", `{"events":["INVOKE"]}`), aside(listen(identifier)), next(), leaveWith(""),
				aside(listen(identifier)), respond(requestID), aside(next()),
			},
			[]string{"200", "200", "400 InvalidRequestFormat", "202"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t)
			recorded := taking(t, h, test.steps...)
			if r := invoke(t, h, order{}); r.FunctionError != "" || string(r.Payload) != `"done"` {
				t.Errorf("%s %s\n%s", r.FunctionError, r.Payload, r.LogTail)
			}
			if diff := cmp.Diff(test.want, recorded()); diff != "" {
				t.Errorf("the answers (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAnExtensionThatLeaves(t *testing.T) {
	h := newHost(t)
	taking(t, h, register("inner", `{"events":["INVOKE"]}`), aside(listen(identifier)), next(), leaveWith("Extension.Gone"))
	wantError(t, invoke(t, h, order{}), "Extension.Gone", "RequestId: ID Error: enough")
	eventually(t, "the end", func() bool { return len(h.Environments("f")) == 0 })
	if h.Starts("f") != 1 {
		t.Errorf("%d starts, want 1", h.Starts("f"))
	}
}
