package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
)

const host = "auth.example:443"

func reservePromises() promises {
	kept := promises{
		"a host never asked has the zero record": neverAsked,
		"a host's name has no case":              hostWithoutCase,
		"hosts do not meet":                      hostsApart,
		"slots follow each other":                slotsFollow,
		"a slot in the past is not used":         slotPassed,
		"a window without a slot":                windowTooSmall,
		"a window that ends before it begins":    windowInverted,
		"moments count in milliseconds":          reserveInMillis,
		"any sequence goes as the rule says":     reserveByRule,
		"no two slots are too close":             slotsSpaced,
		"of many each gets a slot":               slotsAtOnce,
		"of many as many as the window holds":    windowAtOnce,
		"a pause ends a race for slots":          pausedWhileReserving,
	}
	for name, test := range map[string]struct {
		next     time.Duration // the stored next slot, from now
		earliest time.Duration
		latest   time.Duration
		want     time.Duration
		busy     bool
	}{
		"free long ago":                {-time.Hour, 0, ratelimit.MaxWait, 0, false},
		"free at the earliest":         {time.Second, time.Second, ratelimit.MaxWait, time.Second, false},
		"free just after the earliest": {time.Second + 1e6, time.Second, ratelimit.MaxWait, time.Second + 1e6, false},
		"free at the latest":           {ratelimit.MaxWait, 0, ratelimit.MaxWait, ratelimit.MaxWait, false},
		"free just after the latest":   {ratelimit.MaxWait + 1e6, 0, ratelimit.MaxWait, ratelimit.MaxWait + 1e6, true},
		"free at the bound of belief":  {10 * time.Second, 0, time.Hour, 10 * time.Second, false},
		"free beyond belief":           {10*time.Second + 1e6, 0, ratelimit.MaxWait, 0, false},
		"free in a year":               {365 * 24 * time.Hour, time.Second, ratelimit.MaxWait, time.Second, false},
	} {
		for _, idle := range []bool{false, true} {
			kept[name+guessed(idle)] = func(t *testing.T, s Store) {
				setNext(t, s, start().Add(test.next))
				w := ratelimit.Window{
					Now: start(), Interval: interval, Idle: idle,
					Earliest: start().Add(test.earliest), Latest: start().Add(test.latest),
				}
				if test.busy {
					wantBusy(t, s, w, ratelimit.LimitError{Until: start().Add(test.want)})
					return
				}
				wantSlot(t, s, w, start().Add(test.want))
				wantBudget(t, s, host, ratelimit.Record{Next: start().Add(test.want + interval)})
			}
		}
	}
	return kept
}

func guessed(idle bool) string {
	if idle {
		return ", guessed to be idle"
	}
	return ""
}

// interval is the space between two slots in these tests.
const interval = 125 * time.Millisecond

// windowAt asks for a slot from now on.
func windowAt(now time.Time) ratelimit.Window {
	return ratelimit.Window{Now: now, Earliest: now, Latest: now.Add(ratelimit.MaxWait), Interval: interval}
}

// setNext makes at the next free slot: it reserves the slot before, as a caller
// would whose clock shows that moment.
func setNext(t *testing.T, s Store, at time.Time) {
	t.Helper()
	wantSlot(t, s, windowAt(at.Add(-interval)), at.Add(-interval))
}

func wantSlot(t *testing.T, s Store, w ratelimit.Window, want time.Time) {
	t.Helper()
	got, err := s.Reserve(t.Context(), host, w)
	if err != nil || !got.Equal(want) {
		t.Errorf("Reserve = %v, %v; want %v", got, err, want)
	}
}

func wantBusy(t *testing.T, s Store, w ratelimit.Window, want ratelimit.LimitError) {
	t.Helper()
	got, err := s.Reserve(t.Context(), host, w)
	var busy *ratelimit.LimitError
	if !errors.As(err, &busy) {
		t.Errorf("Reserve = %v, %v; want %v", got, err, &want)
		return
	}
	if diff := cmp.Diff(want, *busy); diff != "" {
		t.Errorf("busy (-want +got):\n%s", diff)
	}
}

