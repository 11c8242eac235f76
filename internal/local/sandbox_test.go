package local_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/reltio-tokens/reltio-tokens/internal/local"
	"github.com/reltio-tokens/reltio-tokens/internal/localapi"
)

// sandbox sends a command line to the stack's sandbox, and returns what it prints
// or refuses.
func sandbox(t *testing.T, stack *local.Stack, line string) string {
	t.Helper()
	var out bytes.Buffer
	if err := localapi.Run(t.Context(), stack.LambdaURL, strings.Fields(line), &out); err != nil {
		return err.Error()
	}
	return strings.TrimSpace(out.String())
}

// read reads from the tenant API with a token, or without one.
func read(t *testing.T, stack *local.Stack, path, token string) (status int, body string) {
	t.Helper()
	return send(t, stack, http.MethodGet, "/reltio/api/demo-tenant/"+path, "", func(r *http.Request) {
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
	})
}

// issued asks issue for a connection's token.
func issued(t *testing.T, client *lambda.Client, payload string) map[string]any {
	t.Helper()
	_, body := invoke(t, client, &lambda.InvokeInput{FunctionName: aws.String("issue"), Payload: []byte(payload)})
	return body
}

func TestTheTenantTakesValidTokens(t *testing.T) {
	stack, client := start(t)
	body := issued(t, client, `{"connection":"demo-password"}`)
	token, _ := body["access_token"].(string)
	for path, want := range map[string]string{"entities/ada": "Ada Lovelace", "entities": "Charles Babbage"} {
		if status, body := read(t, stack, path, token); status != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s, want %s", path, status, body, want)
		}
	}
	if status, _ := read(t, stack, "entities/nobody", token); status != http.StatusNotFound {
		t.Errorf("another entity: %d, want 404", status)
	}
	for _, wrong := range []string{"", "no-token"} {
		if status, body := read(t, stack, "entities/ada", wrong); status != http.StatusUnauthorized || (wrong != "" && strings.Contains(body, wrong)) {
			t.Errorf("token %q: %d %s, want 401 without the token", wrong, status, body)
		}
	}
	sandbox(t, stack, "kill demo-password")
	if status, _ := read(t, stack, "entities/ada", token); status != http.StatusUnauthorized {
		t.Errorf("after kill: %d, want 401", status)
	}
}

// What a caller gets that reports its token, after each action.
func TestTheSandboxMisbehaves(t *testing.T) {
	for line, want := range map[string]struct{ said, errorType string }{
		"down":                          {"responds 503", ""}, // the token cannot be introspected, so it stays
		"throttle 1h":                   {"for 1h0m0s", "RateLimited"},
		"lock demo-password":            {"the user demo-user is locked", "CredentialsRejected"},
		"expire-password demo-password": {"the password of the user demo-user has expired", "CredentialsRejected"},
		"mfa demo-password":             {"the user demo-user needs a second factor", "MFARequired"},
		"slow 1ms":                      {"responds after 1ms", ""},
	} {
		t.Run(line, func(t *testing.T) {
			stack, client := start(t)
			reported := issued(t, client, `{"connection":"demo-password"}`)
			fingerprint, _ := reported["fingerprint"].(string)
			sandbox(t, stack, "kill demo-password")
			if said := sandbox(t, stack, line); !strings.Contains(said, want.said) {
				t.Errorf("said %q, want %q", said, want.said)
			}
			body := issued(t, client, `{"connection":"demo-password","rejected_fingerprint":"`+fingerprint+`"}`)
			if got, _ := body["errorType"].(string); got != want.errorType {
				t.Errorf("issue: %v, want %q", got, want.errorType)
			}
		})
	}
}

func TestTheSandboxRefuses(t *testing.T) {
	stack, _ := start(t)
	for line, want := range map[string]string{
		"kill demo-password":           "demo-password has no valid token",
		"kill nope":                    "nope has no valid token",
		"lock demo-client-credentials": "has no user",
		"lock nope":                    "nope: ",
	} {
		if said := sandbox(t, stack, line); !strings.Contains(said, want) {
			t.Errorf("%s: %q, want %q", line, said, want)
		}
	}
}

// A page in a browser can send none of these requests.
func TestTheSandboxObeysPrograms(t *testing.T) {
	stack, _ := start(t)
	for name, c := range map[string]struct {
		body   string
		change func(*http.Request)
	}{
		"a form":     {`{"verb":"down"}`, func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }},
		"an origin":  {`{"verb":"down"}`, func(r *http.Request) { r.Header.Set("Origin", "http://evil.example") }},
		"a name":     {`{"verb":"down"}`, func(r *http.Request) { r.Host = "evil.example" }},
		"other keys": {`{"verb":"reset","x":1}`, func(*http.Request) {}},
	} {
		if status, _ := send(t, stack, http.MethodPost, localapi.Path, c.body, c.change); status < http.StatusBadRequest {
			t.Errorf("%s: %d, want a refusal", name, status)
		}
	}
}
