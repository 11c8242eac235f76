// Package authcode takes a person through Reltio's login: the authorization
// code flow (RFC 6749, section 4.1) as RFC 9700 asks of a client.
//
//	invitation, err := flow.Invite(ctx, "acme-prod", authrequest.InvitationFromCommand, false)
//	preview, err := flow.Preview(ctx, invitation.Text)            // GET /authorize
//	departure, err := flow.Begin(ctx, invitation.Text, base)      // GET /authorize/go
//	arrival := flow.Complete(ctx, callback)                       // GET /callback
//
// What belongs together is held together by three random texts: the invitation
// in the link, the state in the redirect, and the binding in a cookie of the
// one browser that began. A code is sent to Reltio once, by whoever consumes
// the pending request; whatever could fail before that fails before, so that a
// person's login is not thrown away.
//
// A person's grant outranks a refresh: the grant's lease is taken over anyone's
// head. All methods block on the network, within the context. Complete has an
// end of its own besides (times.go): it answers before its function is stopped,
// whatever does not, and sends no code unless there is time for all that follows.
package authcode

import (
	"context"
	"errors"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/authrequest"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"

	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// Flow is the browser leg. All fields up to Now are required; it is safe for
// concurrent use and keeps no state of its own.
type Flow struct {
	AuthRequests authrequest.Store
	Grants         grant.Store
	Leases         lease.Store
	RateLimits        ratelimit.Store
	Connections    connection.Secrets
	RefreshTokens          grant.RefreshTokenStore
	Parking        grant.Parking
	// Hosts that a connection may name.
	Hosts connection.Hosts
	// Now is the clock.
	Now func() time.Time
	// Events tells operators; nil: nobody is told.
	Events grant.Publisher
	// PerSecond is the rate of token requests; 0 means ratelimit.MaxPerSecond.
	PerSecond int
	// Connect opens connections to authorization servers; nil means TCP and
	// TLS.
	Connect reltioauth.Connector
}

// Outcome is how a visit ended. It is stored with the request, so that a reload
// gets the same answer, and decides the page that a person sees.
type Outcome string

// The outcomes of a visit.
const (
	// Done: the connection has its grant. If Reltio's answer held a refresh token
	// and no usable access token, the next renewal gets one.
	Done Outcome = "done"
	// DoneSameToken: it has, but Reltio gave the old refresh token again; the
	// page says until when it holds.
	DoneSameToken Outcome = "done_same_token"
	// Again: the old refresh token came again and was revoked; the person is
	// sent through the login page once more, with a request of its own.
	Again Outcome = "again"
	// InvitationGone: the invitation was used, has ended, never was, or its
	// connection is none that a person authorizes.
	InvitationGone Outcome = "invitation_gone"
	// RequestGone: the state is unknown, used or ended.
	RequestGone Outcome = "request_gone"
	// WrongBrowser: the cookie is missing or another's. The request stays
	// usable for the right browser.
	WrongBrowser Outcome = "wrong_browser"
	// WrongServer: the answer names another authorization server.
	WrongServer Outcome = "wrong_server"
	// Denied: Reltio came back with an error instead of a code.
	Denied Outcome = "denied"
	// WrongUser: another user than the expected or first one logged in.
	WrongUser Outcome = "wrong_user"
	// UserUnknown: who logged in could not be found out, and it matters.
	UserUnknown Outcome = "user_unknown"
	// ExchangeFailed: Reltio did not give a token for the code.
	ExchangeFailed Outcome = "exchange_failed"
	// Busy: no instant was free, the host is paused, or too little time was
	// left. Reloading works.
	Busy Outcome = "busy"
	// StoreFailing: a store failed before anything was sent. Reloading works
	// when the store does.
	StoreFailing Outcome = "store_failing"
	// Paused: an operator paused the connection. Reloading works afterwards.
	Paused Outcome = "paused"
	// Unstored: the grant could not be stored, or nobody knows whether it was.
	Unstored Outcome = "unstored"
	// Broken: the connection's secret is malformed, or a store fails and it is
	// not known whether the login stays usable.
	Broken Outcome = "broken"
)

// Invitation is a new invitation with its text, which is in no store.
type Invitation struct {
	Text reltioauth.Secret
	Ends time.Time
}

// Invite makes an invitation for a connection that lives for so long.
func (f *Flow) Invite(ctx context.Context, name string, life time.Duration, replaceUser bool) (Invitation, error) {
	i, text := authrequest.NewInvitation(name, life, replaceUser, f.Now())
	err := f.AuthRequests.PutInvitation(ctx, i)
	return Invitation{Text: text, Ends: i.Ends}, err
}

// Preview is what a person is told before leaving for Reltio. Without success
// it holds the connection alone, where that is known.
type Preview struct {
	Connection string
	// Host is where the login page is.
	Host string
	// Scope that is asked for; empty if none is named.
	Scope string
	Ends  time.Time
}

// Preview looks at an invitation and changes nothing, so that a link scanner
// burns nothing.
func (f *Flow) Preview(ctx context.Context, text string) (Preview, Outcome, error) {
	i, c, outcome, err := f.invited(ctx, text)
	if outcome != Done {
		return Preview{Connection: i.Connection}, outcome, err
	}
	return Preview{Connection: c.Name, Host: c.Host(), Scope: c.Scope, Ends: i.Ends}, Done, nil
}

// Departure is where a browser is sent, and with what. Without success it holds
// the first three alone, as far as they are known.
type AuthorizationRedirect struct {
	Connection string
	// Version and Fingerprint are those of the access token that there is.
	Version     int64
	Fingerprint string
	// URL of Reltio's login page. It holds the state.
	URL string
	// State names the cookie; Binding is its value.
	State   reltioauth.Secret
	Binding reltioauth.Secret
}

// Begin stores an authorization request for an invitation and says where to
// send the browser.
func (f *Flow) Begin(ctx context.Context, text, redirectURI string) (AuthorizationRedirect, Outcome, error) {
	i, c, outcome, err := f.invited(ctx, text)
	known := AuthorizationRedirect{Connection: i.Connection}
	if outcome != Done {
		return known, outcome, err
	}
	g, err := f.Grants.Grant(ctx, c.Name, grant.Strong)
	known.Version, known.Fingerprint = g.Version, g.Fingerprint
	switch {
	case err != nil && !errors.Is(err, grant.ErrNotFound):
		return known, Broken, err
	case g.Status == grant.StatusPaused:
		return known, Paused, nil
	}
	d, outcome, err := f.depart(ctx, c, i.Hash, redirectURI, false)
	d.Connection, d.Version, d.Fingerprint = known.Connection, known.Version, known.Fingerprint
	return d, outcome, err
}

// depart stores the request and makes the departure.
func (f *Flow) depart(ctx context.Context, c *connection.Connection, invitation, redirectURI string, second bool) (AuthorizationRedirect, Outcome, error) {
	d := AuthorizationRedirect{Connection: c.Name, State: authrequest.NewText(), Binding: authrequest.NewText()}
	r := authrequest.Request{
		Hash:        authrequest.HashOf(d.State),
		Connection:  c.Name,
		Invitation:  invitation,
		Binding:     authrequest.HashOf(d.Binding),
		RedirectURI: redirectURI,
		Second:      second,
		Ends:        f.Now().Add(authrequest.RequestLife).Truncate(time.Second),
	}
	if c.PKCE {
		r.Verifier = authrequest.NewText()
	}
	client := c.Client()
	var err error
	d.URL, err = client.AuthorizationURL(reltioauth.AuthorizationRequest{
		TenantID: c.TenantID, RedirectURI: redirectURI, Scope: c.Scope, State: d.State, Verifier: r.Verifier,
	})
	if err != nil {
		return AuthorizationRedirect{}, Broken, apierr.Wrap(apierr.Internal, "", err)
	}
	if err := f.AuthRequests.PutRequest(ctx, r); err != nil {
		return AuthorizationRedirect{}, Broken, err
	}
	return d, Done, nil
}

// invited finds the invitation and its connection: Done if a person can go.
func (f *Flow) invited(ctx context.Context, text string) (authrequest.Invitation, *connection.Connection, Outcome, error) {
	i, err := f.AuthRequests.Invitation(ctx, authrequest.HashOf(reltioauth.NewSecret(text)))
	switch {
	case errors.Is(err, authrequest.ErrNotFound):
		return i, nil, InvitationGone, nil
	case err != nil:
		return i, nil, Broken, err
	case !i.Usable(f.Now()):
		return i, nil, InvitationGone, nil
	}
	c, err := f.connection(ctx, i.Connection)
	switch {
	case errors.Is(err, connection.ErrNotFound):
		return i, nil, InvitationGone, nil
	case err != nil:
		return i, nil, Broken, err
	case c.GrantType != connection.AuthorizationCode:
		return i, nil, InvitationGone, nil
	}
	return i, c, Done, nil
}

func (f *Flow) connection(ctx context.Context, name string) (*connection.Connection, error) {
	source, err := f.Connections.Connection(ctx, name)
	if err != nil {
		return nil, err
	}
	return connection.Parse(name, source, f.Hosts)
}

func (f *Flow) interval() time.Duration {
	if f.PerSecond <= 0 || f.PerSecond > ratelimit.MaxPerSecond {
		return ratelimit.Interval(ratelimit.MaxPerSecond)
	}
	return ratelimit.Interval(f.PerSecond)
}
