package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/reltio-tokens/reltio-tokens/internal/fault"
	"github.com/reltio-tokens/reltio-tokens/internal/operate"
	"github.com/reltio-tokens/reltio-tokens/internal/rotation"
)

// remote is the operator in the local stack, whose stores are in that
// process's memory: POST /local/operate.
type remote struct {
	url    string
	issues operate.IssueFunction
}

// call sends one call and waits for its reply.
func call[T any](ctx context.Context, r remote, c operate.Call) (result T, err error) {
	body, err := json.Marshal(c)
	if err != nil {
		return result, fault.Wrap(fault.Internal, "", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url+"/local/operate", bytes.NewReader(body))
	if err != nil {
		return result, fault.Wrap(fault.Internal, "", err)
	}
	request.Header.Set("Content-Type", "application/json")
	var client http.Client
	response, err := client.Do(request)
	if err != nil {
		return result, fault.Wrap(fault.StoreUnavailable, "the local stack at "+r.url+" does not answer", err)
	}
	defer func() { _ = response.Body.Close() }()
	var reply operate.Reply[T]
	if response.StatusCode != http.StatusOK || json.NewDecoder(response.Body).Decode(&reply) != nil {
		return result, fmt.Errorf("%s is no local stack of this release: it answered %s", r.url, response.Status)
	}
	return reply.Unpack()
}

// About implements operator.
func (r remote) About(ctx context.Context) (operate.About, error) {
	return call[operate.About](ctx, r, operate.Call{Verb: operate.VerbAbout})
}

// Status implements operator.
func (r remote) Status(ctx context.Context, names ...string) (operate.Report, error) {
	return call[operate.Report](ctx, r, operate.Call{Verb: operate.VerbStatus, Connections: names})
}

// Check implements operator.
func (r remote) Check(ctx context.Context, name string) (operate.Checked, error) {
	return call[operate.Checked](ctx, r, operate.Call{Verb: operate.VerbCheck, Connection: name})
}

// Issue implements operator.
func (r remote) Issue(ctx context.Context, request operate.IssueRequest) (operate.Issued, error) {
	return r.issues.Issue(ctx, request)
}

// Rotate implements operator.
func (r remote) Rotate(ctx context.Context, name string, force bool) (rotation.Result, error) {
	return call[rotation.Result](ctx, r, operate.Call{Verb: operate.VerbRotate, Connection: name, Force: force})
}

// Pause implements operator.
func (r remote) Pause(ctx context.Context, name string) (operate.Change, error) {
	return call[operate.Change](ctx, r, operate.Call{Verb: operate.VerbPause, Connection: name})
}

// Unpause implements operator.
func (r remote) Unpause(ctx context.Context, name string) (operate.Change, error) {
	return call[operate.Change](ctx, r, operate.Call{Verb: operate.VerbUnpause, Connection: name})
}

// Resume implements operator.
func (r remote) Resume(ctx context.Context, name string) (operate.Change, error) {
	return call[operate.Change](ctx, r, operate.Call{Verb: operate.VerbResume, Connection: name})
}

// ResumeAll implements operator.
func (r remote) ResumeAll(ctx context.Context) ([]operate.Change, error) {
	return call[[]operate.Change](ctx, r, operate.Call{Verb: operate.VerbResumeAll})
}

// Add implements operator.
func (r remote) Add(ctx context.Context, request operate.AddRequest) (operate.Added, error) {
	return call[operate.Added](ctx, r, operate.Call{
		Verb: operate.VerbAdd, Connection: request.Connection,
		Secret: operate.ClearText{Secret: request.Secret}, Force: request.Force,
	})
}

// Connect implements operator.
func (r remote) Connect(ctx context.Context, name string, replaceUser bool) (operate.Invited, error) {
	return call[operate.Invited](ctx, r, operate.Call{Verb: operate.VerbConnect, Connection: name, ReplaceUser: replaceUser})
}

// Disconnect implements operator.
func (r remote) Disconnect(ctx context.Context, request operate.DisconnectRequest) (operate.Disconnected, error) {
	return call[operate.Disconnected](ctx, r, operate.Call{
		Verb: operate.VerbDisconnect, Connection: request.Connection,
		DeleteSecret: request.DeleteSecret, Revoke: request.Revoke,
	})
}

// Sharing implements operator.
func (r remote) Sharing(ctx context.Context, name string) ([]string, error) {
	return call[[]string](ctx, r, operate.Call{Verb: operate.VerbSharing, Connection: name})
}
