package storetest

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
)

func troublePromises() promises {
	kept := promises{
		"a host that is paused gives no slot":          pausedHost,
		"a pause beyond belief is none":                pauseBeyondBelief,
		"pauses go as the rule says":                   pausesByRule,
		"a pause in milliseconds":                      pauseInMillis,
		"of many that are throttled all are recorded":  throttledAtOnce,
		"one client throttled many times is one":       throttledAlone,
		"a success forgets, but not the pause":         succeeded,
		"who is served is collected":                   served,
		"the list of those who are served ends":        servedToMost,
		"the first 429 in a row forgets who is served": servedAgain,
		"since when a host refuses":                    refusedSince,
		"refused connections are collected":            refused,
		"four hundred refused connections":             refusedMany,
		"the list of refused connections ends":         refusedToMost,
		"of many that are refused all are recorded":    refusedAtOnce,
		"of many that probe one does":                  probeAtOnce,
		"a probe changes nothing else":                 probeAlone,
		"a host that does not answer is down":          down,
		"an answer ends that and nothing else":         answered,
		"no answer of a host that was never asked":     neverDown,
	}
	for name, test := range map[string]struct {
		after time.Duration // since the last probe
		want  bool
	}{
		"no second probe at once":          {0, false},
		"no probe within the minute":       {ratelimit.ProbeEvery - time.Millisecond, false},
		"a probe a minute later":           {ratelimit.ProbeEvery, true},
		"no probe by a clock behind":       {-ratelimit.ProbeEvery, false},
		"a probe by a clock beyond belief": {-ratelimit.ProbeEvery - time.Millisecond, true},
	} {
		kept[name] = func(t *testing.T, s Store) {
			wantProbe(t, s, start(), true)
			wantProbe(t, s, start().Add(test.after), test.want)
			want := start()
			if test.want {
				want = want.Add(test.after)
			}
			wantBudget(t, s, host, ratelimit.Record{ProbedAt: want})
		}
	}
	return kept
}

