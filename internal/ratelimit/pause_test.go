package ratelimit_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
)

func TestPaused(t *testing.T) {
	for name, test := range map[string]struct {
		until time.Time
		want  bool
	}{
		"never":              {time.Time{}, false},
		"ended":              {now().Add(-1), false},
		"ends now":           {now(), false},
		"a moment longer":    {now().Add(1), true},
		"five minutes":       {now().Add(5 * time.Minute), true},
		"more is a mistake ": {now().Add(5*time.Minute + 1), false},
	} {
		t.Run(name, func(t *testing.T) {
			until, got := ratelimit.Record{PausedUntil: test.until}.ThrottledUntil(now())
			if got != test.want || !until.Equal(test.until) {
				t.Errorf("Paused = %v, %v; want %v, %v", until, got, test.until, test.want)
			}
		})
	}
}

func TestPause(t *testing.T) {
	many := make([]string, 50)
	for i := range many {
		many[i] = fmt.Sprint("k", i)
	}
	paused := func(pause time.Duration, until time.Duration, clients ...string) ratelimit.Record {
		return ratelimit.Record{Pause: pause, PausedUntil: now().Add(until), Throttled: clients}
	}
	for name, test := range map[string]struct {
		before     ratelimit.Record
		client     string
		retryAfter time.Duration
		want       ratelimit.Record
	}{
		"the first":                            {ratelimit.Record{}, "a", 0, paused(s, s, "a")},
		"the first, with a time":               {ratelimit.Record{}, "a", 30 * s, paused(s, 30*s, "a")},
		"a time shorter than the pause":        {ratelimit.Record{}, "a", ms, paused(s, s, "a")},
		"a time before now":                    {ratelimit.Record{}, "a", -time.Hour, paused(s, s, "a")},
		"a time longer than is believed":       {ratelimit.Record{}, "a", time.Hour, paused(s, 5*time.Minute, "a")},
		"the same client again":                {paused(s, 0, "a"), "a", 0, paused(s, s, "a")},
		"the same client after a long pause":   {paused(8*s, 0, "a"), "a", 0, paused(s, s, "a")},
		"another client":                       {paused(s, 0, "a"), "b", 0, paused(2*s, 2*s, "a", "b")},
		"one of several again":                 {paused(2*s, 0, "a", "b"), "a", 0, paused(4*s, 4*s, "a", "b")},
		"it grows":                             {paused(16*s, 0, "a", "b"), "c", 0, paused(32*s, 32*s, "a", "b", "c")},
		"up to a minute":                       {paused(32*s, 0, "a", "b"), "a", 0, paused(60*s, 60*s, "a", "b")},
		"and no further":                       {paused(60*s, 0, "a", "b"), "a", 0, paused(60*s, 60*s, "a", "b")},
		"it grows, with a time":                {paused(2*s, 0, "a", "b"), "a", 30 * s, paused(4*s, 30*s, "a", "b")},
		"paused: the same flood":               {paused(2*s, s, "a", "b"), "c", 0, paused(2*s, 2*s, "a", "b", "c")},
		"paused for longer already":            {paused(2*s, 20*s, "a"), "b", 0, paused(2*s, 20*s, "a", "b")},
		"paused, a longer time":                {paused(2*s, 20*s, "a"), "b", 30 * s, paused(2*s, 30*s, "a", "b")},
		"a pause that is not believed":         {paused(2*s, time.Hour, "a"), "b", 0, paused(4*s, 4*s, "a", "b")},
		"a success forgot the pause's length":  {ratelimit.Record{}, "b", 0, paused(s, s, "b")},
		"clients of a pause without a length":  {paused(0, 0, "a"), "b", 0, paused(s, s, "a", "b")},
		"more clients than are remembered":     {paused(2*s, 0, many...), "other", 0, paused(4*s, 4*s, many...)},
		"the last that is remembered":          {paused(2*s, 0, many[:49]...), "k49", 0, paused(4*s, 4*s, many...)},
		"one that is remembered, of very many": {paused(2*s, 0, many...), "k7", 0, paused(4*s, 4*s, many...)},
	} {
		t.Run(name, func(t *testing.T) {
			before := slices.Clone(test.before.Throttled)
			got := ratelimit.RecordThrottle(test.before, ratelimit.Throttle{Client: test.client, RetryAfter: test.retryAfter, Now: now()})
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(before, test.before.Throttled); diff != "" {
				t.Errorf("the record before changed:\n%s", diff)
			}
		})
	}
}

