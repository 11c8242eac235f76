package ratelimit_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/memstore"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
)

// slow is a store of which each call takes a while.
type slow struct {
	*memstore.Table
	takes          time.Duration
	reserved, read int
}

func (s *slow) Budget(ctx context.Context, host string) (ratelimit.Record, error) {
	s.read++
	time.Sleep(s.takes)
	return s.Table.Budget(ctx, host)
}

func (s *slow) Reserve(ctx context.Context, host string, w ratelimit.Window) (time.Time, error) {
	time.Sleep(s.takes)
	s.reserved++
	return s.Table.Reserve(ctx, host, w)
}

// newSlot is a slot at a store of which each call takes a while.
func newSlot(takes time.Duration) (*ratelimit.Slot, *slow) {
	s := &slow{Table: &memstore.Table{}, takes: takes}
	return &ratelimit.Slot{
		Store: s, Host: "auth:443", Interval: 125 * time.Millisecond,
		Latest: time.Now().Add(ratelimit.MaxWait), Now: time.Now,
	}, s
}

func reserve(t *testing.T, slot *ratelimit.Slot, ahead time.Duration) time.Time {
	t.Helper()
	at, err := slot.Reserve(t.Context(), time.Now().Add(ahead))
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestSlotIsOnTime(t *testing.T) {
	for name, c := range map[string]struct {
		takes, ahead time.Duration
		slots        int
	}{
		"at once":                         {0, 0, 1},
		"in a moment":                     {0, 80 * time.Millisecond, 1},
		"later":                           {0, 3 * time.Second, 1},
		"later, of a slow store":          {200 * time.Millisecond, 3 * time.Second, 1},
		"at once, of a store at the edge": {ratelimit.MaxLate, 0, 1},
		"at once, of a slow store":        {80 * time.Millisecond, 0, 2},
		"at once, of a very slow store":   {900 * time.Millisecond, 0, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				slot, s := newSlot(c.takes)
				began := time.Now()
				at := reserve(t, slot, c.ahead)
				if err := slot.Wait(t.Context(), at); err != nil {
					t.Fatal(err)
				}
				r, err := s.Table.Budget(t.Context(), slot.Host)
				if err != nil {
					t.Fatal(err)
				}
				at = r.Next.Add(-slot.Interval)
				if late := time.Since(at); late < 0 || late > ratelimit.MaxLate {
					t.Errorf("sent %v after its slot", late)
				}
				if s.reserved != c.slots || time.Since(began) > c.ahead+2*c.takes {
					t.Errorf("%d slots in %v, want %d", s.reserved, time.Since(began), c.slots)
				}
			})
		})
	}
}

// A pause that begins shortly before the slot is seen.
func TestSlotSeesThePause(t *testing.T) {
	for _, takes := range []time.Duration{0, 100 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			slot, s := newSlot(takes)
			at := reserve(t, slot, 4*time.Second)
			time.AfterFunc(time.Until(at)-takes-60*time.Millisecond, func() {
				_, _ = s.Throttled(t.Context(), slot.Host, ratelimit.Throttle{Client: "other", RetryAfter: time.Minute, Now: time.Now()})
			})
			err := slot.Wait(t.Context(), at)
			var busy *ratelimit.LimitError
			if !errors.As(err, &busy) || !busy.Paused || time.Until(busy.Until) < 50*time.Second {
				t.Errorf("error %v, want a pause of a minute", err)
			}
			if len(slot.Seen.Throttled) != 1 {
				t.Errorf("seen: %v", slot.Seen)
			}
		})
	}
}

// One reservation that took long does not make the pause be read long before
// the slot.
func TestSlotSeesThePauseAfterASlowReservation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slot, s := newSlot(3 * time.Second)
		at := reserve(t, slot, 4500*time.Millisecond)
		s.takes = 10 * time.Millisecond
		time.AfterFunc(time.Until(at)-100*time.Millisecond, func() {
			_, _ = s.Throttled(t.Context(), slot.Host, ratelimit.Throttle{Client: "other", RetryAfter: time.Minute, Now: time.Now()})
		})
		var busy *ratelimit.LimitError
		if err := slot.Wait(t.Context(), at); !errors.As(err, &busy) || !busy.Paused {
			t.Errorf("error %v, want a pause", err)
		}
	})
}

