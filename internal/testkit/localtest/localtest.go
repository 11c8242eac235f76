// Package localtest starts the local stack for a test.
//
//	stack := localtest.Start(t, local.Config{TokenLife: time.Minute})
//	out, err := localtest.Client(stack.LambdaURL).Invoke(t.Context(), ...)
//
// A stack that does not start, or does not stop, fails the test.
package localtest

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/reltio-tokens/reltio-tokens/internal/local"
	"github.com/reltio-tokens/reltio-tokens/internal/testkit/engines"
)

// Start starts a stack on free ports, whatever ports are in c, until the test ends.
func Start(t testing.TB, c local.Config) *local.Stack {
	t.Helper()
	c.CallbackPort, c.LambdaPort, c.ReltioPort = -1, -1, -1
	stack, err := local.Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stack.Close(); err != nil {
			t.Error(err)
		}
	})
	return stack
}

// Client is the SDK's client of the Invoke API at the address.
func Client(lambdaURL string) *lambda.Client {
	return lambda.New(lambda.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(lambdaURL), Credentials: engines.Credentials(),
	})
}
