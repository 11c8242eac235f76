package ratelimit_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
)

const (
	ms       = time.Millisecond
	s        = time.Second
	interval = 125 * ms
)

func now() time.Time { return time.Date(2026, 11, 23, 16, 0, 0, 0, time.UTC) }

// within is a window from now to now plus latest.
func within(latest time.Duration) ratelimit.Window {
	return ratelimit.Window{Now: now(), Earliest: now(), Latest: now().Add(latest), Interval: interval}
}

func TestInterval(t *testing.T) {
	for perSecond, want := range map[int]time.Duration{
		1: s, 2: 500 * ms, 3: 334 * ms, 4: 250 * ms, 5: 200 * ms, 6: 167 * ms, 7: 143 * ms, 8: 125 * ms,
		-1: 125 * ms, 0: 125 * ms, 9: 125 * ms,
	} {
		if got := ratelimit.Interval(perSecond); got != want {
			t.Errorf("Interval(%d) = %v, want %v", perSecond, got, want)
		}
	}
}

func TestReserve(t *testing.T) {
	next := func(d time.Duration) ratelimit.Record { return ratelimit.Record{Next: now().Add(d)} }
	paused := func(d time.Duration) ratelimit.Record { return ratelimit.Record{PausedUntil: now().Add(d)} }
	later := within(5 * s)
	later.Earliest = now().Add(250 * ms)
	late := within(5 * s)
	late.Earliest = now().Add(-s)
	for name, test := range map[string]struct {
		record ratelimit.Record
		window ratelimit.Window
		want   time.Duration // after now
	}{
		"never asked":                              {ratelimit.Record{}, within(5 * s), 0},
		"idle":                                     {next(-time.Hour), within(5 * s), 0},
		"free this moment":                         {next(0), within(5 * s), 0},
		"busy":                                     {next(3 * s), within(5 * s), 3 * s},
		"busy until the latest":                    {next(5 * s), within(5 * s), 5 * s},
		"nothing but now":                          {next(0), within(0), 0},
		"not before the earliest":                  {ratelimit.Record{}, later, 250 * ms},
		"free before the earliest":                 {next(100 * ms), later, 250 * ms},
		"free after the earliest":                  {next(300 * ms), later, 300 * ms},
		"an earliest that has passed":              {ratelimit.Record{}, late, -s},
		"an earliest that has passed, busy":        {next(-500 * ms), late, -500 * ms},
		"a next slot that is not believed":         {next(10*s + 1), within(5 * s), 0},
		"not believed, and not before earliest":    {next(time.Hour), later, 250 * ms},
		"a pause that has ended":                   {paused(0), within(5 * s), 0},
		"a pause that is not believed":             {paused(5*time.Minute + 1), within(5 * s), 0},
		"an old pause, and busy":                   {ratelimit.Record{Next: now().Add(s), PausedUntil: now().Add(-s)}, within(5 * s), s},
		"refusals and throttled clients are other": {ratelimit.Record{Refused: []string{"a", "b", "c"}, Throttled: []string{"k"}, Pause: s}, within(5 * s), 0},
	} {
		t.Run(name, func(t *testing.T) {
			slot, next, err := ratelimit.Reserve(test.record, test.window)
			if err != nil {
				t.Fatal(err)
			}
			if want := now().Add(test.want); !slot.Equal(want) || !next.Equal(want.Add(interval)) {
				t.Errorf("slot %v, next %v; want %v and %v", slot, next, want, want.Add(interval))
			}
		})
	}
}

