// Package rig is the service as it is deployed, made ready to be measured: a
// stack of real processes, functions to compare it with, TLS in between if
// asked for, and for each invocation the time that it took inside Lambda.
//
//	r, err := rig.Start(ctx, rig.Config{Now: time.Now, Binaries: folder, TLS: true, Share: true})
//	defer r.Close()
//	err = r.Deploy(ctx, lambdahost.Function{Name: "empty"})
//	cold, err := r.Invoke(ctx, "empty", nil)
//
// Everything is on this machine and ends with Close.
package rig

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
	"github.com/reltio-tokens/reltio-tokens/test/lambdahost"
	"github.com/reltio-tokens/reltio-tokens/test/stack"
)

// Config is what a Rig is made of.
type Config struct {
	// Now is time.Now. Required.
	Now func() time.Time
	// Binaries is the folder that Build made. Required.
	Binaries string
	// TLS puts it in front of all that functions call.
	TLS bool
	// Share gives each function the share of a processor that comes with its
	// memory on Lambda, once its init is over. That needs root.
	Share bool
	// Sandbox is who is known to the authorization server.
	Sandbox reltioauthtest.Config
}

// Rig is a running one.
type Rig struct {
	*stack.Stack
	config Config
	tls    *authority

	// mu guards what follows.
	mu      sync.Mutex
	reports map[string]lambdahost.Report // by request id
	last    map[string]lambdahost.Report // by function
}

// Start starts everything.
func Start(ctx context.Context, c Config) (*Rig, error) {
	r := &Rig{config: c, reports: map[string]lambdahost.Report{}, last: map[string]lambdahost.Report{}}
	var err error
	if c.TLS {
		if r.tls, err = newAuthority(c.Now()); err != nil {
			return nil, err
		}
	}
	var failed error // Via has no error to return
	r.Stack, err = stack.Start(ctx, stack.Config{
		Now: c.Now, Binaries: c.Binaries, Sandbox: c.Sandbox, Change: r.change,
		Via: func(_ string, _ stack.Service, endpoint string) string {
			url, err := r.Front(ctx, endpoint)
			failed = errors.Join(failed, err)
			return url
		},
	})
	if err = errors.Join(err, failed); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// Close ends everything.
func (r *Rig) Close() error {
	var err error
	if r.Stack != nil {
		err = r.Stack.Close()
	}
	if r.tls != nil {
		err = errors.Join(err, r.tls.close())
	}
	return err
}

// Front is what functions reach an endpoint by: TLS, or the endpoint itself.
func (r *Rig) Front(ctx context.Context, endpoint string) (string, error) {
	if r.tls == nil {
		return endpoint, nil
	}
	return r.tls.front(ctx, endpoint)
}

// change makes a function what the rig's Config says.
func (r *Rig) change(f *lambdahost.Function) {
	const oneProcessor = 1769 // MB
	if r.config.Share {
		f.CPU = float64(f.MemoryMB) / oneProcessor
	}
	if r.tls != nil {
		maps.Copy(f.Env, r.tls.variables())
	}
	f.Report = r.report
}

// Deploy adds a function of 256 MB, whose binary has its name unless there is
// a command; services are those that it is told of, as the stack's functions
// are.
func (r *Rig) Deploy(ctx context.Context, f lambdahost.Function, services ...stack.Service) error {
	const memory = 256
	if f.Env = maps.Clone(f.Env); f.Env == nil {
		f.Env = map[string]string{}
	}
	var failed error // Variables has no error to return
	maps.Copy(f.Env, r.Variables(func(_ stack.Service, endpoint string) string {
		url, err := r.Front(ctx, endpoint)
		failed = errors.Join(failed, err)
		return url
	}, services...))
	if failed != nil {
		return failed
	}
	if len(f.Command) == 0 {
		f.Command = []string{r.Binary(f.Name)}
	}
	f.MemoryMB, f.Timeout, f.LogFormat = memory, time.Minute, "JSON"
	r.change(&f)
	return r.Host.Deploy(f)
}

// Binary is where a binary of Build is.
func (r *Rig) Binary(name string) string { return filepath.Join(r.config.Binaries, name, "bootstrap") }

func (r *Rig) report(x lambdahost.Report) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reports[x.RequestID], r.last[x.Function] = x, x
}

// Last is the report of a function's last invocation.
func (r *Rig) Last(function string) lambdahost.Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last[function]
}

// FunctionError is what a function answered instead of a result.
type FunctionError struct {
	Function string
	Payload  []byte
}

// Error implements error.
func (e *FunctionError) Error() string { return fmt.Sprintf("function %s: %s", e.Function, e.Payload) }

// Answer is what came of an invocation.
type Answer struct {
	Report  lambdahost.Report
	Payload []byte
}

// Invoke invokes a function and waits. A function's own error is a
// *FunctionError.
func (r *Rig) Invoke(ctx context.Context, function string, payload []byte) (Answer, error) {
	result, err := r.Host.Invoke(ctx, lambdahost.Invocation{Function: function, Payload: payload})
	if err != nil {
		return Answer{}, err
	}
	r.mu.Lock()
	report := r.reports[result.RequestID]
	delete(r.reports, result.RequestID)
	r.mu.Unlock()
	if result.FunctionError != "" {
		return Answer{Report: report}, &FunctionError{function, result.Payload}
	}
	return Answer{report, result.Payload}, nil
}

// Calls counts the requests that passed to a service's endpoint, if there is
// TLS in front of it.
func (r *Rig) Calls(s stack.Service) int {
	if r.tls == nil {
		return 0
	}
	return r.tls.calls(r.Endpoints[s])
}

// folder makes a temporary folder.
func folder() (string, error) { return os.MkdirTemp("", "reltio-tokens-bench-") }