func wantBudget(t *testing.T, s Store, host string, want ratelimit.Record) {
	t.Helper()
	got, err := s.Budget(t.Context(), host)
	noError(t, err)
	sameBudget(t, got, want)
}

func sameBudget(t *testing.T, got, want ratelimit.Record) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("budget (-want +got):\n%s", diff)
	}
}

func neverAsked(t *testing.T, s Store) {
	wantBudget(t, s, host, ratelimit.Record{})
	noError(t, s.Succeeded(t.Context(), host, "client"))
	wantBudget(t, s, host, ratelimit.Record{})
}

func hostWithoutCase(t *testing.T, s Store) {
	_, err := s.Reserve(t.Context(), "AUTH.example:443", windowAt(start()))
	noError(t, err)
	wantBudget(t, s, "auth.EXAMPLE:443", ratelimit.Record{Next: start().Add(interval)})
	wantSlot(t, s, windowAt(start()), start().Add(interval))
}

func hostsApart(t *testing.T, s Store) {
	wantSlot(t, s, windowAt(start()), start())
	wantBudget(t, s, "auth.example:444", ratelimit.Record{})
	got, err := s.Reserve(t.Context(), "auth.example:444", windowAt(start()))
	if err != nil || !got.Equal(start()) {
		t.Errorf("Reserve at another host = %v, %v; want %v", got, err, start())
	}
}

func slotsFollow(t *testing.T, s Store) {
	for i := range 5 {
		wantSlot(t, s, windowAt(start()), start().Add(time.Duration(i)*interval))
	}
	wantBudget(t, s, host, ratelimit.Record{Next: start().Add(5 * interval)})
}

func slotPassed(t *testing.T, s Store) {
	wantSlot(t, s, windowAt(start()), start())
	later := start().Add(time.Second)
	wantSlot(t, s, windowAt(later), later)
	wantSlot(t, s, windowAt(start()), later.Add(interval))
}

func windowTooSmall(t *testing.T, s Store) {
	wantSlot(t, s, windowAt(start()), start())
	w := windowAt(start())
	w.Latest = start().Add(interval - time.Millisecond)
	wantBusy(t, s, w, ratelimit.LimitError{Until: start().Add(interval)})
	wantBudget(t, s, host, ratelimit.Record{Next: start().Add(interval)})
}

func windowInverted(t *testing.T, s Store) {
	w := windowAt(start())
	w.Earliest, w.Latest = start().Add(time.Second), start()
	wantBusy(t, s, w, ratelimit.LimitError{Until: w.Earliest})
	w.Idle = true
	wantBusy(t, s, w, ratelimit.LimitError{Until: w.Earliest})
	wantBudget(t, s, host, ratelimit.Record{})
	wantSlot(t, s, windowAt(start()), start())
	wantBusy(t, s, w, ratelimit.LimitError{Until: w.Earliest})
}

func reserveInMillis(t *testing.T, s Store) {
	w := windowAt(start().Add(999_999))
	wantSlot(t, s, w, start())
	w.Interval = interval - 1 // rounded up: never closer than asked
	wantSlot(t, s, w, start().Add(interval))
	wantBudget(t, s, host, ratelimit.Record{Next: start().Add(2 * interval)})
}

// inMillis is the window in the precision of what is stored.
func inMillis(w ratelimit.Window) ratelimit.Window {
	w.Now = w.Now.Truncate(time.Millisecond)
	w.Earliest = w.Earliest.Truncate(time.Millisecond)
	w.Latest = w.Latest.Truncate(time.Millisecond)
	return w
}