// The rule touches nothing else of the record.
func TestPauseLeavesTheRest(t *testing.T) {
	before := ratelimit.Record{Next: now(), Refused: []string{"c"}, ProbedAt: now()}
	got := ratelimit.RecordThrottle(before, ratelimit.Throttle{Client: "a", Now: now()})
	want := ratelimit.Record{
		Next: now(), Refused: []string{"c"}, ProbedAt: now(),
		Throttled: []string{"a"}, Pause: s, PausedUntil: now().Add(s),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// One client that is throttled for hours never makes the pause grow; two do, to
// a minute.
func TestPauseGrowsOnlyWhileDifferentClientsAreThrottled(t *testing.T) {
	flood := func(clients ...string) (longest time.Duration) {
		var r ratelimit.Record
		at := now()
		for i := range 100 {
			r = ratelimit.RecordThrottle(r, ratelimit.Throttle{Client: clients[i%len(clients)], Now: at})
			longest = max(longest, r.Pause)
			at = r.PausedUntil
		}
		return longest
	}
	if got := flood("a"); got != s {
		t.Errorf("one client: the pause grew to %v, want %v", got, s)
	}
	if got := flood("a", "b"); got != time.Minute {
		t.Errorf("two clients: the pause grew to %v, want a minute", got)
	}
}

func TestBelievedRetryAfter(t *testing.T) {
	for given, want := range map[time.Duration]time.Duration{
		-1: 0, 0: 0, 1: 1, s: s, 5 * time.Minute: 5 * time.Minute, 5*time.Minute + 1: 5 * time.Minute, 1<<63 - 1: 5 * time.Minute,
	} {
		if got := ratelimit.BelievedRetryAfter(given); got != want {
			t.Errorf("BelievedRetryAfter(%v) = %v, want %v", given, got, want)
		}
	}
}

func TestOthersServed(t *testing.T) {
	for name, test := range map[string]struct {
		served []string
		want   bool
	}{
		"no client":     {nil, false},
		"only it":       {[]string{"a"}, false},
		"another":       {[]string{"b"}, true},
		"it and others": {[]string{"a", "b"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := (ratelimit.Record{Served: test.served}).OthersServed("a"); got != test.want {
				t.Errorf("OthersServed = %v, want %v", got, test.want)
			}
		})
	}
}

func TestSuccess(t *testing.T) {
	many := make([]string, ratelimit.MaxServed)
	for i := range many {
		many[i] = fmt.Sprint("k", i)
	}
	for name, test := range map[string]struct{ before, want ratelimit.Record }{
		"nothing":             {ratelimit.Record{}, ratelimit.Record{Served: []string{"a"}}},
		"known":               {ratelimit.Record{Served: []string{"a"}}, ratelimit.Record{Served: []string{"a"}}},
		"others":              {ratelimit.Record{Served: []string{"b"}}, ratelimit.Record{Served: []string{"b", "a"}}},
		"as many as are kept": {ratelimit.Record{Served: many}, ratelimit.Record{Served: many}},
		"all is forgotten but the pause in force": {
			ratelimit.Record{Next: now(), PausedUntil: now(), Pause: s, Throttled: []string{"a"}, Refused: []string{"c"}, RefusedSince: now(), ProbedAt: now()},
			ratelimit.Record{Next: now(), PausedUntil: now(), Served: []string{"a"}, ProbedAt: now()},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, ratelimit.RecordSuccess(test.before, "a")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestRefuse(t *testing.T) {
	many := make([]string, ratelimit.MaxRefused)
	for i := range many {
		many[i] = fmt.Sprint("c", i)
	}
	before := now().Add(-s)
	for name, test := range map[string]struct{ before, want ratelimit.Record }{
		"the first":           {ratelimit.Record{}, ratelimit.Record{Refused: []string{"a"}, RefusedSince: now()}},
		"another":             {ratelimit.Record{Refused: []string{"b"}, RefusedSince: before}, ratelimit.Record{Refused: []string{"b", "a"}, RefusedSince: before}},
		"the same again":      {ratelimit.Record{Refused: []string{"a"}, RefusedSince: before}, ratelimit.Record{Refused: []string{"a"}, RefusedSince: before}},
		"as many as are kept": {ratelimit.Record{Refused: many, RefusedSince: before}, ratelimit.Record{Refused: many, RefusedSince: before}},
		"of a record that did not say since when": {ratelimit.Record{Refused: []string{"b"}}, ratelimit.Record{Refused: []string{"b", "a"}, RefusedSince: now()}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, ratelimit.RecordRefusal(test.before, "a", now())); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Who is served is counted again from the first 429 in a row, and no other.
func TestPauseForgetsWhoWasServed(t *testing.T) {
	before := ratelimit.Record{Served: []string{"b"}}
	if got := ratelimit.RecordThrottle(before, ratelimit.Throttle{Client: "a", Now: now(), First: true}); got.OthersServed("a") {
		t.Errorf("after the first: served %v, want none", got.Served)
	}
	if got := ratelimit.RecordThrottle(before, ratelimit.Throttle{Client: "a", Now: now()}); !got.OthersServed("a") {
		t.Errorf("after another: served %v, want b", got.Served)
	}
}
