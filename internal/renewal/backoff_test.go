package renewal_test

import (
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// The back-off doubles to five minutes, and never lasts longer than a quarter of
// the token's life. A connection backs off alone if it cannot be recorded that its
// host is down.
func TestBackOff(t *testing.T) {
	for name, c := range map[string]struct {
		life time.Duration
		want []int // whole seconds
	}{
		"an hour":     {time.Hour, []int{30, 60, 120, 240, 300, 300}},
		"two minutes": {2 * time.Minute, []int{29, 29, 29}}, // of which the server says 119 s
		"ten seconds": {10 * time.Second, []int{2, 2}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.server.Configure(func(cfg *reltioauthtest.Config) { cfg.Clients[0].AccessTokenTTL = c.life })
				g := w.started(clientCredentials())
				w.out.fail(always, unanswered)
				w.server.Outage(reltioauthtest.Outage{Fault: reltioauthtest.Fault{Kind: reltioauthtest.FaultUnreachable}})
				time.Sleep(time.Until(g.ExpiresAt.Add(time.Second)))
				for i, want := range c.want {
					w.expect(w.acme(), rotateapi.Failed, apierr.ReltioUnavailable)
					g := w.grant("acme")
					got := time.Until(g.RetryAt)
					if int(got.Seconds()) != want || g.Failures != i+1 {
						t.Errorf("failure %d: %v, want %d s", g.Failures, got, want)
					}
					time.Sleep(got)
				}
			})
		})
	}
}
