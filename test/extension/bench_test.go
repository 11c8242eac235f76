package extension_test

import (
	"net/http"
	"testing"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/reltio-tokens/reltio-tokens/internal/local"
	"github.com/reltio-tokens/reltio-tokens/internal/testkit/localtest"
)

const demo = "demo-client-credentials"

// started is issue itself, and a client of it.
func started(t testing.TB) (*local.Stack, *lambda.Client) {
	t.Helper()
	s := localtest.Start(t, local.Config{})
	return s, localtest.Client(s.LambdaURL)
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
