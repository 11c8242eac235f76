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

// anonymous reports whether the request names no client.
func (c *call) anonymous() bool {
	return !c.hasBasic && !c.form.Has("client_secret")
}

// authenticate finds the client (RFC 6749, section 2.3). The credentials of the
// Basic style are not form-decoded.
func (c *call) authenticate() error {
	if !c.how.StylesEverywhere {
		return c.authenticateAsFramework()
	}
	style, value := reltioauth.ClientAuthBasic, c.basicValue
	switch {
	case c.anonymous():
		return c.unauthorized()
	case c.hasBasic && c.form.Has("client_secret"):
		return invalidRequest("more than one way of client authentication")
	case !c.hasBasic:
		style, value = reltioauth.ClientAuthPost, c.form.Get("client_secret")
	}
	if err := c.identify(c.req.ClientID, value); err != nil {
		return err
	}
	if !slices.Contains(c.client.styles(), style) {
		c.client = nil
		return c.badClient()
	}
	return nil
}

// authenticateAsFramework accepts the Basic header everywhere. It accepts the
// form only at the token endpoint and only from clients that may send it;
// otherwise it ignores a client in a form.
func (c *call) authenticateAsFramework() error {
	switch {
	case c.hasBasic:
		return c.identify(c.basicID, c.basicValue)
	case c.req.Op == OpToken && c.form.Has("client_secret") && c.formTaken():
		return c.identify(c.form.Get("client_id"), c.form.Get("client_secret"))
	default:
		return c.unauthorized()
	}
}

// formTaken reports whether the client may authenticate in the form; for an
// unknown client, whether any client may.
func (c *call) formTaken() bool {
	post := func(client *Client) bool { return slices.Contains(client.styles(), reltioauth.ClientAuthPost) }
	if client := c.set.clients[c.req.ClientID]; client != nil {
		return post(client)
	}
	for _, client := range c.set.clients {
		if post(client) {
			return true
		}
	}
	return false
}

// identify looks the client up.
func (c *call) identify(id, secret string) error {
	if c.fault.Kind == FaultClientStore {
		return c.clientStoreDown()
	}
	client := c.set.clients[id]
	if client == nil || client.Secret.IsZero() || !client.Secret.Equal(reltioauth.NewSecret(secret)) {
		return c.badClient()
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
		return &refusal{
			status: http.StatusBadRequest, code: "unsupported_grant_type",
			text: c.repeating("Unsupported grant type", c.req.GrantType),
		}
	}
	if !c.client.mayUse(c.req.GrantType) {
		return c.badGrantType()
	}
	return nil
}
