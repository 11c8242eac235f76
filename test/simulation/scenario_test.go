package simulation

import (
	"fmt"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/issue"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// scenario runs a story in a bubble and fails on a breach.
func scenario(t *testing.T, cfg Config, specs []Spec, story func(t *testing.T, w *World)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		cfg.Now, cfg.Calm = time.Now, true
		w := New(cfg)
		w.Populate(specs)
		story(t, w)
		w.Rest()
		if b := w.Breach(); b != nil {
			t.Error(b)
		}
	})
}

// same are n connections of one kind.
func same(n int, s Spec) []Spec {
	specs := make([]Spec, n)
	for i := range specs {
		specs[i] = s
		specs[i].Name = fmt.Sprintf("c%05d", i)
	}
	return specs
}

func overlapping() reltioauthtest.Behaviour {
	return reltioauthtest.Behaviour{Login: reltioauthtest.NewToken, Refresh: reltioauthtest.NewToken}
}

// Many connections with hourly tokens through a day at the rate limit: no caller waits
// longer than a tick and the backlog's time, no second has more than ten
// requests, no token is asked for more than twice. The figures of the full size
// are in the log.
func TestFleetOfThousands(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]struct {
		n      int
		behave reltioauthtest.Behaviour
		mode   grant.Mode
		over   time.Duration // a token's use
		share  string
	}{
		"10,000 at_end":  {10000, reltioauthtest.Behaviour{}, grant.AtEnd, time.Hour, "35 %"},
		"25,000 at_end":  {25000, reltioauthtest.Behaviour{}, grant.AtEnd, time.Hour, "87 %"},
		"20,000 overlap": {20000, overlapping(), grant.Overlap, 46*time.Minute + 30*time.Second, "90 %"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n, perSecond, concurrency, hours := f.n/4, 2, 4, 5*time.Hour
			switch {
			case os.Getenv("SIM_LONG") != "":
				n, perSecond, concurrency, hours = f.n, 8, 16, 24*time.Hour
			case testing.Short() || raceEnabled:
				t.Skip("long")
			}
			began := time.Now()
			cfg := Config{Seed: 11, PerSecond: perSecond, Concurrency: concurrency}
			scenario(t, cfg, same(n, Spec{Type: connection.ClientCredentials, Behaviour: f.behave}), func(t *testing.T, w *World) {
				if err := w.Plant(f.mode, f.over); err != nil {
					t.Fatal(err)
				}
				w.Tick()
				w.Until(w.now().Add(hours))
				got := w.Figures()
				t.Logf("%d connections, %d a second (%s of the budget): latest renewal %s after it was due, at most %d requests in a second; %d requests, %d renewed, %d left over, %d sweeps",
					n, perSecond, f.share, got.Latest.Round(time.Millisecond), got.Window, got.Requests, got.Renewed, got.LeftOver, got.Sweeps)
				if most := n * 40; got.Requests > most {
					t.Errorf("%d requests, want at most %d", got.Requests, most)
				}
			})
			t.Logf("took %s", time.Since(began).Round(time.Second))
		})
	}
}

// A wrong password, a hundred sweeps and ten thousand calls cost two logins.
// With new credentials the connection is back within five minutes and a tick.
func TestWrongPassword(t *testing.T) {
	t.Parallel()
	scenario(t, Config{Seed: 1, Exact: true}, []Spec{{Name: "acme", Type: connection.Password, Wrong: true}}, func(t *testing.T, w *World) {
		c := w.conns["acme"]
		w.Tick()
		for range 100 {
			for range 100 {
				w.running.Go(func() {
					ch := w.draw("call", "acme")
					w.sleep(ch.between(0, time.Minute))
					_, err := w.Issue("acme", issue.Request{})
					if f := apierr.Of(err); f == nil || f.Type != apierr.CredentialsRejected {
						t.Errorf("got %v, want CredentialsRejected", f)
					}
				})
				w.sleep(time.Millisecond)
			}
			w.Until(w.now().Add(time.Minute))
		}
		if n := c.host.server.RefusedLogins(c.user, time.Time{}, time.Time{}); n != 2 {
			t.Errorf("%d logins, want 2", n)
		}
		w.Correct("acme")
		w.Until(w.now().Add(6 * time.Minute))
		if !w.hasToken(c) {
			t.Errorf("no token six minutes after the new credentials: %s", describe(w.Grant("acme")))
		}
	})
}