func TestReserveWithoutASlot(t *testing.T) {
	early := within(5 * s)
	early.Earliest, early.Latest = now().Add(2*s), now().Add(s)
	for name, test := range map[string]struct {
		record ratelimit.Record
		window ratelimit.Window
		until  time.Duration // after now
		paused bool
		text   string
	}{
		"beyond the latest":             {ratelimit.Record{Next: now().Add(5*s + ms)}, within(5 * s), 5*s + ms, false, "budget: no free instant in the window"},
		"as far as is believed":         {ratelimit.Record{Next: now().Add(10 * s)}, within(5 * s), 10 * s, false, "budget: no free instant in the window"},
		"a window that ends too early":  {ratelimit.Record{}, early, 2 * s, false, "budget: no free instant in the window"},
		"paused":                        {ratelimit.Record{PausedUntil: now().Add(1)}, within(5 * s), 1, true, "budget: the host is paused"},
		"paused as long as is believed": {ratelimit.Record{PausedUntil: now().Add(5 * time.Minute)}, within(5 * s), 5 * time.Minute, true, "budget: the host is paused"},
		"paused, and busy":              {ratelimit.Record{Next: now().Add(10 * s), PausedUntil: now().Add(s)}, within(5 * s), s, true, "budget: the host is paused"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := ratelimit.Reserve(test.record, test.window)
			var busy *ratelimit.LimitError
			if !errors.As(err, &busy) {
				t.Fatalf("error %v, want a *BusyError", err)
			}
			if !busy.Until.Equal(now().Add(test.until)) || busy.Paused != test.paused || busy.Error() != test.text {
				t.Errorf("%v until %v, paused %v; want %v until %v, %v", busy, busy.Until, busy.Paused, test.text, now().Add(test.until), test.paused)
			}
		})
	}
}

func TestBoundsAreReserves(t *testing.T) {
	next, pause := ratelimit.Bounds(now())
	if !next.Equal(now().Add(10*s)) || !pause.Equal(now().Add(5*time.Minute)) {
		t.Errorf("bounds %v and %v, want ten seconds and five minutes", next.Sub(now()), pause.Sub(now()))
	}
}

// Any number of callers, with clocks up to 50 ms from the truth, who come in any
// order, wait as long as they like, start up to 50 ms late and whose requests
// travel up to 100 ms: the slots are spaced, and the server sees at most 10
// in any second.
func TestNeverMoreThanTenInASecond(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 42))
		upTo := func(d time.Duration) time.Duration { return time.Duration(random.Int64N(int64(d/ms)+1)) * ms }
		var (
			record   ratelimit.Record
			truth    = now()
			slots    []time.Time // as stored
			arrivals []time.Time // as the server sees them
		)
		for range 400 {
			if random.IntN(3) == 0 {
				truth = truth.Add(upTo(400 * ms))
			}
			skew := upTo(100*ms) - 50*ms
			clock := truth.Add(skew)
			w := ratelimit.Window{Now: clock, Earliest: clock, Latest: clock.Add(5 * s), Interval: ratelimit.Interval(8)}
			if random.IntN(4) == 0 {
				w.Earliest = clock.Add(250 * ms)
			}
			slot, next, err := ratelimit.Reserve(record, w)
			if err != nil {
				truth = truth.Add(upTo(s)) // too many wait already
				continue
			}
			if n := len(slots); n > 0 && slot.Before(slots[n-1].Add(interval)) {
				t.Fatalf("seed %d: slots %v and %v", seed, slots[n-1], slot)
			}
			record.Next = next
			slots = append(slots, slot)
			sent := slot.Add(-skew).Add(upTo(ratelimit.MaxLate))
			arrivals = append(arrivals, sent.Add(upTo(100*ms)))
		}
		slices.SortFunc(arrivals, time.Time.Compare)
		for i := 10; i < len(arrivals); i++ {
			if gap := arrivals[i].Sub(arrivals[i-10]); gap < s {
				t.Fatalf("seed %d: eleven requests within %v", seed, gap)
			}
		}
	}
}

func TestRefusing(t *testing.T) {
	for n, want := range []bool{false, false, false, true, true} {
		r := ratelimit.Record{Refused: []string{"a", "b", "c", "d"}[:n]}
		if got := r.CircuitOpen(); got != want {
			t.Errorf("%d refused: Refusing = %v, want %v", n, got, want)
		}
	}
}

