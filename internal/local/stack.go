package local

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/handler"
	"github.com/reltio-tokens/reltio-tokens/internal/invokeapi"
	"github.com/reltio-tokens/reltio-tokens/internal/issue"
	"github.com/reltio-tokens/reltio-tokens/internal/localapi"
	"github.com/reltio-tokens/reltio-tokens/internal/memstore"
	"github.com/reltio-tokens/reltio-tokens/internal/renewal"
	"github.com/reltio-tokens/reltio-tokens/internal/telemetry"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// Config says on which loopback ports the stack listens; -1 means any free port.
// The zero value is ready to use.
type Config struct {
	// LambdaPort is the port of the Invoke API; 0 means 3001.
	LambdaPort int
	// CallbackPort is the port for browsers; 0 means 3000.
	CallbackPort int
	// ReltioPort is the port of the sandbox; 0 means 3002.
	ReltioPort int
	// TokenLife is the life of the sandbox's access tokens; 0 means an hour.
	TokenLife time.Duration
	// Tick is how often the schedule invokes rotate; 0 means every minute.
	Tick time.Duration
	// Log takes the functions' log lines; nil drops them.
	Log io.Writer
}

// Stack is a running stack.
type Stack struct {
	// CallbackURL, LambdaURL and ReltioURL are its addresses.
	CallbackURL string
	LambdaURL   string
	ReltioURL   string

	config  Config
	reltio  *reltioauthtest.Server
	secrets *memstore.Secrets
	events  *eventLog
	lambda  *functions
	server  *http.Server
	// callback is the handler that the server browsers serves.
	callback *handler.Callback
	browsers *http.Server
	stop     context.CancelFunc
	// running are the schedule and the servers.
	running sync.WaitGroup
}

// Start starts everything and returns when it listens. If a port is in use, the
// error says which.
func Start(ctx context.Context, c Config) (*Stack, error) {
	s := &Stack{config: c, reltio: reltioauthtest.New(Sandbox(c.TokenLife)), secrets: &memstore.Secrets{}}
	var err error
	if s.ReltioURL, err = s.reltio.Start(Address(c.ReltioPort, DefaultReltioPort)); err != nil { //nolint:contextcheck // Close ends it
		return nil, taken("the sandbox", "-reltio-port", Address(c.ReltioPort, DefaultReltioPort), err)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", Address(c.LambdaPort, DefaultLambdaPort))
	if err != nil {
		_ = s.reltio.Close() // it has served no request yet
		return nil, taken("the Invoke API", "-lambda-port", Address(c.LambdaPort, DefaultLambdaPort), err)
	}
	s.LambdaURL = "http://" + listener.Addr().String()
	browsers, err := s.listenForBrowsers(ctx)
	if err != nil {
		return nil, errors.Join(err, listener.Close(), s.reltio.Close())
	}
	if err := s.addConnections(ctx); err != nil {
		return nil, errors.Join(err, browsers.Close(), listener.Close(), s.reltio.Close())
	}
	s.serve(ctx, listener, browsers)
	return s, nil
}

func taken(what, flag, address string, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%s cannot listen on %s: the port is taken; stop what uses it or choose another with %s", what, address, flag)
	}
	return fmt.Errorf("%s cannot listen on %s: %w", what, address, err)
}

// serve connects the functions and starts the servers and the schedule.
func (s *Stack) serve(ctx context.Context, listener, browsers net.Listener) {
	ctx, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	table := &memstore.Table{}
	s.lambda = &functions{all: s.functions(table)}
	s.server = &http.Server{
		Handler: invokeapi.Handler(s.lambda, onlyInvoke, map[string]http.Handler{
			"POST /local/operate":     operatorAPI{s.operator(table)},
			"POST " + localapi.Path:   sandboxAPI{reltio: s.reltio, table: table, secrets: s.secrets},
			"GET " + tenantPath + "/": newTenant(s.reltio),
		}),
		ReadHeaderTimeout: 10 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	s.browsers = s.browserServer(ctx)
	s.running.Go(func() { _ = s.server.Serve(listener) })   // Serve ends with Close
	s.running.Go(func() { _ = s.browsers.Serve(browsers) }) // Serve ends with Close
	s.running.Go(func() { s.schedule(ctx) })
}

// functions are the same handlers that Lambda runs, over the embedded store.
func (s *Stack) functions(table *memstore.Table) map[string]function {
	log := telemetry.New(cmp.Or[io.Writer](s.config.Log, io.Discard), slog.LevelInfo, time.Now)
	s.events = &eventLog{log: log}
	rotate := &handler.Rotate{
		Renewer: &renewal.Renewer{
			Grants:        table,
			Leases:        table,
			Lockouts:      table,
			RateLimits:    table,
			Connections:   s.secrets,
			RefreshTokens: s.secrets,
			Parking:       table,
			Batches:       table,
			Hosts:         s.hosts(),
			Events:        s.events,
			Now:           time.Now,

			AuthRequests: table,
			CallbackURL:  s.CallbackURL,
		},
		Log: log,
		Now: time.Now,
	}
	all := map[string]function{"rotate": {handler: rotate, timeout: 120 * time.Second}}
	all["issue"] = function{
		handler: &handler.Issue{
			Issuer: &issue.Issuer{Grants: table, Leases: table, Rotate: rotator{s}, Now: time.Now},
			Log:    log,
			Now:    time.Now,
		},
		timeout: 25 * time.Second,
	}
	s.callback = s.newCallback(table, log)
	all["callback"] = function{handler: handler.Gateway{Handler: s.callback}, timeout: callbackTime}
	return all
}

// hosts that a connection may name: the sandbox.
func (s *Stack) hosts() connection.Hosts {
	return connection.Hosts{strings.TrimPrefix(s.ReltioURL, "http://")}
}

// schedule invokes rotate at every tick, as EventBridge Scheduler does.
func (s *Stack) schedule(ctx context.Context) {
	tick := time.NewTicker(cmp.Or(s.config.Tick, time.Minute))
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.lambda.invoke(ctx, "rotate", []byte("{}"))
		case <-ctx.Done():
			return
		}
	}
}

// Close stops listening, waits for everything that runs, and frees the ports.
func (s *Stack) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err := errors.Join(s.browsers.Shutdown(ctx), s.server.Shutdown(ctx))
	s.stop()
	s.lambda.events.Wait()
	s.running.Wait()
	return errors.Join(err, s.reltio.Close())
}
