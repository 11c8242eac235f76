package lambdahost_test

import (
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"

	"github.com/reltio-tokens/reltio-tokens/test/lambdahost"
)

func TestTheSDKInvokes(t *testing.T) {
	h := newHost(t)
	deploy(t, h, func(f *lambdahost.Function) { f.Aliases = []string{"live"} })
	client := sdk(h)
	const arn = "arn:aws:lambda:us-east-1:123456789012:function:f"
	for _, test := range []struct{ name, qualifier, want string }{
		{"f", "", arn},
		{"f", "$LATEST", arn + ":$LATEST"},
		{"f", "live", arn + ":live"},
		{"f:live", "", arn + ":live"},
		{"f:live", "live", arn + ":live"},
		{arn, "", arn},
		{arn + ":live", "", arn + ":live"},
		{arn, "live", arn + ":live"},
		{"123456789012:function:f", "", arn},
		{"123456789012:function:f:live", "", arn + ":live"},
	} {
		t.Run(test.name+" "+test.qualifier, func(t *testing.T) {
			in := &lambda.InvokeInput{FunctionName: aws.String(test.name), LogType: types.LogTypeTail, Payload: []byte(`{"text":"x"}`)}
			if test.qualifier != "" {
				in.Qualifier = aws.String(test.qualifier)
			}
			out, err := client.Invoke(t.Context(), in)
			if err != nil {
				t.Fatal(err)
			}
			if out.StatusCode != 200 || out.FunctionError != nil || aws.ToString(out.ExecutedVersion) != "$LATEST" {
				t.Errorf("%d %v %v", out.StatusCode, out.FunctionError, out.ExecutedVersion)
			}
			if got := decode[said](t, out.Payload); got.ARN != test.want {
				t.Errorf("ARN %s, want %s", got.ARN, test.want)
			}
			if log, err := base64.StdEncoding.DecodeString(aws.ToString(out.LogResult)); err != nil || !strings.HasPrefix(string(log), "START ") {
				t.Errorf("log %q, %v", log, err)
			}
		})
	}
}

func TestTheSDKReadsErrors(t *testing.T) {
	h := newHost(t)
	deploy(t, h, nil)
	deploy(t, h, func(f *lambdahost.Function) { f.Name, f.Concurrency = "none", -1 })
	client := sdk(h)
	failed := func(in *lambda.InvokeInput) error {
		t.Helper()
		_, err := client.Invoke(t.Context(), in)
		if err == nil {
			t.Fatal("it was invoked")
		}
		return err
	}
	for _, name := range []string{
		"g", "f:live", "arn:aws:lambda:us-east-1:123456789012:function:g",
		"arn:aws:lambda:us-east-1:999999999999:function:f", "arn:aws:lambda:eu-west-1:123456789012:function:f",
	} {
		var missing *types.ResourceNotFoundException
		if err := failed(&lambda.InvokeInput{FunctionName: aws.String(name)}); !errors.As(err, &missing) || missing.Message == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	var throttled *types.TooManyRequestsException
	err := failed(&lambda.InvokeInput{FunctionName: aws.String("none")})
	if !errors.As(err, &throttled) || throttled.Reason != types.ThrottleReasonReservedFunctionConcurrentInvocationLimitExceeded || throttled.ErrorMessage() != "Rate Exceeded." {
		t.Errorf("throttled: %v", err)
	}
	var parameter *types.InvalidParameterValueException
	if err := failed(&lambda.InvokeInput{FunctionName: aws.String("f:$LATEST"), Qualifier: aws.String("live")}); !errors.As(err, &parameter) {
		t.Errorf("two qualifiers: %v", err)
	}
	var content *types.InvalidRequestContentException
	if err := failed(&lambda.InvokeInput{FunctionName: aws.String("f"), Payload: []byte(`{"do":`)}); !errors.As(err, &content) {
		t.Errorf("not JSON: %v", err)
	}
	for kind, most := range map[types.InvocationType]int{types.InvocationTypeRequestResponse: 6 << 20, types.InvocationTypeEvent: 1 << 20} {
		var e smithy.APIError
		err := failed(&lambda.InvokeInput{FunctionName: aws.String("f"), InvocationType: kind, Payload: []byte(`"` + strings.Repeat("x", most-1) + `"`)})
		if !errors.As(err, &e) || e.ErrorCode() != "RequestEntityTooLargeException" {
			t.Errorf("%s, one byte too much: %v", kind, err)
		}
	}
}

func TestFunctionErrorsAndOtherTypes(t *testing.T) {
	h := newHost(t)
	deploy(t, h, nil)
	client := sdk(h)
	out, err := client.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("f"), Payload: []byte(`{"do":"fail","text":"why"}`)})
	if err != nil {
		t.Fatal(err)
	}
	if got := decode[wrong](t, out.Payload); aws.ToString(out.FunctionError) != "Unhandled" || out.StatusCode != 200 || got != (wrong{"Some.Type", "why"}) {
		t.Errorf("%d %v %+v", out.StatusCode, out.FunctionError, got)
	}
	out, err = client.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("f"), InvocationType: types.InvocationTypeDryRun})
	if err != nil || out.StatusCode != http.StatusNoContent || only(t, h).Invocations() != 1 {
		t.Errorf("dry run: %+v, %v", out, err)
	}
	t.Run("the largest payloads", func(t *testing.T) {
		largest := []byte(`{"text":"` + strings.Repeat("x", 6<<20-11) + `"}`)
		if _, err := client.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("f"), Payload: largest}); err != nil {
			t.Error(err)
		}
		const most = 6<<20 + 100
		if r := invoke(t, h, order{Do: "large", N: most - 2}); r.FunctionError != "" || len(r.Payload) != most {
			t.Errorf("%s, %d bytes", r.FunctionError, len(r.Payload))
		}
		wantError(t, invoke(t, h, order{Do: "large", N: most - 1}), "Function.ResponseSizeTooLarge",
			"Response payload size exceeded maximum allowed payload size (6291556 bytes).")
		ask(t, h, order{})
	})
}

func TestOnlyTheInvokeAPI(t *testing.T) {
	h := newHost(t)
	for _, test := range []struct {
		method, path string
		header       http.Header
		status       int
	}{
		{http.MethodGet, "/", nil, http.StatusNotFound},
		{http.MethodGet, "/2015-03-31/functions/f/invocations", nil, http.StatusNotFound},
		{http.MethodPost, "/2015-03-31/functions/f/invocations", http.Header{"X-Amz-Invocation-Type": {"Sometimes"}}, http.StatusBadRequest},
		{http.MethodPost, "/2015-03-31/functions/f/invocations", http.Header{"X-Amz-Client-Context": {"no"}}, http.StatusBadRequest},
	} {
		r, err := http.NewRequestWithContext(t.Context(), test.method, h.URL()+test.path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.Header = test.header
		response, err := new(http.Client).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != test.status || response.Header.Get("X-Amzn-Errortype") == "" {
			t.Errorf("%s %s: %d %v, want %d", test.method, test.path, response.StatusCode, response.Header, test.status)
		}
	}
}
