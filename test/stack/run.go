package stack

import (
	"testing"

	"github.com/reltio-tokens/reltio-tokens/internal/testkit/engines"
)

// Run starts a stack on the engines of tests, until the test ends.
func Run(t testing.TB, c Config) *Stack {
	t.Helper()
	c.DynamoDB, c.Moto = engines.DynamoDBEndpoint(t), engines.Moto(t)
	s, err := Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}
