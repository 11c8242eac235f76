package issueclient_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueclient"
)

// function stands in for Lambda: it responds to each invocation with reply, and
// remembers what it was asked.
type function struct {
	reply func(ctx context.Context, n int) (*lambda.InvokeOutput, error)

	mu    sync.Mutex // guards asked
	asked []string
}

// Invoke implements issueclient.Invoker.
func (f *function) Invoke(ctx context.Context, in *lambda.InvokeInput, _ ...func(*lambda.Options)) (*lambda.InvokeOutput, error) {
	f.mu.Lock()
	f.asked = append(f.asked, string(in.Payload))
	n := len(f.asked)
	f.mu.Unlock()
	return f.reply(ctx, n)
}

func (f *function) requests() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string{}, f.asked...)
}

// invocations checks how often the function was invoked.
func (f *function) invocations(t *testing.T, want int) {
	t.Helper()
	if got := f.requests(); len(got) != want {
		t.Errorf("%d invocations, want %d: %q", len(got), want, got)
	}
}

// always answers every invocation alike.
func always(out *lambda.InvokeOutput) *function {
	return &function{reply: func(context.Context, int) (*lambda.InvokeOutput, error) { return out, nil }}
}

// script answers in the given order; the last answer stays.
func script(answers ...*lambda.InvokeOutput) *function {
	return &function{reply: func(_ context.Context, n int) (*lambda.InvokeOutput, error) {
		return answers[min(n, len(answers))-1], nil
	}}
}

// slowly is a function that takes its time, and gives up with its context.
func slowly(d time.Duration, f *function) *function {
	return &function{reply: func(ctx context.Context, n int) (*lambda.InvokeOutput, error) {
		if err := pass(ctx, d); err != nil {
			return nil, err
		}
		return f.reply(ctx, n)
	}}
}

// pass lets the time of a bubble pass.
func pass(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// token is an answer of issue: the nth token, with so many seconds left.
func token(n, left int) *lambda.InvokeOutput {
	return payload(fmt.Sprintf(`{"connection":"acme","access_token":%q,"token_type":"bearer","scope":"a b","expires_in":%d,`+
		`"expires_at":"2026-11-23T17:00:00Z","fingerprint":%q,"version":%d,"outcome":"cached","min_ttl_met":true,"warnings":[]}`,
		text(n), left, fingerprint(n), n))
}

func text(n int) string { return fmt.Sprintf("token-%d", n) }

func fingerprint(n int) string { return reltioauth.Fingerprint(reltioauth.NewSecret(text(n))) }

func payload(text string) *lambda.InvokeOutput {
	return &lambda.InvokeOutput{StatusCode: 200, Payload: []byte(text)}
}

// failed is a function error.
func failed(errorType, message string) *lambda.InvokeOutput {
	data, _ := json.Marshal(map[string]string{"errorType": errorType, "errorMessage": message})
	out := payload(string(data))
	out.FunctionError = aws.String("Unhandled")
	return out
}

func source(f *function) *issueclient.Source {
	return &issueclient.Source{Lambda: f, Connection: "acme"}
}

// get gets the token that is expected.
func get(t *testing.T, s *issueclient.Source, need issueclient.Options, want int) *issueclient.Token {
	t.Helper()
	got, err := s.Get(t.Context(), need)
	if err != nil {
		t.Fatal(err)
	}
	if got.AccessToken.Reveal() != text(want) {
		t.Fatalf("got %s, want %s", got.AccessToken.Reveal(), text(want))
	}
	return got
}

func asError(t *testing.T, err error) *issueclient.Error {
	t.Helper()
	var e *issueclient.Error
	if !errors.As(err, &e) {
		t.Fatalf("error %v, want a *vended.Error", err)
	}
	return e
}

// took checks how long something took.
func took(t *testing.T, since time.Time, least, most time.Duration) {
	t.Helper()
	if got := time.Since(since); got < least || got > most {
		t.Errorf("took %v, want %v to %v", got, least, most)
	}
}
