// Package operator is what operators do: add a connection, have a person connect
// it, see the health of connections, check a secret before it is used, pause and
// unpause a connection, and disconnect it for good.
//
//	o := &operator.Service{Grants: table, Leases: table, Lockouts: table, Connections: secrets, ...}
//	added, err := o.Add(ctx, operator.AddRequest{Connection: "acme", Secret: text})
//	invited, err := o.Connect(ctx, "acme", false) // a link for a person
//	open, err := o.Invitations(ctx, operator.InvitationsRequest{Connection: "acme", Withdraw: true})
//	report, err := o.Status(ctx)             // all connections
//	checked, err := o.Check(ctx, "acme")     // its secret, without a login
//	change, err := o.Pause(ctx, "acme")      // its valid token is still issued
//	change, err = o.Unpause(ctx, "acme")     // due now
//	change, err = o.Resume(ctx, "acme")      // refused logins cleared, tried at the next tick
//	result, err := o.Rotate(ctx, "acme", true)
//	tried, err := o.TryLogin(ctx, "acme")    // one counted login
//	tried, err = o.Handover(ctx, operator.HandoverRequest{Connection: "acme", RefreshToken: text})
//	others, err := o.Sharing(ctx, "acme")    // connections of the same client
//	gone, err := o.Disconnect(ctx, operator.DisconnectRequest{Connection: "acme"})
//
// Rotate invokes the rotate function, Issue the issue function. The requests to
// Reltio that this package sends itself revoke the tokens that Disconnect takes
// away, introspect one for WhoAmI, and ask for one in TryLogin and Handover, within
// the rate limit and the limit of refused logins. A change of a grant seizes the grant's lease first, so that a
// renewal in progress cannot undo it. All changes can be repeated without harm.
//
// Every method blocks on the stores and ends with its context. A failure is an
// apierr.Error: UnknownConnection if neither a secret nor a grant has the name,
// InvalidRequest if the name is not valid, ConnectionPaused if the connection has
// to be unpaused first, StoreUnavailable if a store fails. No result holds a
// secret, except the token of Issue and the link of Connect.
package operator

import (
	"context"
	"errors"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/lockout"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueapi"
)

// Service does what operators ask for. Each method needs the fields that its
// comment names; all need Now. It keeps no state and is safe for concurrent use.
type Service struct {
	Grants      grant.Store
	Leases      lease.Store
	Lockouts    lockout.Store
	Connections Connections
	// Rotations is the rotate function, for Rotate.
	Rotations rotateapi.Function
	// Issues is the issue function, for Issue.
	Issues IssueFunction
	// Hosts that a connection may name. They must be the functions' hosts:
	// otherwise a secret that the functions refuse would be accepted here.
	Hosts connection.Hosts
	Now   func() time.Time

	// AuthRequests has the invitations of Connect and Invitations. CallbackURL is the
	// address of the callback function, without a slash at its end.
	AuthRequests Invitations
	CallbackURL  string
	// Secrets are written by Add, and deleted by Disconnect.
	Secrets SecretWriter
	// RefreshTokens and Parking have the refresh tokens that Disconnect revokes;
	// Status and Check need Parking too. RateLimits says how long Disconnect
	// waits for a throttled host, and has the slots of TryLogin and Handover. Connector opens connections to authorization
	// servers; nil means TCP and TLS.
	RefreshTokens grant.RefreshTokenStore
	Parking       grant.Parking
	RateLimits    ratelimit.Store
	Connector     reltioauth.Connector
	// Progress, if not nil, is called after each connection that Status and Survey
	// have read, by one goroutine at a time.
	Progress func(done, of int)
	// LoginAttempts is how many logins of a user may be refused, as rotate is
	// configured, for TryLogin; 0 means lockout.MaxAttempts.
	LoginAttempts int
}

// SecretWriter writes and deletes connections' secrets, which the functions of
// the service may not do. All methods are safe for concurrent use; a failure is
// an apierr.Error of type StoreUnavailable.
type SecretWriter interface {
	// PutConnection writes the connection's secret and returns its new version.
	PutConnection(ctx context.Context, name string, text reltioauth.Secret) (string, error)
	// DeleteConnection deletes it so that it can be restored for a while. It
	// fails with connection.ErrNotFound if it is not there.
	DeleteConnection(ctx context.Context, name string) error
	// DeleteGrant deletes the grant's secret for good. A missing one is no error.
	DeleteGrant(ctx context.Context, name string) error
}

// Connections are the secrets, and their names.
type Connections interface {
	connection.Secrets
	// List returns the names of all connections, sorted. A secret that was just
	// written may be missing for a moment.
	List(ctx context.Context) ([]string, error)
}

// IssueFunction invokes the issue function.
type IssueFunction interface {
	// Issue makes one attempt. An error of the function is an apierr.Error of its
	// type; an error of the invocation is RateLimited or StoreUnavailable.
	Issue(ctx context.Context, r issueapi.Request) (issueapi.Response, error)
}

// Issue asks the issue function for a token.
func (o *Service) Issue(ctx context.Context, r issueapi.Request) (issueapi.Response, error) {
	if err := named(r.Connection); err != nil {
		return issueapi.Response{}, err
	}
	return o.Issues.Issue(ctx, r)
}

// Rotate asks the rotate function for one renewal and waits for it. With force it
// renews a connection that is not due. A paused connection is never renewed.
func (o *Service) Rotate(ctx context.Context, name string, force bool) (rotateapi.Result, error) {
	if err := named(name); err != nil {
		return rotateapi.Result{}, err
	}
	return o.Rotations.Rotate(ctx, rotateapi.Request{Connection: name, Force: force})
}

// named refuses an invalid connection name.
func named(name string) error {
	if connection.ValidName(name) {
		return nil
	}
	return apierr.New(apierr.InvalidRequest, "connection: "+connection.NameRule)
}

// unknown says that no secret and no grant has the name.
func unknown() *apierr.Error {
	return apierr.New(apierr.UnknownConnection, "no connection has this name")
}

// parsed reads and parses a connection's secret: connection.ErrNotFound if there
// is none, InvalidConnection if it is malformed.
func (o *Service) parsed(ctx context.Context, name string) (*connection.Connection, error) {
	source, err := o.Connections.Connection(ctx, name)
	if err != nil {
		return nil, err
	}
	return connection.Parse(name, source, o.Hosts)
}

// grantOf reads a grant with a strongly consistent read; the zero Grant with its
// name if there is none.
func (o *Service) grantOf(ctx context.Context, name string) (g grant.Grant, exists bool, err error) {
	g, err = o.Grants.Grant(ctx, name, grant.Strong)
	if errors.Is(err, grant.ErrNotFound) {
		return grant.Grant{Connection: name}, false, nil
	}
	return g, err == nil, err
}
