package renewal_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/fault"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/rotation"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// users writes n password connections, each of its own user.
func (w *world) users(n int) (names []string) {
	w.t.Helper()
	for i := range n {
		name := fmt.Sprintf("user-%02d", i)
		w.connect(name, with(with(password(), "username", name), "password", "password-of-"+name))
		names = append(names, name)
	}
	w.server.Configure(func(c *reltioauthtest.Config) {
		for _, name := range names {
			c.Users = append(c.Users, reltioauthtest.User{Username: name, Password: reltioauth.NewSecret("password-of-" + name)})
		}
	})
	return names
}

// refreshing are users whose tokens are due for a refresh.
func (w *world) refreshing(n int) (names []string) {
	w.t.Helper()
	names = w.users(n)
	for _, r := range w.together(names) {
		w.expect(r, rotation.Renewed, "")
	}
	time.Sleep(time.Hour)
	return names
}

// refuseAll lets the server refuse every client.
func (w *world) refuseAll() {
	w.answer(reltioauthtest.Fault{Kind: reltioauthtest.FaultInvalidClient}, reltioauthtest.OpToken)
}

// After the refusals of three connections the host refuses everybody: others
// wait, and are not blamed.
func TestRefusingHost(t *testing.T) {
	bubble(t, func(w *world) {
		names := w.fleet(5)
		w.refuseAll()
		for _, name := range names[:2] {
			w.expect(w.renew(rotation.Request{Connection: name}), rotation.Failed, fault.CredentialsRejected)
		}
		w.expect(w.renew(rotation.Request{Connection: names[2]}), rotation.LeftOver, fault.RateLimited)
		if g := w.grant(names[2]); g.Status != grant.StatusOK || g.Failures != 0 {
			t.Errorf("status %s, %d failures: the refusal that told is no news of its connection", g.Status, g.Failures)
		}
		// One probe, and the next only in the next minute.
		w.renew(rotation.Request{Connection: names[3]})
		before, dialled := w.requests(), w.out.count(connect)
		if before > 4 {
			t.Errorf("%d requests, want three refusals and a probe", before)
		}
		w.expect(w.renew(rotation.Request{Connection: names[4], Force: true}), rotation.LeftOver, fault.RateLimited)
		w.wantRequests(before)
		if got := w.out.count(connect); got != dialled {
			t.Error("the host was dialled")
		}
	})
}

// A bad hour: one probe a minute, then everything comes back by itself, with no
// status left of it and no login at its last attempt.
func TestRefusingHostRecovers(t *testing.T) {
	for name, c := range map[string]struct {
		fleet    func(w *world) []string
		bad, ill int // minutes
	}{
		// Clients that were refused twice come back with their hourly try.
		"clients":            {func(w *world) []string { return w.fleet(12) }, 60, 130},
		"users":              {func(w *world) []string { return w.users(12) }, 6, 5},
		"users and a client": {func(w *world) []string { return append(w.users(12), w.fleet(1)...) }, 60, 130},
		"refresh tokens":     {func(w *world) []string { return w.refreshing(12) }, 60, 5},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				names := c.fleet(w)
				w.refuseAll()
				for _, name := range names {
					w.renew(rotation.Request{Connection: name})
				}
				before := w.requests()
				for range c.bad {
					w.sweep()
					time.Sleep(time.Minute)
				}
				if probes := w.requests() - before; probes > c.bad+1 {
					t.Errorf("%d requests in %d minutes of refusals, want one a minute", probes, c.bad)
				}
				for _, name := range names {
					if n := w.server.RefusedLogins(name, time.Time{}, time.Time{}); n > 1 {
						t.Errorf("%s: %d refused logins: a probe took the last attempt", name, n)
					}
				}
				w.heal()
				for range c.ill {
					w.sweep()
					time.Sleep(time.Minute)
				}
				for _, name := range names {
					if g := w.grant(name); g.Status != grant.StatusOK || !g.HasToken() {
						t.Errorf("%s after the bad hour: status %s (%s)", name, g.Status, g.LastErrorMessage)
					}
				}
			})
		})
	}
}

// The probe is a refresh or a client's renewal where there is one.
func TestRefusingHostIsProbedByThoseWhoRiskNothing(t *testing.T) {
	bubble(t, func(w *world) {
		clients := w.fleet(4)
		users := w.users(4)
		w.refuseAll()
		for _, name := range append(clients[:3:3], users...) {
			w.renew(rotation.Request{Connection: name})
		}
		time.Sleep(time.Second)
		began := time.Now()
		w.renew(rotation.Request{Connection: clients[3]})
		for range 4 { // two attempts of each client
			time.Sleep(time.Minute)
			w.sweep()
		}
		for _, asked := range w.asked(began) {
			if asked == "password" {
				t.Error("a user's login was the probe")
			}
		}
		if got := len(w.asked(began)); got != 5 {
			t.Errorf("%d probes in five minutes, want 5", got)
		}
	})
}

