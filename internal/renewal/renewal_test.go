package renewal_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/rotation"
)

func TestFirstToken(t *testing.T) {
	for name, fields := range map[string]map[string]any{
		"client credentials": clientCredentials(),
		"password":           password(),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, nil)
				w.connect("acme", fields)
				report := w.renew(rotation.Request{Connection: "acme"})
				if report.Outcome != rotation.Renewed || report.Err != nil {
					t.Fatalf("report %+v, want renewed", report)
				}
				g := w.grant("acme")
				if !g.Living(time.Now()) || g.Version != 1 || g.Status != grant.StatusOK {
					t.Errorf("grant %+v, want a living token of version 1", g)
				}
				if n := w.requests(); n != 1 {
					t.Errorf("%d token requests, want 1", n)
				}
			})
		})
	}
}
