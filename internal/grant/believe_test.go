package grant_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
)

func TestBelieved(t *testing.T) {
	now := issued()
	for name, test := range map[string]struct {
		change func(g *grant.Grant)
		want   func(g *grant.Grant)
	}{
		"as it should be":       {func(*grant.Grant) {}, func(*grant.Grant) {}},
		"a retry in 65 minutes": {func(g *grant.Grant) { g.RetryAt = now.Add(65 * time.Minute) }, func(*grant.Grant) {}},
		"a retry a bit later":   {func(g *grant.Grant) { g.RetryAt = now.Add(65*time.Minute + 1) }, func(g *grant.Grant) { g.RetryAt = now }},
		"a retry in a year":     {func(g *grant.Grant) { g.RetryAt = now.Add(365 * 24 * time.Hour) }, func(g *grant.Grant) { g.RetryAt = now }},
		"a look in five minutes": {
			func(g *grant.Grant) {
				g.Status, g.RetryAt = grant.StatusReauthorize, now.Add(grant.LookEvery+10*time.Second)
			},
			func(*grant.Grant) {},
		},
		"a look a bit later": {
			func(g *grant.Grant) {
				g.Status, g.RetryAt = grant.StatusReauthorize, now.Add(grant.LookEvery+10*time.Second+1)
			},
			func(g *grant.Grant) { g.RetryAt = now },
		},
		"issued by a clock a bit fast": {func(g *grant.Grant) { moveToken(g, 10*time.Second) }, func(*grant.Grant) {}},
		"issued ten minutes ahead": {
			func(g *grant.Grant) { moveToken(g, 10*time.Minute) },
			func(g *grant.Grant) { moveToken(g, -10*time.Minute); g.Doubted = true },
		},
		"issued a year ahead": {
			func(g *grant.Grant) { moveToken(g, 365*24*time.Hour) },
			func(g *grant.Grant) { moveToken(g, -365*24*time.Hour); g.Doubted = true },
		},
		"ends in 31 days": {func(g *grant.Grant) { g.ExpiresAt = now.Add(31 * 24 * time.Hour) }, func(*grant.Grant) {}},
		"ends a bit later": {
			func(g *grant.Grant) { g.ExpiresAt = now.Add(31*24*time.Hour + 1) },
			func(g *grant.Grant) { g.ExpiresAt, g.Doubted = now, true },
		},
		"missed by a clock a bit fast": {
			func(g *grant.Grant) {
				g.SecretMissingAt, g.TokenMissingAt = now.Add(10*time.Second), now.Add(10*time.Second)
			},
			func(*grant.Grant) {},
		},
		"missed in the future": {
			func(g *grant.Grant) {
				g.SecretMissingAt, g.TokenMissingAt = now.Add(10*time.Second+1), now.Add(365*24*time.Hour)
			},
			func(g *grant.Grant) { g.SecretMissingAt, g.TokenMissingAt = time.Time{}, time.Time{} },
		},
		"warned by a clock a bit fast": {func(g *grant.Grant) { g.WarnedAt = now.Add(10 * time.Second) }, func(*grant.Grant) {}},
		"warned in the future": {
			func(g *grant.Grant) { g.WarnedAt = now.Add(10*time.Second + 1) },
			func(g *grant.Grant) { g.WarnedAt = time.Time{} },
		},
		"no token": {
			func(g *grant.Grant) { *g = g.WithoutToken(); moveToken(g, time.Hour) },
			func(*grant.Grant) {},
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := fresh()
			test.change(&g)
			want := g
			test.want(&want)
			if diff := cmp.Diff(want, g.Believed(now)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// moveToken is what a clock that is wrong by d makes of a token's times.
func moveToken(g *grant.Grant, d time.Duration) {
	g.IssuedAt, g.ExpiresAt = g.IssuedAt.Add(d), g.ExpiresAt.Add(d)
}

func TestADoubtedTokenServesAndIsDue(t *testing.T) {
	now := issued()
	for _, mode := range []grant.Mode{grant.Unknown, grant.AtEnd, grant.Overlap} {
		g := fresh()
		g.LoginMode = mode
		moveToken(&g, time.Hour)
		g = g.Believed(now)
		if !g.Valid(now) || g.Due().After(now) || !g.EarlyWindow(now) {
			t.Errorf("%s: valid %v, due %v, early window %v; want it served and renewed", mode, g.Valid(now), g.Due(), g.EarlyWindow(now))
		}
		for _, s := range append(waitings(), grant.StatusPaused) {
			if fresh(status(s), func(g *grant.Grant) { g.Doubted = true }).EarlyWindow(now) {
				t.Errorf("%s: it is renewed early while it is %s", mode, s)
			}
		}
		if g.RetryAt = now.Add(time.Minute); g.EarlyWindow(now) || !g.Due().Equal(g.RetryAt) {
			t.Errorf("%s: after a failure it is renewed before retry_at", mode)
		}
	}
}

// What a clock that is ahead writes is no reason to tell no operator, or to try
// nothing, for twice as long.
func TestWhatHappensInTheFutureHasNotHappened(t *testing.T) {
	now := issued()
	for _, ahead := range []time.Duration{11 * time.Second, 50 * time.Minute, 23 * time.Hour} {
		at := now.Add(ahead)
		g := fresh(status(grant.StatusReauthorize), func(g *grant.Grant) { g.TriedAt, g.WarnedAt = at, at }).Believed(now)
		if !g.TryDue(now) {
			t.Errorf("%s ahead: not tried", ahead)
		}
		if g := g.Announced(g, now, true); len(g.Unpublished) != 1 {
			t.Errorf("%s ahead: operators are not told again", ahead)
		}
		if !(grant.Due{DueAt: at}).Misdated(now) && ahead > grant.LookEvery {
			t.Errorf("%s ahead: not looked at", ahead)
		}
		factor := fresh(status(grant.StatusMFARequired), func(g *grant.Grant) { g.TriedAt = at }).Believed(now)
		if factor.TryDue(now) {
			t.Errorf("%s ahead: a login is tried that mails a code", ahead)
		}
	}
}

// The index keeps the moment at which a grant was due that seems overdue for longer
// than sweeps let pass.
func TestIndexedSince(t *testing.T) {
	now := issued().Add(10 * time.Hour)
	renewed := func(g grant.Grant, at time.Time) grant.Grant {
		g.IssuedAt, g.ExpiresAt = at, at.Add(time.Hour)
		return g
	}
	for name, test := range map[string]struct {
		before, after grant.Grant
		want          time.Time
	}{
		"no grant yet":       {grant.Grant{}, renewed(fresh(), now), renewed(fresh(), now).Due()},
		"not due":            {renewed(fresh(), now), renewed(fresh(), now), renewed(fresh(), now).Due()},
		"renewed in time":    {fresh(retryAt(now.Add(-5 * time.Minute))), renewed(fresh(), now), renewed(fresh(), now).Due()},
		"renewed late":       {fresh(), renewed(fresh(), now), fresh().Due()},
		"failed late":        {fresh(), fresh(retryAt(now.Add(time.Minute))), fresh().Due()},
		"failed once more":   {fresh(retryAt(now.Add(-time.Minute))), fresh(retryAt(now.Add(time.Minute))), now.Add(time.Minute)},
		"found dead before":  {fresh(withoutToken, indexedAt(issued())), renewed(fresh(), now), issued()},
		"waits for somebody": {fresh(), fresh(status(grant.StatusReauthorize), retryAt(now.Add(time.Minute))), now.Add(time.Minute)},
		"paused":             {fresh(), fresh(status(grant.StatusPaused)), time.Time{}},
	} {
		if got := test.after.IndexedSince(test.before, now).DueAt; !got.Equal(test.want) {
			t.Errorf("%s: indexed at %s, want %s", name, got, test.want)
		}
	}
}

func indexedAt(at time.Time) func(*grant.Grant) { return func(g *grant.Grant) { g.DueAt = at } }
