package lambdahost

import (
	"context"
	"fmt"
	"net/http"
	"strings"
)

// Invoke invokes a function and waits for its answer. An *Error says that the
// invocation did not take place. If the context ends, the function runs to its end, and
// its result is dropped.
func (h *Host) Invoke(ctx context.Context, i Invocation) (Result, error) {
	f, qualifier, refused := h.resolve(i.Function, i.Qualifier)
	if refused == nil {
		refused = checkPayload(i.Payload, MaxRequest)
	}
	if refused != nil {
		return Result{}, refused
	}
	inv := newInvocation(newID(), qualified(h.ARN(f.Name), qualifier), &i)
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
		r.FunctionError = "Unhandled"
	}
	return r
}

// resolve finds the function that a caller names, and the qualifier.
func (h *Host) resolve(name, qualifier string) (f *function, q string, refused *Error) {
	short, own := splitName(name)
	if own != "" && qualifier != "" && own != qualifier {
		return nil, "", &Error{
			Status: http.StatusBadRequest, Code: "InvalidParameterValueException",
			Message: "The derived qualifier from the function name does not match the specified qualifier.",
		}
	}
	if own != "" {
		qualifier = own
	}
	f = h.function(short)
	switch {
	case f == nil:
		return nil, "", notFound("Function not found: %s", qualified(h.ARN(short), qualifier))
	case strings.HasPrefix(name, "arn:") && !strings.HasPrefix(name, h.ARN(short)):
		return nil, "", notFound("Function not found: %s", name)
	case !f.knows(qualifier):
		return nil, "", notFound("Function not found: %s", qualified(h.ARN(short), qualifier))
	}
	return f, qualifier, nil
}

// splitName reads "name", "name:qualifier", "account:function:name" and an ARN,
// the last two with a qualifier or without.
func splitName(text string) (name, qualifier string) {
	if _, after, ok := strings.Cut(text, "function:"); ok {
		text = after
	}
	name, qualifier, _ = strings.Cut(text, ":")
	return name, qualifier
}

func qualified(arn, qualifier string) string {
	if qualifier == "" {
		return arn
	}
	return arn + ":" + qualifier
}

func checkPayload(payload []byte, most int) *Error {
	if len(payload) > most {
		return tooLarge(most)
	}
	if !isJSON(payload) {
		return &Error{
			Status: http.StatusBadRequest, Code: "InvalidRequestContentException",
			Message: "Could not parse request body into json",
		}
	}
	return nil
}

func tooLarge(most int) *Error {
	return &Error{
		Status: http.StatusRequestEntityTooLarge, Code: "RequestEntityTooLargeException",
		Message: fmt.Sprintf("Request must be smaller than %d bytes for the InvokeFunction operation", most),
	}
}
