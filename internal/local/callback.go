package local

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/authcode"
	"github.com/reltio-tokens/reltio-tokens/internal/authrequest"
	"github.com/reltio-tokens/reltio-tokens/internal/handler"
	"github.com/reltio-tokens/reltio-tokens/internal/handler/pages"
	"github.com/reltio-tokens/reltio-tokens/internal/memstore"
	"github.com/reltio-tokens/reltio-tokens/internal/telemetry"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// callbackTime is the time limit of the callback function on Lambda.
const callbackTime = 29 * time.Second

// listenForBrowsers opens the port of the callback, and registers its address
// with the sandbox as the only redirection endpoint.
func (s *Stack) listenForBrowsers(ctx context.Context) (net.Listener, error) {
	where := Address(s.config.CallbackPort, DefaultCallbackPort)
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", where)
	if err != nil {
		return nil, taken("the callback's HTTP side", "-callback-port", where, err)
	}
	s.CallbackURL = "http://" + listener.Addr().String()
	s.reltio.Configure(func(c *reltioauthtest.Config) {
		for i := range c.Clients {
			c.Clients[i].RedirectURIs = []string{s.CallbackURL + "/callback"}
		}
	})
	return listener, nil
}

// newCallback is the callback function over the embedded store. Browsers reach it
// over plain HTTP. They accept its secure cookies nevertheless, because they
// treat loopback as secure (Chromium and Firefox; not Safari).
func (s *Stack) newCallback(table *memstore.Table, log *telemetry.Log) *handler.Callback {
	set := pages.New()
	set.Owner = pages.Owner{Organisation: "The local stack of Reltio tokens", Contact: "the person who started make run"}
	return &handler.Callback{
		Flow: &authcode.Flow{
			AuthRequests:  table,
			Grants:        table,
			Leases:        table,
			RateLimits:    table,
			Connections:   s.secrets,
			RefreshTokens: s.secrets,
			Parking:       table,
			Hosts:         s.hosts(),
			Events:        s.events,
			Now:           time.Now,
		},
		Pages:   set,
		Log:     log,
		Now:     time.Now,
		BaseURL: s.CallbackURL,
	}
}

// browserServer serves the callback. As on Lambda, a request has its own time
// limit, and does not end when the browser leaves.
func (s *Stack) browserServer(ctx context.Context) *http.Server {
	return &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), callbackTime)
			defer cancel()
			s.callback.ServeHTTP(w, r.WithContext(ctx))
		}),
		ReadHeaderTimeout: 10 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
}

// Invite makes the link with which a person authorizes a connection. It holds a
// secret, and works once, for a day.
func (s *Stack) Invite(ctx context.Context, connection string, replaceUser bool) (string, error) {
	i, err := s.callback.Flow.Invite(ctx, connection, authrequest.InvitationFromCommand, replaceUser)
	if err != nil {
		return "", fmt.Errorf("inviting to %s: %w", connection, err)
	}
	return authrequest.Link(s.CallbackURL, i.Text), nil
}

// Sandbox is the authorization server, for tests that change how it behaves.
func (s *Stack) Sandbox() *reltioauthtest.Server { return s.reltio }
