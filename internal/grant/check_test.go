package grant_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/internal/fault"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
)

// said is what a grant tells of its last check.
type said struct{ Checkable, Reissued, FoundAlive, FoundDead bool }

func (s said) of(t *testing.T, g grant.Grant, now time.Time) {
	t.Helper()
	got := said{g.Checkable(now), g.Reissued(now), g.FoundAlive(now), g.FoundDead(now)}
	if diff := cmp.Diff(s, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestChecks(t *testing.T) {
	now := issued()
	alive, dead, nothing := said{FoundAlive: true}, said{FoundDead: true}, said{}
	checkable, reissued := said{Checkable: true}, said{Reissued: true}
	for name, test := range map[string]struct {
		checked, reissued, tried time.Duration // before now; 0: never
		want                     said
	}{
		"never checked":                         {0, 0, 0, checkable},
		"alive just now":                        {1, 0, 0, alive},
		"alive not quite 30 s ago":              {30*time.Second - 1, 0, 0, alive},
		"alive 30 s ago":                        {30 * time.Second, 0, 0, checkable},
		"alive by a clock that is fast":         {-30 * time.Second, 0, 0, alive},
		"alive by a clock that is broken":       {-30*time.Second - 1, 0, 0, checkable},
		"alive, asked in vain before":           {time.Second, 0, 2 * time.Second, alive},
		"dead just now":                         {1, 0, 1, dead},
		"dead not quite 30 s ago":               {30*time.Second - 1, 0, 30*time.Second - 1, dead},
		"dead 30 s ago":                         {30 * time.Second, 0, 30 * time.Second, checkable},
		"nothing definite":                      {2 * time.Second, 0, 2*time.Second - ms, nothing},
		"nothing definite 30 s ago":             {30 * time.Second, 0, 30*time.Second - ms, checkable},
		"came back dead just now":               {time.Second, time.Second, time.Second, reissued},
		"came back dead not quite 5 min ago":    {time.Minute, 5*time.Minute - 1, time.Minute, reissued},
		"came back dead 5 min ago":              {time.Minute, 5 * time.Minute, time.Minute, checkable},
		"came back dead by a fast clock":        {time.Minute, -5 * time.Minute, 0, reissued},
		"came back dead by a broken clock":      {time.Minute, -5*time.Minute - 1, 0, checkable},
		"came back dead long ago, checked anew": {time.Second, time.Hour, 0, alive},
		"came back dead long ago, dead anew":    {time.Second, time.Hour, time.Second, dead},
	} {
		t.Run(name, func(t *testing.T) {
			before := func(d time.Duration) time.Time {
				if d == 0 {
					return time.Time{}
				}
				return now.Add(-d)
			}
			g := fresh()
			g.CheckedAt, g.ReissuedAt, g.TriedAt = before(test.checked), before(test.reissued), before(test.tried)
			test.want.of(t, g, now)
		})
	}
}

// What a check said of a token stands for half a minute, whatever happens to
// the grant meanwhile; of another token it says nothing, but that there was a
// check.
func TestWhatACheckSaidStands(t *testing.T) {
	now := issued().Add(10 * time.Minute)
	e := fault.New(fault.ReltioUnavailable, "no answer")
	failed := func(g grant.Grant) grant.Grant { return g.Failed(grant.StatusFailing, e, now.Add(time.Second), 0, 0) }
	same := func(g grant.Grant) grant.Grant {
		return g.Accept(answered("access-1", now.Add(time.Second), 49*time.Minute)).Healthy()
	}
	another := func(g grant.Grant) grant.Grant {
		return g.Accept(answered("access-2", now.Add(time.Second), time.Hour)).Healthy()
	}
	befores := map[string]grant.Grant{
		"healthy":                     fresh(),
		"failing":                     fresh(status(grant.StatusFailing), func(g *grant.Grant) { g.TriedAt = now.Add(-time.Minute) }),
		"failed in this very moment":  fresh(status(grant.StatusFailing), func(g *grant.Grant) { g.TriedAt = now }),
		"failed by a clock that runs": fresh(status(grant.StatusFailing), func(g *grant.Grant) { g.TriedAt = now.Add(time.Second) }),
		"found dead a minute ago":     fresh().CheckedAs(grant.Dead, now.Add(-time.Minute)),
		"nothing found a minute ago":  fresh().CheckedAs(grant.Undecided, now.Add(-time.Minute)),
	}
	for name, before := range befores {
		for verdict, want := range map[grant.Verdict]said{
			grant.Alive: {FoundAlive: true}, grant.Dead: {FoundDead: true}, grant.Undecided: {},
		} {
			t.Run(name, func(t *testing.T) {
				g, later := before.CheckedAs(verdict, now), now.Add(2*time.Second)
				if !g.CheckedAt.Equal(now) {
					t.Errorf("checked at %v", g.CheckedAt)
				}
				want.of(t, g, now)
				want.of(t, g, later)
				want.of(t, failed(g), later)
				want.of(t, failed(failed(g)), later)
				want.of(t, same(g), later)
				want.of(t, same(failed(g)), later)
				said{}.of(t, another(g), later)
				said{}.of(t, another(failed(g)), later)
				said{Checkable: true}.of(t, another(g), now.Add(30*time.Second))
			})
		}
	}
}

// Of a grant that waits, when it was tried comes first. A verdict that is lost
// in that way is never taken for the opposite one.
func TestWhatACheckSaidOfAGrantThatWaits(t *testing.T) {
	now := issued().Add(10 * time.Minute)
	later := now.Add(2 * time.Second)
	e := fault.New(fault.CredentialsRejected, "no")
	tried := func(g *grant.Grant) { g.TriedAt = now.Add(-10 * time.Minute) }
	before := fresh(status(grant.StatusCredentialsRejected), tried)
	said{FoundAlive: true}.of(t, before.CheckedAs(grant.Alive, now), later)
	if g := before.CheckedAs(grant.Alive, now); !g.TriedAt.Equal(before.TriedAt) {
		t.Errorf("tried at %v, want it untouched", g.TriedAt)
	}
	for _, verdict := range []grant.Verdict{grant.Dead, grant.Undecided} {
		g := before.CheckedAs(verdict, now).Failed(grant.StatusCredentialsRejected, e, now.Add(time.Second), 0, 0)
		said{}.of(t, g, later)
		if g.TryDue(now.Add(time.Hour)) || !g.TryDue(now.Add(time.Hour+time.Second)) {
			t.Errorf("tried at %v, want the failure's moment", g.TriedAt)
		}
		for name, untried := range map[string]grant.Grant{
			"resumed": g.Untried(), "resumed, never checked": before.Untried(),
		} {
			said{Checkable: true}.of(t, untried, later)
			if !untried.TryDue(later) {
				t.Errorf("%s: it may not be tried, want it forgotten when it was", name)
			}
		}
		g = g.Healthy() // as a success makes it
		said{}.of(t, g, later)
		said{Checkable: true}.of(t, g, now.Add(30*time.Second))
	}
	for verdict, want := range map[grant.Verdict]said{grant.Alive: {FoundAlive: true}, grant.Dead: {FoundDead: true}} {
		g := before.CheckedAs(verdict, now).Untried()
		want.of(t, g, later)
		if !g.TryDue(later) {
			t.Error("it may not be tried, want it forgotten when it was")
		}
	}
}

// A waiting grant whose token was found dead may be tried until it was, however
// close the two are.
func TestATryThatACheckLedTo(t *testing.T) {
	now := issued().Add(10 * time.Minute)
	e := fault.New(fault.CredentialsRejected, "no")
	g := fresh(status(grant.StatusCredentialsRejected)).CheckedAs(grant.Dead, now)
	for _, later := range []time.Duration{0, time.Minute, time.Hour} {
		if !g.TryDue(now.Add(later)) {
			t.Errorf("it may not be tried %v after the check", later)
		}
	}
	said{FoundDead: true}.of(t, g.Looked(now), now)
	for name, tried := range map[string]grant.Grant{
		"tried":          g.Tried(now),
		"tried, refused": g.Failed(grant.StatusCredentialsRejected, e, now, 0, 0),
	} {
		if tried.TryDue(now.Add(time.Minute)) {
			t.Errorf("%s: it may be tried again", name)
		}
		said{}.of(t, tried, now.Add(time.Second))
	}
}
