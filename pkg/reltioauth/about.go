package reltioauth

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
)

// aboutToken sends a token to be checked or revoked, with the client in the
// Basic header, and if the client is refused there once more with the client in
// the form. These calls log nobody in, so that a second request does no harm, and
// servers that take the form do so perhaps at the token endpoint alone: see
// ClientAuth.
//
// The answer is the last one; but if the client was refused in both places, or
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
	if strings.Contains(c.client.ClientID, ":") { // which the Basic header cannot carry
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

// clientRefused reports whether the answer is about the client and not about the
// token: a 401 that does not say invalid_token.
func (r *request) clientRefused(a *answer) bool {
	return a.status == http.StatusUnauthorized && r.refusal(a).Code != ErrInvalidToken
}

// redial replaces the connection by a fresh one.
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
