package renewal_test

import (
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/budget"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/rotation"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// behaviours are the ways of a server, with what there is to learn.
func behaviours() map[string]struct {
	way  reltioauthtest.Renewal
	mode grant.Mode
} {
	return map[string]struct {
		way  reltioauthtest.Renewal
		mode grant.Mode
	}{
		"same token":          {reltioauthtest.SameToken, grant.AtEnd},
		"new token":           {reltioauthtest.NewToken, grant.Overlap},
		"new token, old dies": {reltioauthtest.NewTokenOldDies, grant.AtEnd},
	}
}

// Refreshes and logins are learned apart.
func TestModeLearned(t *testing.T) {
	for name, b := range behaviours() {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.behave(func(how *reltioauthtest.Behaviour) { how.Login = b.way })
				w.started(clientCredentials())
				w.atDue()
				if g := w.grant("acme"); g.LoginMode != b.mode || g.RefreshMode != grant.Unknown {
					t.Errorf("login: %s, refresh: %s, want %s and unknown", g.LoginMode, g.RefreshMode, b.mode)
				}
			})
			bubble(t, func(w *world) {
				w.behave(func(how *reltioauthtest.Behaviour) { how.Refresh = b.way })
				w.started(password())
				w.atDue()
				if g := w.grant("acme"); g.RefreshMode != b.mode || g.LoginMode != grant.Unknown {
					t.Errorf("refresh: %s, login: %s, want %s and unknown", g.RefreshMode, g.LoginMode, b.mode)
				}
			})
		})
	}
}

// Nothing is learned from what proves nothing.
func TestModeNotLearned(t *testing.T) {
	for name, c := range map[string]struct {
		fault  reltioauthtest.Fault
		only   int           // which of the two checks is hit; 0: both
		before time.Duration // the end
		within time.Duration
	}{
		"401 unauthorized":        {fault: says(401, "unauthorized")},
		"401 invalid_client":      {fault: says(401, "invalid_client")},
		"500":                     {fault: says(500, "server_error")},
		"429":                     {fault: says(429, "slow_down")},
		"web page":                {fault: reltioauthtest.Fault{Kind: reltioauthtest.FaultHTML}},
		"cut":                     {fault: reltioauthtest.Fault{Kind: reltioauthtest.FaultCut}},
		"too late":                {fault: reltioauthtest.Fault{Delay: 5 * time.Second}},
		"only the old is dead":    {fault: says(500, "server_error"), only: 2},
		"the new one is dead too": {fault: says(400, "invalid_token"), only: 2},
		"only the new is alive":   {fault: says(500, "server_error"), only: 1},
		"too little left":         {before: 59 * time.Second},
		"no time to ask":          {within: 18200 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.behave(func(b *reltioauthtest.Behaviour) { b.Refresh = reltioauthtest.NewTokenOldDies })
				g := w.started(password())
				checks := 0
				w.server.Configure(func(cfg *reltioauthtest.Config) {
					cfg.Fault = func(r reltioauthtest.Request) reltioauthtest.Fault {
						switch {
						case r.Op == reltioauthtest.OpToken && c.within > 0:
							return reltioauthtest.Fault{Delay: 7500 * time.Millisecond}
						case r.Op != reltioauthtest.OpCheckToken:
							return reltioauthtest.Fault{}
						}
						checks++
						if c.only == 0 || c.only == checks {
							return c.fault
						}
						return reltioauthtest.Fault{}
					}
				})
				at := g.Due()
				if c.before > 0 {
					at = g.ExpiresAt.Add(-c.before)
				}
				time.Sleep(time.Until(at))
				within := 90 * time.Second
				if c.within > 0 {
					within = c.within
				}
				w.expect(w.within(within, rotation.Request{Connection: "acme", Force: true}), rotation.Renewed, "")
				if next := w.status(grant.StatusOK); next.RefreshMode != grant.Unknown {
					t.Errorf("learned %s", next.RefreshMode)
				}
			})
		})
	}
}

// While the host is paused nothing is asked, and so nothing learned.
func TestModeNotLearnedWhileTheHostIsPaused(t *testing.T) {
	bubble(t, func(w *world) {
		w.behave(newTokens)
		w.started(clientCredentials())
		w.out.after = func(op string) error {
			if op != sendToken {
				return nil
			}
			_, err := w.table.Throttled(t.Context(), host, budget.Throttle{Client: "another", Now: time.Now(), RetryAfter: time.Minute})
			return err
		}
		began := time.Now().Add(time.Nanosecond)
		w.expect(w.atDue(), rotation.Renewed, "")
		w.heal()
		w.wantAsked(began, "client_credentials")
		w.expect(w.atDue(), rotation.Renewed, "")
		if g := w.status(grant.StatusOK); g.Mode() != grant.Overlap {
			t.Errorf("mode %s, want overlap, learned another time", g.Mode())
		}
	})
}