// Three connections with one user: the first has it, the others are refused
// and cost the user nothing.
func TestOneUserThreeConnections(t *testing.T) {
	t.Parallel()
	specs := []Spec{
		{Name: "a", Type: connection.Password, User: "ann"},
		{Name: "b", Type: connection.Password, User: "ann"},
		{Name: "c", Type: connection.Password, User: "ann"},
	}
	scenario(t, Config{Seed: 2}, specs, func(t *testing.T, w *World) {
		w.Tick()
		for i, s := range specs {
			_, err := w.Issue(s.Name, issue.Request{})
			if i > 0 && (err == nil || apierr.Of(err).Type != apierr.InvalidConnection) {
				t.Errorf("%s: got %v, want InvalidConnection", s.Name, err)
			}
			if i == 0 && err != nil {
				t.Errorf("%s: %v", s.Name, err)
			}
		}
		w.Until(w.now().Add(12 * time.Hour))
		if n := w.hostList[0].server.RefusedLogins("ann", time.Time{}, time.Time{}); n > 0 {
			t.Errorf("%d refused logins, want 0", n)
		}
	})
}

// A server refuses everyone for an hour. Each connection is refused once, and
// then there is one probe a tick; every connection is back within two ticks and the
// backlog's time. Refresh tokens that the server calls ended say nothing about the
// server: they are tried hourly, and no person has to log in.
func TestServerRefusesEveryone(t *testing.T) {
	t.Parallel()
	for _, kind := range []reltioauthtest.FaultKind{reltioauthtest.FaultInvalidClient, reltioauthtest.FaultInvalidGrant} {
		t.Run(fmt.Sprint(kind), func(t *testing.T) {
			t.Parallel()
			refusesEveryone(t, kind)
		})
	}
}

func refusesEveryone(t *testing.T, kind reltioauthtest.FaultKind) {
	specs := make([]Spec, 60)
	for i := range specs {
		types := []connection.GrantType{connection.Password, connection.AuthorizationCode, connection.ClientCredentials}
		specs[i] = Spec{Name: fmt.Sprintf("c%02d", i), Type: types[i%3], Host: 0, TTL: 20 * time.Minute}
		if kind == reltioauthtest.FaultInvalidGrant {
			specs[i].Type = types[i%2] // client credentials go on
		}
		specs[i].Behaviour.Refresh = reltioauthtest.NewToken
	}
	scenario(t, Config{Seed: 3, Exact: true}, specs, func(t *testing.T, w *World) {
		w.Tick()
		w.Born(20 * time.Minute)
		w.Until(w.now().Add(25 * time.Minute))
		for _, c := range w.connList {
			if c.Type == connection.AuthorizationCode {
				w.authorize(c)
			}
		}
		w.Until(w.now().Add(time.Hour))
		server := w.hostList[0].server
		began, before := w.now(), server.TokenRequests(time.Time{}, time.Time{})
		w.Outage(w.hostList[0], reltioauthtest.Outage{Fault: reltioauthtest.Fault{Kind: kind}, Until: began.Add(time.Hour)})
		w.Until(began.Add(time.Hour))
		probes := server.TokenRequests(time.Time{}, time.Time{}) - before
		if most := 60 + len(specs) + 16; probes > most {
			t.Errorf("%d requests in the hour, want one a tick, the first of each and what was on its way", probes)
		}
		w.Until(w.now().Add(2*tickEvery + time.Duration(len(specs))*125*time.Millisecond))
		if kind == reltioauthtest.FaultInvalidGrant {
			w.Until(w.now().Add(time.Hour + 7*time.Minute))
		}
		for _, c := range w.connList {
			spent := c.Type == connection.Password && server.RefusedLogins(c.user, began, time.Time{}) > 1
			if g := w.Grant(c.name); (!g.Valid(w.now()) || g.Waiting()) && !spent {
				t.Errorf("%s (%s) is not back: %s\n%s", c.name, c.Type, describe(g), w.Story(c.name))
			}
		}
	})
}

// Ninety days of a password connection: it logs in again at 75 to 90 % of the
// refresh token's 28 days each time, the server never sees an ended refresh
// token, and no caller ever sees an error.
func TestNinetyDaysOfAPassword(t *testing.T) {
	t.Parallel()
	behaviours := map[string]reltioauthtest.Behaviour{
		"framework": reltioauthtest.Framework(),
		"the same":  reltioauthtest.Documented(),
		"all new":   {Login: reltioauthtest.NewToken, Refresh: reltioauthtest.NewToken, LoginRefreshToken: reltioauthtest.NewToken},
		"rotating":  {Refresh: reltioauthtest.NewTokenOldDies, RefreshTokens: reltioauthtest.Rotate, LoginRefreshToken: reltioauthtest.NewTokenOldDies},
		"restarted": {Refresh: reltioauthtest.NewToken, RestartClock: true},
	}
	for name, b := range behaviours {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name != "framework" && (testing.Short() || raceEnabled) {
				t.Skip("one is enough here")
			}
			scenario(t, Config{Seed: 4, Exact: true}, []Spec{{Name: "acme", Type: connection.Password, Behaviour: b}}, func(t *testing.T, w *World) {
				w.Tick()
				w.Born(time.Second)
				w.randomly(100, func() {
					w.running.Go(func() {
						if _, err := w.Issue("acme", issue.Request{}); err != nil {
							t.Errorf("a caller got %v", err)
						}
					})
				})
				w.onToken = ninetyDays(t, w)
				w.Until(w.began.Add(90 * Day))
			})
		})
	}
}

