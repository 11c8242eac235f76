package renewal_test

import (
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// rotatingHalfDay is a person's connection whose refresh token lives half a day,
// at a server that rotates it, and perhaps restarts its clock.
func (w *world) rotatingHalfDay(restarts bool) grant.Grant {
	w.t.Helper()
	w.server.Configure(func(c *reltioauthtest.Config) {
		c.Clients[0].RefreshTokenTTL = 12 * time.Hour
		c.Behaviour.RefreshTokens, c.Behaviour.RestartClock = reltioauthtest.Rotate, restarts
	})
	return w.started(with(authorizationCode(), "refresh_token_days", 0.5))
}

// pastItsEnd sweeps until the deadline of the first refresh token has passed.
func (w *world) pastItsEnd() {
	w.t.Helper()
	for end := w.grant("acme").RefreshExpiresAt; time.Now().Before(end); {
		w.sweep()
		time.Sleep(time.Minute)
		w.status(grant.StatusOK)
	}
}

// A server that restarts the clock with each new refresh token needs no person,
// for days, though the clock that is counted here has ended long ago.
func TestRotatingServerThatRestartsTheClock(t *testing.T) {
	for name, then := range map[string]func(*reltioauthtest.Behaviour){
		"each time":         func(*reltioauthtest.Behaviour) {},
		"and then keeps it": func(b *reltioauthtest.Behaviour) { b.RefreshTokens = reltioauthtest.Keep },
		"and then leaves out": func(b *reltioauthtest.Behaviour) {
			b.RefreshTokens, b.OmitRefreshTokenOnRefresh = reltioauthtest.Keep, true
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				first := w.rotatingHalfDay(true)
				for range 3 {
					w.atEnd()
				}
				w.behave(then)
				for range 3 * 24 * 60 {
					time.Sleep(time.Minute)
					w.sweep()
					w.status(grant.StatusOK)
				}
				g := w.grant("acme")
				if !g.LoggedInAt.Equal(first.LoggedInAt) || g.Version < 70 {
					t.Errorf("logged in at %v, version %d", g.LoggedInAt, g.Version)
				}
			})
		})
	}
}

// At the deadline the newest refresh token is tried, and only its refusal calls
// the person: after it nothing is sent.
func TestRotatingServerThatDoesNotRestartTheClock(t *testing.T) {
	for name, status := range map[string]int{"invalid_grant": 400, "invalid_token": 401} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				p := w.listen()
				w.behave(func(b *reltioauthtest.Behaviour) { b.DeadRefreshStatus = status })
				g := w.rotatingHalfDay(false)
				w.pastItsEnd()
				w.due()
				began := time.Now()
				w.expect(w.acme(), rotateapi.Reauthorize, apierr.ReauthorizationRequired)
				w.wantAsked(began, "refresh_token")
				if !began.After(g.RefreshExpiresAt) {
					t.Errorf("asked at %v, before the deadline %v", began, g.RefreshExpiresAt)
				}
				for range 5 * 12 {
					time.Sleep(5 * time.Minute)
					w.sweep()
				}
				w.wantAsked(began, "refresh_token")
				w.status(grant.StatusReauthorize)
				if len(p.events) == 0 {
					t.Error("no person was told")
				}
			})
		})
	}
}

// What says nothing about the refresh token calls no person at the deadline either.
func TestRotatingServerThatIsDownAtTheDeadline(t *testing.T) {
	for name, f := range map[string]reltioauthtest.Fault{
		"503": says(503, "server_error"), "unheard": {Kind: reltioauthtest.FaultCut}, "429": says(429, "slow_down"),
		"401, a minute": says(401, "unauthorized"),
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.rotatingHalfDay(true)
				w.pastItsEnd()
				w.due()
				w.answer(f, reltioauthtest.OpToken)
				for range 3 {
					w.sweep()
					w.status(grant.StatusFailing)
					time.Sleep(time.Minute)
				}
				w.heal()
				time.Sleep(6 * time.Minute)
				w.sweep()
				w.status(grant.StatusOK)
			})
		})
	}
}

// A refresh token that did not come from a refresh ends at its deadline: no server
// restarts that clock.
func TestServerThatDoesNotRotate(t *testing.T) {
	bubble(t, func(w *world) {
		w.started(with(authorizationCode(), "refresh_token_days", 0.5))
		w.pastItsEnd()
		w.due()
		began := time.Now()
		w.expect(w.acme(), rotateapi.Reauthorize, apierr.ReauthorizationRequired)
		w.wantAsked(began)
	})
}
