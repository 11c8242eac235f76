package extension_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"testing"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/internal/local"
)

const demo = "demo-client-credentials"

// started is issue itself, and a client of it.
func started(t testing.TB) (*local.Stack, *lambda.Client) {
	t.Helper()
	s, err := local.Start(t.Context(), local.Config{CallbackPort: -1, LambdaPort: -1, ReltioPort: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s, lambda.New(lambda.Options{
		Region: "us-east-1", BaseEndpoint: awssdk.String(s.LambdaURL),
		Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""),
	})
}

func TestItAnswersAsIssueDoes(t *testing.T) {
	s, client := started(t)
	a := startAWS(t, always)
	p := a.start(t, build(t), "AWS_ENDPOINT_URL_LAMBDA="+s.LambdaURL, "RELTIO_TOKENS_FUNCTION=issue")
	for name, connection := range map[string]string{"a token": demo, "an error": "nobody", "a person is needed": "demo-authorization-code"} {
		t.Run(name, func(t *testing.T) {
			_, got := p.ask(t, http.MethodGet, "/token?connection="+connection, "", session)
			out, err := client.Invoke(t.Context(), &lambda.InvokeInput{
				FunctionName: awssdk.String("issue"), Payload: []byte(`{"connection":"` + connection + `"}`),
			})
			if err != nil {
				t.Fatal(err)
			}
			var want map[string]any
			if err := json.Unmarshal(out.Payload, &want); err != nil {
				t.Fatal(err)
			}
			// The first to ask caused the renewal; a second may lie between.
			ignored := func(key string, _ any) bool {
				return key == "outcome" || key == "expires_in" || key == "expires_at"
			}
			for key := range want {
				if _, ok := got[key]; !ok {
					t.Errorf("no key %s", key)
				}
			}
			maps.DeleteFunc(got, ignored)
			maps.DeleteFunc(want, ignored)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("other than issue's:\n%s", strings.ReplaceAll(diff, "access_token", "…"))
			}
		})
	}
	close(a.shutdown)
	if err := <-p.done; err != nil {
		t.Error(err)
	}
}

// What a call costs, beside what it stands for.
func BenchmarkToken(b *testing.B) {
	s, client := started(b)
	a := startAWS(b, always)
	p := a.start(b, build(b), "AWS_ENDPOINT_URL_LAMBDA="+s.LambdaURL, "RELTIO_TOKENS_FUNCTION=issue", "LOG_LEVEL=INFO")
	b.Run("extension", func(b *testing.B) {
		for b.Loop() {
			if status, _ := p.ask(b, http.MethodGet, "/token?connection="+demo, "", session); status != http.StatusOK {
				b.Fatal(status)
			}
		}
	})
	b.Run("invocation", func(b *testing.B) {
		for b.Loop() {
			_, err := client.Invoke(b.Context(), &lambda.InvokeInput{
				FunctionName: awssdk.String("issue"), Payload: []byte(`{"connection":"` + demo + `"}`),
			})
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}
