package reltioauth

import (
	"cmp"
	"context"
	"errors"
	"strings"
)

// TokenHint helps the server find a token (RFC 7009, section 2.1). Reltio does
// not document it; an empty hint is not sent.
type TokenHint string

// The hints of RFC 7009.
const (
	HintAccessToken  TokenHint = "access_token"
	HintRefreshToken TokenHint = "refresh_token"
)

// Revoke revokes a token: POST /oauth/revoke (RFC 7009), within RevokeTimeout.
// Revoking a refresh token also ends its access token (documented by Reltio).
//
// The client is in the Basic header, whatever ClientAuth says. If it is refused
// there (401), the request is sent once more with the client in the form, as in
// Introspect.
//
// Nil means that the server confirmed it, also for a token that it does not know
// (RFC 7009, section 2.2). The error is an *Error. A success whose body names
// another status than "success" is ErrInvalidResponse: the token may still be
// valid.
func (c *Conn) Revoke(ctx context.Context, token Secret, hint TokenHint) error {
	if hint != "" && hint != HintAccessToken && hint != HintRefreshToken {
		return unsent(opRevoke, "", errors.New("token_type_hint: unknown"))
	}
	ctx, cancel := within(ctx, RevokeTimeout)
	defer cancel()
	r, a, err := c.aboutToken(ctx, opRevoke, token, hint)
	if err != nil {
		return err
	}
	if !a.success() {
		return r.refusal(a)
	}
	body, _ := parseObject(a.body) // a body that is no object is fine: in RFC 7009 the status code decides
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
