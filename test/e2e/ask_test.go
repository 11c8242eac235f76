package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// answer is what an invocation was answered.
type answer struct {
	// Refused is the exception's name, if Lambda refused the invocation.
	Refused string
	// Status and FunctionError are Lambda's.
	Status        int32
	FunctionError string
	Text          string
	Body          map[string]any
}

func (a answer) errorType() string { return a.text("errorType") }

func (a answer) text(member string) string {
	s, _ := a.Body[member].(string)
	return s
}

// String never shows the token.
func (a answer) String() string {
	body := maps.Clone(a.Body)
	delete(body, "access_token")
	return fmt.Sprintf("%d %s%s %v", a.Status, a.Refused, a.FunctionError, body)
}

// ask asks issue for a connection's token, with the alias live. Fields are added
// to the request.
func (w *world) ask(t *testing.T, connection string, more ...fields) answer {
	t.Helper()
	request := fields{"connection": connection}
	for _, f := range more {
		request = request.with(f)
	}
	return w.invoke(t, "issue:live", request)
}

// rotate invokes rotate, as a schedule or an operator would.
func (w *world) rotate(t *testing.T, payload any) answer {
	t.Helper()
	return w.invoke(t, "rotate:live", payload)
}

// invoke invokes a function with the SDK for Go. A payload that is text is sent
// as it is.
func (w *world) invoke(t *testing.T, function string, payload any) answer {
	t.Helper()
	text, raw := payload.(string)
	if !raw {
		data, err := json.Marshal(payload)
		if err != nil {
			t.Fatal(err)
		}
		text = string(data)
	}
	a, err := w.call(t.Context(), function, text)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// call is invoke for many at once.
func (w *world) call(ctx context.Context, function, payload string) (answer, error) {
	out, err := w.Lambda.Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String(function), Payload: []byte(payload)})
	var content *lambdatypes.InvalidRequestContentException
	if errors.As(err, &content) {
		return answer{Refused: content.ErrorCode(), Status: http.StatusBadRequest}, nil
	}
	if err != nil {
		return answer{}, err
	}
	return w.read(out.StatusCode, aws.ToString(out.FunctionError), string(out.Payload))
}

// read takes an answer apart, and remembers the token in it.
func (w *world) read(status int32, functionError, text string) (answer, error) {
	a := answer{Status: status, FunctionError: functionError, Text: text}
	if err := json.Unmarshal([]byte(text), &a.Body); err != nil {
		return a, fmt.Errorf("an answer that is no JSON object: %w", err)
	}
	if token := a.text("access_token"); token != "" {
		w.secrets.put("access token", token)
	}
	return a, nil
}

// wantToken fails the test if the answer has none.
func wantToken(t *testing.T, a answer) {
	t.Helper()
	if a.FunctionError != "" || a.text("access_token") == "" {
		t.Fatalf("no token: %v", a)
	}
}

// wantError fails the test if the answer is not that error.
func wantError(t *testing.T, a answer, errorType string) {
	t.Helper()
	if a.errorType() != errorType {
		t.Fatalf("got %v, want %s", a, errorType)
	}
}
