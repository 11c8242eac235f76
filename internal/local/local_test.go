package local_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/reltio-tokens/reltio-tokens/internal/local"
	"github.com/reltio-tokens/reltio-tokens/internal/testkit/localtest"
)

// start starts a stack on free ports, and a real client of its Invoke API.
func start(t *testing.T) (*local.Stack, *lambda.Client) {
	t.Helper()
	stack := localtest.Start(t, local.Config{})
	return stack, localtest.Client(stack.LambdaURL)
}

func invoke(t *testing.T, client *lambda.Client, in *lambda.InvokeInput) (*lambda.InvokeOutput, map[string]any) {
	t.Helper()
	out, err := client.Invoke(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	var body map[string]any
	if len(out.Payload) > 0 {
		if err := json.Unmarshal(out.Payload, &body); err != nil {
			t.Fatalf("payload %q: %v", out.Payload, err)
		}
	}
	return out, body
}

// One for each, without a person: the demonstration's own logs in where one is
// needed, so that there is a token before the first request.
func TestEveryDemoConnectionHasAToken(t *testing.T) {
	stack, client := start(t)
	if err := stack.DemoLogin(t.Context()); err != nil {
		t.Fatal(err)
	}
	outcomes := map[string]string{"demo-client-credentials": "renewed", "demo-password": "renewed", "demo-authorization-code": "cached"}
	if got := len(local.Connections()); got != len(outcomes) {
		t.Errorf("%d connections, want %d", got, len(outcomes))
	}
	for name, outcome := range outcomes {
		t.Run(name, func(t *testing.T) {
			payload := []byte(`{"connection":"` + name + `"}`)
			_, first := invoke(t, client, &lambda.InvokeInput{FunctionName: aws.String("issue"), Payload: payload})
			if first["connection"] != name || first["outcome"] != outcome || first["access_token"] == "" {
				t.Errorf("first answer of %v, outcome %v, want %s", first["connection"], first["outcome"], outcome)
			}
			_, second := invoke(t, client, &lambda.InvokeInput{FunctionName: aws.String("issue"), Payload: payload})
			if second["outcome"] != "cached" || second["fingerprint"] != first["fingerprint"] {
				t.Errorf("second answer: outcome %v, fingerprint %v, want the first one's", second["outcome"], second["fingerprint"])
			}
		})
	}
}

func TestInvokeAPI(t *testing.T) {
	_, client := start(t)
	demo := []byte(`{"connection":"demo-password"}`)
	t.Run("a function error", func(t *testing.T) {
		out, body := invoke(t, client, &lambda.InvokeInput{FunctionName: aws.String("issue"), Payload: []byte(`{"connection":"nope"}`)})
		if out.FunctionError == nil || body["errorType"] != "UnknownConnection" {
			t.Errorf("FunctionError %v, body %v, want UnknownConnection", aws.ToString(out.FunctionError), body)
		}
	})
	t.Run("ARN, alias and qualifier", func(t *testing.T) {
		for _, name := range []string{"issue:team-a", "arn:aws:lambda:us-east-1:000000000000:function:issue:team-a", "000000000000:function:issue"} {
			if _, body := invoke(t, client, &lambda.InvokeInput{FunctionName: aws.String(name), Payload: demo}); body["access_token"] == nil {
				t.Errorf("%s: %v, want a token", name, body["errorType"])
			}
		}
	})
	t.Run("asynchronously", func(t *testing.T) {
		out, _ := invoke(t, client, &lambda.InvokeInput{FunctionName: aws.String("rotate"), InvocationType: types.InvocationTypeEvent, Payload: demo})
		if out.StatusCode != http.StatusAccepted {
			t.Errorf("status %d, want 202", out.StatusCode)
		}
	})
	t.Run("a sweep", func(t *testing.T) {
		if _, body := invoke(t, client, &lambda.InvokeInput{FunctionName: aws.String("rotate"), Payload: []byte(`{}`)}); body["outcome"] != nil || body["due"] == nil {
			t.Errorf("answer %v, want counts and no outcome", body)
		}
	})
	t.Run("no such function", func(t *testing.T) {
		_, err := client.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("other"), Payload: demo})
		var notFound *types.ResourceNotFoundException
		if !errors.As(err, &notFound) {
			t.Errorf("error %v, want ResourceNotFoundException", err)
		}
	})
	t.Run("no JSON", func(t *testing.T) {
		_, err := client.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("issue"), Payload: []byte(`{`)})
		var invalid *types.InvalidRequestContentException
		if !errors.As(err, &invalid) {
			t.Errorf("error %v, want InvalidRequestContentException", err)
		}
	})
}

func TestDemoShowsNoToken(t *testing.T) {
	stack, client := start(t)
	var out bytes.Buffer
	if err := stack.Demo(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	for _, name := range local.Connections() {
		_, body := invoke(t, client, &lambda.InvokeInput{FunctionName: aws.String("issue"), Payload: []byte(`{"connection":"` + name + `"}`)})
		token, _ := body["access_token"].(string)
		if token == "" || strings.Contains(out.String(), token) {
			t.Errorf("%s: no token, or it is printed", name)
		}
		if fingerprint, _ := body["fingerprint"].(string); !strings.Contains(out.String(), fingerprint) {
			t.Errorf("%s: the fingerprint %q is not printed", name, fingerprint)
		}
	}
	if got := regexp.MustCompile(`(?m)^demo-\S+ +sha256:.* (renewed|cached) +cached in \d`).FindAllString(out.String(), -1); len(got) != len(local.Connections()) {
		t.Errorf("no second token of each from memory in:\n%s", out.String())
	}
}

func TestATakenPortIsSaid(t *testing.T) {
	stack, _ := start(t)
	for flag, taken := range map[string]string{
		"-callback-port": stack.CallbackURL, "-lambda-port": stack.LambdaURL, "-reltio-port": stack.ReltioURL,
	} {
		port, err := strconv.Atoi(taken[strings.LastIndex(taken, ":")+1:])
		if err != nil {
			t.Fatal(err)
		}
		c := local.Config{CallbackPort: -1, LambdaPort: -1, ReltioPort: -1}
		switch flag {
		case "-callback-port":
			c.CallbackPort = port
		case "-lambda-port":
			c.LambdaPort = port
		default:
			c.ReltioPort = port
		}
		_, err = local.Start(t.Context(), c)
		if err == nil || !strings.Contains(err.Error(), flag) || !strings.Contains(err.Error(), strconv.Itoa(port)) {
			t.Errorf("error %v, want one that names port %d and %s", err, port, flag)
		}
	}
}

func TestTheScheduleTicks(t *testing.T) {
	lines, w := io.Pipe()
	stack, err := local.Start(t.Context(), local.Config{CallbackPort: -1, LambdaPort: -1, ReltioPort: -1, Tick: time.Millisecond, Log: w})
	if err != nil {
		t.Fatal(err)
	}
	var line map[string]any
	if err := json.NewDecoder(lines).Decode(&line); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(io.Discard, lines) }()
	if line["message"] != "sweep" {
		t.Errorf("first line is %v, want a sweep's", line["message"])
	}
	if err := stack.Close(); err != nil {
		t.Error(err)
	}
	_ = w.Close()
}
