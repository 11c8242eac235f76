package issue_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/issue"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

func TestMinTTL(t *testing.T) {
	tests := map[string]struct {
		left    time.Duration // of an hour
		need    time.Duration
		mode    grant.Mode
		change  func(*grant.Grant)
		renewed bool
	}{
		"enough left":                    {left: 20 * time.Minute, need: 20 * time.Minute, mode: grant.Overlap},
		"a second too little":            {left: 20 * time.Minute, need: 20*time.Minute + time.Second, mode: grant.Overlap, renewed: true},
		"a little too little, rounded":   {left: 20*time.Minute - time.Millisecond, need: 20 * time.Minute, mode: grant.Overlap, renewed: true},
		"half its life left":             {left: 30 * time.Minute, need: 40 * time.Minute, mode: grant.Overlap},
		"just under half its life left":  {left: 30*time.Minute - time.Second, need: 40 * time.Minute, mode: grant.Overlap, renewed: true},
		"young":                          {left: 50 * time.Minute, need: 59 * time.Minute, mode: grant.Overlap},
		"mode unknown":                   {left: 20 * time.Minute, need: 40 * time.Minute, mode: grant.Unknown},
		"mode at_end":                    {left: 20 * time.Minute, need: 40 * time.Minute, mode: grant.AtEnd},
		"more than any token lives":      {left: 20 * time.Minute, need: 24 * time.Hour, mode: grant.Overlap, renewed: true},
		"retry_at ahead":                 {left: 20 * time.Minute, need: 40 * time.Minute, mode: grant.Overlap, change: retryAhead},
		"paused":                         {left: 20 * time.Minute, need: 40 * time.Minute, mode: grant.Overlap, change: paused},
		"waiting for a person":           {left: 20 * time.Minute, need: 40 * time.Minute, mode: grant.Overlap, change: waiting},
		"the last one before a re-login": {left: 20 * time.Minute, need: 40 * time.Minute, mode: grant.Overlap, change: relogin},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, "client_credentials")
				w.behave(func(b *reltioauthtest.Behaviour) { b.Login = reltioauthtest.NewToken })
				w.must(issue.Request{})
				w.alter(func(g *grant.Grant) { *g = g.WithMode(false, test.mode, time.Now()) })
				if test.change != nil {
					w.alter(test.change)
				}
				time.Sleep(time.Until(w.grant().ExpiresAt) - test.left)
				a := w.must(issue.Request{MinTTL: test.need})
				if got := a.Outcome == issueapi.Renewed; got != test.renewed {
					t.Errorf("outcome %s, want renewed: %t", a.Outcome, test.renewed)
				}
				want := 1
				if test.renewed {
					want = 2
				}
				w.wantRequests(want)
				if met := a.ExpiresIn >= test.need; a.MinTTLMet != met {
					t.Errorf("min_ttl_met %t with %v left of %v", a.MinTTLMet, a.ExpiresIn, test.need)
				}
				if name == "enough left" && !a.MinTTLMet {
					t.Error("min_ttl_met is false, want true")
				}
			})
		})
	}
}

func retryAhead(g *grant.Grant) { g.RetryAt = g.ExpiresAt }
func paused(g *grant.Grant)     { g.Status = grant.StatusPaused }
func waiting(g *grant.Grant)    { g.Status = grant.StatusReauthorize }
func relogin(g *grant.Grant)    { g.Relogin = grant.ReloginDue }

// overlapping is a world with a token of mode overlap with 20 of 60 minutes
// left.
func overlapping(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, "client_credentials")
	w.behave(func(b *reltioauthtest.Behaviour) { b.Login = reltioauthtest.NewToken })
	w.must(issue.Request{})
	w.alter(func(g *grant.Grant) { *g = g.WithMode(false, grant.Overlap, time.Now()) })
	time.Sleep(40 * time.Minute)
	return w
}

func TestMinTTLFromMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := overlapping(t)
		v := w.issuer()
		for range 2 {
			if _, err := w.issue(v, issue.Request{}); err != nil {
				t.Fatal(err)
			}
		}
		a, err := w.issue(v, issue.Request{MinTTL: 40 * time.Minute})
		if err != nil || a.Outcome != issueapi.Renewed || !a.MinTTLMet {
			t.Errorf("%v, %v; want a renewed token though the old one is remembered", a, err)
		}
		if a, err = w.issue(v, issue.Request{MinTTL: 40 * time.Minute}); err != nil || a.Outcome != issueapi.Cached {
			t.Errorf("%v, %v; want it from memory", a, err)
		}
		w.wantRequests(2)
	})
}

func TestMinTTLWithReltioDownGetsTheCurrentToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := overlapping(t)
		w.down()
		for range 3 {
			a := w.must(issue.Request{MinTTL: 40 * time.Minute})
			if a.MinTTLMet || a.Version != 1 || a.Outcome != issueapi.Cached {
				t.Errorf("min_ttl_met %t, version %d, %s, want the current token", a.MinTTLMet, a.Version, a.Outcome)
			}
			wantWarnings(t, a, issueapi.RenewalFailing)
		}
		w.wantRequests(2) // one, until retry_at
	})
}

func TestMinTTLWaitsForARenewalUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := overlapping(t)
		w.hold(lease.Term)
		start := time.Now()
		a := w.must(issue.Request{MinTTL: 40 * time.Minute})
		if took := time.Since(start); took < 18*time.Second {
			t.Errorf("it took %v, want the timeout of a caller", took)
		}
		if a.MinTTLMet || !slices.Contains(a.Warnings, issueapi.RenewalFailing) {
			t.Errorf("min_ttl_met %t, warnings %v", a.MinTTLMet, a.Warnings)
		}
	})
}

// In its last minute a token teaches nothing: the mode stays overlap though the
// same token comes again. It is not asked for once more before its end.
func TestMinTTLOfATokenThatComesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := overlapping(t)
		w.behave(func(b *reltioauthtest.Behaviour) { b.Login = reltioauthtest.SameToken })
		time.Sleep(time.Until(w.grant().ExpiresAt) - 45*time.Second)
		start := time.Now()
		for range 3 {
			a := w.must(issue.Request{MinTTL: 5 * time.Minute})
			if a.MinTTLMet || a.Version != 1 {
				t.Errorf("min_ttl_met %t, version %d, want the current token", a.MinTTLMet, a.Version)
			}
			wantWarnings(t, a)
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("it took %v, want at once", took)
		}
		if mode := w.grant().Mode(); mode != grant.Overlap {
			t.Errorf("mode %s, want overlap still", mode)
		}
		w.wantRequests(2)
	})
}

func TestManyThatNeedMoreLifeCauseOneRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := overlapping(t)
		slowly(w)
		tokens, errs := fleet(w, 50, 500, issue.Request{MinTTL: 40 * time.Minute})
		if len(errs) > 0 || tokens[w.grant().Fingerprint] != 500 {
			t.Errorf("tokens %v, errors %v", tokens, errs)
		}
		w.wantRequests(2)
	})
}
