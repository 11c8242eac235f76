package operator

import (
	"context"
	"encoding/json"
	"errors"
	"time"

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
	VerbTryLogin   Verb = "try_login"
	VerbHandover   Verb = "handover"
	VerbSurvey     Verb = "survey"
	VerbNames      Verb = "names"
	VerbImport     Verb = "import"
	VerbExport     Verb = "export"

	VerbInvitations Verb = "invitations"
)

// Call is one request to a Service in another process.
type Call struct {
	Verb Verb `json:"verb"`
	// Connection is the connection's name; Connections are those of VerbStatus.
	Connection  string   `json:"connection,omitempty"`
	Connections []string `json:"connections,omitempty"`
	Force       bool     `json:"force,omitempty"`
	// DryRun is for VerbImport.
	DryRun bool `json:"dry_run,omitempty"`
	// Secret is the text that VerbAdd and VerbImport write.
	Secret ClearText `json:"secret,omitzero"`
	// RefreshToken and LoggedInAt are for VerbHandover.
	RefreshToken ClearText `json:"refresh_token,omitzero"`
	LoggedInAt   time.Time `json:"logged_in_at,omitzero"`
	// ID and Withdraw are for VerbInvitations.
	ID       string `json:"id,omitempty"`
	Withdraw bool   `json:"withdraw,omitempty"`
	// ReplaceUser is for VerbConnect and VerbHandover, DeleteSecret and Revoke for
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
	method, ok := methods(o)[c.Verb]
	if !ok {
		return Reply[any]{Error: errorOf(apierr.New(apierr.InvalidRequest,
			"verb: must be status, check, rotate, pause, unpause, resume, resume_all, about, add, connect, disconnect, sharing, whoami, try_login, handover, survey, names, import, export or invitations"))}
	}
	result, err := method(ctx, c)
	if err != nil {
		return Reply[any]{Result: result, Error: errorOf(apierr.Of(err))}
	}
	return Reply[any]{Result: result}
}

// methods are the methods by their verbs.
func methods(o *Service) map[Verb]func(context.Context, Call) (any, error) {
	return map[Verb]func(context.Context, Call) (any, error){
		VerbStatus:    func(ctx context.Context, c Call) (any, error) { return o.Status(ctx, c.Connections...) },
		VerbCheck:     func(ctx context.Context, c Call) (any, error) { return o.Check(ctx, c.Connection) },
		VerbRotate:    func(ctx context.Context, c Call) (any, error) { return o.Rotate(ctx, c.Connection, c.Force) },
		VerbPause:     func(ctx context.Context, c Call) (any, error) { return o.Pause(ctx, c.Connection) },
		VerbUnpause:   func(ctx context.Context, c Call) (any, error) { return o.Unpause(ctx, c.Connection) },
		VerbResume:    func(ctx context.Context, c Call) (any, error) { return o.Resume(ctx, c.Connection) },
		VerbResumeAll: func(ctx context.Context, _ Call) (any, error) { return o.ResumeAll(ctx) },
		VerbAbout:     func(ctx context.Context, _ Call) (any, error) { return o.About(ctx) },
		VerbAdd: func(ctx context.Context, c Call) (any, error) {
			return o.Add(ctx, AddRequest{Connection: c.Connection, Secret: c.Secret.Secret, Force: c.Force})
		},
		VerbConnect: func(ctx context.Context, c Call) (any, error) { return o.Connect(ctx, c.Connection, c.ReplaceUser) },
		VerbDisconnect: func(ctx context.Context, c Call) (any, error) {
			return o.Disconnect(ctx, DisconnectRequest{Connection: c.Connection, DeleteSecret: c.DeleteSecret, Revoke: c.Revoke})
		},
		VerbExport: func(ctx context.Context, _ Call) (any, error) { return o.Export(ctx) },
		VerbImport: func(ctx context.Context, c Call) (any, error) {
			return o.Import(ctx, ImportRequest{Connection: c.Connection, Secret: c.Secret.Secret, DryRun: c.DryRun})
		},
		VerbInvitations: func(ctx context.Context, c Call) (any, error) {
			return o.Invitations(ctx, InvitationsRequest{Connection: c.Connection, ID: c.ID, Withdraw: c.Withdraw})
		},
		VerbNames:    func(ctx context.Context, _ Call) (any, error) { return o.Names(ctx) },
		VerbSurvey:   func(ctx context.Context, _ Call) (any, error) { return o.Survey(ctx) },
		VerbSharing:  func(ctx context.Context, c Call) (any, error) { return o.Sharing(ctx, c.Connection) },
		VerbWhoAmI:   func(ctx context.Context, c Call) (any, error) { return o.WhoAmI(ctx, c.Connection) },
		VerbTryLogin: func(ctx context.Context, c Call) (any, error) { return o.TryLogin(ctx, c.Connection) },
		VerbHandover: func(ctx context.Context, c Call) (any, error) {
			return o.Handover(ctx, HandoverRequest{
				Connection: c.Connection, RefreshToken: c.RefreshToken.Secret, LoggedInAt: c.LoggedInAt, ReplaceUser: c.ReplaceUser,
			})
		},
	}
}

func clearText(text string) ClearText { return ClearText{reltioauth.NewSecret(text)} }
