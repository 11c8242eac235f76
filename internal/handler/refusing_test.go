package handler_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/telemetry"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// Every sweep says whether it met a host whose circuit is open: an alarm on the
// metric ends when the host has accepted a request again.
func TestASweepCountsAHostWhoseCircuitIsOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for n := range 4 {
			w.connect(fmt.Sprint("c", n), byClient)
			_, _ = w.tell(fmt.Sprintf(`{"connection":"c%d"}`, n))
		}
		// swept is the metric of one sweep.
		swept := func() float64 {
			t.Helper()
			w.log.take(t)
			if _, err := w.tell(`{}`); err != nil {
				t.Fatal(err)
			}
			lines := of(w.log.take(t), "sweep")
			if len(lines) != 1 {
				t.Fatalf("lines %v, want one of the sweep", lines)
			}
			value, said := metrics(t, lines[0])[telemetry.ServerRefusing]
			if !said {
				t.Fatal("the metric is missing")
			}
			return value
		}
		if got := swept(); got != 0 {
			t.Errorf("nothing is due: %v, want 0", got)
		}
		time.Sleep(2 * time.Hour)
		w.server.Outage(reltioauthtest.Outage{Fault: oauthError(401, "invalid_client", "")})
		for minute := range 3 {
			if got := swept(); got != 1 {
				t.Errorf("minute %d of the refusals: %v, want 1", minute, got)
			}
			time.Sleep(time.Minute)
		}
		w.server.Outage(reltioauthtest.Outage{})
		swept()
		time.Sleep(time.Minute)
		if got := swept(); got != 0 {
			t.Errorf("after a success: %v, want 0", got)
		}
	})
}