// ninetyDays checks each token request.
func ninetyDays(t *testing.T, _ *World) func(reltioauthtest.Request) {
	var login time.Time
	return func(r reltioauthtest.Request) {
		switch {
		case r.Outcome == "invalid_grant" || r.Outcome == "invalid_token":
			t.Errorf("%s: the server saw a refresh token that it does not take", r.At)
		case r.GrantType == "password":
			share := float64(r.At.Sub(login)) / float64(28*Day)
			again := r.At.Sub(login) < 5*time.Minute // the second login of a re-login
			if !login.IsZero() && !again && (share < 0.75 || share > 0.9+1.0/(28*24)) {
				t.Errorf("logged in again at %.3f of the 28 days", share)
			}
			login = r.At
		}
	}
}

// A renewal is killed at each of its operations, before and after it happened:
// the next one succeeds (I5).
func TestKilledAnywhere(t *testing.T) {
	t.Parallel()
	refreshes := map[string]reltioauthtest.Behaviour{
		"kept":                  {Refresh: reltioauthtest.NewToken},
		"rotated with grace":    {RefreshTokens: reltioauthtest.Rotate, RotationGrace: 10 * time.Minute, Refresh: reltioauthtest.NewToken},
		"rotated without grace": {RefreshTokens: reltioauthtest.Rotate, Refresh: reltioauthtest.NewToken},
		"rotated, reuse revokes": {
			RefreshTokens: reltioauthtest.Rotate, ReuseRevokes: true, Refresh: reltioauthtest.NewTokenOldDies,
			LoginRefreshToken: reltioauthtest.NewToken,
		},
	}
	for name, b := range refreshes {
		for _, grantType := range []connection.GrantType{connection.Password, connection.ClientCredentials, connection.AuthorizationCode} {
			t.Run(fmt.Sprintf("%s %s", name, grantType), func(t *testing.T) {
				t.Parallel()
				spec := Spec{Name: "acme", Type: grantType, Behaviour: b}
				ops := killedAt(t, spec, 0, None)
				t.Logf("%d operations: %v", len(ops), ops)
				for n := range ops {
					killedAt(t, spec, n+1, KillBefore)
					killedAt(t, spec, n+1, KillAfter)
				}
			})
		}
	}
}

// killedAt kills one renewal at its n-th operation and looks at the next. It
// returns the operations of the renewal.
func killedAt(t *testing.T, spec Spec, n int, kind FaultKind) (ops []Op) {
	scenario(t, Config{Seed: 5, Exact: true}, []Spec{spec}, func(t *testing.T, w *World) {
		c := w.conns["acme"]
		w.disturb("no schedule in this story", w.began.Add(Day))
		_, _ = w.Issue("acme", issue.Request{})
		if spec.Type == connection.AuthorizationCode {
			w.authorize(c)
		}
		w.sleep(w.Grant("acme").ExpiresAt.Add(time.Second).Sub(w.now()))
		dying := w.made + 1
		w.cfg.Script = func(o Operation) Fault {
			if o.By.id != dying {
				return Fault{}
			}
			ops = append(ops, o.Op)
			if o.Number == n {
				return Fault{Kind: kind}
			}
			return Fault{}
		}
		w.Renew("acme", false)
		if n == 0 {
			return
		}
		w.sleep(6 * time.Minute)
		report, ok := w.Renew("acme", false)
		last := ops[min(n, len(ops))-1]
		lost := last == OpToken && kind == KillAfter || last == OpPutToken && kind == KillBefore
		byHand := spec.Type == connection.AuthorizationCode && spec.Behaviour.RefreshTokens == reltioauthtest.Rotate &&
			spec.Behaviour.RotationGrace == 0
		g := w.Grant("acme")
		switch {
		case byHand && lost:
			if g.Status != grant.StatusReauthorize || c.announced.IsZero() {
				t.Errorf("killed at %d (%s, %s): %s, announced %s, want reauthorize and its event", n, last, kind, describe(g), c.announced)
			}
		case !ok || report.Outcome != rotateapi.Renewed && report.Outcome != rotateapi.Unchanged || !g.Valid(w.now()):
			t.Errorf("killed at %d (%s, %s): %s %v, %s", n, last, kind, report.Outcome, report.Err, describe(g))
		}
	})
	return ops
}