// The lesson cannot be stored: the renewal stands, and it is learned another
// time.
func TestModeCannotBeStored(t *testing.T) {
	bubble(t, func(w *world) {
		w.behave(newTokens)
		w.started(clientCredentials())
		checked := false
		w.out.before = func(op string) error {
			checked = checked || op == sendCheck
			if checked && op == putGrant {
				return errDown
			}
			return nil
		}
		w.expect(w.atDue(), rotation.Renewed, "")
		w.heal()
		if g := w.status(grant.StatusOK); g.Mode() != grant.Unknown || g.Version != 2 {
			t.Errorf("version %d, mode %s", g.Version, g.Mode())
		}
		w.expect(w.atDue(), rotation.Renewed, "")
		if g := w.grant("acme"); g.Mode() != grant.Overlap {
			t.Errorf("mode %s, want overlap", g.Mode())
		}
	})
}

// Once in seven days a learned mode is put to the test, so that a server that
// changed is noticed.
func TestModeIsTestedWeekly(t *testing.T) {
	way := func(r reltioauthtest.Renewal) func(*reltioauthtest.Behaviour) {
		return func(b *reltioauthtest.Behaviour) { b.Login = r }
	}
	for name, c := range map[string]struct {
		before, after reltioauthtest.Renewal
		want          grant.Mode
		soon          bool // noticed with the next renewal
	}{
		"at end to overlap":   {reltioauthtest.SameToken, reltioauthtest.NewToken, grant.Overlap, false},
		"overlap to old dies": {reltioauthtest.NewToken, reltioauthtest.NewTokenOldDies, grant.AtEnd, false},
		"overlap to the same": {reltioauthtest.NewToken, reltioauthtest.SameToken, grant.AtEnd, true},
		"at end stays":        {reltioauthtest.NewTokenOldDies, reltioauthtest.SameToken, grant.AtEnd, true},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.behave(way(c.before))
				w.started(clientCredentials())
				w.atDue()
				learned := time.Now()
				old := w.grant("acme").Mode()
				w.behave(way(c.after))
				var changed time.Time
				for changed.IsZero() && time.Since(learned) < 9*24*time.Hour && old != c.want {
					w.atDue()
					if w.grant("acme").Mode() == c.want {
						changed = time.Now()
					}
				}
				took := changed.Sub(learned)
				switch {
				case old == c.want:
				case c.soon && took > 2*time.Hour, !c.soon && (took < 7*24*time.Hour-2*time.Hour || took > 7*24*time.Hour+2*time.Hour):
					t.Errorf("noticed after %v", took)
				}
			})
		})
	}
}

// A day of ticks: how often the server is asked for a token, and how long there
// is none.
func TestDay(t *testing.T) {
	for name, b := range behaviours() {
		for _, fields := range []map[string]any{clientCredentials(), password()} {
			t.Run(name+", "+fields["grant_type"].(string), func(t *testing.T) {
				bubble(t, func(w *world) {
					w.behave(func(how *reltioauthtest.Behaviour) { how.Login, how.Refresh = b.way, b.way })
					w.started(fields)
					time.Sleep(17 * time.Second) // ticks and tokens are not in step
					gap := w.day()
					if b.mode == grant.Overlap && gap > 0 {
						t.Errorf("no living token for %v", gap)
					}
					if gap > time.Minute+time.Second {
						t.Errorf("no living token for %v, more than a tick", gap)
					}
					perToken := map[string]int{}
					for _, r := range w.server.Requests() {
						if r.Op == reltioauthtest.OpToken {
							perToken[r.AccessToken]++
						}
					}
					if n := len(perToken); n < 23 || n > 32 {
						t.Errorf("%d tokens in 24 h", n)
					}
					twice := 0
					for token, n := range perToken {
						if n > 2 {
							t.Errorf("%d requests were answered with %s, want at most two", n, token)
						}
						if n == 2 {
							twice++
						}
					}
					if twice > 1 {
						t.Errorf("%d tokens were asked for twice, want the one that taught it", twice)
					}
				})
			})
		}
	}
}

// day sweeps each minute for 24 hours and looks each second: the longest time
// without a living token.
func (w *world) day() (gap time.Duration) {
	w.t.Helper()
	var since time.Time
	for range 24 * 60 {
		w.sweep()
		next := time.Now().Truncate(time.Minute).Add(time.Minute + 17*time.Second)
		for ; time.Now().Before(next); time.Sleep(time.Second) {
			switch {
			case w.living():
				since = time.Time{}
			case since.IsZero():
				since = time.Now()
			default:
				gap = max(gap, time.Since(since))
			}
		}
	}
	return gap
}
