package reltioauth

import (
	"cmp"
	"context"
	"errors"
	"net/url"
	"time"

	"golang.org/x/oauth2"
)

const (
	// maxTokenLength is far above the 3,000 or so characters of Reltio's
	// longest tokens.
	maxTokenLength = 16384
	// maxExpiresIn bounds what a server may promise.
	maxExpiresIn = 31 * 24 * time.Hour
	// assumedExpiresIn is counted when the server does not say. RFC 6749,
	// section 5.1, leaves it to documentation, and a client may have its own
	// lifetime at Reltio: the default hour would be a guess on the wrong side.
	assumedExpiresIn = 300 * time.Second
)

// Token is an answer of the token endpoint (RFC 6749, section 5.1). Printing
// it reveals nothing.
type Token struct {
	// AccessToken is opaque, 1 to 16,384 printable ASCII characters without
	// spaces. It is zero only next to an error.
	AccessToken Secret

	// TokenType as the server sent it ("bearer" in Reltio's samples); empty if
	// it did not, or sent what cannot be used: a token type decides nothing.
	TokenType string

	// RefreshToken is zero if none was sent. After a refresh that means: go on
	// with the one you have (RFC 6749, section 6).
	RefreshToken Secret

	// Scope as the server sent it, space separated, also where it sent an array
	// of strings (Reltio documents both); empty if it did not, or sent what
	// cannot be used: a scope decides nothing.
	Scope string

	// ExpiresIn is the life that the token has left, counted from IssuedAt:
	// whole seconds, a fraction dropped, at most 31 days. If the server did
	// not say it is 300 s and ExpiresInMissing is true. It is 0 only next to
	// an error.
	//
	// The server gives the same token again while it lives, with what is left
	// of its life: a new answer is not always a new token.
	ExpiresIn        time.Duration
	ExpiresInMissing bool

	// IssuedAt is the moment at which the request was sent, on the Client's
	// clock and without a monotonic reading. The token is not older than
	// that, so ExpiresAt errs on the safe side.
	IssuedAt time.Time
}

// ExpiresAt is the token's deadline, IssuedAt plus ExpiresIn.
func (t *Token) ExpiresAt() time.Time { return t.IssuedAt.Add(t.ExpiresIn) }

// Fingerprint names the access token without revealing it.
func (t *Token) Fingerprint() string { return Fingerprint(t.AccessToken) }

// OAuth2 is the token in the type of golang.org/x/oauth2, which prints its
// secrets. Extra("scope") gives the scope.
func (t *Token) OAuth2() *oauth2.Token {
	token := &oauth2.Token{
		AccessToken:  t.AccessToken.Reveal(),
		TokenType:    t.TokenType,
		RefreshToken: t.RefreshToken.Reveal(),
		Expiry:       t.ExpiresAt(),
		ExpiresIn:    int64(t.ExpiresIn / time.Second),
	}
	return token.WithExtra(map[string]any{"scope": t.Scope})
}

// Token asks for a token: POST /oauth/token (RFC 6749, section 3.2), once,
// within TokenTimeout.
//
// The error is an *Error. As with io.Reader, look at the token before the
// error: an answer that can be read and yet not be used returns both. Then the
// Token holds what could be read of it, and above all a RefreshToken, which
// has to be stored first, because the server may have ended the previous one:
//
//	token, err := conn.Token(ctx, grant)
//	if token != nil && !token.RefreshToken.IsZero() {
//		store(token.RefreshToken)
//	}
//	if err != nil {
//		return err
//	}
//
// This is so for a response whose access_token, refresh_token or expires_in is
// repeated, of the wrong type or unreadable; whose access token is missing or has
// characters that no token has; whose expires_in is zero (ErrNoLifeLeft) or
// negative; that is malformed, too large or cannot be unpacked; and that was cut
// off behind a token. The code is ErrInvalidResponse, or ErrUnavailable for a
// response cut off. Without an error the token is complete.
//
// All else decides nothing: scope and token_type, fields that are not read, in
// whatever type and bytes, and what the header says of the body. A response
// packed with gzip is unpacked and one UTF-8 byte order mark skipped (RFC 8259,
// section 8.1, allows a parser to), labelled so or not: a token that is thrown
// away for such a reason takes the refresh token that it replaced with it.
//
// A user who needs a second factor gives ErrMFARequired.
func (c *Conn) Token(ctx context.Context, g Grant) (*Token, error) {
	r, err := c.tokenRequest(g)
	if err != nil {
		return nil, err
	}
	ctx, cancel := within(ctx, TokenTimeout)
	defer cancel()
	a, err := c.exchange(ctx, r)
	if err != nil {
		return nil, err
	}
	return r.token(a)
}

func (c *Conn) tokenRequest(g Grant) (*request, error) {
	if g == nil {
		return nil, unsent(opToken, "", errors.New("no grant"))
	}
	form := url.Values{"grant_type": {g.GrantType()}}
	if err := g.fill(form); err != nil {
		return nil, unsent(opToken, g.GrantType(), err)
	}
	return c.newRequest(opToken, g.GrantType(), nil, form), nil
}

// token reads the answer to a token request.
func (r *request) token(a *answer) (*Token, error) {
	if !a.success() {
		return nil, r.refusal(a)
	}
	body, bodyErr := parseObject(a.body)
	token, tokenErr := readToken(body, a.sentAt)
	if err := cmp.Or(a.readErr, bodyErr, tokenErr); err != nil {
		return token, r.unusable(a, body, err)
	}
	return token, nil
}

// ErrNoLifeLeft is the cause of the error of an answer whose expires_in is zero.
// Where the token is the one already held, it is that token at its very end,
// and no failure.
const ErrNoLifeLeft constError = "expires_in: zero"

// errNoAccessToken is the answer of a server that has something else to say,
// like that it wants a second factor.
const errNoAccessToken constError = "access_token: missing"

// readToken reads what there is. The token is nil if neither an access token
// nor a refresh token is there; the error is the first thing that is wrong.
func readToken(body object, sentAt time.Time) (*Token, error) {
	access, accessErr := body.credential("access_token")
	refresh, refreshErr := body.credential("refresh_token")
	expiresIn, missing, expiresErr := body.expiresIn()
	if accessErr == nil && access.IsZero() {
		accessErr = errNoAccessToken
	}
	err := cmp.Or(accessErr, refreshErr, expiresErr)
	if access.IsZero() && refresh.IsZero() {
		return nil, err
	}
	return &Token{
		AccessToken:      access,
		TokenType:        body.note("token_type"),
		RefreshToken:     refresh,
		Scope:            body.note("scope"),
		ExpiresIn:        expiresIn,
		ExpiresInMissing: missing,
		IssuedAt:         sentAt,
	}, err
}
