package reltioauth

import (
	"cmp"
	"context"
	"errors"
	"net/url"
	"strings"
)

// TokenHint helps the server find a token (RFC 7009, section 2.1). Reltio does
// not document it; empty sends none.
type TokenHint string

// The hints of RFC 7009.
const (
	HintAccessToken  TokenHint = "access_token"
	HintRefreshToken TokenHint = "refresh_token"
)

// Revoke ends a token: POST /oauth/revoke (RFC 7009), once, within
// RevokeTimeout. A refresh token takes its access token with it (documented by
// Reltio).
//
// Nil means that the server said so, also for a token that it does not know
// (RFC 7009, section 2.2). The error is an *Error. A success whose body names
// another status than "success" is ErrInvalidResponse: the token may live.
func (c *Conn) Revoke(ctx context.Context, token Secret, hint TokenHint) error {
	if hint != "" && hint != HintAccessToken && hint != HintRefreshToken {
		return unsent(opRevoke, "", errors.New("token_type_hint: unknown"))
	}
	r, err := c.aboutToken(opRevoke, token, hint)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, RevokeTimeout)
	defer cancel()
	a, err := c.exchange(ctx, r)
	if err != nil {
		return err
	}
	if !a.success() {
		return r.refusal(a)
	}
	body, _ := parseObject(a.body) // RFC 7009: the status code says it all
	if err := cmp.Or(a.readErr, revokeStatus(body)); err != nil {
		return r.unusable(a, body, err)
	}
	return nil
}

// revokeStatus reads {"status":"success"}, which Reltio documents.
func revokeStatus(body object) error {
	status, err := body.text("status")
	if err != nil || status != "" && !strings.EqualFold(status, "success") {
		return errors.New("status: not success")
	}
	return nil
}

// aboutToken is a request that carries a token, in the query or in the body.
func (c *Conn) aboutToken(op string, token Secret, hint TokenHint) (*request, error) {
	if token.IsZero() {
		return nil, unsent(op, "", errors.New("token: empty"))
	}
	values := url.Values{"token": {token.Reveal()}}
	setOptional(values, "token_type_hint", string(hint))
	if c.client.TokenInQuery {
		return c.newRequest(op, "", values, url.Values{}), nil
	}
	return c.newRequest(op, "", nil, values), nil
}
