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
	// maxTokenLength is far above the length of Reltio's longest tokens, about
	// 3,000 characters.
	maxTokenLength = 16384
	// maxExpiresIn bounds the life that a server may promise.
	maxExpiresIn = 31 * 24 * time.Hour
	// assumedExpiresIn is used when the server does not say. RFC 6749, section
	// 5.1, leaves it to documentation. A client may have its own lifetime at
	// Reltio, so the default hour could be too long.
	assumedExpiresIn = 300 * time.Second
)

// Token is a response of the token endpoint (RFC 6749, section 5.1). Printing it
// reveals nothing.
type Token struct {
	// AccessToken is opaque, 1 to 16,384 printable ASCII characters without
	// spaces. It is zero only next to an error.
	AccessToken Secret

	// TokenType as the server sent it ("bearer" in Reltio's samples). It is empty
	// if the server sent none or an unusable one: nothing depends on a token
	// type.
	TokenType string

	// RefreshToken is zero if none was sent. After a refresh that means: keep the
	// one you have (RFC 6749, section 6).
	RefreshToken Secret

	// Scope as the server sent it, space separated, also if the server sent an
	// array of strings (Reltio documents both). It is empty if the server sent
	// none or an unusable one: nothing depends on a scope.
	Scope string

	// ExpiresIn is the life that the token has left, counted from IssuedAt, in
	// whole seconds (a fraction is dropped), at most 31 days. If the server did
	// not say, it is 300 s and ExpiresInMissing is true. It is 0 only next to an
	// error.
	//
	// While a token is valid, the server gives the same one again, with the rest
	// of its life: a new response is not always a new token.
	ExpiresIn        time.Duration
	ExpiresInMissing bool

	// IssuedAt is the moment at which the request was sent, by the Client's clock
	// and without a monotonic reading. The token is never older than that, so
	// ExpiresAt is never too late.
	IssuedAt time.Time
}

// ExpiresAt is the token's deadline: IssuedAt plus ExpiresIn.
func (t *Token) ExpiresAt() time.Time { return t.IssuedAt.Add(t.ExpiresIn) }

// Fingerprint names the access token without revealing it.
func (t *Token) Fingerprint() string { return Fingerprint(t.AccessToken) }

// OAuth2 is the token as a type of golang.org/x/oauth2, which prints its secrets.
// Extra("scope") gives the scope.
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

// Token asks for a token: POST /oauth/token (RFC 6749, section 3.2), once, within
// TokenTimeout, or the Client's if that is shorter.
//
// The error is an *Error. As with io.Reader, look at the token before the error:
// a response that can be read but not used returns both. The Token then holds
// what could be read. A RefreshToken in it has to be stored first, because the
// server may have revoked the previous one:
//
//	token, err := conn.Token(ctx, grant)
//	if token != nil && !token.RefreshToken.IsZero() {
//		store(token.RefreshToken)
//	}
//	if err != nil {
//		return err
//	}
//
// Both are returned for a response in which access_token, refresh_token or
// expires_in is repeated, of the wrong type or unreadable; in which the access
// token is missing or has characters that no token has; in which expires_in is
// zero (ErrNoLifeLeft) or negative; that is malformed, too large or cannot be
// unpacked; or that was cut off after a token. The code is ErrInvalidResponse, or
// ErrUnavailable for a response that was cut off. Without an error the token is
// complete.
//
// Nothing depends on the rest: scope and token_type, fields that are not read,
// and headers that describe the body. A gzip response is unpacked and one UTF-8
// byte order mark skipped (RFC 8259, section 8.1, allows a parser to), labelled
// so or not. A token that is discarded for such a reason takes the refresh token
// that it replaced with it.
//
// A user who needs a second factor gives ErrMFARequired.
func (c *Conn) Token(ctx context.Context, g Grant) (*Token, error) {
	r, err := c.tokenRequest(g)
	if err != nil {
		return nil, err
	}
	ctx, cancel := within(ctx, c.client.tokenTimeout())
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

// token reads the response to a token request.
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

// ErrNoLifeLeft is the cause of the error if expires_in is zero. If the token is
// the one that the caller already has, this is no failure: that token is about to
// expire.
const ErrNoLifeLeft constError = "expires_in: zero"

// errNoAccessToken is for a response without an access token, for example one
// that asks for a second factor.
const errNoAccessToken constError = "access_token: missing"

// readToken reads the fields of a token. The token is nil if there is neither an
// access token nor a refresh token. The error is the first problem.
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
