package operator

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// Verb names an operation that another process can ask for.
type Verb string

// The verbs. None returns a token: only the issue function does.
const (
	VerbStatus    Verb = "status"
	VerbCheck     Verb = "check"
	VerbRotate    Verb = "rotate"
	VerbPause     Verb = "pause"
	VerbUnpause   Verb = "unpause"
	VerbResume    Verb = "resume"
	VerbResumeAll Verb = "resume_all"
	VerbAbout     Verb = "about"

	VerbAdd        Verb = "add"
	VerbConnect    Verb = "connect"
	VerbDisconnect Verb = "disconnect"
	VerbSharing    Verb = "sharing"
	VerbWhoAmI     Verb = "whoami"
)

// Call is one request to a Service in another process.
type Call struct {
	Verb Verb `json:"verb"`
	// Connection is the connection's name; Connections are those of VerbStatus.
	Connection  string   `json:"connection,omitempty"`
	Connections []string `json:"connections,omitempty"`
	Force       bool     `json:"force,omitempty"`
	// Secret is the text that VerbAdd writes.
	Secret ClearText `json:"secret,omitzero"`
	// ReplaceUser is for VerbConnect, DeleteSecret and Revoke for
	// VerbDisconnect.
	ReplaceUser  bool `json:"replace_user,omitempty"`
	DeleteSecret bool `json:"delete_secret,omitempty"`
	Revoke       bool `json:"revoke,omitempty"`
}

// ClearText is a secret that JSON shows, because the operator asked for it, or
// because it goes from one process of a machine to another. Every other way of
// printing hides it.
type ClearText struct{ reltioauth.Secret }

// MarshalJSON implements json.Marshaler.
func (c ClearText) MarshalJSON() ([]byte, error) { return json.Marshal(c.Reveal()) }

// UnmarshalJSON implements json.Unmarshaler.
func (c *ClearText) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return errors.New("must be a string") // without the text
	}
	c.Secret = reltioauth.NewSecret(text)
	return nil
}

// Reply is the response to a Call: what the method of that verb returns.
type Reply[T any] struct {
	Result T                `json:"result"`
	Error  *rotateapi.Error `json:"error"`
}

// Unpack returns the result, and the error in the form that it has inside a
// process.
func (r Reply[T]) Unpack() (T, error) {
	if r.Error == nil {
		return r.Result, nil
	}
	return r.Result, apierr.New(r.Error.Type, r.Error.Message)
}

// Do executes a Call.
func (o *Service) Do(ctx context.Context, c Call) Reply[any] {
	result, err := o.do(ctx, c)
	if err != nil {
		return Reply[any]{Result: result, Error: errorOf(apierr.Of(err))}
	}
	return Reply[any]{Result: result}
}

func (o *Service) do(ctx context.Context, c Call) (any, error) {
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
	case VerbAbout:
		return o.About(ctx)
	case VerbAdd:
		return o.Add(ctx, AddRequest{Connection: c.Connection, Secret: c.Secret.Secret, Force: c.Force})
	case VerbConnect:
		return o.Connect(ctx, c.Connection, c.ReplaceUser)
	case VerbDisconnect:
		return o.Disconnect(ctx, DisconnectRequest{Connection: c.Connection, DeleteSecret: c.DeleteSecret, Revoke: c.Revoke})
	case VerbSharing:
		return o.Sharing(ctx, c.Connection)
	case VerbWhoAmI:
		return o.WhoAmI(ctx, c.Connection)
	default:
		return nil, apierr.New(apierr.InvalidRequest,
			"verb: must be status, check, rotate, pause, unpause, resume, resume_all, about, add, connect, disconnect, sharing or whoami")
	}
}

func clearText(text string) ClearText { return ClearText{reltioauth.NewSecret(text)} }
