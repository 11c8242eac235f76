package reltioauth

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
	"unicode"
)

// DefaultAuthURL is Reltio's central authorization server, which serves every
// environment (documented by Reltio).
const DefaultAuthURL = "https://auth.reltio.com"

// The longest that one step may take. Each is applied on top of the caller's
// context: whichever ends first counts.
const (
	// DialTimeout is for name look-up, TCP and TLS together.
	DialTimeout = 3 * time.Second
	// TokenTimeout is for one token request, from the start of the round trip
	// to the last byte of the answer. Dialling is not part of it.
	TokenTimeout = 8 * time.Second
	// CheckTimeout is for one Check, of one request or two; for Client.Check
	// it includes dialling.
	CheckTimeout = 3 * time.Second
	// RevokeTimeout is for one Revoke, of one request or two; for
	// Client.Revoke it includes dialling.
	RevokeTimeout = 3 * time.Second
)

// ClientAuth says where a client puts its credentials in a token request (RFC
// 6749, section 2.3.1). It is a setting of the client at the server. It is never
// probed: a request repeated in the other style is a second failed login of the
// user named in it, and five lock the user.
//
// Check and Revoke log nobody in. They send ClientAuthBasic first, whatever is
// set, and ClientAuthPost once if the client is refused: Spring Security's
// legacy framework takes client credentials in the form at the token endpoint
// alone (seen in the framework).
type ClientAuth int

const (
	// ClientAuthBasic sends "Authorization: Basic base64(id:secret)", which is
	// what Reltio documents.
	//
	// Identifier and secret go into it as they are. RFC 6749 asks for them to
	// be form-encoded first, and golang.org/x/oauth2 does so; but Reltio
	// documents the plain form, and servers built on Spring Security's Basic
	// filter, as Reltio's seems to be (inferred), do not decode them again. A
	// "%2B" would be compared with a "+" and refused. An identifier with a
	// colon cannot be sent this way and is refused before anything is sent.
	ClientAuthBasic ClientAuth = iota
	// ClientAuthPost sends client_id and client_secret in the form body, for
	// clients whose settings at Reltio ask for it.
	ClientAuthPost
)

// Client speaks for one registered client to one authorization server. It is
// configuration and holds no state: copy it freely, use it from any number of
// goroutines, but do not change it while it is in use.
type Client struct {
	// AuthURL is scheme and host of the authorization server, with a port if
	// need be and nothing more. Empty means DefaultAuthURL. The scheme is
	// https; http is for a loopback address only. No request goes to another
	// host, whatever the server answers.
	AuthURL string

	// ClientID and ClientSecret are the credentials of the client (RFC 6749,
	// section 2.3.1). ClientID is required. Control characters are refused in
	// both: a secret pasted with its line end would be.
	ClientID     string
	ClientSecret Secret

	// ClientAuth is the place of these credentials; the zero value is
	// ClientAuthBasic.
	ClientAuth ClientAuth

	// TokenInQuery puts the token that is revoked or checked into the query
	// (as Reltio documents it) and not into the form body (as Reltio's own
	// code does, and RFC 7009 and 7662 demand). Queries end up in access logs:
	// set it only for a server that reads nothing else.
	TokenInQuery bool

	// TLS is the configuration of the connections that the Client makes
	// itself; nil means the system's roots and Go's defaults. It is copied.
	// Versions below 1.2 are never used, and the protocol is HTTP/1.1.
	TLS *tls.Config

	// Connect opens connections. Nil means TCP and TLS, a fresh connection
	// each time, without a proxy whatever the environment says.
	Connect Connector

	// Now is the clock: it dates tokens and reads a Retry-After that is a
	// date. Nil means time.Now.
	Now func() time.Time
}

// now reads the clock. The wall clock alone counts, because tokens outlive the
// process and the machine's sleep: the monotonic reading is dropped.
func (c *Client) now() time.Time {
	if c.Now == nil {
		return time.Now().Round(0) //nolint:forbidigo // the documented default
	}
	return c.Now().Round(0)
}

