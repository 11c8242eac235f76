package issueclient_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueclient"
)

// canary is a token that must not be seen.
const canary = "s.Y2FuYXJ5.kanari-token_8f3a"

// printed is a value in every way in which values get into outputs.
func printed(value any) string {
	var out strings.Builder
	for _, verb := range "vsqdxtTU" {
		for _, flags := range []string{"", "+", "#"} {
			fmt.Fprintf(&out, "%"+flags+string(verb)+"\n", value)
		}
	}
	if text, err := json.Marshal(value); err == nil {
		out.Write(text)
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("m", "value", value)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("m", "value", value)
	out.Write(log.Bytes())
	if err, ok := value.(error); ok {
		for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(inner) {
			fmt.Fprintf(&out, "%v %+v\n", inner, inner)
		}
	}
	return out.String()
}

func hidden(t *testing.T, where string, value any) {
	t.Helper()
	if text := printed(value); strings.Contains(text, canary) {
		t.Errorf("%s: the token is in\n%s", where, text)
	}
}

func TestNothingPrintsAToken(t *testing.T) {
	mark := reltioauth.Fingerprint(reltioauth.NewSecret(canary))
	good := `{"access_token":"` + canary + `","expires_in":3600,"fingerprint":"` + mark + `","version":1,"token_type":"bearer"}`
	tenant := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/cut" {
			panic(http.ErrAbortHandler)
		}
		http.Error(w, r.Header.Get("Authorization"), http.StatusUnauthorized)
	}))
	defer tenant.Close()
	for name, next := range map[string]*lambda.InvokeOutput{
		"another answer":     payload(strings.Replace(good, mark, canary, 1)),
		"an answer cut off":  payload(good[:len(good)-20]),
		"a number too large": payload(strings.Replace(good, "3600", "36e99", 1)),
		"a function error":   failed("AccessDenied", "the invoked alias may not have this connection"),
		"the same token":     payload(good),
		"an error's type":    {FunctionError: aws.String(canary), Payload: []byte(`{"errorType":"AccessDenied"}`)},
	} {
		t.Run(name, func(t *testing.T) {
			s := source(script(payload(good), next))
			transport := &issueclient.Transport{Source: s, Hosts: []string{strings.TrimPrefix(tenant.URL, "http://"), "127.0.0.1:1"}}
			got, err := s.Get(t.Context(), issueclient.Options{})
			if err != nil || got.AccessToken.Reveal() != canary {
				t.Fatalf("got %v, %v", got, err)
			}
			hidden(t, "token", got)
			hidden(t, "token by value", *got)
			client := &http.Client{Transport: transport}
			for _, address := range []string{tenant.URL, tenant.URL + "/cut", "http://127.0.0.1:1/", "https://evil.example"} {
				resp, err := client.Get(address)
				hidden(t, "error", err)
				var e *url.Error
				if errors.As(err, &e) {
					hidden(t, "inner error", e.Err)
				}
				if err == nil {
					_ = resp.Body.Close()
					hidden(t, "response", resp)
					hidden(t, "its request", resp.Request)
				}
			}
			_, err = s.Get(t.Context(), issueclient.Options{Rejected: mark})
			hidden(t, "error", err)
			hidden(t, "source", s)
			hidden(t, "transport", transport)
		})
	}
}

func TestLateErrorsPrintNoToken(t *testing.T) {
	f := &function{reply: func(ctx context.Context, _ int) (*lambda.InvokeOutput, error) {
		<-ctx.Done()
		return payload(canary), ctx.Err()
	}}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_, err := source(f).Get(ctx, issueclient.Options{})
	hidden(t, "error", err)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want the deadline", err)
	}
}
