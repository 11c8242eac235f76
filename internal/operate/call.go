package operate

import (
	"context"

	"github.com/reltio-tokens/reltio-tokens/internal/fault"
	"github.com/reltio-tokens/reltio-tokens/internal/rotation"
)

// Verb names what an operator can ask for from another process.
type Verb string

// The verbs. Tokens do not travel this way: they come from the issue function
// alone.
const (
	VerbStatus    Verb = "status"
	VerbCheck     Verb = "check"
	VerbRotate    Verb = "rotate"
	VerbPause     Verb = "pause"
	VerbUnpause   Verb = "unpause"
	VerbResume    Verb = "resume"
	VerbResumeAll Verb = "resume_all"
)

// Call is one request to an Operator in another process.
type Call struct {
	Verb Verb `json:"verb"`
	// Connection is the one meant; Connections those of VerbStatus.
	Connection  string   `json:"connection,omitempty"`
	Connections []string `json:"connections,omitempty"`
	Force       bool     `json:"force,omitempty"`
}

// Reply is the answer to a Call: what the method of that verb returns.
type Reply[T any] struct {
	Result T               `json:"result"`
	Error  *rotation.Error `json:"error"`
}

// Unpack is the result, and the error as those inside a process know it.
func (r Reply[T]) Unpack() (T, error) {
	if r.Error == nil {
		return r.Result, nil
	}
	return r.Result, fault.New(r.Error.Type, r.Error.Message)
}

// Do answers a Call.
func (o *Operator) Do(ctx context.Context, c Call) Reply[any] {
	result, err := o.do(ctx, c)
	if err != nil {
		return Reply[any]{Result: result, Error: errorOf(fault.Of(err))}
	}
	return Reply[any]{Result: result}
}

func (o *Operator) do(ctx context.Context, c Call) (any, error) {
	switch c.Verb {
	case VerbStatus:
		return o.Status(ctx, c.Connections...)
	case VerbCheck:
		return o.Check(ctx, c.Connection)
	case VerbRotate:
		return o.Rotate(ctx, c.Connection, c.Force)
	case VerbPause:
		return o.Pause(ctx, c.Connection)
	case VerbUnpause:
		return o.Unpause(ctx, c.Connection)
	case VerbResume:
		return o.Resume(ctx, c.Connection)
	case VerbResumeAll:
		return o.ResumeAll(ctx)
	default:
		return nil, fault.New(fault.InvalidRequest, "verb: must be status, check, rotate, pause, unpause, resume or resume_all")
	}
}
