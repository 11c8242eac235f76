package reltioauthtest_test

import (
	"errors"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// limited is a setup with the default rate limit.
func limited(t *testing.T, change func(*reltioauthtest.Config)) *fixture {
	return setup(t, func(cfg *reltioauthtest.Config) {
		cfg.RateLimit = 0
		if change != nil {
			change(cfg)
		}
	})
}

// burst sends n token requests at once and counts those let through.
func (f *fixture) burst(n int) int {
	f.t.Helper()
	let := 0
	for range n {
		_, err := f.Token(ctx(), reltioauth.ClientCredentialsGrant{})
		switch {
		case err == nil:
			let++
		case !errors.Is(err, reltioauth.ErrRateLimited):
			f.t.Fatal(err)
		}
	}
	return let
}

func TestRateLimitRolls(t *testing.T) {
	f := limited(t, nil)
	equal(t, "at once", f.burst(4), 4)
	f.clock.Advance(500 * time.Millisecond)
	equal(t, "half a second later", f.burst(12), 6)
	equal(t, "on record", f.last().Outcome, reltioauthtest.OutcomeRateLimited)
	f.clock.Advance(500*time.Millisecond - time.Nanosecond)
	equal(t, "just before the first are a second old", f.burst(1), 0)
	f.clock.Advance(time.Nanosecond)
	equal(t, "when they are", f.burst(12), 4)
	f.clock.Advance(time.Hour)
	equal(t, "an hour later", f.burst(12), 10)
}

func TestRateLimitModes(t *testing.T) {
	t.Run("another limit", func(t *testing.T) {
		f := limited(t, func(cfg *reltioauthtest.Config) { cfg.RateLimit = 3 })
		equal(t, "let through", f.burst(12), 3)
	})
	t.Run("none", func(t *testing.T) {
		f := limited(t, func(cfg *reltioauthtest.Config) { cfg.RateLimit = -1 })
		equal(t, "let through", f.burst(50), 50)
	})
	t.Run("refused ones count", func(t *testing.T) {
		f := limited(t, func(cfg *reltioauthtest.Config) { cfg.RateLimitCountsRefused = true })
		equal(t, "first", f.burst(10), 10)
		f.clock.Advance(600 * time.Millisecond)
		equal(t, "pushing", f.burst(10), 0)
		f.clock.Advance(600 * time.Millisecond)
		equal(t, "still", f.burst(1), 0)
		f.clock.Advance(time.Second)
		equal(t, "after a pause", f.burst(1), 1)
	})
	t.Run("shared by clients", func(t *testing.T) {
		f := limited(t, nil)
		f.burst(10)
		f.Client = f.Server.Client("other")
		equal(t, "the other client", f.burst(5), 0)
	})
	t.Run("by client", func(t *testing.T) {
		f := limited(t, func(cfg *reltioauthtest.Config) { cfg.RateLimitPerClient = true })
		f.burst(10)
		f.Client = f.Server.Client("other")
		equal(t, "the other client", f.burst(12), 10)
	})
	t.Run("other operations are free", func(t *testing.T) {
		f := limited(t, nil)
		token := f.clientCredentials()
		f.burst(20)
		for range 20 {
			if _, err := f.Introspect(ctx(), token.AccessToken); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestRetryAfter(t *testing.T) {
	tests := map[string]struct {
		after time.Duration
		date  bool
		want  string
	}{
		"not sent":   {0, false, ""},
		"seconds":    {3 * time.Second, false, "3"},
		"rounded up": {1500 * time.Millisecond, false, "2"},
		"date":       {90 * time.Second, true, "Sun, 01 Mar 2026 10:01:30 GMT"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := limited(t, func(cfg *reltioauthtest.Config) {
				cfg.RetryAfter, cfg.RetryAfterDate = test.after, test.date
				cfg.Behaviour.RateLimitBody = "slow down"
			})
			f.burst(10)
			got := f.post("/oauth/token", passwordForm())
			equal(t, "status", got.status, 429)
			equal(t, "body", got.body, "slow down")
			equal(t, "header", got.header.Get("Retry-After"), test.want)
		})
	}
}
