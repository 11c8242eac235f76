package renewal_test

import (
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
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

// Refreshes and logins are learned apart: logins when they are due, refreshes
// only where one happens early anyway.
func TestModeLearned(t *testing.T) {
	for name, b := range behaviours() {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.behave(func(how *reltioauthtest.Behaviour) { how.Login = b.way })
				w.started(clientCredentials())
				w.atDue()
				if g := w.grant("acme"); g.LoginMode != b.mode || g.RefreshMode != grant.AtEnd {
					t.Errorf("login: %s, refresh: %s, want %s and at_end", g.LoginMode, g.RefreshMode, b.mode)
				}
			})
			bubble(t, func(w *world) {
				w.behave(func(how *reltioauthtest.Behaviour) { how.Refresh = b.way })
				first := w.started(password())
				if want := first.ExpiresAt.Add(time.Second); !first.Due().Equal(want) {
					t.Errorf("the first refresh is due %v, want %v", first.Due(), want)
				}
				w.atDue()
				if g := w.grant("acme"); g.RefreshMode != grant.AtEnd || w.out.count(sendCheck) != 0 {
					t.Errorf("learned %s at the token's end, with %d checks", g.RefreshMode, w.out.count(sendCheck))
				}
				time.Sleep(time.Minute)
				w.force()
				if g := w.grant("acme"); g.RefreshMode != b.mode || g.LoginMode != grant.Unknown {
					t.Errorf("refresh: %s, login: %s, want %s and unknown", g.RefreshMode, g.LoginMode, b.mode)
				}
			})
		})
	}
}

// Nothing is learned from what proves nothing: not that a login's old token is
// inactive, nor that a refresh's old token lives on.
func TestModeNotLearned(t *testing.T) {
	for name, c := range unproven() {
		t.Run(name+", login", func(t *testing.T) {
			bubble(t, func(w *world) {
				w.behave(func(b *reltioauthtest.Behaviour) { b.Login = reltioauthtest.NewTokenOldDies })
				w.started(clientCredentials())
				c.renew(w)
				if next := w.status(grant.StatusOK); next.LoginMode != grant.Unknown || next.Version != 2 {
					t.Errorf("learned %s, version %d", next.LoginMode, next.Version)
				}
			})
		})
		if c.only == 2 {
			continue // the first check says it all
		}
		t.Run(name+", refresh", func(t *testing.T) {
			bubble(t, func(w *world) {
				w.behave(func(b *reltioauthtest.Behaviour) { b.Refresh = reltioauthtest.NewToken })
				w.started(password())
				c.renew(w)
				if next := w.status(grant.StatusOK); next.RefreshMode != grant.AtEnd || next.Version != 2 {
					t.Errorf("learned %s, version %d", next.RefreshMode, next.Version)
				}
			})
		})
	}
}

// unprovenCase is an early renewal whose checks tell nothing.
type unprovenCase struct {
	fault  reltioauthtest.Fault
	only   int           // which of the two checks is hit; 0: both
	before time.Duration // the end
	within time.Duration
}

func unproven() map[string]unprovenCase {
	return map[string]unprovenCase{
		"401 unauthorized":            {fault: says(401, "unauthorized")},
		"401 invalid_client":          {fault: says(401, "invalid_client")},
		"403 forbidden":               {fault: says(403, "Forbidden")},
		"403 invalid_token":           {fault: says(403, "invalid_token")},
		"404":                         {fault: says(404, "not_found")},
		"500":                         {fault: says(500, "server_error")},
		"429":                         {fault: says(429, "slow_down")},
		"web page":                    {fault: reltioauthtest.Fault{Kind: reltioauthtest.FaultHTML}},
		"cut":                         {fault: reltioauthtest.Fault{Kind: reltioauthtest.FaultCut}},
		"too late":                    {fault: reltioauthtest.Fault{Delay: 5 * time.Second}},
		"only the old is inactive":    {fault: says(500, "server_error"), only: 2},
		"the new one is inactive too": {fault: says(400, "invalid_token"), only: 2},
		"only the new is active":      {fault: says(500, "server_error"), only: 1},
		"too little left":             {before: 59 * time.Second},
		"no time to ask":              {within: 18200 * time.Millisecond},
	}
}

func (c unprovenCase) renew(w *world) {
	w.t.Helper()
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
	before, within := 3*time.Minute, 90*time.Second
	if c.before > 0 {
		before = c.before
	}
	if c.within > 0 {
		within = c.within
	}
	time.Sleep(time.Until(w.grant("acme").ExpiresAt.Add(-before)))
	w.expect(w.within(within, rotateapi.Request{Connection: "acme", Force: true}), rotateapi.Renewed, "")
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
			_, err := w.table.Throttled(t.Context(), host, ratelimit.Throttle{Client: "another", Now: time.Now(), RetryAfter: time.Minute})
			return err
		}
		began := time.Now().Add(time.Nanosecond)
		w.expect(w.atDue(), rotateapi.Renewed, "")
		w.heal()
		w.wantAsked(began, "client_credentials")
		w.expect(w.atDue(), rotateapi.Renewed, "")
		if g := w.status(grant.StatusOK); g.Mode() != grant.Overlap {
			t.Errorf("mode %s, want overlap, learned another time", g.Mode())
		}
	})
}

// The observation cannot be stored: the renewal stands, and it is made another
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
		w.expect(w.atDue(), rotateapi.Renewed, "")
		w.heal()
		if g := w.status(grant.StatusOK); g.Mode() != grant.Unknown || g.Version != 2 {
			t.Errorf("version %d, mode %s", g.Version, g.Mode())
		}
		w.expect(w.atDue(), rotateapi.Renewed, "")
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
