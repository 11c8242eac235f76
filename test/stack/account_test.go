package stack_test

import (
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/test/lambdahost"
	"github.com/reltio-tokens/reltio-tokens/test/stack"
)

// fill lets another function take places of the account, for some seconds.
func fill(t *testing.T, s *stack.Stack, places int) {
	t.Helper()
	const another, holds = "another", 5 * time.Second
	err := s.Host.Deploy(lambdahost.Function{Name: another, Command: []string{"sleep", "60"}, InitTimeout: holds, Timeout: holds})
	if err != nil {
		t.Fatal(err)
	}
	for range places {
		go func() { _, _ = s.Host.Invoke(t.Context(), lambdahost.Invocation{Function: another}) }()
	}
	for deadline := time.Now().Add(holds); len(s.Host.Environments(another)) < places; {
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d places are taken", len(s.Host.Environments(another)), places)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// In an account of ten executions, as new ones are, nine busy ones and a caller leave
// no place for the renewal that the caller waits for: it is told so at once. A reserve
// of rotate keeps a place. The simulation has both in virtual time, with the callers
// themselves in the way.
func TestAnAccountOfTen(t *testing.T) {
	const executions, reserve, early = 10, 2, 4 * time.Second
	for name, c := range map[string]struct {
		reserve int
		want    string // "" is a token
	}{
		"no reserve":          {0, "RateLimited"},
		"a reserve of rotate": {reserve, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, stack.Config{Concurrency: executions, Change: func(f *lambdahost.Function) {
				if f.Name == "rotate" {
					f.Concurrency = c.reserve
				}
			}})
			err := s.AddConnection(t.Context(), "acme-test", map[string]any{
				"grant_type": "client_credentials", "client_id": "acme", "client_secret": "secret-of-acme",
			})
			if err != nil {
				t.Fatal(err)
			}
			issue(t.Context(), t, s, "acme-prod") // starts both functions
			fill(t, s, executions-c.reserve-1)
			began := time.Now()
			if got := issue(t.Context(), t, s, "acme-test"); got.ErrorType != c.want || time.Since(began) > early {
				t.Errorf("%q after %s, want %q at once", got.ErrorType, time.Since(began), c.want)
			}
			t.Logf("%q after %s", c.want, time.Since(began).Round(time.Millisecond))
		})
	}
}