// reserveByRule reserves and pauses in any order, with clocks that jump
// further than is believed, next to a record that follows the rules.
func reserveByRule(t *testing.T, s Store) {
	chance := rand.New(rand.NewPCG(1, 2))
	upTo := func(d time.Duration) time.Duration { return time.Duration(chance.Int64N(int64(d))) }
	var record ratelimit.Record
	for step := range 600 {
		now := start().Add(upTo(20 * time.Minute))
		if chance.IntN(3) > 0 {
			now = start().Add(upTo(20 * time.Second)) // mostly near
		}
		switch chance.IntN(24) {
		case 0:
			th := ratelimit.Throttle{Client: fmt.Sprintf("client-%d", chance.IntN(3)), RetryAfter: upTo(2 * time.Second), Now: now, First: chance.IntN(2) == 0}
			got, err := s.Throttled(t.Context(), host, th)
			noError(t, err)
			th.Now = th.Now.Truncate(time.Millisecond)
			record = inOrder(ratelimit.RecordThrottle(record, th))
			sameBudget(t, got, record)
		case 1:
			noError(t, s.Succeeded(t.Context(), host, "client"))
			if !cmp.Equal(record, ratelimit.Record{}) {
				record = inOrder(ratelimit.RecordSuccess(record, "client"))
			}
		}
		w := windowAt(now)
		w.Earliest = now.Add(upTo(2 * time.Second))
		w.Latest = w.Earliest.Add(upTo(5*time.Second) - 100*time.Millisecond)
		w.Interval = time.Duration(1+chance.IntN(3)) * interval
		w.Idle = chance.IntN(2) == 0
		got, err := s.Reserve(t.Context(), host, w)
		want, next, wantErr := ratelimit.Reserve(record, inMillis(w))
		if diff := cmp.Diff(busyOf(wantErr), busyOf(err)); diff != "" || (err == nil) != (wantErr == nil) {
			t.Fatalf("step %d: Reserve(%+v) of %v: %v\n(-want +got):\n%s", step, w, record, err, diff)
		}
		if err != nil {
			continue
		}
		if !got.Equal(want) {
			t.Fatalf("step %d: Reserve(%+v) of %v = %v, want %v", step, w, record, got, want)
		}
		record.Next = next
	}
	wantBudget(t, s, host, record)
}

// inOrder is the record as it comes back: in milliseconds, its sets sorted.
func inOrder(r ratelimit.Record) ratelimit.Record {
	r.PausedUntil = r.PausedUntil.Truncate(time.Millisecond)
	slices.Sort(r.Throttled)
	slices.Sort(r.Served)
	slices.Sort(r.Refused)
	return r
}

func busyOf(err error) *ratelimit.LimitError {
	var busy *ratelimit.LimitError
	errors.As(err, &busy)
	return busy
}

// slotsSpaced reserves from clocks that differ by seconds.
func slotsSpaced(t *testing.T, s Store) {
	chance := rand.New(rand.NewPCG(3, 4))
	var given []time.Time
	for step := range 300 {
		apart := time.Duration(chance.Int64N(int64(4*time.Second))) - 2*time.Second
		now := start().Add(time.Duration(step)*100*time.Millisecond + apart)
		w := windowAt(now)
		w.Earliest = now.Add(time.Duration(chance.Int64N(int64(time.Second))))
		w.Idle = chance.IntN(2) == 0
		slot, err := s.Reserve(t.Context(), host, w)
		switch {
		case err != nil && busyOf(err) == nil:
			t.Fatal(err)
		case err != nil:
		case slot.Before(w.Earliest.Truncate(time.Millisecond)) || slot.After(w.Latest):
			t.Fatalf("step %d: slot %v lies outside of %v to %v", step, slot, w.Earliest, w.Latest)
		default:
			given = append(given, slot)
		}
	}
	wantSpaced(t, given, interval)
	if len(given) < 100 {
		t.Errorf("only %d of 300 got a slot: this test tests nothing", len(given))
	}
}

func wantSpaced(t *testing.T, given []time.Time, space time.Duration) {
	t.Helper()
	slices.SortFunc(given, time.Time.Compare)
	for i := range given[1:] {
		if apart := given[i+1].Sub(given[i]); apart < space {
			t.Errorf("two slots are %v apart, want at least %v", apart, space)
		}
	}
}