// A success in between starts the count anew.
func TestRefusalsWithASuccessBetweenThem(t *testing.T) {
	bubble(t, func(w *world) {
		names := w.fleet(5)
		refuse := func(name string) {
			w.refuseAll()
			w.expect(w.renew(rotation.Request{Connection: name}), rotation.Failed, fault.CredentialsRejected)
			w.heal()
		}
		refuse(names[0])
		refuse(names[1])
		w.expect(w.renew(rotation.Request{Connection: names[2]}), rotation.Renewed, "")
		refuse(names[3])
		refuse(names[4])
	})
}

// So does one of many that are under way at the same time: none of them knew
// of a refusal when it began.
func TestRefusalsAmongSuccesses(t *testing.T) {
	bubble(t, func(w *world) {
		names := w.fleet(16)
		for _, i := range []int{1, 4, 8} {
			w.connect(names[i], with(with(clientCredentials(), "client_id", names[i]), "client_secret", "wrong"))
		}
		w.list(names)
		w.answer(reltioauthtest.Fault{Delay: 3 * time.Second}, reltioauthtest.OpToken)
		if got := w.sweep(); got.Renewed != 13 || got.Failed != 3 {
			t.Errorf("result %+v, want 13 renewed and 3 failed", got)
		}
		if r, err := w.table.Budget(w.t.Context(), host); err != nil || r.Refusing() {
			t.Errorf("%v (%v), want a host that refuses nobody", r, err)
		}
	})
}

// The same connection refused again and again is one.
func TestRefusalsOfOneConnection(t *testing.T) {
	bubble(t, func(w *world) {
		w.connect("acme", wrongPassword())
		w.force()
		w.force()
		names := w.fleet(1)
		w.expect(w.renew(rotation.Request{Connection: names[0]}), rotation.Renewed, "")
	})
}

func TestRefusalCannotBeRecorded(t *testing.T) {
	bubble(t, func(w *world) {
		w.connect("acme", wrongPassword())
		w.out.fail(always, refusedHost)
		w.expect(w.acme(), rotation.Failed, fault.CredentialsRejected)
		w.status(grant.StatusFailing)
	})
}

// The probe of a host with users alone is never the one attempt that an account
// has.
func TestRefusingHostIsNotProbedWithTheOnlyAttempt(t *testing.T) {
	bubble(t, func(w *world) {
		w.renewer.LoginAttempts = 1
		clients, users := w.fleet(3), w.users(2)
		w.refuseAll()
		for _, name := range clients {
			w.renew(rotation.Request{Connection: name})
		}
		for _, name := range users {
			time.Sleep(time.Minute)
			w.expect(w.renew(rotation.Request{Connection: name, Force: true}), rotation.LeftOver, fault.RateLimited)
		}
		w.wantRequests(len(clients))
	})
}

// A probe finds its refresh token dead, and by then the host refuses nobody any
// more: a user logs in, as ever.
func TestProbeWithADeadRefreshToken(t *testing.T) {
	for name, c := range map[string]struct {
		hinder func(w *world)
		want   []string
	}{
		"somebody else had a success":     {func(w *world) { _ = w.table.Succeeded(w.t.Context(), host) }, []string{"refresh_token", "password"}},
		"the refusal is not written down": {func(w *world) { w.out.fail(times(1), refusedHost) }, []string{"refresh_token"}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				names := w.refreshing(1)
				clients := w.fleet(3)
				w.refuseAll()
				for _, name := range clients {
					w.renew(rotation.Request{Connection: name})
				}
				w.heal()
				w.server.Kill(w.grant(names[0]).RefreshFingerprint)
				w.out.after = func(op string) error {
					if op == sendToken {
						w.out.after = nil
						c.hinder(w)
					}
					return nil
				}
				time.Sleep(time.Second)
				began := time.Now()
				w.renew(rotation.Request{Connection: names[0]})
				w.wantAsked(began, c.want...)
				if g := w.grant(names[0]); g.Status == grant.StatusReauthorize {
					t.Error("a user waits for a person")
				}
				for range 2 {
					time.Sleep(time.Minute)
					w.sweep()
				}
				if g := w.grant(names[0]); g.Status != grant.StatusOK {
					t.Errorf("status %s, want ok", g.Status)
				}
			})
		})
	}
}

// Who was refused with everybody is not blamed: not even a user whose re-login
// was refused, and whose token lives on.
func TestRefusedAmongEverybodyIsNotBlamed(t *testing.T) {
	bubble(t, func(w *world) {
		w.started(password())
		w.toRelogin()
		clients := w.fleet(2)
		w.refuseAll()
		for range 2 {
			w.expect(w.force(), rotation.Failed, fault.CredentialsRejected)
		}
		w.status(grant.StatusCredentialsRejected)
		for _, name := range clients {
			w.renew(rotation.Request{Connection: name})
		}
		g := w.status(grant.StatusFailing)
		if g.NeedsSomebody() || g.LastError != fault.ReltioUnavailable {
			t.Errorf("%s: %s", g.LastError, g.LastErrorMessage)
		}
	})
}
