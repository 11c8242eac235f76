package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/operator"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueapi"
)

// remote is the service in the local stack, whose stores are in that process's
// memory: POST /local/operate.
type remote struct {
	url    string
	issues operator.IssueFunction
}

// call sends one call and waits for its response.
func call[T any](ctx context.Context, r remote, c operator.Call) (result T, err error) {
	body, err := json.Marshal(c)
	if err != nil {
		return result, apierr.Wrap(apierr.Internal, "", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url+"/local/operate", bytes.NewReader(body))
	if err != nil {
		return result, apierr.Wrap(apierr.Internal, "", err)
	}
	request.Header.Set("Content-Type", "application/json")
	var client http.Client
	response, err := client.Do(request)
	if err != nil {
		return result, apierr.Wrap(apierr.StoreUnavailable, "the local stack at "+r.url+" does not answer", err)
	}
	defer func() { _ = response.Body.Close() }()
	var reply operator.Reply[T]
	if response.StatusCode != http.StatusOK || json.NewDecoder(response.Body).Decode(&reply) != nil {
		return result, fmt.Errorf("%s is no local stack of this release: it answered %s", r.url, response.Status)
	}
	return reply.Unpack()
}

// About implements operator.
func (r remote) About(ctx context.Context) (operator.About, error) {
	return call[operator.About](ctx, r, operator.Call{Verb: operator.VerbAbout})
}

// Status implements operator.
func (r remote) Status(ctx context.Context, names ...string) (operator.Report, error) {
	return call[operator.Report](ctx, r, operator.Call{Verb: operator.VerbStatus, Connections: names})
}

// Import implements operator.
func (r remote) Import(ctx context.Context, request operator.ImportRequest) (operator.Planned, error) {
	return call[operator.Planned](ctx, r, operator.Call{
		Verb: operator.VerbImport, Connection: request.Connection, Secret: operator.ClearText{Secret: request.Secret}, DryRun: request.DryRun,
	})
}

// Export implements operator.
func (r remote) Export(ctx context.Context) ([]operator.Exported, error) {
	return call[[]operator.Exported](ctx, r, operator.Call{Verb: operator.VerbExport})
}

// Names implements operator.
func (r remote) Names(ctx context.Context) ([]string, error) {
	return call[[]string](ctx, r, operator.Call{Verb: operator.VerbNames})
}

// Survey implements operator.
func (r remote) Survey(ctx context.Context) (operator.Survey, error) {
	return call[operator.Survey](ctx, r, operator.Call{Verb: operator.VerbSurvey})
}

// Check implements operator.
func (r remote) Check(ctx context.Context, name string) (operator.Checked, error) {
	return call[operator.Checked](ctx, r, operator.Call{Verb: operator.VerbCheck, Connection: name})
}

// Issue implements operator.
func (r remote) Issue(ctx context.Context, request issueapi.Request) (issueapi.Response, error) {
	return r.issues.Issue(ctx, request)
}

// Rotate implements operator.
func (r remote) Rotate(ctx context.Context, name string, force bool) (rotateapi.Result, error) {
	return call[rotateapi.Result](ctx, r, operator.Call{Verb: operator.VerbRotate, Connection: name, Force: force})
}

// Pause implements operator.
func (r remote) Pause(ctx context.Context, name string) (operator.Change, error) {
	return call[operator.Change](ctx, r, operator.Call{Verb: operator.VerbPause, Connection: name})
}

// Unpause implements operator.
func (r remote) Unpause(ctx context.Context, name string) (operator.Change, error) {
	return call[operator.Change](ctx, r, operator.Call{Verb: operator.VerbUnpause, Connection: name})
}

// Resume implements operator.
func (r remote) Resume(ctx context.Context, name string) (operator.Change, error) {
	return call[operator.Change](ctx, r, operator.Call{Verb: operator.VerbResume, Connection: name})
}

// ResumeAll implements operator.
func (r remote) ResumeAll(ctx context.Context) ([]operator.Change, error) {
	return call[[]operator.Change](ctx, r, operator.Call{Verb: operator.VerbResumeAll})
}

// Add implements operator.
func (r remote) Add(ctx context.Context, request operator.AddRequest) (operator.Added, error) {
	return call[operator.Added](ctx, r, operator.Call{
		Verb: operator.VerbAdd, Connection: request.Connection,
		Secret: operator.ClearText{Secret: request.Secret}, Force: request.Force,
	})
}

// Connect implements operator.
func (r remote) Connect(ctx context.Context, name string, replaceUser bool) (operator.Invited, error) {
	return call[operator.Invited](ctx, r, operator.Call{Verb: operator.VerbConnect, Connection: name, ReplaceUser: replaceUser})
}

// Invitations implements operator.
func (r remote) Invitations(ctx context.Context, request operator.InvitationsRequest) ([]operator.OpenInvitation, error) {
	return call[[]operator.OpenInvitation](ctx, r, operator.Call{
		Verb: operator.VerbInvitations, Connection: request.Connection, ID: request.ID, Withdraw: request.Withdraw,
	})
}

// Disconnect implements operator.
func (r remote) Disconnect(ctx context.Context, request operator.DisconnectRequest) (operator.Disconnected, error) {
	return call[operator.Disconnected](ctx, r, operator.Call{
		Verb: operator.VerbDisconnect, Connection: request.Connection,
		DeleteSecret: request.DeleteSecret, Revoke: request.Revoke,
	})
}

// Sharing implements operator.
func (r remote) Sharing(ctx context.Context, name string) ([]string, error) {
	return call[[]string](ctx, r, operator.Call{Verb: operator.VerbSharing, Connection: name})
}

// WhoAmI implements operator.
func (r remote) WhoAmI(ctx context.Context, name string) (operator.WhoAmI, error) {
	return call[operator.WhoAmI](ctx, r, operator.Call{Verb: operator.VerbWhoAmI, Connection: name})
}

// TryLogin implements operator.
func (r remote) TryLogin(ctx context.Context, name string) (operator.Tried, error) {
	return call[operator.Tried](ctx, r, operator.Call{Verb: operator.VerbTryLogin, Connection: name})
}

// Handover implements operator.
func (r remote) Handover(ctx context.Context, request operator.HandoverRequest) (operator.Tried, error) {
	return call[operator.Tried](ctx, r, operator.Call{
		Verb: operator.VerbHandover, Connection: request.Connection, ReplaceUser: request.ReplaceUser,
		RefreshToken: operator.ClearText{Secret: request.RefreshToken}, LoggedInAt: request.LoggedInAt,
	})
}
