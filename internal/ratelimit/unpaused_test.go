package ratelimit_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
)

// A pause is waited for up to the context's deadline, and not begun to be if it
// is longer.
func TestAwaitUnpaused(t *testing.T) {
	tests := map[string]struct {
		pause, deadline, took time.Duration
		busy                  bool
	}{
		"no pause":                     {0, time.Second, 0, false},
		"a pause":                      {2 * time.Second, 3 * time.Second, 2 * time.Second, false},
		"one as long as there is time": {3 * time.Second, 3 * time.Second, 0, true},
		"a longer one":                 {time.Minute, 3 * time.Second, 0, true},
		"one that cannot be believed":  {time.Hour, 3 * time.Second, 0, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), test.deadline)
				defer cancel()
				err := ratelimit.AwaitUnpaused(ctx, ratelimit.Record{PausedUntil: began.Add(test.pause)}, time.Now)
				var busy *ratelimit.LimitError
				if errors.As(err, &busy) != test.busy || !test.busy && err != nil || time.Since(began) != test.took {
					t.Errorf("after %s: %v; want after %s, busy %v", time.Since(began), err, test.took, test.busy)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		err := ratelimit.AwaitUnpaused(ctx, ratelimit.Record{PausedUntil: time.Now().Add(time.Minute)}, time.Now)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
	})
}