// down: since the first request without a response; each moves the next probe.
func down(t *testing.T, s Store) {
	wantSlot(t, s, windowAt(start()), start())
	for i := range 3 {
		if err := s.Unanswered(t.Context(), host, start().Add(time.Duration(i)*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	wantBudget(t, s, host, ratelimit.Record{Next: start().Add(interval), DownSince: start(), ProbedAt: start().Add(2 * time.Second)})
	early, due := start().Add(7*time.Second-time.Millisecond), start().Add(7*time.Second)
	for _, probe := range []struct {
		at   time.Time
		want bool
	}{{early, false}, {due, true}, {due, false}} {
		if got, err := s.Probe(t.Context(), host, probe.at, ratelimit.DownProbeEvery); err != nil || got != probe.want {
			t.Errorf("probe after %v: %t, %v", probe.at.Sub(start()), got, err)
		}
	}
}

func answered(t *testing.T, s Store) {
	for _, end := range []func() error{
		func() error { return s.Answered(t.Context(), host) },
		func() error { return s.Succeeded(t.Context(), host, "client") },
	} {
		refuse(t, s, "acme")
		if err := s.Unanswered(t.Context(), host, start()); err != nil {
			t.Fatal(err)
		}
		if err := end(); err != nil {
			t.Fatal(err)
		}
		r, err := s.Budget(t.Context(), host)
		if err != nil || r.Down() || !r.ProbedAt.Equal(start()) {
			t.Errorf("%+v, %v", r, err)
		}
	}
	if err := s.Unanswered(t.Context(), host, start()); err != nil {
		t.Fatal(err)
	}
	refuse(t, s, "acme")
	if err := s.Answered(t.Context(), host); err != nil {
		t.Fatal(err)
	}
	wantBudget(t, s, host, ratelimit.Record{ProbedAt: start(), Refused: []string{"acme"}, RefusedSince: start(), Served: []string{"client"}})
}

func neverDown(t *testing.T, s Store) {
	if err := s.Answered(t.Context(), host); err != nil {
		t.Fatal(err)
	}
	wantBudget(t, s, host, ratelimit.Record{})
}

func throttle(t *testing.T, s Store, th ratelimit.Throttle) ratelimit.Record {
	t.Helper()
	r, err := s.Throttled(t.Context(), host, th)
	if err != nil {
		t.Fatalf("Throttled(%s): %v", th.Client, err)
	}
	return r
}

func refuse(t *testing.T, s Store, connection string) ratelimit.Record {
	t.Helper()
	r, err := s.Refused(t.Context(), host, connection, start())
	if err != nil {
		t.Fatalf("Refused(%s): %v", connection, err)
	}
	return r
}

func wantProbe(t *testing.T, s Store, now time.Time, want bool) {
	t.Helper()
	got, err := s.Probe(t.Context(), host, now, ratelimit.ProbeEvery)
	if err != nil || got != want {
		t.Errorf("Probe = %v, %v; want %v", got, err, want)
	}
}

func pausedHost(t *testing.T, s Store) {
	wantSlot(t, s, windowAt(start()), start())
	end := start().Add(time.Second)
	want := ratelimit.Record{Next: start().Add(interval), PausedUntil: end, Pause: time.Second, Throttled: []string{"client"}}
	sameBudget(t, throttle(t, s, ratelimit.Throttle{Client: "client", Now: start()}), want)
	wantBudget(t, s, host, want)
	wantBusy(t, s, windowAt(start()), ratelimit.LimitError{Until: end, Paused: true})
	wantBusy(t, s, windowAt(end.Add(-time.Millisecond)), ratelimit.LimitError{Until: end, Paused: true})
	wantBudget(t, s, host, want)
	wantSlot(t, s, windowAt(end), end)
}

func pauseBeyondBelief(t *testing.T, s Store) {
	throttle(t, s, ratelimit.Throttle{Client: "client", Now: start().Add(time.Hour), RetryAfter: 5 * time.Minute})
	end := start().Add(time.Hour + 5*time.Minute)
	early := end.Add(-5*time.Minute - time.Millisecond)
	wantSlot(t, s, windowAt(early), early)
	wantSlot(t, s, windowAt(early), early.Add(interval))
	for _, now := range []time.Time{early.Add(time.Millisecond), end.Add(-time.Millisecond)} {
		wantBusy(t, s, windowAt(now), ratelimit.LimitError{Until: end, Paused: true})
	}
	// The next pause is counted from now, however far the old one reaches.
	got := throttle(t, s, ratelimit.Throttle{Client: "client", Now: start()})
	if want := start().Add(time.Second); !got.PausedUntil.Equal(want) {
		t.Errorf("paused until %v, want %v", got.PausedUntil, want)
	}
}

func pausesByRule(t *testing.T, s Store) {
	var want ratelimit.Record
	now := start()
	for i, step := range []struct {
		later      time.Duration
		client     string
		retryAfter time.Duration
	}{
		{0, "a", 0},
		{100 * time.Millisecond, "a", 0},
		{100 * time.Millisecond, "b", 0},     // in force: lengthened, not grown
		{-100 * time.Millisecond, "b", 0},    // by a clock behind: nothing new
		{2 * time.Second, "a", 0},            // over: grown
		{3 * time.Second, "c", 0},            // and again
		{time.Second, "c", 90 * time.Second}, // what the server asks for
		{time.Second, "c", time.Second},      // less than that changes nothing
		{10 * time.Minute, "a", time.Hour},   // bounded
		{6 * time.Minute, "a", -time.Second}, // nonsense
		{time.Hour, "a", 0},
		{time.Hour, "b", 0}, // grown
		{time.Hour, "a", 0},
		{time.Hour, "d", 0}, // grown to the longest
		{-24 * time.Hour, "e", 0},
		{time.Second, "e", 0}, // the record lies in the future
	} {
		now = now.Add(step.later)
		th := ratelimit.Throttle{Client: step.client, RetryAfter: step.retryAfter, Now: now}
		want = inOrder(ratelimit.RecordThrottle(want, th))
		got := throttle(t, s, th)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("429 number %d, of %+v (-want +got):\n%s", i+1, step, diff)
		}
		wantBudget(t, s, host, want)
	}
}

func pauseInMillis(t *testing.T, s Store) {
	got := throttle(t, s, ratelimit.Throttle{Client: "c", Now: start().Add(999_999), RetryAfter: 2*time.Second + 999_999})
	sameBudget(t, got, ratelimit.Record{PausedUntil: start().Add(2 * time.Second), Pause: time.Second, Throttled: []string{"c"}})
}

// throttledAtOnce is a flood: one pause of the first length, to the last end
// that is asked for, and all clients in the list, up to its bound.
func throttledAtOnce(t *testing.T, s Store) {
	const clients = 16
	race(func(i int) {
		th := ratelimit.Throttle{Client: fmt.Sprintf("client-%02d", i%clients), Now: start().Add(time.Duration(i) * time.Millisecond)}
		if _, err := s.Throttled(t.Context(), host, th); err != nil {
			t.Error(err)
		}
	})
	want := ratelimit.Record{PausedUntil: start().Add(time.Second + (many-1)*time.Millisecond), Pause: time.Second}
	for i := range clients {
		want.Throttled = append(want.Throttled, fmt.Sprintf("client-%02d", i))
	}
	wantBudget(t, s, host, want)
}

func throttledAlone(t *testing.T, s Store) {
	now := start()
	for range 4 {
		got := throttle(t, s, ratelimit.Throttle{Client: "client", Now: now})
		if len(got.Throttled) != 1 || got.Pause != time.Second {
			t.Errorf("%v, pause %v; want one client and one second", got, got.Pause)
		}
		now = now.Add(time.Minute)
	}
}

func succeeded(t *testing.T, s Store) {
	wantSlot(t, s, windowAt(start()), start())
	throttle(t, s, ratelimit.Throttle{Client: "client", Now: start()})
	refuse(t, s, "acme")
	wantProbe(t, s, start(), true)
	want := ratelimit.Record{
		Next: start().Add(interval), PausedUntil: start().Add(time.Second), ProbedAt: start(), Served: []string{"client"},
	}
	for range 2 {
		noError(t, s.Succeeded(t.Context(), host, "client"))
		wantBudget(t, s, host, want)
	}
	wantBusy(t, s, windowAt(start()), ratelimit.LimitError{Until: want.PausedUntil, Paused: true})
}

func served(t *testing.T, s Store) {
	throttle(t, s, ratelimit.Throttle{Client: "a", Now: start(), First: true})
	for _, client := range []string{"a", "b", "a"} {
		noError(t, s.Succeeded(t.Context(), host, client))
	}
	wantBudget(t, s, host, ratelimit.Record{PausedUntil: start().Add(time.Second), Served: []string{"a", "b"}})
}

func servedToMost(t *testing.T, s Store) {
	throttle(t, s, ratelimit.Throttle{Client: "a", Now: start(), First: true})
	for i := range ratelimit.MaxServed + 2 {
		refuse(t, s, "acme")
		noError(t, s.Succeeded(t.Context(), host, fmt.Sprintf("client-%02d", i)))
	}
	r, err := s.Budget(t.Context(), host)
	noError(t, err)
	if len(r.Served) != ratelimit.MaxServed || len(r.Refused) > 0 {
		t.Errorf("%d served and %d refused, want %d and none", len(r.Served), len(r.Refused), ratelimit.MaxServed)
	}
}

func servedAgain(t *testing.T, s Store) {
	throttle(t, s, ratelimit.Throttle{Client: "a", Now: start(), First: true})
	noError(t, s.Succeeded(t.Context(), host, "b"))
	if r := throttle(t, s, ratelimit.Throttle{Client: "a", Now: start()}); !r.OthersServed("a") {
		t.Errorf("after the second 429: %v served, want b", r.Served)
	}
	if r := throttle(t, s, ratelimit.Throttle{Client: "a", Now: start(), First: true}); r.OthersServed("a") {
		t.Errorf("after the first of the next row: %v served, want none", r.Served)
	}
}

func refusedSince(t *testing.T, s Store) {
	for i := range 3 {
		later := time.Duration(i) * time.Minute
		r, err := s.Refused(t.Context(), host, fmt.Sprint("c", i), start().Add(later))
		noError(t, err)
		if !r.RefusedSince.Equal(start()) {
			t.Errorf("refused since %v, want %v", r.RefusedSince, start())
		}
	}
}

func refused(t *testing.T, s Store) {
	want := ratelimit.Record{RefusedSince: start()}
	for _, name := range []string{"c", "a", "b", "a"} {
		if !slices.Contains(want.Refused, name) {
			want.Refused = append(want.Refused, name)
		}
		want = inOrder(want)
		sameBudget(t, refuse(t, s, name), want)
		wantBudget(t, s, host, want)
	}
	if !want.CircuitOpen() {
		t.Error("three refused connections make no refusing host")
	}
}

// longName is a connection's name of full length.
func longName(i int) string {
	name := fmt.Sprintf("c%03d-", i)
	return name + strings.Repeat("x", 64-len(name))
}

func refusedMany(t *testing.T, s Store) {
	want := ratelimit.Record{RefusedSince: start()}
	for i := range 400 {
		refuse(t, s, longName(i))
		want.Refused = append(want.Refused, longName(i))
	}
	wantBudget(t, s, host, want)
	wantSlot(t, s, windowAt(start()), start())
	noError(t, s.Succeeded(t.Context(), host, "c"))
	wantBudget(t, s, host, ratelimit.Record{Next: start().Add(interval), Served: []string{"c"}})
}

func refusedToMost(t *testing.T, s Store) {
	for i := range ratelimit.MaxRefused + 2 {
		refuse(t, s, fmt.Sprintf("c%03d", i))
	}
	r := refuse(t, s, "c000") // one of them again
	if len(r.Refused) != ratelimit.MaxRefused || !slices.Contains(r.Refused, "c499") || slices.Contains(r.Refused, "c500") {
		t.Errorf("%d connections refused, want the first %d", len(r.Refused), ratelimit.MaxRefused)
	}
}

func refusedAtOnce(t *testing.T, s Store) {
	want := ratelimit.Record{RefusedSince: start()}
	for i := range many {
		want.Refused = append(want.Refused, longName(i))
	}
	race(func(i int) {
		if _, err := s.Refused(t.Context(), host, longName(i), start()); err != nil {
			t.Error(err)
		}
	})
	wantBudget(t, s, host, want)
}

func probeAtOnce(t *testing.T, s Store) {
	var probes atomic.Int64
	race(func(int) {
		may, err := s.Probe(t.Context(), host, start(), ratelimit.ProbeEvery)
		if err != nil {
			t.Error(err)
		}
		if may {
			probes.Add(1)
		}
	})
	if got := probes.Load(); got != 1 {
		t.Errorf("%d probes at once, want 1", got)
	}
}

func probeAlone(t *testing.T, s Store) {
	wantSlot(t, s, windowAt(start()), start())
	refuse(t, s, "acme")
	wantProbe(t, s, start().Add(999_999), true)
	wantProbe(t, s, start(), false)
	wantBudget(t, s, host, ratelimit.Record{Next: start().Add(interval), Refused: []string{"acme"}, RefusedSince: start(), ProbedAt: start()})
}
