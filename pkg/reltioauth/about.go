package reltioauth

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
)

// aboutToken sends a token to be introspected or revoked, with the client in the
// Basic header. If the client is refused, it sends the request once more with the
// client in the form. These calls log no user in, so a second request does no
// harm, and servers that take the form may take it only at the token endpoint:
// see ClientAuth.
//
// The result is the last response. If the client was refused in both places, or
// the second request got no response, it is the response to the Client's own
// style.
// the second request was not answered, it is that of the Client's own style.
func (c *Conn) aboutToken(ctx context.Context, op string, token Secret, hint TokenHint) (*request, *answer, error) {
	if token.IsZero() {
		return nil, nil, unsent(op, "", errors.New("token: empty"))
	}
	ask := func(style ClientAuth) (*request, *answer, error) {
		r := c.tokenOperation(op, token, hint)
		r.clientAuth = style
		a, err := c.exchange(ctx, r)
		return r, a, err
	}
	if strings.Contains(c.client.ClientID, ":") { // the Basic header cannot carry a colon
		return ask(ClientAuthPost)
	}
	r, a, err := ask(ClientAuthBasic)
	if err != nil || !r.clientRefused(a) {
		return r, a, err
	}
	second, last, err := ask(ClientAuthPost)
	if err != nil && ctx.Err() == nil && c.redial(ctx) == nil {
		second, last, err = ask(ClientAuthPost)
	}
	if c.client.ClientAuth == ClientAuthBasic && (err != nil || second.clientRefused(last)) {
		return r, a, nil
	}
	return second, last, err
}

// clientRefused reports whether the response is about the client and not about
// the token: a 401 that does not say invalid_token.
func (r *request) clientRefused(a *answer) bool {
	return a.status == http.StatusUnauthorized && r.refusal(a).Code != ErrInvalidToken
}

// redial replaces the connection by a new one.
func (c *Conn) redial(ctx context.Context) error {
	fresh, err := c.client.Dial(ctx)
	if err != nil {
		return err
	}
	c.discard()
	c.transport = fresh.transport
	return nil
}

// tokenOperation is a request that carries a token, in the query or in the body.
func (c *Conn) tokenOperation(op string, token Secret, hint TokenHint) *request {
	values := url.Values{"token": {token.Reveal()}}
	setOptional(values, "token_type_hint", string(hint))
	if c.client.TokenInQuery {
		return c.newRequest(op, "", values, url.Values{})
	}
	return c.newRequest(op, "", nil, values)
}
