package reltioauth

import (
	"cmp"
	"errors"
	"maps"
	"net/url"
	"slices"
)

// Grant is what a client presents to get a token (RFC 6749, section 1.3). Only
// this package implements it.
type Grant interface {
	// GrantType is the grant_type parameter.
	GrantType() string
	// fill adds the grant's parameters, or says which is missing.
	fill(form url.Values) error
}

// PasswordGrant logs a user in with name and password (RFC 6749, section 4.3).
// Reltio locks a user after five refused logins by default (documented): never
// repeat one that was refused.
type PasswordGrant struct {
	Username string // required
	Password Secret // required
	Scope    string // space separated; empty: not sent

	// Params are further parameters of the token request (RFC 6749, section 8.2),
	// sent in the form body like all others. Reltio documents idp_system for this
	// grant. A name that this package sends itself in a token request is refused:
	// that is ErrInvalidRequest, and nothing is sent. This package does not
	// change the map; the caller must not change it while the grant is in use.
	Params map[string]Secret
}

// GrantType implements Grant.
func (PasswordGrant) GrantType() string { return "password" }

func (g PasswordGrant) fill(form url.Values) error {
	setOptional(form, "scope", g.Scope)
	form.Set("username", g.Username)
	form.Set("password", g.Password.Reveal())
	return cmp.Or(required(form, "username", "password"), addParams(form, g.Params))
}

// ClientCredentialsGrant asks for a token in the client's own name (RFC 6749,
// section 4.4). Reltio never gives a refresh token for it, and gives the same
// token again while one is valid (documented).
type ClientCredentialsGrant struct {
	Scope string // space separated; empty: not sent

	// Params are further parameters of the request, as of PasswordGrant.
	Params map[string]Secret
}

// GrantType implements Grant.
func (ClientCredentialsGrant) GrantType() string { return "client_credentials" }

func (g ClientCredentialsGrant) fill(form url.Values) error {
	setOptional(form, "scope", g.Scope)
	return addParams(form, g.Params)
}

// RefreshTokenGrant uses a refresh token (RFC 6749, section 6). No scope is sent:
// the server keeps the login's scope.
type RefreshTokenGrant struct {
	RefreshToken Secret // required
}

// GrantType implements Grant.
func (RefreshTokenGrant) GrantType() string { return "refresh_token" }

func (g RefreshTokenGrant) fill(form url.Values) error {
	form.Set("refresh_token", g.RefreshToken.Reveal())
	return required(form, "refresh_token")
}

// AuthorizationCodeGrant exchanges the code that a user brought back from
// AuthorizationURL (RFC 6749, section 4.1.3). A code works once.
type AuthorizationCodeGrant struct {
	Code Secret // required
	// RedirectURI is the one of the authorization request, letter by letter.
	// Required: Reltio's own clients send it (inferred).
	RedirectURI string
	// Verifier is the code verifier of the authorization request (RFC 7636,
	// section 4.5). Zero: the request had no challenge.
	Verifier Secret

	// Params are further parameters of the request, as of PasswordGrant.
	Params map[string]Secret
}

// GrantType implements Grant.
func (AuthorizationCodeGrant) GrantType() string { return "authorization_code" }

func (g AuthorizationCodeGrant) fill(form url.Values) error {
	form.Set("code", g.Code.Reveal())
	form.Set("redirect_uri", g.RedirectURI)
	setOptional(form, "code_verifier", g.Verifier.Reveal())
	return cmp.Or(required(form, "code", "redirect_uri"), addParams(form, g.Params))
}

// MFAGrant is the second step of a login with a second factor (documented by
// Reltio): the state token of an MFAChallenge and the number that the user's
// authenticator shows.
type MFAGrant struct {
	StateToken Secret // required
	TOTP       Secret // required
}

// GrantType implements Grant.
func (MFAGrant) GrantType() string { return "state_token" }

func (g MFAGrant) fill(form url.Values) error {
	form.Set("state_token", g.StateToken.Reveal())
	form.Set("totp", g.TOTP.Reveal())
	return required(form, "state_token", "totp")
}

func setOptional(form url.Values, key, value string) {
	if value != "" {
		form.Set(key, value)
	}
}

func required(form url.Values, keys ...string) error {
	for _, key := range keys {
		if form.Get(key) == "" {
			return errors.New(key + ": empty")
		}
	}
	return nil
}

// addParams adds the caller's own parameters. The error names only parameters
// that this package sends itself.
func addParams(form url.Values, params map[string]Secret) error {
	for _, name := range slices.Sorted(maps.Keys(params)) {
		switch {
		case name == "":
			return errors.New("params: an empty name")
		case isSent(name):
			return errors.New("params: " + name + " is sent already, or by another grant")
		}
		form.Set(name, params[name].Reveal())
	}
	return nil
}

// isSent reports whether this package sends the parameter in token requests, with
// any grant and any style of client authentication.
func isSent(parameter string) bool {
	switch parameter {
	case "grant_type", "client_id", "client_secret", "scope", "username", "password", "refresh_token",
		"code", "redirect_uri", "code_verifier", "state_token", "totp":
		return true
	}
	return false
}
