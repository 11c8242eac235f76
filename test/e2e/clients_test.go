package e2e_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/internal/testkit/engines"
)

// invocation is one call, and heard what a client makes of the answer.
type invocation struct {
	Function  string `json:"function"`
	Qualifier string `json:"qualifier"`
	Type      string `json:"type"`
	Payload   string `json:"payload"`
}

type heard struct {
	Refused       string `json:"refused"`
	Status        int32  `json:"status"`
	FunctionError string `json:"functionError"`
	Text          string `json:"text"`
}

// caller makes calls, in their order.
type caller func(t *testing.T, w *world, calls []invocation) []heard

// callers are all that integrations use.
func callers() map[string]caller {
	return map[string]caller{
		"AWS CLI":            withCLI,
		"SDK for Go":         withGo,
		"SDK for Python":     func(t *testing.T, w *world, c []invocation) []heard { return w.script(t, pythonCaller(t), c) },
		"SDK for JavaScript": func(t *testing.T, w *world, c []invocation) []heard { return w.script(t, nodeCaller(t), c) },
	}
}

func pythonCaller(t *testing.T) []string {
	t.Helper()
	return []string{engines.Tool(t, "clients", "PYTHON"), "testdata/caller.py"}
}

// nodeCaller is a copy of the script beside a folder node_modules, where its
// imports are looked for.
func nodeCaller(t *testing.T) []string {
	t.Helper()
	dir, node := t.TempDir(), engines.Tool(t, "clients", "NODE")
	text, err := os.ReadFile("testdata/caller.mjs")
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "caller.mjs"), text, 0o600)
	}
	if err == nil {
		err = os.Symlink(engines.Tool(t, "clients", "NODE_MODULES"), filepath.Join(dir, "node_modules"))
	}
	if err != nil {
		t.Fatal(err)
	}
	return []string{node, filepath.Join(dir, "caller.mjs")}
}

// script is a program that reads calls and writes answers.
func (w *world) script(t *testing.T, command []string, calls []invocation) []heard {
	t.Helper()
	var in, stderr bytes.Buffer
	encoder := json.NewEncoder(&in)
	for _, call := range calls {
		if err := encoder.Encode(call); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
	cmd.Env, cmd.Stdin, cmd.Stderr = w.awsEnvironment(), &in, &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	var answers []heard
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var h heard
		if err := json.Unmarshal(lines.Bytes(), &h); err != nil {
			t.Fatal(err)
		}
		answers = append(answers, h)
	}
	return answers
}

func withGo(t *testing.T, w *world, calls []invocation) []heard {
	t.Helper()
	var answers []heard
	for _, c := range calls {
		in := &lambda.InvokeInput{
			FunctionName: aws.String(c.Function), InvocationType: lambdatypes.InvocationType(c.Type), Payload: []byte(c.Payload),
		}
		if c.Qualifier != "" {
			in.Qualifier = aws.String(c.Qualifier)
		}
		out, err := w.Lambda.Invoke(t.Context(), in)
		var refused smithy.APIError
		switch {
		case errors.As(err, &refused):
			answers = append(answers, heard{Refused: refused.ErrorCode()})
		case err != nil:
			t.Fatal(err)
		default:
			answers = append(answers, heard{Status: out.StatusCode, FunctionError: aws.ToString(out.FunctionError), Text: string(out.Payload)})
		}
	}
	return answers
}

var cliRefusal = regexp.MustCompile(`An error occurred \((\w+)\)`)

func withCLI(t *testing.T, w *world, calls []invocation) []heard {
	t.Helper()
	program := engines.Tool(t, "clients", "AWS")
	var answers []heard
	for _, c := range calls {
		file := filepath.Join(t.TempDir(), "answer")
		args := []string{
			"lambda", "invoke", "--endpoint-url", w.LambdaURL, "--function-name", c.Function,
			"--invocation-type", c.Type, "--payload", c.Payload,
		}
		if c.Qualifier != "" {
			args = append(args, "--qualifier", c.Qualifier)
		}
		cmd := exec.CommandContext(t.Context(), program, append(args, file)...)
		var out, stderr bytes.Buffer
		cmd.Env, cmd.Stdout, cmd.Stderr = w.awsEnvironment(), &out, &stderr
		if err := cmd.Run(); err != nil {
			match := cliRefusal.FindStringSubmatch(stderr.String())
			if match == nil {
				t.Fatalf("%v\n%s", err, stderr.String())
			}
			answers = append(answers, heard{Refused: match[1]})
			continue
		}
		var said struct {
			StatusCode    int32
			FunctionError string
		}
		text, err := os.ReadFile(file)
		if err == nil {
			err = json.Unmarshal(out.Bytes(), &said)
		}
		if err != nil {
			t.Fatal(err)
		}
		answers = append(answers, heard{Status: said.StatusCode, FunctionError: said.FunctionError, Text: string(text)})
	}
	return answers
}

// Every client gets the same answers to the same calls.
func TestEveryClient(t *testing.T) {
	t.Parallel()
	w := start(t)
	for name, call := range callers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := w.server(t)
			connection := w.add(t, s.clientCredentials().with(fields{"aliases": []string{"team-a"}}))
			ask := `{"connection":"` + connection + `"}`
			const wait, arn = "RequestResponse", "arn:aws:lambda:us-east-1:123456789012:function:issue"
			got := call(t, w, []invocation{
				{"issue", "team-a", wait, ask},
				{"issue:team-a", "", wait, ask},
				{arn + ":team-a", "", wait, ask},
				{"issue", "team-b", wait, ask},
				{"issue", "live", wait, `{"connection":"Größe"}`},
				{"issue", "nobody", wait, ask},
				{"rotate", "live", wait, `{"connection":"` + connection + `"}`},
				{"rotate", "live", "Event", `{"connection":"` + connection + `"}`},
			})
			var want []heard
			for i, outcome := range []string{"renewed", "cached", "cached"} {
				a, err := w.read(http.StatusOK, "", got[i].Text)
				if err != nil || a.text("outcome") != outcome || a.text("access_token") == "" || len(a.Body) != len(thirteen()) {
					t.Errorf("call %d: %v, %v", i+1, a, err)
				}
				want = append(want, heard{Status: http.StatusOK, Text: got[i].Text})
			}
			want = append(want,
				heard{Status: http.StatusOK, FunctionError: "Unhandled", Text: `{"errorMessage":"the invoked alias may not have this connection","errorType":"AccessDenied"}`},
				heard{Status: http.StatusOK, FunctionError: "Unhandled", Text: `{"errorMessage":"connection: must be a name like acme-prod: lower-case letters, digits, dots, dashes and underscores, at most 64","errorType":"InvalidRequest"}`},
				heard{Refused: "ResourceNotFoundException"},
				heard{Status: http.StatusOK, Text: `{"due":1,"renewed":0,"unchanged":1,"contended":0,"failed":0,"reauthorize":0,"left_over":0,"outcome":"unchanged","error":null}`},
				heard{Status: http.StatusAccepted},
			)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
