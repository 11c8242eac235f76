package lambdahost

import (
	"context"
	"strings"

	"github.com/reltio-tokens/reltio-tokens/internal/invokeapi"
)

// Invoke invokes a function and waits for its answer. An *Error says that the
// invocation did not take place. If the context ends, the function runs to its end, and
// its result is dropped.
func (h *Host) Invoke(ctx context.Context, i Invocation) (Result, error) {
	f, qualifier, refused := h.resolve(i.Function, i.Qualifier)
	if refused == nil {
		refused = invokeapi.CheckPayload(i.Payload, invokeapi.MaxRequest)
	}
	if refused != nil {
		return Result{}, refused
	}
	inv := newInvocation(invokeapi.NewRequestID(), qualified(h.ARN(f.Name), qualifier), &i)
	if refused := h.run(f, inv); refused != nil {
		return Result{RequestID: inv.id}, refused
	}
	select {
	case <-inv.done:
		return inv.result(f.Version), nil
	case <-ctx.Done():
		return Result{RequestID: inv.id}, ctx.Err()
	}
}

// run begins an invocation, if it is let in.
func (h *Host) run(f *function, inv *invocation) *Error {
	if refused := h.enter(f); refused != nil {
		return refused
	}
	go f.serve(inv)
	return nil
}

func (i *invocation) result(version string) Result {
	r := Result{RequestID: i.id, Payload: i.answer, ExecutedVersion: version, LogTail: i.logTail}
	if i.status != statusSuccess {
		r.FunctionError = invokeapi.Unhandled
	}
	return r
}

// Find returns an *Error if there is no such function.
func (h *Host) Find(function, qualifier string) error {
	if _, _, refused := h.resolve(function, qualifier); refused != nil {
		return refused
	}
	return nil
}

// resolve finds the function that a caller names, and the qualifier.
func (h *Host) resolve(named, apart string) (f *function, qualifier string, refused *Error) {
	name, qualifier, refused := invokeapi.Split(named, apart)
	if refused != nil {
		return nil, "", refused
	}
	f = h.function(name)
	switch {
	case f == nil:
		return nil, "", invokeapi.NotFound("Function not found: %s", qualified(h.ARN(name), qualifier))
	case strings.HasPrefix(named, "arn:") && !strings.HasPrefix(named, h.ARN(name)):
		return nil, "", invokeapi.NotFound("Function not found: %s", named)
	case !f.knows(qualifier):
		return nil, "", invokeapi.NotFound("Function not found: %s", qualified(h.ARN(name), qualifier))
	}
	return f, qualifier, nil
}

func qualified(arn, qualifier string) string {
	if qualifier == "" {
		return arn
	}
	return arn + ":" + qualifier
}
