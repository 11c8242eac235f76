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

// The longest that one step may take. Each limit is applied in addition to the
// caller's context: the earlier end counts.
const (
	// DialTimeout is for name look-up, TCP and TLS together.
	DialTimeout = 3 * time.Second
	// TokenTimeout is for one token request, from the start of the round trip to
	// the last byte of the response. Dialling is not part of it. It is long, because
	// a slow response may hold a refresh token that replaced the last one.
	TokenTimeout = 25 * time.Second
	// CheckTimeout is for one Introspect, of one request or two; for
	// Client.Introspect it includes dialling.
	CheckTimeout = 3 * time.Second
	// RevokeTimeout is for one Revoke, of one request or two; for
	// Client.Revoke it includes dialling.
	RevokeTimeout = 3 * time.Second
)

// ClientAuth says where a client puts its credentials in a token request (RFC
// 6749, section 2.3.1). It is a setting of the client at the server. It is never
// probed: a request repeated in the other style is a second refused login of the
// user named in it, and five lock the user.
//
// Introspect and Revoke log no user in. They send ClientAuthBasic first, whatever
// is set, and ClientAuthPost once if the client is refused: Spring Security's
// legacy framework takes client credentials in the form only at the token
// endpoint (seen in the framework).
type ClientAuth int

const (
	// ClientAuthBasic sends "Authorization: Basic base64(id:secret)", which is
	// what Reltio documents.
	//
	// Identifier and secret are not form-encoded first. RFC 6749 asks for that,
	// and golang.org/x/oauth2 does it. But Reltio documents the plain form, and
	// servers built on Spring Security's Basic filter, as Reltio's seems to be
	// (inferred), do not decode them again. They would compare a "%2B" with a "+"
	// and refuse the client. An identifier with a colon cannot be sent this way
	// and is refused before anything is sent.
	ClientAuthBasic ClientAuth = iota
	// ClientAuthPost sends client_id and client_secret in the form body, for
	// clients whose settings at Reltio ask for it.
	ClientAuthPost
)

// Client is one registered client of one authorization server. It is
// configuration and holds no state. It may be copied, and used by any number of
// goroutines, but must not be changed while it is in use.
type Client struct {
	// AuthURL is scheme and host of the authorization server, with a port if
	// needed and nothing more. Empty means DefaultAuthURL. The scheme is https;
	// http is for a loopback address only. No request goes to another host,
	// whatever the server's response says.
	AuthURL string

	// ClientID and ClientSecret are the credentials of the client (RFC 6749,
	// section 2.3.1). ClientID is required. Control characters are refused in
	// both, because a secret may have been pasted with its line end.
	ClientID     string
	ClientSecret Secret

	// ClientAuth says where these credentials are sent; the zero value is
	// ClientAuthBasic.
	ClientAuth ClientAuth

	// TokenInQuery puts the token that is revoked or introspected into the query
	// (as Reltio documents it) and not into the form body (as Reltio's own code
	// does, and RFC 7009 and 7662 demand). Queries end up in access logs: set it
	// only for a server that does not read the form body.
	TokenInQuery bool

	// TLS is the configuration of the connections that the Client makes
	// itself, as Network's.
	TLS *tls.Config

	// Connect opens connections. Nil means Network with TLS: a new connection each
	// time, without a proxy whatever the environment says.
	Connect Connector

	// TokenTimeout, if it is not zero and shorter than the constant, is the longest
	// that one token request may take.
	TokenTimeout time.Duration

	// Now is the clock: it dates tokens, and it is needed for a Retry-After that
	// is a date. Nil means time.Now.
	Now func() time.Time
}

// now reads the clock. The monotonic reading is dropped, because tokens outlive
// the process and the machine's sleep: only the wall clock counts.
func (c *Client) now() time.Time {
	if c.Now == nil {
		return time.Now().Round(0) //nolint:forbidigo // the documented default
	}
	return c.Now().Round(0)
}

// tokenTimeout is the longest that one token request may take.
func (c *Client) tokenTimeout() time.Duration {
	if c.TokenTimeout > 0 {
		return min(c.TokenTimeout, TokenTimeout)
	}
	return TokenTimeout
}

// Dial opens a new connection, so that only the request itself remains to be
// sent. A caller that has to wait for a slot waits between the two. It takes at
// most DialTimeout.
//
// The error is an *Error: ErrInvalidRequest for a Client that cannot be used,
// else ErrUnavailable. In both cases no part of a request was sent.
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
		connect = Network{TLS: c.TLS}.Connect
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

// Token dials, asks for a token as Conn.Token does, and closes the connection. As
// there, an error may come with a token.
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

// Introspect dials, introspects the token as Conn.Introspect does, and closes the
// connection, all within CheckTimeout.
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

// validate returns the server's address, or an error that says why the Client
// cannot be used. The error holds no value.
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

// parseAuthURL never repeats the address in an error, because it may hold a
// password by mistake.
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