// What a caller does between its reservation and its wait is waited for too.
func TestSlotSeesThePauseAfterOtherWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slot, s := newSlot(0)
		at := reserve(t, slot, 250*time.Millisecond)
		_, _ = s.Throttled(t.Context(), slot.Host, ratelimit.Throttle{Client: "other", RetryAfter: time.Minute, Now: time.Now()})
		time.Sleep(200 * time.Millisecond)
		var busy *ratelimit.LimitError
		if err := slot.Wait(t.Context(), at); !errors.As(err, &busy) || !busy.Paused {
			t.Errorf("error %v, want a pause", err)
		}
	})
}

// What was reserved is known, and what was not changes nothing.
func TestSlotKnowsTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slot, s := newSlot(0)
		at := reserve(t, slot, 0)
		want := at.Add(slot.Interval)
		if !slot.Seen.Next.Equal(want) {
			t.Errorf("next %v, want %v", slot.Seen.Next, want)
		}
		_, _ = s.Throttled(t.Context(), slot.Host, ratelimit.Throttle{Client: "other", RetryAfter: time.Minute, Now: time.Now()})
		if _, err := slot.Reserve(t.Context(), time.Now()); err == nil || !slot.Seen.Next.Equal(want) {
			t.Errorf("error %v, next %v, want an error and %v", err, slot.Seen.Next, want)
		}
	})
}

// How often the pause is read for a slot that is so far ahead.
func TestSlotReadsThePauseAsOftenAsItMust(t *testing.T) {
	const takes = 10 * time.Millisecond
	for name, c := range map[string]struct {
		reservation, ahead time.Duration
		want               int
	}{
		"at the bound":                     {0, ratelimit.PauseSeenAgain, 0},
		"beyond it":                        {0, ratelimit.PauseSeenAgain + time.Millisecond, 1},
		"read early, at the bound":         {ratelimit.PauseSeenAgain - ratelimit.MaxLate + 2*takes, time.Second, 1},
		"read early, a millisecond beyond": {ratelimit.PauseSeenAgain - ratelimit.MaxLate + 2*takes + time.Millisecond, time.Second, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				slot, s := newSlot(c.reservation)
				at := reserve(t, slot, c.ahead)
				s.takes = takes
				if err := slot.Wait(t.Context(), at); err != nil || s.read != c.want {
					t.Errorf("error %v, the pause was read %d times, want %d", err, s.read, c.want)
				}
			})
		})
	}
}

// The slot after one that was missed is waited for too, if it is later.
func TestSlotAfterAMissedOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slot, s := newSlot(80 * time.Millisecond)
		at := reserve(t, slot, 0)
		later := time.Now().Add(time.Second)
		if _, err := s.Table.Reserve(t.Context(), slot.Host, ratelimit.Window{
			Now: time.Now(), Earliest: later, Latest: later, Interval: slot.Interval,
		}); err != nil {
			t.Fatal(err)
		}
		if err := slot.Wait(t.Context(), at); err != nil {
			t.Fatal(err)
		}
		if want := later.Add(slot.Interval); !time.Now().Equal(want) {
			t.Errorf("waited until %v, want %v", time.Now(), want)
		}
	})
}

// A process that was frozen while it reserved has missed its slot. The slot that it is
// told of is not as far ahead as the process was frozen.
func TestSlotAfterAFreeze(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slot, s := newSlot(time.Hour)
		at := reserve(t, slot, 0)
		s.takes = 0
		var busy *ratelimit.LimitError
		err := slot.Wait(t.Context(), at)
		if !errors.As(err, &busy) || busy.Until.After(time.Now().Add(ratelimit.MaxWait)) {
			t.Errorf("error %v, %+v, want one that names the next slot", err, busy)
		}
	})
}

func TestSleepUntilNowIsNoWait(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 20 {
		if err := ratelimit.Sleep(ctx, 0); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSlotEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slot, _ := newSlot(0)
		at := reserve(t, slot, 4*time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := slot.Wait(ctx, at); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v, want that of the context", err)
		}
	})
}
