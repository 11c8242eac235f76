package extension_test

import (
	"net/http"
	"testing"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

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
