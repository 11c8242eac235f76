package lambdahost_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/test/lambdahost"
)

const pythonHandler = `
def handler(event, context):
    print("python was here")
    if event.get("fail"):
        raise ValueError("why")
    assert 0 < context.get_remaining_time_in_millis() <= 20000
    return {"text": event["text"], "request": context.aws_request_id, "arn": context.invoked_function_arn}
`

const nodeHandler = `
export const handler = async (event, context) => {
  console.log("node was here");
  if (event.fail) throw new TypeError("why");
  if (!(context.getRemainingTimeInMillis() > 0)) throw new Error("late");
  return { text: event.text, request: context.awsRequestId, arn: context.invokedFunctionArn };
};
`

func TestHandlersInOtherLanguages(t *testing.T) {
	for name, test := range map[string]struct {
		command               []string
		file, source, failure string
	}{
		"python": {lambdahost.Python(), "app.py", pythonHandler, "ValueError"},
		"node":   {lambdahost.Node(), "app.mjs", nodeHandler, "TypeError"},
	} {
		t.Run(name, func(t *testing.T) {
			if testing.Short() {
				t.Skip("-short: this test needs " + test.command[0])
			}
			if _, err := exec.LookPath(test.command[0]); err != nil {
				t.Skip(err)
			}
			folder := t.TempDir()
			if err := os.WriteFile(filepath.Join(folder, test.file), []byte(test.source), 0o600); err != nil {
				t.Fatal(err)
			}
			h := newHost(t)
			f := lambdahost.Function{
				Name: "f", Command: test.command, Dir: folder, Handler: "app.handler", Runtime: "some1",
				Timeout: 20 * time.Second, Aliases: []string{"live"},
			}
			if err := h.Deploy(f); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				r, err := h.Invoke(t.Context(), lambdahost.Invocation{Function: "f:live", Payload: []byte(`{"text":"ü"}`), LogTail: true})
				if err != nil {
					t.Fatal(err)
				}
				got := decode[said](t, r.Payload)
				if got.Text != "ü" || got.Request != r.RequestID || got.ARN != h.ARN("f")+":live" {
					t.Errorf("%s\n%s", r.Payload, r.LogTail)
				}
				if !strings.Contains(string(r.LogTail), name+" was here\n") {
					t.Errorf("log:\n%s", r.LogTail)
				}
			}
			r, err := h.Invoke(t.Context(), lambdahost.Invocation{Function: "f", Payload: []byte(`{"fail":true}`)})
			if err != nil {
				t.Fatal(err)
			}
			wantError(t, r, test.failure, "why")
			if h.Starts("f") != 1 {
				t.Errorf("%d starts, want 1", h.Starts("f"))
			}
			f.Handler = "missing.handler"
			if err := h.Deploy(f); err != nil {
				t.Fatal(err)
			}
			if r, err = h.Invoke(t.Context(), lambdahost.Invocation{Function: "f"}); err != nil {
				t.Fatal(err)
			}
			if got := decode[wrong](t, r.Payload); r.FunctionError != "Unhandled" || !strings.Contains(got.ErrorMessage, "missing") {
				t.Errorf("a handler that is not there: %+v", got)
			}
		})
	}
}
