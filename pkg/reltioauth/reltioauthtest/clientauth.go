package reltioauthtest

import (
	"net/http"
	"slices"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// styles are the ways in which the client may authenticate.
func (client *Client) styles() []reltioauth.ClientAuth {
	if len(client.ClientAuth) == 0 {
		return []reltioauth.ClientAuth{reltioauth.ClientAuthBasic}
	}
	return client.ClientAuth
}

// anonymous reports whether the request says nothing about a client.
func (c *call) anonymous() bool {
	return !c.hasBasic && !c.form.Has("client_secret")
}

// authenticate finds out who calls (RFC 6749, section 2.3). The credentials of
// the Basic style are taken as they are, not form-decoded.
func (c *call) authenticate() error {
	style, value := reltioauth.ClientAuthBasic, c.basicValue
	switch {
	case c.anonymous():
		return unauthorized()
	case c.hasBasic && c.form.Has("client_secret"):
		return invalidRequest("more than one way of client authentication")
	case !c.hasBasic:
		style, value = reltioauth.ClientAuthPost, c.form.Get("client_secret")
	}
	client := c.set.clients[c.req.ClientID]
	if client == nil || client.Secret.IsZero() || !client.Secret.Equal(reltioauth.NewSecret(value)) {
		return invalidClient()
	}
	if !slices.Contains(client.styles(), style) {
		return invalidClient()
	}
	c.client = client
	return nil
}

// authorizeGrantType refuses grant types that the server or the client does
// not have.
func (c *call) authorizeGrantType() error {
	switch c.req.GrantType {
	case "":
		return invalidRequest("Missing grant type")
	case grantPassword, grantClientCredentials, grantRefreshToken, grantAuthorizationCode, grantStateToken:
	default:
		return &refusal{status: http.StatusBadRequest, code: "unsupported_grant_type", text: "Unsupported grant type"}
	}
	if len(c.client.GrantTypes) > 0 && !slices.Contains(c.client.GrantTypes, c.req.GrantType) {
		return &refusal{
			status: http.StatusBadRequest, code: "unauthorized_client",
			text: "Unauthorized grant type: " + c.req.GrantType,
		}
	}
	return nil
}
