// Package extension is a Lambda extension: a process beside a function, in any
// language, that keeps the function's tokens and hands them out over HTTP on
// this machine.
//
//	GET  /token?connection=acme-prod&min_ttl_seconds=300
//	POST /rejected   {"connection":"acme-prod","fingerprint":"sha256:…"}
//
// Both answer with issue's eleven keys, or with its errorType and errorMessage
// and a fitting status. A caller shows the function's AWS_SESSION_TOKEN in a
// header; nobody else gets a token, and no request that was not meant for this
// machine. Callers that ask at the same time cause one invocation of issue.
//
//	e := extension.Extension{RuntimeAPI: host, Name: "reltio-tokens", Port: 2775, Server: server, ...}
//	err := e.Run(ctx) // until Lambda ends the environment
//
// Nothing runs while the environment is frozen: between a caller's requests
// there is no timer, no refresh ahead of time and no open connection to AWS.
// What fails while it starts is told to Lambda, which fails the cold start; a
// connection that could not be warmed is not such a failure: its caller hears
// the error, or gets the token, when it asks.
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
)

// The bounds of time.
const (
	// warmFor bounds the warming; Lambda gives all of init ten seconds.
	warmFor = 4 * time.Second
	// headersWithin bounds how long a caller may take for its headers.
	headersWithin = 5 * time.Second
)

// maxHeader bounds a caller's headers; a session token has about one KB.
const maxHeader = 16 << 10

// What Lambda is told of a failure; its form is Lambda's.
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
	// Port is where the function asks, on 127.0.0.1.
	Port   int
	Server *Server
	// Connections are asked for before the function is ready.
	Connections []string
}

// Run serves until Lambda ends the environment, which is no error.
func (e *Extension) Run(ctx context.Context) error {
	// The port is open before Lambda may start the function: its own start may
	// already ask for a token.
	listener, listenErr := new(net.ListenConfig).Listen(ctx, "tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(e.Port)))
	registered, err := register(ctx, e.RuntimeAPI, e.Name)
	switch {
	case err != nil:
		return err
	case listenErr != nil:
		_ = registered.initError(ctx, listenFault, listenErr.Error()) // the error itself is returned
		return fmt.Errorf("extension: %w", listenErr)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	server := e.server(ctx)
	defer func() { _ = server.Close() }() // what is cut off has no caller any more
	go func() { cancel(server.Serve(listener)) }()
	e.warm(ctx)
	reason, err := registered.awaitShutdown(ctx)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = fmt.Errorf("extension: %w", cause) // the server's
		}
		_ = registered.exitError(context.WithoutCancel(ctx), eventFault, err.Error()) // the error itself is returned
		return err
	}
	e.Server.Log.Write(ctx, slog.LevelInfo, "shutdown", slog.String("reason", reason))
	return nil
}

// server has no limit for idle connections: a timer would run on while the
// environment is frozen, and close what the function is about to use.
func (e *Extension) server(ctx context.Context) *http.Server {
	return &http.Server{
		Handler:           e.Server,
		ReadHeaderTimeout: headersWithin,
		IdleTimeout:       -1,
		MaxHeaderBytes:    maxHeader,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ErrorLog:          slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug), // callers that break off
	}
}

// warm asks for the connections that the function will ask for, all at once.
func (e *Extension) warm(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, warmFor)
	defer cancel()
	var all sync.WaitGroup
	for _, name := range e.Connections {
		all.Go(func() {
			start := e.Server.Now()
			in := request{connection: name}
			var out Answer
			err := e.Server.guard(ctx, func() (err error) {
				out, err = e.Server.vend(ctx, in)
				return err
			})
			e.Server.log(ctx, in, out, err, e.Server.Now().Sub(start))
		})
	}
	all.Wait()
}

// Refuse tells Lambda that the configuration is wrong: the cold start fails,
// and its error names the faults. The caller exits.
func Refuse(ctx context.Context, runtimeAPI, name string, faults error) error {
	registered, err := register(ctx, runtimeAPI, name)
	if err != nil {
		return err
	}
	return registered.initError(ctx, configurationFault, faults.Error())
}
