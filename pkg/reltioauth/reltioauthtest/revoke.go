package reltioauthtest

import (
	"net/http"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// revoke ends a token (RFC 7009). With a refresh token it also ends its access
// tokens.
func (s *Server) revoke(c *call) (answer, error) {
	if !c.how.RevokeAnonymous || !c.anonymous() {
		if err := c.authenticate(); err != nil {
			return answer{}, err
		}
	}
	text := c.token()
	if text == "" {
		return answer{}, c.missing("token")
	}
	c.req.Presented = reltioauth.Fingerprint(reltioauth.NewSecret(text))
	known := s.revokeAccess(c) || s.revokeRefresh(c)
	if status := c.how.RevokeUnknownStatus; !known && status >= http.StatusBadRequest {
		return answer{}, invalidToken(status, "Token is invalid: "+text)
	}
	o := object(nil).addText("status", "success")
	if c.how.LogoutURI != "" {
		o = o.addText("logoutUri", c.how.LogoutURI)
	}
	return answer{status: http.StatusOK, contentType: contentJSON, body: o.end(), outcome: OutcomeOK}, nil
}

// revokeAccess ends the access token of the request, if the token is the
// caller's.
func (s *Server) revokeAccess(c *call) bool {
	t := s.tokens.access[c.req.Presented]
	if t == nil || !c.owns(t.grant) || !c.now.Before(t.ends) {
		return false
	}
	c.req.User = t.grant.key.user
	how := c.set.behaviour(t.grant.key.client)
	if how.forgets(t) {
		s.tokens.dropAccess(t.grant, func(other *accessToken) bool { return other == t })
	}
	if !how.RevokeSparesRefreshToken && t.family != 0 {
		s.tokens.dropFamily(t.grant, t.family, how)
	}
	return true
}

// revokeRefresh does the same for a refresh token.
func (s *Server) revokeRefresh(c *call) bool {
	t := s.tokens.refresh[c.req.Presented]
	if t == nil || !c.owns(t.grant) || !c.now.Before(t.ends) {
		return false
	}
	c.req.User = t.grant.key.user
	s.tokens.dropFamily(t.grant, t.family, c.set.behaviour(t.grant.key.client))
	return true
}

// owns reports whether the caller may revoke the tokens of g.
func (c *call) owns(g *grant) bool {
	return c.client == nil || c.client.ID == g.key.client
}
