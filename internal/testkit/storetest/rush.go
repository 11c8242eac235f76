package storetest

import (
	"sync"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
)

// slots collects the slots that many callers get.
type slots struct {
	mu    sync.Mutex // guards given
	given []time.Time
}

func (i *slots) add(at time.Time) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.given = append(i.given, at)
}

func slotsAtOnce(t *testing.T, s Store) {
	var got slots
	w := windowAt(start())
	w.Interval = 20 * time.Millisecond
	race(func(i int) {
		w := w
		w.Idle = i%2 == 0
		at, err := s.Reserve(t.Context(), host, w)
		if err != nil {
			t.Error(err)
			return
		}
		got.add(at)
	})
	if len(got.given) != many {
		t.Fatalf("%d of %d got a slot", len(got.given), many)
	}
	wantSpaced(t, got.given, w.Interval)
	wantBudget(t, s, host, ratelimit.Record{Next: start().Add(many * w.Interval)})
}

func windowAtOnce(t *testing.T, s Store) {
	var got slots
	w := windowAt(start())
	w.Latest = start().Add(10 * interval)
	race(func(int) {
		at, err := s.Reserve(t.Context(), host, w)
		switch {
		case err == nil:
			got.add(at)
		case busyOf(err) == nil:
			t.Error(err)
		}
	})
	if len(got.given) != 11 {
		t.Errorf("%d got a slot, want 11", len(got.given))
	}
	wantSpaced(t, got.given, interval)
}

func pausedWhileReserving(t *testing.T, s Store) {
	var got slots
	race(func(i int) {
		if i == many/2 {
			if _, err := s.Throttled(t.Context(), host, ratelimit.Throttle{Client: "c", Now: start()}); err != nil {
				t.Error(err)
			}
			// A caller that begins after this gets no slot.
			wantBusy(t, s, windowAt(start()), ratelimit.LimitError{Until: start().Add(time.Second), Paused: true})
			return
		}
		for range 3 {
			at, err := s.Reserve(t.Context(), host, windowAt(start()))
			switch busy := busyOf(err); {
			case err == nil:
				got.add(at)
			case busy == nil:
				t.Error(err)
			case busy.Paused:
				return
			}
		}
	})
	wantSpaced(t, append(got.given, start().Add(time.Hour)), interval)
	wantBusy(t, s, windowAt(start()), ratelimit.LimitError{Until: start().Add(time.Second), Paused: true})
}
