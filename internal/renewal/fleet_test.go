package renewal_test

import (
	"fmt"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// fleet writes n client-credentials connections, each of its own client.
func (w *world) fleet(n int) []string {
	return w.many(n, "fleet-%04d", func(id, secret string) map[string]any {
		return with(with(clientCredentials(), "client_id", id), "client_secret", secret)
	}, func(c *reltioauthtest.Config, id string, secret reltioauth.Secret) {
		c.Clients = append(c.Clients, reltioauthtest.Client{ID: id, Secret: secret})
	})
}

// users writes n password connections, each of its own user.
func (w *world) users(n int) []string {
	return w.many(n, "user-%02d", func(name, secret string) map[string]any {
		return with(with(password(), "username", name), "password", secret)
	}, func(c *reltioauthtest.Config, name string, password reltioauth.Secret) {
		c.Users = append(c.Users, reltioauthtest.User{Username: name, Password: password})
	})
}

// many writes n connections whose names have a format and whose fields depend on
// the name and its secret, and lets the server know both.
func (w *world) many(
	n int, format string, fields func(name, secret string) map[string]any, know func(c *reltioauthtest.Config, name string, secret reltioauth.Secret),
) (names []string) {
	w.t.Helper()
	for i := range n {
		name := fmt.Sprintf(format, i)
		w.connect(name, fields(name, "secret-of-"+name))
		names = append(names, name)
	}
	w.server.Configure(func(c *reltioauthtest.Config) {
		for _, name := range names {
			know(c, name, reltioauth.NewSecret("secret-of-"+name))
		}
	})
	return names
}

// loggingIn are users at a server that gives no refresh tokens.
func (w *world) loggingIn(n int) (names []string) {
	w.t.Helper()
	w.behave(func(b *reltioauthtest.Behaviour) { b.OmitRefreshToken = true })
	return w.users(n)
}

// served lets each connection have a success with its credentials as they are, and
// waits until all tokens have ended.
func (w *world) served(fleets ...[]string) {
	w.t.Helper()
	for _, names := range fleets {
		for _, r := range w.together(names) {
			w.expect(r, rotateapi.Renewed, "")
		}
	}
	time.Sleep(time.Hour)
}

// loginsOf counts the logins that were sent for a user since a moment.
func (w *world) loginsOf(user string, from time.Time) (n int) {
	for _, r := range w.server.Requests() {
		if r.User == user && r.GrantType == "password" && !r.At.Before(from) {
			n++
		}
	}
	return n
}

// refuseAll lets the server refuse every client.
func (w *world) refuseAll() {
	w.answer(reltioauthtest.Fault{Kind: reltioauthtest.FaultInvalidClient}, reltioauthtest.OpToken)
}
