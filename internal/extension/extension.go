// Package extension is a Lambda extension: a process beside a function, in any
// language, that keeps the function's tokens and issues them over HTTP on this
// machine.
//
//	GET  /token?connection=acme-prod&min_ttl_seconds=300
//	POST /rejected   {"connection":"acme-prod","fingerprint":"sha256:…"}
//
// The response to both is issue's, or its errorType and errorMessage with a
// fitting status. A caller sends the function's AWS_SESSION_TOKEN in a
// header. Other callers get no token, nor does a request that was not meant for
// this machine. Callers that ask at the same time cause one invocation of issue.
//
//	e := extension.Extension{RuntimeAPI: host, Name: "reltio-tokens", Port: 2775, Server: server, ...}
//	err := e.Run(ctx) // until Lambda ends the environment
//
// Nothing runs while the environment is frozen: between a caller's requests there
// is no timer, no early refresh and no open connection to AWS. A failure to start
// is reported to Lambda, which fails the cold start. A connection that could not
// be warmed is not such a failure: its caller gets the error, or the token, when
// it asks.
package extension

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueapi"
)

// The bounds of time.
const (
	// warmFor bounds the warming; Lambda gives all of init ten seconds.
	warmFor = 4 * time.Second
	// headersWithin bounds how long a caller may take to send its headers.
	headersWithin = 5 * time.Second
)

// maxHeader bounds a caller's headers; a session token has about one KB.
const maxHeader = 16 << 10

// The error types that are reported to Lambda, in Lambda's form.
const (
	configurationFault = "Extension.Configuration"
	listenFault        = "Extension.Listen"
	eventFault         = "Extension.Event"
)

// Extension is the process. All fields but Connections are required.
type Extension struct {
	// RuntimeAPI is host and port of the Extensions API.
	RuntimeAPI string
	// Name is the file name of the binary.
	Name string
	// Port is the port for the function, on 127.0.0.1.
	Port   int
	Server *Server
	// Connections are those whose tokens are fetched before the function is
	// ready.
	Connections []string
}

// Run serves until Lambda ends the environment, which is no error.
func (e *Extension) Run(ctx context.Context) error {
	e.Server.Started = e.Server.Now()
	// The port is open before Lambda may start the function, because the function
	// may ask for a token as soon as it starts.
	listener, listenErr := new(net.ListenConfig).Listen(ctx, "tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(e.Port)))
	registered, err := register(ctx, e.RuntimeAPI, e.Name)
	switch {
	case err != nil:
		return err
	case listenErr != nil:
		_ = registered.initError(ctx, listenFault, listenErr.Error()) // the returned error is enough
		return fmt.Errorf("extension: %w", listenErr)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	server := e.server(ctx)
	defer func() { _ = server.Close() }() // requests that are cut off have no caller any more
	go func() { cancel(server.Serve(listener)) }()
	e.warm(ctx)
	reason, err := registered.awaitShutdown(ctx)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = fmt.Errorf("extension: %w", cause) // the server's error
		}
		_ = registered.exitError(context.WithoutCancel(ctx), eventFault, err.Error()) // the returned error is enough
		return err
	}
	e.Server.Log.Write(ctx, slog.LevelInfo, "shutdown", slog.String("reason", reason))
	return nil
}

// server has no limit for idle connections: its timer would run on while the
// environment is frozen, and close a connection that the function is about to
// use.
func (e *Extension) server(ctx context.Context) *http.Server {
	return &http.Server{
		Handler:           e.Server,
		ReadHeaderTimeout: headersWithin,
		IdleTimeout:       -1,
		MaxHeaderBytes:    maxHeader,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ErrorLog:          slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug), // callers that break off are not logged
	}
}

// warm fetches the tokens of the configured connections, all at once.
func (e *Extension) warm(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, warmFor)
	defer cancel()
	var all sync.WaitGroup
	for _, name := range e.Connections {
		all.Go(func() {
			start := e.Server.Now()
			in := request{connection: name}
			var out issueapi.Response
			err := e.Server.guard(ctx, func() (err error) {
				out, err = e.Server.token(ctx, in)
				return err
			})
			e.Server.log(ctx, in, out, err, e.Server.Now().Sub(start))
		})
	}
	all.Wait()
}

// Refuse tells Lambda that the configuration is wrong: the cold start fails, and
// its error lists the problems. The caller exits.
func Refuse(ctx context.Context, runtimeAPI, name string, faults error) error {
	registered, err := register(ctx, runtimeAPI, name)
	if err != nil {
		return err
	}
	return registered.initError(ctx, configurationFault, faults.Error())
}
