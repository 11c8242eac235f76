package reltioauthtest

import (
	"net/http"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// refreshGrant renews an access token (RFC 6749, section 6).
func (s *Server) refreshGrant(c *call) (answer, error) {
	text := c.form.Get("refresh_token")
	if text == "" {
		return answer{}, invalidRequest("refresh_token is required")
	}
	c.req.Presented = reltioauth.Fingerprint(reltioauth.NewSecret(text))
	old := s.vault.refresh[c.req.Presented]
	if old == nil || old.grant.key.client != c.client.ID {
		return answer{}, c.deadRefreshToken(text)
	}
	c.req.User = old.grant.key.user
	if !old.accepted(c.now, c.how) {
		if !old.replaced.IsZero() && c.how.ReuseRevokes {
			s.vault.dropFamily(old.grant, old.family, c.how)
		}
		return answer{}, c.deadRefreshToken(text)
	}
	if c.how.LockedCannotRefresh && s.login(c.req.User).locked {
		return answer{}, c.lockedOut()
	}
	return s.renew(c, old)
}

// renew gives what an accepted refresh token stands for.
func (s *Server) renew(c *call, old *refreshToken) (answer, error) {
	g := s.vault.grant(old.grant.key, c.now, c.how)
	next, err := s.nextRefreshToken(c, g, old)
	if err != nil {
		return answer{}, err
	}
	access, err := s.accessToken(c, g, issue{scope: g.key.scope, way: c.how.Refresh, family: old.family, refreshing: true})
	if err != nil {
		return answer{}, err
	}
	if c.how.OmitRefreshToken || c.how.OmitRefreshTokenOnRefresh {
		next = nil
	}
	return c.give(access, next), nil
}

// nextRefreshToken is the refresh token after a refresh: the old one or, by
// rotation, another of its family.
func (s *Server) nextRefreshToken(c *call, g *grant, old *refreshToken) (*refreshToken, error) {
	ends := old.ends
	if c.how.RestartClock {
		ends = c.now.Add(c.client.RefreshTokenTTL)
	}
	if c.how.RefreshTokens == Keep {
		old.ends = ends
		return old, nil
	}
	secret, err := c.mint()
	if err != nil {
		return nil, err
	}
	next := &refreshToken{secret: secret, family: old.family, ends: ends}
	s.vault.addRefresh(g, next)
	if old.replaced.IsZero() {
		old.replaced = c.now
	}
	return next, nil
}

// deadRefreshToken is the answer to a refresh token that is unknown, ended,
// revoked or another client's. It echoes the token, as Reltio's does.
func (c *call) deadRefreshToken(token string) error {
	text := "Invalid refresh token: " + token
	if c.how.DeadRefreshStatus == http.StatusUnauthorized {
		return &refusal{status: http.StatusUnauthorized, code: "invalid_token", text: text}
	}
	return invalidGrant(text)
}
