package reltioauthtest

import (
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// refreshGrant renews an access token (RFC 6749, section 6).
func (s *Server) refreshGrant(c *call) (answer, error) {
	text := c.form.Get("refresh_token")
	if text == "" {
		return answer{}, c.missing("refresh_token")
	}
	c.req.Presented = reltioauth.Fingerprint(reltioauth.NewSecret(text))
	old := s.tokens.refresh[c.req.Presented]
	if old == nil {
		return answer{}, c.invalidRefreshToken(text)
	}
	g := old.grant
	if err := s.loadAgain(c, g.key.user); err != nil {
		c.req.User = g.key.user
		return answer{}, err
	}
	if g.key.client != c.client.ID {
		return answer{}, c.foreignRefreshToken(text)
	}
	c.req.User = g.key.user
	switch {
	case !c.now.Before(old.ends):
		s.tokens.dropFamily(g, old.family, c.how)
		return answer{}, c.expiredRefreshToken(text)
	case !old.accepted(c.now, c.how):
		if c.how.ReuseRevokes {
			s.tokens.dropFamily(g, old.family, c.how)
		}
		return answer{}, c.invalidRefreshToken(text)
	}
	return s.renew(c, old)
}

// loadAgain loads the user of a refresh token again, unless the server ignores
// the user's state.
func (s *Server) loadAgain(c *call, user string) error {
	switch {
	case c.how.RefreshIgnoresUser:
		return nil
	case c.fault.Kind == FaultUserStore:
		return c.userStoreDown()
	case c.set.users[user] == nil:
		return userUnauthorized("User not found")
	}
	if state := s.login(user).state; state != UserActive {
		return c.badState(state)
	}
	return nil
}

// renew gives the tokens for an accepted refresh token.
func (s *Server) renew(c *call, old *refreshToken) (answer, error) {
	g := s.tokens.grant(old.grant.key, c.now, c.how)
	next, err := s.nextRefreshToken(c, g, old)
	if err != nil {
		return answer{}, err
	}
	access, err := s.accessToken(c, g, issue{scope: g.key.scope, way: c.how.Refresh.or(NewTokenOldDies), family: old.family, refreshing: true})
	if err != nil {
		return answer{}, err
	}
	if c.how.OmitRefreshToken || c.how.OmitRefreshTokenOnRefresh {
		next = nil
	}
	return c.give(access, next), nil
}

// nextRefreshToken is the refresh token after a refresh: the old one or, with
// rotation, a new one of its family.
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
	s.tokens.addRefresh(g, next)
	if old.replaced.IsZero() {
		old.replaced = c.now
	}
	return next, nil
}
