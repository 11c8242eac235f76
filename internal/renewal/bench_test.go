package renewal_test

import (
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// One renewal from the lease to its release, on the embedded store and the
// sandbox, with a clock that runs ahead so that nothing is waited for.
func BenchmarkRenew(b *testing.B) {
	for name, fields := range map[string]map[string]any{
		"client credentials": clientCredentials(),
		"password":           password(),
	} {
		b.Run(name, func(b *testing.B) {
			now := time.Now()
			w := newWorld(b, func(c *reltioauthtest.Config) {
				c.Now = func() time.Time { return now }
				c.KeepRequests = -1
			})
			w.renewer.Now = func() time.Time { return now }
			w.connect("acme", fields)
			ctx := b.Context()
			request := rotateapi.Request{Connection: "acme"}
			b.ReportAllocs()
			for b.Loop() {
				w.out.forget()
				now = now.Add(2 * time.Hour)
				if r := w.renewer.Renew(ctx, request); r.Outcome != rotateapi.Renewed {
					b.Fatal(r.Outcome, r.Err)
				}
			}
		})
	}
}