// Dial opens a fresh connection, so that nothing but the request itself is
// left to do afterwards. A caller that has to wait for its turn waits between
// the two. It takes at most DialTimeout.
//
// The error is an *Error: ErrInvalidRequest for a Client that cannot be used,
// else ErrUnavailable. Nothing of a request has left in either case.
//
// The caller closes the connection.
func (c *Client) Dial(ctx context.Context) (*Conn, error) {
	authURL, err := c.validate()
	if err != nil {
		return nil, unsent(opDial, "", err)
	}
	ctx, cancel := within(ctx, DialTimeout)
	defer cancel()
	connect := c.Connect
	if connect == nil {
		connect = c.direct
	}
	forConnector := *authURL
	transport, err := connect(ctx, &forConnector)
	if err != nil {
		return nil, &Error{
			Op: opDial, Code: ErrUnavailable, Err: c.redactor().dialCause(err),
			reason: networkReason(ctx, err, reasonNoConnection),
		}
	}
	return &Conn{client: *c, authURL: authURL, transport: transport}, nil
}

// Token dials, asks for a token as Conn.Token does, and closes the connection.
// Like there, an error may come with a token.
func (c *Client) Token(ctx context.Context, g Grant) (*Token, error) {
	conn, err := c.Dial(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.discard()
	return conn.Token(ctx, g)
}

// Revoke dials, revokes the token as Conn.Revoke does, and closes the
// connection, all within RevokeTimeout.
func (c *Client) Revoke(ctx context.Context, token Secret, hint TokenHint) error {
	ctx, cancel := within(ctx, RevokeTimeout)
	defer cancel()
	conn, err := c.Dial(ctx)
	if err != nil {
		return err
	}
	defer conn.discard()
	return conn.Revoke(ctx, token, hint)
}

// Check dials, asks whether the token is alive as Conn.Check does, and closes
// the connection, all within CheckTimeout.
func (c *Client) Introspect(ctx context.Context, token Secret) (*Introspection, error) {
	ctx, cancel := within(ctx, CheckTimeout)
	defer cancel()
	conn, err := c.Dial(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.discard()
	return conn.Introspect(ctx, token)
}

// validate reports what keeps the Client from being used, without a value in
// it, and gives the server's address.
func (c *Client) validate() (*url.URL, error) {
	authURL, err := c.parseAuthURL()
	if err != nil {
		return nil, err
	}
	switch {
	case c.ClientID == "":
		return nil, errors.New("client_id: empty")
	case strings.ContainsFunc(c.ClientID, unicode.IsControl):
		return nil, errors.New("client_id: control characters")
	case strings.ContainsFunc(c.ClientSecret.Reveal(), unicode.IsControl):
		return nil, errors.New("client_secret: control characters")
	case c.ClientAuth != ClientAuthBasic && c.ClientAuth != ClientAuthPost:
		return nil, errors.New("client_auth: unknown style")
	case c.ClientAuth == ClientAuthBasic && strings.Contains(c.ClientID, ":"):
		return nil, errors.New("client_id: a colon cannot be sent with ClientAuthBasic")
	}
	return authURL, nil
}

// parseAuthURL never repeats the address in an error: what is wrong with it
// may be that somebody put a password there.
func (c *Client) parseAuthURL() (*url.URL, error) {
	if c.AuthURL == "" {
		return url.Parse(DefaultAuthURL)
	}
	u, err := url.Parse(c.AuthURL)
	if err != nil {
		return nil, errors.New("auth_url: not a URL")
	}
	bare := url.URL{Scheme: u.Scheme, Host: u.Host}
	switch {
	case u.Hostname() == "" || bare.String() != c.AuthURL:
		return nil, errors.New("auth_url: more or less than scheme and host")
	case u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname()):
		return u, nil
	}
	return nil, errors.New("auth_url: must be https (http for a loopback address only)")
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback() || strings.EqualFold(host, "localhost")
}

// authenticate adds the client's credentials to a request.
func (c *Client) authenticate(header http.Header, form url.Values, style ClientAuth) {
	if style == ClientAuthPost {
		form.Set("client_id", c.ClientID)
		form.Set("client_secret", c.ClientSecret.Reveal())
		return
	}
	header.Set("Authorization", "Basic "+basicCredentials(c.ClientID, c.ClientSecret))
}
