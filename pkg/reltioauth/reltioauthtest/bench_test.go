package reltioauthtest_test

import (
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// One token request through the Connector, client included. A simulation sends
// a million of them.
func BenchmarkTokenRequest(b *testing.B) {
	long := reltioauthtest.Behaviour{Login: reltioauthtest.NewToken, LongTokens: true}
	for name, behaviour := range map[string]reltioauthtest.Behaviour{
		"same token": {}, "new token": {Login: reltioauthtest.NewToken}, "new long token": long,
	} {
		b.Run(name, func(b *testing.B) {
			clock := &clock{now: epoch}
			cfg := config()
			cfg.Now, cfg.KeepRequests, cfg.Behaviour = clock.Now, 100, behaviour
			client := reltioauthtest.New(cfg).Client("acme")
			b.ReportAllocs()
			for b.Loop() {
				clock.Advance(time.Second)
				if _, err := client.Token(ctx(), reltioauth.ClientCredentialsGrant{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
