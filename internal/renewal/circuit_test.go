package renewal_test

import (
	"slices"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// After the refusals of three connections that it had accepted the host is
// refusing: users' logins wait, and so do those that it has refused. All others go
// on, and no refusal is their news.
func TestRefusingHost(t *testing.T) {
	bubble(t, func(w *world) {
		names, users := w.fleet(5), w.loggingIn(2)
		w.served(names, users)
		w.refuseAll()
		for _, name := range names[:2] {
			w.expect(w.renew(rotateapi.Request{Connection: name}), rotateapi.Failed, apierr.CredentialsRejected)
		}
		w.expect(w.renew(rotateapi.Request{Connection: names[2]}), rotateapi.LeftOver, apierr.RateLimited)
		if g := w.grant(names[2]); g.Status != grant.StatusOK || g.Failures != 0 {
			t.Errorf("status %s, %d failures: the refusal that told is no news of its connection", g.Status, g.Failures)
		}
		// One that it has not refused goes on as ever.
		before := w.requests()
		w.expect(w.renew(rotateapi.Request{Connection: names[3]}), rotateapi.LeftOver, apierr.RateLimited)
		w.wantRequests(before + 1)
		if g := w.grant(names[3]); g.Status != grant.StatusOK || g.Failures != 0 {
			t.Errorf("status %s, %d failures at a refusing host", g.Status, g.Failures)
		}
		// One probe of those held back, forced or not, and the next only in the
		// next minute.
		w.expect(w.renew(rotateapi.Request{Connection: names[2], Force: true}), rotateapi.LeftOver, apierr.RateLimited)
		w.wantRequests(before + 2)
		dialled := w.out.count(connect)
		w.expect(w.renew(rotateapi.Request{Connection: users[0]}), rotateapi.LeftOver, apierr.RateLimited)
		for _, name := range append(users, names[:4]...) {
			w.expect(w.renew(rotateapi.Request{Connection: name, Force: true}), rotateapi.LeftOver, apierr.RateLimited)
		}
		if g := w.grant(users[0]); g.Status != grant.StatusOK || g.Failures != 0 || !g.RetryAt.After(time.Now()) {
			t.Errorf("status %s, %d failures, retry at %v of a login that waits", g.Status, g.Failures, g.RetryAt)
		}
		w.wantRequests(before + 2)
		if got := w.out.count(connect); got != dialled {
			t.Error("the host was dialled")
		}
	})
}

// A bad hour: those who were refused probe, one a minute, then everything comes back
// by itself within minutes, with no status left of it and no login at its last
// attempt.
func TestRefusingHostRecovers(t *testing.T) {
	unclear := reltioauthtest.Fault{Kind: reltioauthtest.FaultInvalidClient}
	for name, c := range map[string]struct {
		fleet  func(w *world) []string
		fault  reltioauthtest.Fault
		bad    int // minutes
		logins int // of a user, at most
	}{
		"clients":            {func(w *world) []string { return w.fleet(12) }, unclear, 60, 0},
		"users":              {func(w *world) []string { return w.loggingIn(30) }, unclear, 60, 3},
		"users, refused":     {func(w *world) []string { return w.loggingIn(12) }, says(400, "invalid_grant"), 6, 1},
		"users and a client": {func(w *world) []string { return append(w.loggingIn(12), w.fleet(1)...) }, unclear, 60, 3},
		"a firewall":         {func(w *world) []string { return append(w.loggingIn(6), w.fleet(6)...) }, reltioauthtest.Fault{Kind: reltioauthtest.FaultHTML, Status: 403}, 30, 3},
		"refresh tokens":     {func(w *world) []string { return w.users(12) }, unclear, 60, 0},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				names := c.fleet(w)
				w.served(names)
				began := time.Now()
				w.answer(c.fault, reltioauthtest.OpToken)
				for _, name := range names {
					w.renew(rotateapi.Request{Connection: name})
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
					if n := w.loginsOf(name, began); n > c.logins {
						t.Errorf("%s: %d logins, want at most %d: a probe took the last attempt", name, n, c.logins)
					}
				}
				w.heal()
				for range 5 {
					w.sweep()
					time.Sleep(time.Minute)
				}
				for _, name := range names {
					if g := w.grant(name); g.Status != grant.StatusOK || !g.Valid(time.Now()) {
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
		clients, users := w.fleet(4), w.loggingIn(4)
		w.served(clients, users)
		w.refuseAll()
		for _, name := range append(clients, users...) {
			w.renew(rotateapi.Request{Connection: name})
		}
		time.Sleep(time.Minute)
		began := time.Now()
		for range 5 {
			w.sweep()
			time.Sleep(time.Minute)
		}
		want := slices.Repeat([]string{"client_credentials"}, 5)
		if got := w.asked(began); !slices.Equal(got, want) {
			t.Errorf("probes %v, want %v", got, want)
		}
	})
}

// A success in between starts the count again.
func TestRefusalsWithASuccessBetweenThem(t *testing.T) {
	bubble(t, func(w *world) {
		names := w.fleet(5)
		w.served(names)
		refuse := func(name string) {
			w.refuseAll()
			w.expect(w.renew(rotateapi.Request{Connection: name}), rotateapi.Failed, apierr.CredentialsRejected)
			w.heal()
		}
		refuse(names[0])
		refuse(names[1])
		w.expect(w.renew(rotateapi.Request{Connection: names[2]}), rotateapi.Renewed, "")
		refuse(names[3])
		refuse(names[4])
	})
}

// So does one of many that are under way at the same time: none of them knew
// of a refusal when it began.
func TestRefusalsAmongSuccesses(t *testing.T) {
	bubble(t, func(w *world) {
		names := w.fleet(16)
		w.served(names)
		for _, i := range []int{1, 4, 8} {
			w.server.SetClientSecret(names[i], reltioauth.NewSecret("changed"))
		}
		w.answer(reltioauthtest.Fault{Delay: 3 * time.Second}, reltioauthtest.OpToken)
		if got := w.sweep(); got.Renewed != 13 || got.Failed != 3 {
			t.Errorf("result %+v, want 13 renewed and 3 failed", got)
		}
		if r, err := w.table.Budget(w.t.Context(), host); err != nil || r.CircuitOpen() {
			t.Errorf("%v (%v), want a host whose circuit is closed", r, err)
		}
	})
}

// The same connection refused again and again is one.
func TestRefusalsOfOneConnection(t *testing.T) {
	bubble(t, func(w *world) {
		users, names := w.loggingIn(1), w.fleet(2)
		w.served(users, names[:1])
		w.server.SetPassword(users[0], reltioauth.NewSecret("changed"))
		w.server.SetClientSecret(names[0], reltioauth.NewSecret("changed"))
		for _, name := range []string{users[0], users[0], names[0], names[0], names[0]} {
			w.expect(w.renew(rotateapi.Request{Connection: name, Force: true}), rotateapi.Failed, apierr.CredentialsRejected)
		}
		w.expect(w.renew(rotateapi.Request{Connection: names[1]}), rotateapi.Renewed, "")
	})
}

func TestRefusalCannotBeRecorded(t *testing.T) {
	bubble(t, func(w *world) {
		w.behave(func(b *reltioauthtest.Behaviour) { b.OmitRefreshToken = true })
		w.started(password())
		w.due()
		w.server.SetPassword("ann", reltioauth.NewSecret("changed"))
		w.out.fail(always, refusedHost)
		w.expect(w.acme(), rotateapi.Failed, apierr.CredentialsRejected)
		w.status(grant.StatusFailing)
		if n := w.out.count(refusedHost); n != 1 {
			t.Errorf("%d refusals recorded at the host, want one", n)
		}
	})
}

// The probe of a host with users alone is never the one attempt that an account
// has.
func TestRefusingHostIsNotProbedWithTheOnlyAttempt(t *testing.T) {
	bubble(t, func(w *world) {
		w.renewer.LoginAttempts = 1
		clients, users := w.fleet(3), w.loggingIn(2)
		w.served(clients, users)
		w.refuseAll()
		for _, name := range clients {
			w.renew(rotateapi.Request{Connection: name})
		}
		before := w.requests()
		for _, name := range users {
			time.Sleep(time.Minute)
			w.expect(w.renew(rotateapi.Request{Connection: name, Force: true}), rotateapi.LeftOver, apierr.RateLimited)
		}
		w.wantRequests(before)
	})
}

// A refresh that probes finds its refresh token inactive. The login after it waits for a
// probe of its own, unless the host's circuit has closed.
func TestProbeWithAInactiveRefreshToken(t *testing.T) {
	for name, c := range map[string]struct {
		meanwhile func(w *world)
		want      []string
	}{
		"another client had a success": {func(w *world) { _ = w.table.Succeeded(w.t.Context(), host, "c") }, []string{"refresh_token", "password"}},
		"the host is refusing still":   {func(*world) {}, []string{"refresh_token"}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				users, clients := w.users(1), w.fleet(2)
				w.served(users, clients)
				w.refuseAll()
				for _, name := range append(users, clients...) {
					w.renew(rotateapi.Request{Connection: name})
				}
				w.heal()
				w.server.Kill(w.grant(users[0]).RefreshFingerprint)
				w.out.after = func(op string) error {
					if op == sendToken {
						w.out.after = nil
						c.meanwhile(w)
					}
					return nil
				}
				time.Sleep(time.Minute)
				began := time.Now()
				w.renew(rotateapi.Request{Connection: users[0]})
				w.wantAsked(began, c.want...)
				if g := w.grant(users[0]); g.Status == grant.StatusReauthorize {
					t.Error("a user waits for a person")
				}
				for range 3 {
					time.Sleep(time.Minute)
					w.sweep()
				}
				if g := w.grant(users[0]); g.Status != grant.StatusOK {
					t.Errorf("status %s, want ok", g.Status)
				}
			})
		})
	}
}

