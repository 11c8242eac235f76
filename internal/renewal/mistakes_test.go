package renewal_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// Credentials that were never accepted as they are, and are refused, say nothing
// about the server: three mistakes hold no other connection back, and what is said of them
// stays.
func TestMistakesOpenNoCircuit(t *testing.T) {
	wrong := func(fields map[string]any, field string) map[string]any { return with(fields, field, "wrong") }
	client := func(i int) map[string]any {
		id := fmt.Sprintf("fleet-%04d", i)
		return with(with(clientCredentials(), "client_id", id), "client_secret", "secret-of-"+id)
	}
	user := func(i int) map[string]any {
		name := fmt.Sprintf("user-%02d", i)
		return with(with(password(), "username", name), "password", "password-of-"+name)
	}
	for name, c := range map[string]struct {
		fields func(i int) map[string]any
		// before is what was accepted; nil: the connection is new.
		before func(i int) map[string]any
		err    apierr.Type
		most   int // requests of each in five minutes
	}{
		"new, wrong client secrets":     {func(i int) map[string]any { return wrong(client(i), "client_secret") }, nil, apierr.CredentialsRejected, 5},
		"new, wrong passwords":          {func(i int) map[string]any { return wrong(user(i), "password") }, nil, apierr.CredentialsRejected, 2},
		"new, wrong clients of users":   {func(i int) map[string]any { return wrong(user(i), "client_secret") }, nil, apierr.ReltioUnavailable, 2},
		"changed to wrong secrets":      {func(i int) map[string]any { return wrong(client(i), "client_secret") }, client, apierr.CredentialsRejected, 5},
		"changed to wrong passwords":    {func(i int) map[string]any { return wrong(user(i), "password") }, user, apierr.CredentialsRejected, 2},
		"changed to scopes not allowed": {func(i int) map[string]any { return with(client(i), "scope", "nobody_has_it") }, client, apierr.InvalidConnection, 1},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.server.Configure(func(cfg *reltioauthtest.Config) {
					cfg.Behaviour.OmitRefreshToken = true
					cfg.Fault = func(r reltioauthtest.Request) reltioauthtest.Fault {
						if c.err == apierr.InvalidConnection && r.ClientID != "client-1" && !r.At.Before(time.Date(2000, 1, 1, 1, 0, 0, 0, time.UTC)) {
							return says(400, "invalid_scope")
						}
						return reltioauthtest.Fault{}
					}
				})
				w.prepared(3)
				var names []string
				for i := range 3 {
					names = append(names, fmt.Sprintf("new-%d", i))
					if c.before != nil {
						w.connect(names[i], c.before(i))
					}
				}
				if c.before != nil {
					w.served(names)
				} else {
					time.Sleep(time.Hour)
				}
				for i, name := range names {
					w.connect(name, c.fields(i))
				}
				w.started(clientCredentials())
				time.Sleep(time.Second)
				began := time.Now()
				for _, name := range names {
					w.expect(w.renew(rotateapi.Request{Connection: name, Force: true}), rotateapi.Failed, c.err)
				}
				for range 5 {
					w.sweep()
					time.Sleep(time.Minute)
				}
				if r, err := w.table.Budget(t.Context(), host); err != nil || r.CircuitOpen() {
					t.Errorf("%v (%v), want a host whose circuit is closed", r, err)
				}
				for _, name := range names {
					if g := w.grant(name); g.LastError != c.err || g.Status == grant.StatusOK {
						t.Errorf("%s: %s (%s), want %s", name, g.LastError, g.LastErrorMessage, c.err)
					}
				}
				if n := len(w.asked(began)); n > 3*c.most {
					t.Errorf("%d requests of three, want at most %d of each", n, c.most)
				}
				w.force()
				w.status(grant.StatusOK)
			})
		})
	}
}

// prepared gives the server n clients and n users that no connection has yet.
func (w *world) prepared(n int) {
	w.server.Configure(func(c *reltioauthtest.Config) {
		for i := range n {
			id, name := fmt.Sprintf("fleet-%04d", i), fmt.Sprintf("user-%02d", i)
			c.Clients = append(c.Clients, reltioauthtest.Client{ID: id, Secret: reltioauth.NewSecret("secret-of-" + id)})
			c.Users = append(c.Users, reltioauthtest.User{Username: name, Password: reltioauth.NewSecret("password-of-" + name)})
		}
	})
}

// Inactive refresh tokens say nothing about the server either: many persons are called,
// and no connection waits.
func TestInactiveRefreshTokensOpenNoCircuit(t *testing.T) {
	for code, status := range map[string]int{"invalid_grant": 400, "invalid_token": 401} {
		bubble(t, func(w *world) {
			p := w.listen()
			for _, name := range []string{"acme", "second", "third", "fourth"} {
				w.connect(name, authorizationCode())
				w.authorize(name)
			}
			w.answer(says(status, code), reltioauthtest.OpToken, "refresh_token")
			for _, name := range []string{"acme", "second", "third", "fourth"} {
				w.expect(w.renew(rotateapi.Request{Connection: name, Force: true}), rotateapi.Reauthorize, apierr.ReauthorizationRequired)
			}
			if r, err := w.table.Budget(t.Context(), host); err != nil || r.CircuitOpen() {
				t.Errorf("%v (%v), want a host whose circuit is closed", r, err)
			}
			if len(p.events) != 4 {
				t.Errorf("events %v, want one of each connection", p.events)
			}
		})
	}
}

// That credentials were accepted is known though the server was down since, and
// though the process is another.
func TestAcceptedBeforeAnOutage(t *testing.T) {
	bubble(t, func(w *world) {
		names := w.fleet(3)
		w.served(names)
		w.answer(says(503, "server_error"), reltioauthtest.OpToken)
		for _, name := range names {
			w.expect(w.renew(rotateapi.Request{Connection: name}), rotateapi.Failed, apierr.ReltioUnavailable)
		}
		w.renewer = w.fresh()
		w.refuseAll()
		time.Sleep(time.Minute)
		for _, name := range names {
			w.renew(rotateapi.Request{Connection: name})
		}
		if r, err := w.table.Budget(t.Context(), host); err != nil || !r.CircuitOpen() {
			t.Errorf("%v (%v), want a refusing host", r, err)
		}
	})
}

// A probe of a sweep keeps to the pauses after unclear logins.
func TestProbesKeepToThePausesOfLogins(t *testing.T) {
	bubble(t, func(w *world) {
		users := w.loggingIn(3)
		w.served(users)
		began := time.Now()
		w.answer(says(401, "unauthorized"), reltioauthtest.OpToken)
		for range 30 {
			w.sweep()
			time.Sleep(time.Minute)
		}
		last := map[string]time.Time{}
		for _, r := range w.server.Requests() {
			if r.At.Before(began) {
				continue
			}
			if apart := r.At.Sub(last[r.User]); apart < 2*time.Minute {
				t.Errorf("%s logged in again after %v", r.User, apart)
			}
			last[r.User] = r.At
		}
	})
}
