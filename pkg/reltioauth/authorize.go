package reltioauth

import (
	"errors"
	"net/url"
	"strings"

	"golang.org/x/oauth2"
)

// AuthorizationRequest is what the user's browser sends to the authorization
// endpoint (RFC 6749, section 4.1.1).
type AuthorizationRequest struct {
	// TenantID chooses the identity provider at which the user logs in.
	// Required (documented by Reltio).
	TenantID string

	// RedirectURI is where the browser comes back to, with code and state:
	// absolute and without a fragment (RFC 6749, section 3.1.2). Required.
	RedirectURI string

	// Scope that is asked for, space separated (RFC 6749, section 3.3). If empty,
	// the server uses its default, as Reltio documents it.
	Scope string

	// State binds the response to the browser (RFC 6749, section 10.12). Make it
	// of at least 16 random bytes and use it once. Required: Reltio refuses a
	// blank one (documented).
	State Secret

	// Verifier is the code verifier of RFC 7636: 43 to 128 letters, digits,
	// "-", ".", "_" and "~". The request carries its S256 challenge, and the
	// AuthorizationCodeGrant the verifier itself. Zero: no PKCE, which Reltio
	// does not document for this flow.
	Verifier Secret
}

// AuthorizationURL is the address to which a user's browser is sent to log in:
// /oauth/sso (documented by Reltio). It sends no request. The protocol puts the
// state into the address, which is a secret until it is used: do not log it.
//
// The error is an *Error with ErrInvalidRequest.
func (c *Client) AuthorizationURL(p AuthorizationRequest) (string, error) {
	target, err := c.validate()
	if err == nil {
		err = p.validate()
	}
	if err != nil {
		return "", unsent(opAuthorize, "", err)
	}
	query := url.Values{
		"tenant_id":     {p.TenantID},
		"response_type": {"code"},
		"client_id":     {c.ClientID},
		"redirect_uri":  {p.RedirectURI},
		"state":         {p.State.Reveal()},
	}
	if p.Scope != "" {
		query.Set("scope", p.Scope)
	}
	if !p.Verifier.IsZero() {
		query.Set("code_challenge", oauth2.S256ChallengeFromVerifier(p.Verifier.Reveal()))
		query.Set("code_challenge_method", "S256")
	}
	target.Path = "/oauth/sso"
	target.RawQuery = query.Encode()
	return target.String(), nil
}

func (p AuthorizationRequest) validate() error {
	redirect, err := url.Parse(p.RedirectURI)
	switch {
	case p.TenantID == "":
		return errors.New("tenant_id: empty")
	case err != nil || !redirect.IsAbs() || redirect.Host == "" || strings.Contains(p.RedirectURI, "#"):
		return errors.New("redirect_uri: not an absolute URI without a fragment")
	case strings.TrimSpace(p.State.Reveal()) == "":
		return errors.New("state: blank")
	case !p.Verifier.IsZero() && !isVerifier(p.Verifier.Reveal()):
		return errors.New("code_verifier: not 43 to 128 unreserved characters")
	}
	return nil
}

// isVerifier checks the grammar of RFC 7636, section 4.1.
func isVerifier(text string) bool {
	return 43 <= len(text) && len(text) <= 128 && !strings.ContainsFunc(text, func(c rune) bool {
		return !isTokenRune(c) || strings.ContainsRune("+/=%", c)
	})
}