// A re-login waits at a refusing host while its refresh token works: no operator is
// without a token because a login that can wait has to.
func TestReloginAtARefusingHost(t *testing.T) {
	bubble(t, func(w *world) {
		w.started(password())
		w.toRelogin()
		w.due()
		names := w.fleet(3)
		for _, r := range w.together(names) {
			w.expect(r, rotateapi.Renewed, "")
		}
		w.refuseAll()
		for _, name := range names {
			w.renew(rotateapi.Request{Connection: name, Force: true})
		}
		if r, err := w.table.Budget(t.Context(), host); err != nil || !r.CircuitOpen() {
			t.Fatalf("%v (%v), want a refusing host", r, err)
		}
		w.answer(reltioauthtest.Fault{Kind: reltioauthtest.FaultInvalidClient}, reltioauthtest.OpToken, "password")
		time.Sleep(time.Second)
		began := time.Now()
		w.expect(w.acme(), rotateapi.Renewed, "")
		w.wantAsked(began, "refresh_token")
		if g := w.status(grant.StatusOK); g.Relogin != grant.ReloginDue {
			t.Errorf("re-login %q, want due still", g.Relogin)
		}
	})
}

// A user whose re-login is refused while the circuit is open is well with the first
// success, and what was counted of it that is no refusal costs no time.
func TestRefusedWhileTheCircuitIsOpenIsWellAtOnce(t *testing.T) {
	bubble(t, func(w *world) {
		users, clients := w.loggingIn(1), w.fleet(2)
		w.served(users, clients)
		w.answer(says(401, "unauthorized"), reltioauthtest.OpToken)
		for _, name := range append(users, clients...) {
			w.renew(rotateapi.Request{Connection: name})
		}
		w.heal()
		time.Sleep(time.Minute)
		w.expect(w.renew(rotateapi.Request{Connection: clients[0]}), rotateapi.Renewed, "")
		if g := w.grant(users[0]); g.Retrying(time.Now()) {
			t.Errorf("the user waits until %v, want no more", g.RetryAt)
		}
		w.expect(w.renew(rotateapi.Request{Connection: users[0]}), rotateapi.Renewed, "")
	})
}