func TestMayProbe(t *testing.T) {
	for name, test := range map[string]struct {
		probed time.Time
		want   bool
	}{
		"never":                         {time.Time{}, true},
		"just now":                      {now(), false},
		"not quite long enough ago":     {now().Add(-ratelimit.ProbeEvery + 1), false},
		"long enough ago":               {now().Add(-ratelimit.ProbeEvery), true},
		"by a clock that is fast":       {now().Add(ratelimit.ProbeEvery), false},
		"by a clock that is broken":     {now().Add(ratelimit.ProbeEvery + 1), true},
		"a very long while ago, though": {now().Add(-10000 * time.Hour), true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := (ratelimit.Record{ProbedAt: test.probed}).MayProbe(now(), ratelimit.ProbeEvery); got != test.want {
				t.Errorf("MayProbe = %v, want %v", got, test.want)
			}
		})
	}
}

// A host that is down is asked every five seconds, after ten minutes every fifteen:
// seconds after it responds again a request has shown it.
func TestProbesOfAHostThatIsDown(t *testing.T) {
	for name, c := range map[string]struct {
		down  time.Time
		probe time.Duration // how long ago
		every time.Duration
		next  time.Duration
	}{
		"its circuit is open":   {time.Time{}, 20 * time.Second, ratelimit.ProbeEvery, 30 * time.Second},
		"down since a moment":   {now(), 0, 5 * time.Second, 5 * time.Second},
		"down, probed before":   {now().Add(-time.Minute), 3 * time.Second, 5 * time.Second, 2 * time.Second},
		"a probe is due":        {now().Add(-time.Minute), 5 * time.Second, 5 * time.Second, 5 * time.Second},
		"down for ten minutes":  {now().Add(-10 * time.Minute), 0, 5 * time.Second, 5 * time.Second},
		"down for longer":       {now().Add(-10*time.Minute - 1), 0, 15 * time.Second, 15 * time.Second},
		"by a clock that is on": {now().Add(time.Hour), 0, 5 * time.Second, 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			r := ratelimit.Record{DownSince: c.down, ProbedAt: now().Add(-c.probe)}
			if got := r.ProbeInterval(now()); got != c.every {
				t.Errorf("probed every %v, want %v", got, c.every)
			}
			if got := r.NextProbe(now()).Sub(now()); got != c.next {
				t.Errorf("next probe in %v, want %v", got, c.next)
			}
		})
	}
}

// An outage begins once, and ends with a success, or with any other response.
func TestOutage(t *testing.T) {
	r := ratelimit.RecordOutage(ratelimit.Record{}, now())
	r = ratelimit.RecordOutage(r, now().Add(time.Minute))
	if !r.Down() || !r.DownSince.Equal(now()) || !r.ProbedAt.Equal(now().Add(time.Minute)) || !r.Troubled() {
		t.Errorf("%+v", r)
	}
	if r = ratelimit.RecordSuccess(r, "c"); r.Down() || r.Troubled() {
		t.Errorf("%+v", r)
	}
}

func TestTroubled(t *testing.T) {
	for name, test := range map[string]struct {
		record ratelimit.Record
		want   bool
	}{
		"nothing":             {ratelimit.Record{}, false},
		"busy":                {ratelimit.Record{Next: now(), PausedUntil: now(), ProbedAt: now()}, false},
		"a client throttled":  {ratelimit.Record{Throttled: []string{"a"}}, true},
		"a connection refuse": {ratelimit.Record{Refused: []string{"a"}}, true},
		"the pause's length":  {ratelimit.Record{Pause: 1}, true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := test.record.Troubled(); got != test.want {
				t.Errorf("Troubled = %v, want %v", got, test.want)
			}
		})
	}
}

func TestRecordString(t *testing.T) {
	r := ratelimit.Record{Next: now(), PausedUntil: now().Add(s), Throttled: []string{"a"}, Refused: []string{"b", "c"}}
	want := "next Nov 23 16:00:00.000, paused until Nov 23 16:00:01.000, 1 throttled, 2 refused, down false"
	if got := r.String(); got != want {
		t.Errorf("String = %q, want %q", got, want)
	}
}
