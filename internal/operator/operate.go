// Package operator is what operators do: add a connection, have a person connect
// it, see the health of connections, check a secret before it is used, take a
// connection out of the service or back into it, and disconnect it for good.
//
//	o := &operator.Operator{Grants: table, Leases: table, Accounts: table, Connections: secrets, ...}
//	added, err := o.Add(ctx, operator.AddRequest{Connection: "acme", Secret: text})
//	invited, err := o.Connect(ctx, "acme", false) // a link for a person
//	report, err := o.Status(ctx)             // all connections
//	checked, err := o.Check(ctx, "acme")     // its secret, without a login
//	change, err := o.Pause(ctx, "acme")      // its living token is still served
//	change, err = o.Unpause(ctx, "acme")     // due now
//	change, err = o.Resume(ctx, "acme")      // refused logins forgotten, tried at the next tick
//	result, err := o.Rotate(ctx, "acme", true)
//	others, err := o.Sharing(ctx, "acme")    // connections of the same client
//	gone, err := o.Disconnect(ctx, operator.DisconnectRequest{Connection: "acme"})
//
// A renewal is an invocation of the rotate function, a token one of the issue
// function; the one thing that is asked of Reltio here is to revoke what
// Disconnect takes away. What changes a grant is written under a lease taken
// over anyone's head, so that a renewal under way cannot undo it; all changes
// can be repeated without harm.
//
// Every method blocks on the stores and ends with its context. A failure is a
// apierr.Error: UnknownConnection if neither a secret nor a grant has the name,
// InvalidRequest if none could, ConnectionPaused if it has to be unpaused
// first, StoreUnavailable if a store does not answer. Nothing that is returned
// holds a secret, but for the token that Issue asks for and the link that
// Connect makes.
package operator

import (
	"context"
	"errors"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/authrequest"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/lockout"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// Operator does what operators ask for. Each verb needs the fields that it
// names; Now is needed by all. It keeps no state and is safe for concurrent
// use.
type Service struct {
	Grants      grant.Store
	Leases      lease.Store
	Lockouts    lockout.Store
	Connections Connections
	// Rotations is the rotate function, for Rotate.
	Rotations rotateapi.Function
	// Issues is the issue function, for Issue.
	Issues IssueFunction
	// Hosts that a connection may name: the same as the functions', or a
	// secret that they refuse passes here.
	Hosts connection.Hosts
	Now   func() time.Time

	// Authorizations keep what Connect makes. CallbackURL is where the callback
	// function answers, without a slash at its end.
	AuthRequests authrequest.Store
	CallbackURL    string
	// Secrets are written by Add, and deleted by Disconnect.
	Secrets SecretWriter
	// Vault and Parking have the refresh tokens that Disconnect revokes; Status and
	// Check need Parking too. Budgets has the pauses that Disconnect waits for; Connector opens connections to authorization servers,
	// nil means TCP and TLS.
	RefreshTokens     grant.RefreshTokenStore
	Parking   grant.Parking
	RateLimits   ratelimit.Store
	Connector reltioauth.Connector
}

// SecretWriter writes and deletes secrets, which no function of the service may
// do with those of connections. All methods are safe for concurrent use; a
// failure is a apierr.Error of type StoreUnavailable.
type SecretWriter interface {
	// PutConnection writes the connection's secret and returns its new version.
	PutConnection(ctx context.Context, name string, text reltioauth.Secret) (string, error)
	// DeleteConnection deletes it so that it can be restored for a while:
	// connection.ErrNotFound if it is not there.
	DeleteConnection(ctx context.Context, name string) error
	// DeleteGrant deletes the grant's secret for good. One that is not there is
	// no error.
	DeleteGrant(ctx context.Context, name string) error
}

// Connections are the secrets, and their names.
type Connections interface {
	connection.Secrets
	// List returns the names of all connections, sorted. One just written may
	// be missing for a moment.
	List(ctx context.Context) ([]string, error)
}

// IssueFunction invokes the one that hands out tokens.
type IssueFunction interface {
	// Issue makes one attempt. An error of the function is a apierr.Error of its
	// type; one of the invocation RateLimited or StoreUnavailable.
	Issue(ctx context.Context, r IssueRequest) (Issued, error)
}

// IssueRequest asks for a token.
type IssueRequest struct {
	Connection string
	// MinTTL is the life that is needed; 0: any.
	MinTTL time.Duration
}

// Issued is a token and what is to be said of it.
type Issued struct {
	Connection  string
	AccessToken reltioauth.Secret
	Fingerprint string
	ExpiresIn   time.Duration
	ExpiresAt   time.Time
	Version     int64
	Outcome     string
	MinTTLMet   bool
	Warnings    []string
}

// Issue asks the issue function for a token.
func (o *Service) Issue(ctx context.Context, r IssueRequest) (Issued, error) {
	if err := named(r.Connection); err != nil {
		return Issued{}, err
	}
	return o.Issues.Issue(ctx, r)
}

// Rotate asks the rotate function for one renewal and waits for it. With force
// it is renewed though it is not due; a paused connection never is.
func (o *Service) Rotate(ctx context.Context, name string, force bool) (rotateapi.Result, error) {
	if err := named(name); err != nil {
		return rotateapi.Result{}, err
	}
	return o.Rotations.Rotate(ctx, rotateapi.Request{Connection: name, Force: force})
}

// named refuses what cannot be a connection's name.
func named(name string) error {
	if connection.ValidName(name) {
		return nil
	}
	return apierr.New(apierr.InvalidRequest, "connection: "+connection.NameRule)
}

// unknown says that nothing has the name.
func unknown() *apierr.Error {
	return apierr.New(apierr.UnknownConnection, "no connection has this name")
}

// parsed reads and parses a connection's secret: connection.ErrNotFound if
// there is none, InvalidConnection if it is malformed.
func (o *Service) parsed(ctx context.Context, name string) (*connection.Connection, error) {
	source, err := o.Connections.Connection(ctx, name)
	if err != nil {
		return nil, err
	}
	return connection.Parse(name, source, o.Hosts)
}

// grantOf reads a grant strongly; the zero Grant with its name if there is
// none.
func (o *Service) grantOf(ctx context.Context, name string) (g grant.Grant, exists bool, err error) {
	g, err = o.Grants.Grant(ctx, name, grant.Strong)
	if errors.Is(err, grant.ErrNotFound) {
		return grant.Grant{Connection: name}, false, nil
	}
	return g, err == nil, err
}
