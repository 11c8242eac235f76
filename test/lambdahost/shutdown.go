package lambdahost

import (
	"context"
	"syscall"
	"time"
)

// How long processes are given to end by themselves: none without an
// extension; half a second if the runtime has registered one of its own; two
// seconds with external ones, of which the runtime has the first 0.3.
const (
	internalGrace = 500 * time.Millisecond
	runtimeGrace  = 300 * time.Millisecond
	shutdownGrace = 2 * time.Second
)

// Reasons for a shutdown, as extensions are told them.
const (
	spindown        = "spindown"
	shutdownTimeout = "timeout"
	shutdownFailure = "failure"
)

// end shuts the environment down and returns when nothing is left of it. A
// second caller waits for the first.
func (e *Environment) end(reason string) {
	e.ending.Do(func() {
		defer close(e.ended)
		e.change(func() { e.closing = true })
		internal, external := e.registered()
		switch {
		case reason != spindown || !internal && !external:
			e.killRuntime()
		case external:
			e.terminate(runtimeGrace)
		default:
			e.terminate(internalGrace)
		}
		if external {
			e.shutdownExtensions(reason)
		}
		e.signal(syscall.SIGKILL)
		for _, p := range e.processes() {
			<-p.exited
		}
		_ = e.api.Close() // no request is left to be answered
		e.logs.close()
		e.cpu.remove()
		e.f.forget(e)
	})
	<-e.ended
}

// terminate asks the runtime to end, and makes it.
func (e *Environment) terminate(grace time.Duration) {
	e.mu.Lock()
	p := e.runtime
	e.mu.Unlock()
	if p == nil {
		return
	}
	e.Thaw()
	p.signal(syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(grace):
		e.killRuntime()
	}
}

// shutdownExtensions tells those who want to know, and waits for them.
func (e *Environment) shutdownExtensions(reason string) {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownGrace-runtimeGrace)
	defer cancel()
	e.Thaw()
	e.change(func() { e.offerShutdown(reason, e.f.host.now().Add(shutdownGrace-runtimeGrace)) })
	e.mu.Lock()
	extensions := e.extensions
	e.mu.Unlock()
	for _, x := range extensions {
		if x.process == nil || !x.shutdown {
			continue
		}
		select {
		case <-x.process.exited:
		case <-ctx.Done():
		}
	}
}
