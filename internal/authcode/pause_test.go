package authcode_test

import (
	"context"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/authcode"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// For a paused connection or a throttled host the service does not even connect,
// and takes the lease from no renewal.
func TestNothingIsDialledInAPause(t *testing.T) {
	for name, test := range map[string]struct {
		pause func(w *world)
		want  authcode.Outcome
	}{
		"the connection": {func(w *world) { w.pause(grant.StatusPaused) }, authcode.Paused},
		"the host": {func(w *world) {
			_, _ = w.table.Throttled(w.t.Context(), host, ratelimit.Throttle{Client: "c", RetryAfter: time.Minute, Now: time.Now()})
		}, authcode.Busy},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				cb := w.login(w.begin(w.invite()), "ann")
				test.pause(w)
				var called []string
				w.out.before = func(op string) error {
					called = append(called, op)
					return nil
				}
				connect := w.flow.Connect
				w.flow.Connect = func(ctx context.Context, authURL *url.URL) (reltioauth.Transport, error) {
					called = append(called, "connect")
					return connect(ctx, authURL)
				}
				w.expect(w.complete(cb), test.want)
				if slices.Contains(called, "connect") || slices.Contains(called, "SeizeLease") {
					t.Errorf("called %v", called)
				}
			})
		})
	}
}

// A bus that hangs costs the person a second, and its event is sent later.
func TestABusThatHangs(t *testing.T) {
	bubble(t, func(w *world) {
		w.pause(grant.StatusReauthorize)
		cb := w.login(w.begin(w.invite()), "ann")
		w.events.hangs = true
		began := time.Now()
		w.expect(w.complete(cb), authcode.Done)
		if took := time.Since(began); took > 1500*time.Millisecond {
			t.Errorf("the person waited %v", took)
		}
		w.wantFoundByASweep()
	})
}
