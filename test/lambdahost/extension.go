package lambdahost

import (
	"cmp"
	"encoding/json"
	"time"
)

// extension is one of an environment; the environment's mu guards it. An
// external one is a process; an internal one registers from within the runtime.
type extension struct {
	name, id string
	process  *process // nil: internal
	// invoke and shutdown are the events it wants.
	registered, invoke, shutdown bool
	// waiting: it asks for its next event. event is for it to fetch.
	waiting bool
	event   []byte
}

// invokeEvent and shutdownEvent are what extensions are told.
type invokeEvent struct {
	EventType          string  `json:"eventType"`
	DeadlineMs         int64   `json:"deadlineMs"`
	RequestID          string  `json:"requestId"`
	InvokedFunctionArn string  `json:"invokedFunctionArn"`
	Tracing            tracing `json:"tracing"`
}

type tracing struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

type shutdownEvent struct {
	EventType      string `json:"eventType"`
	ShutdownReason string `json:"shutdownReason"`
	DeadlineMs     int64  `json:"deadlineMs"`
}

// The types of events.
const (
	eventInvoke   = "INVOKE"
	eventShutdown = "SHUTDOWN"
)

// startExtensions starts them all and waits until they have registered.
func (e *Environment) startExtensions(until <-chan time.Time, late *failure) *failure {
	for i, x := range e.f.Extensions {
		entry := &extension{name: x.Name}
		e.change(func() { e.extensions = append(e.extensions, entry) })
		p, err := e.start(e.f.extensionPrograms[i], x.Command, e.f.variables(e.shared()))
		if err != nil {
			return &failure{kind: "Extension.LaunchError", message: err.Error()}
		}
		e.change(func() { entry.process = p })
		go func() {
			<-p.exited
			e.fail(&failure{kind: "Extension.Crash", message: cmp.Or(p.reason(), "exit status 0")})
			e.f.reap(e)
		}()
	}
	registered := e.await(until, func() bool {
		for _, x := range e.extensions {
			if !x.registered && e.over == nil {
				return false
			}
		}
		return true
	})
	if f := e.failed(); f != nil {
		return f
	}
	if !registered {
		return late
	}
	return nil
}

// extensionsReady reports whether all have asked for an event that is not
// there. It is called under mu.
func (e *Environment) extensionsReady() bool {
	for _, x := range e.extensions {
		if !x.waiting || x.event != nil {
			return false
		}
	}
	return true
}

// offerExtensions tells those who want to know of an invocation. It is called
// under mu.
func (e *Environment) offerExtensions(inv *invocation) {
	event, _ := json.Marshal(invokeEvent{ // strings and numbers always encode
		EventType: eventInvoke, DeadlineMs: inv.deadline.UnixMilli(), RequestID: inv.id,
		InvokedFunctionArn: inv.arn, Tracing: tracing{Type: "X-Amzn-Trace-Id", Value: inv.trace},
	})
	for _, x := range e.extensions {
		if x.invoke {
			x.event = event
		}
	}
}

// offerShutdown tells those who want to know of the end. It is called under mu.
func (e *Environment) offerShutdown(reason string, deadline time.Time) {
	event, _ := json.Marshal(shutdownEvent{ // strings and numbers always encode
		EventType: eventShutdown, ShutdownReason: reason, DeadlineMs: deadline.UnixMilli(),
	})
	for _, x := range e.extensions {
		if x.shutdown {
			x.event = event
		}
	}
}

// registered reports which kinds of extensions there are.
func (e *Environment) registered() (internal, external bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, x := range e.extensions {
		internal = internal || x.process == nil && x.registered
		external = external || x.process != nil && x.registered
	}
	return internal, external
}
