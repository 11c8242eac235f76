// Package authcode takes a person through Reltio's login: the authorization code
// flow (RFC 6749, section 4.1), with the measures that RFC 9700 asks of a client.
//
//	invitation, err := flow.Invite(ctx, "acme-prod", authrequest.InvitationFromCommand, false)
//	preview, err := flow.Preview(ctx, invitation.Text)            // GET /authorize
//	redirect, err := flow.Begin(ctx, invitation.Text, base)       // GET /authorize/go
//	result := flow.Complete(ctx, callback)                        // GET /callback
//
// Three random texts tie the steps together: the invitation in the link, the
// state in the redirect, and the binding in a cookie of the browser that began.
// The callback that consumes the pending request sends the code, once. All steps
// that can fail come before that where possible, so that a person's login is not
// lost.
//
// A callback has the shape of a renewal (run.go): an observation is a value, what
// the browser brought and what was read; plan is a pure function from it to the
// next step or to the end (plan.go up to the exchange of the code, interpret.go
// from Reltio's response on); the executor does one step at a time.
//
// A completed login seizes the grant's lease, so a renewal in progress cannot
// overwrite its tokens. All methods block on the network, within the context.
// Complete also has its own deadline (times.go): it responds before its function
// is stopped, and sends the code only if enough time is left for all the steps
// that follow.
package authcode

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/authrequest"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/holder"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// Flow is the part of the login that goes through the browser. All fields up to
// Now are required. It is safe for concurrent use, and must not be copied: it
// remembers the links of events that were not sent.
type Flow struct {
	AuthRequests  authrequest.Store
	Grants        grant.Store
	Leases        lease.Store
	RateLimits    ratelimit.Store
	Connections   connection.Secrets
	RefreshTokens grant.RefreshTokenStore
	Parking       grant.Parking
	// Hosts that a connection may name.
	Hosts connection.Hosts
	// Now is the clock.
	Now func() time.Time
	// Events tells operators; nil: no events are sent.
	Events grant.Publisher
	// PerSecond is the rate of token requests; 0 means ratelimit.MaxPerSecond.
	PerSecond int
	// Connect opens connections to authorization servers; nil means TCP and
	// TLS.
	Connect reltioauth.Connector

	links holder.Links
}

// callbackPath is where this service's redirect URIs end.
const callbackPath = "/callback"

// holding is what the holder of a grant's lease works with. The links of its
// events lead to where the browser has come back.
func (f *Flow) holding(redirectURI string) holder.Config {
	base, _ := strings.CutSuffix(redirectURI, callbackPath)
	return holder.Config{
		Grants: f.Grants, Leases: f.Leases, Now: f.Now, Doubts: true,
		Events: f.Events, AuthRequests: f.AuthRequests, CallbackURL: base, Links: &f.links,
	}
}

// Outcome is how a step of the flow ended. It is stored with the request, so that
// a reload gets the same response, and it decides which page the person sees.
type Outcome string

// The outcomes.
const (
	// Done: the connection has its grant. If Reltio's response held a refresh
	// token and no usable access token, the next renewal gets an access token.
	Done Outcome = "done"
	// DoneSameToken: the connection has its grant, but Reltio gave the old
	// refresh token again. The page says until when it is valid.
	DoneSameToken Outcome = "done_same_token"
	// Again: Reltio gave the old refresh token again and it was revoked. The
	// person is sent through the login page once more, with a new request.
	Again Outcome = "again"
	// InvitationGone: the invitation is unknown, used or expired, or its
	// connection is not one that a person authorizes.
	InvitationGone Outcome = "invitation_gone"
	// RequestGone: the state is unknown, used or expired.
	RequestGone Outcome = "request_gone"
	// WrongBrowser: the cookie is missing or belongs to another request. The
	// request stays usable for the right browser.
	WrongBrowser Outcome = "wrong_browser"
	// WrongServer: the response names another authorization server.
	WrongServer Outcome = "wrong_server"
	// Denied: Reltio came back with an error instead of a code.
	Denied Outcome = "denied"
	// WrongUser: another user than the expected or first one logged in.
	WrongUser Outcome = "wrong_user"
	// UserUnknown: the flow could not find out who logged in, and has to know.
	UserUnknown Outcome = "user_unknown"
	// ExchangeFailed: Reltio did not give a token for the code.
	ExchangeFailed Outcome = "exchange_failed"
	// Busy: no slot was free, the host is throttled, or too little time was left.
	// Reloading works.
	Busy Outcome = "busy"
	// StoreFailing: a store failed before anything was sent. Reloading works as
	// soon as the store does.
	StoreFailing Outcome = "store_failing"
	// Paused: an operator paused the connection. Reloading works once it is
	// unthrottled.
	Paused Outcome = "paused"
	// Unstored: the grant could not be stored, or it is unknown whether it was.
	Unstored Outcome = "unstored"
	// Broken: the connection's secret is malformed, or a store failed and it is
	// unknown whether the login stays usable.
	Broken Outcome = "broken"
)

// Invitation is a new invitation with its text. No store has the text.
type Invitation struct {
	Text reltioauth.Secret
	Ends time.Time
}

// Invite makes an invitation for a connection. It is valid for the given life.
func (f *Flow) Invite(ctx context.Context, name string, life time.Duration, replaceUser bool) (Invitation, error) {
	i, text := authrequest.NewInvitation(name, life, replaceUser, f.Now())
	err := f.AuthRequests.PutInvitation(ctx, i)
	return Invitation{Text: text, Ends: i.Ends}, err
}

// Preview is what a person is told before leaving for Reltio. If the outcome is
// not Done, it holds only the connection, and only if that is known.
type Preview struct {
	Connection string
	// Host is where the login page is.
	Host string
	// User is the one who may log in; empty if the connection names none.
	User string
	// Scope that is asked for; empty if none is named.
	Scope string
	Ends  time.Time
}

// Preview reads an invitation and changes nothing, so a link scanner does not use
// the invitation up.
func (f *Flow) Preview(ctx context.Context, text string) (Preview, Outcome, error) {
	i, c, outcome, err := f.invited(ctx, text)
	if outcome != Done {
		return Preview{Connection: i.Connection}, outcome, err
	}
	return Preview{Connection: c.Name, Host: c.Host(), User: c.ExpectedUser, Scope: c.Scope, Ends: i.Ends}, Done, nil
}

// AuthorizationRedirect is where a browser is sent, and with which cookie. If the
// outcome is not Done, it holds only the first three fields, as far as they are
// known.
type AuthorizationRedirect struct {
	Connection string
	// Version and Fingerprint are those of the access token that the grant has
	// now.
	Version     int64
	Fingerprint string
	// URL of Reltio's login page. It holds the state.
	URL string
	// State names the cookie; Binding is its value.
	State   reltioauth.Secret
	Binding reltioauth.Secret
}

// Begin stores an authorization request for an invitation and returns where to
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
	d, outcome, err := f.redirect(ctx, c, i.Hash, redirectURI, false)
	d.Connection, d.Version, d.Fingerprint = known.Connection, known.Version, known.Fingerprint
	return d, outcome, err
}

// redirect stores the request and makes the authorization redirect.
func (f *Flow) redirect(ctx context.Context, c *connection.Connection, invitation, redirectURI string, second bool) (AuthorizationRedirect, Outcome, error) {
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

// invited finds the invitation and its connection. It returns Done if a person
// can authorize the connection.
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
