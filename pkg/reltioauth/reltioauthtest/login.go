package reltioauthtest

import (
	"net/http"
	"strconv"
	"time"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// pendingLogin is a login whose second factor is missing.
type pendingLogin struct {
	client string
	user   string
	scope  string
	ends   time.Time
}

// passwordGrant is the resource owner password credentials grant (RFC 6749,
// section 4.3).
func (s *Server) passwordGrant(c *call) (answer, error) {
	if c.how.Errors == DocumentedErrors && (c.form.Get("username") == "" || c.form.Get("password") == "") {
		return answer{}, c.missing("username and password")
	}
	scope, err := c.scope(c.form.Get("scope"))
	if err != nil {
		return answer{}, err
	}
	user, err := s.checkPassword(c)
	if err != nil {
		return answer{}, err
	}
	if !user.TOTP.IsZero() || user.Authenticator != nil {
		return s.askSecondFactor(c, scope)
	}
	s.login(c.req.User).bad = 0
	key := grantKey{client: c.client.ID, user: c.req.User, scope: scope}
	a, _, err := s.logIn(c, key, c.how.Login, c.how.LoginRefreshToken)
	return a, err
}

// askSecondFactor is the response to a right password of a user with a second
// factor: 200 without an access token.
func (s *Server) askSecondFactor(c *call, scope string) (answer, error) {
	token, err := c.mint()
	if err != nil {
		return answer{}, err
	}
	ttl := c.set.StateTokenTTL
	s.states[reltioauth.Fingerprint(token)] = &pendingLogin{
		client: c.client.ID, user: c.req.User, scope: scope, ends: c.now.Add(ttl),
	}
	seconds := strconv.FormatInt(int64(ttl/time.Second), 10)
	state := object(nil).addText("mfaType", "AUTHENTICATOR").addText("expires_in", seconds).
		addText("status", "ENROLL").addText("token", token.Reveal()).end()
	body := object(nil).addRaw("expires_in", seconds).addRaw("state_token", string(state)).end()
	return answer{status: http.StatusOK, contentType: contentJSON, body: body, outcome: OutcomeMFARequired}, nil
}

// stateTokenGrant is the second step.
func (s *Server) stateTokenGrant(c *call) (answer, error) {
	token := c.form.Get("state_token")
	if token == "" || c.form.Get("totp") == "" {
		return answer{}, c.missing("state_token and totp")
	}
	c.req.Presented = reltioauth.Fingerprint(reltioauth.NewSecret(token))
	pending := s.states[c.req.Presented]
	if pending == nil || pending.client != c.client.ID || !c.now.Before(pending.ends) || c.set.users[pending.user] == nil {
		return answer{}, invalidGrant(c.repeating("Invalid state token", token))
	}
	c.req.User = pending.user
	if state := s.login(pending.user).state; state != UserActive {
		return answer{}, c.badState(state)
	}
	user := c.set.users[pending.user]
	if !s.rightCode(c, user) {
		return answer{}, s.badLogin(c, user)
	}
	delete(s.states, c.req.Presented)
	s.login(pending.user).bad = 0
	key := grantKey{client: pending.client, user: pending.user, scope: pending.scope}
	a, _, err := s.logIn(c, key, c.how.Login, c.how.LoginRefreshToken)
	return a, err
}

// rightCode reports whether the code completes the login.
func (s *Server) rightCode(c *call, user *User) bool {
	given := reltioauth.NewSecret(c.form.Get("totp"))
	if user.Authenticator == nil {
		return user.TOTP.Equal(given)
	}
	l := s.login(c.req.User)
	if !user.Authenticator(c.now).Equal(given) || l.code.Equal(given) {
		return false
	}
	l.code = given
	return true
}

// clientCredentialsGrant never gives a refresh token (RFC 6749, section 4.4).
func (s *Server) clientCredentialsGrant(c *call) (answer, error) {
	scope, err := c.scope(c.form.Get("scope"))
	if err != nil {
		return answer{}, err
	}
	key, way := grantKey{client: c.client.ID, scope: scope}, c.how.Login
	if c.client.MultiToken > 0 { // the limit is the client's, whatever the scope
		key.scope, way = "", NewToken
	}
	g := s.tokens.grant(key, c.now, c.how)
	if c.client.MultiToken > 0 && g.validTokens(c.now) >= c.client.MultiToken {
		return c.tooMany(OutcomeTokenLimit), nil
	}
	access, err := s.accessToken(c, g, issue{scope: scope, way: way})
	if err != nil {
		return answer{}, err
	}
	return c.give(access, nil), nil
}

// logIn gives tokens to a user who has authenticated.
func (s *Server) logIn(c *call, key grantKey, access, refresh Renewal) (answer, family, error) {
	g := s.tokens.grant(key, c.now, c.how)
	var second *refreshToken
	var fam family
	if !c.how.OmitRefreshToken && (c.client.mayUse(grantRefreshToken) || !c.how.Errors.framework()) {
		var err error
		if second, err = s.loginRefreshToken(c, g, refresh); err != nil {
			return answer{}, 0, err
		}
		fam = second.family
	}
	first, err := s.accessToken(c, g, issue{scope: key.scope, way: access, family: fam})
	if err != nil {
		return answer{}, 0, err
	}
	return c.give(first, second), fam, nil
}

// loginRefreshToken is the refresh token that comes with a login.
func (s *Server) loginRefreshToken(c *call, g *grant, way Renewal) (*refreshToken, error) {
	if t := g.current(c.now); t != nil && way.or(SameToken) == SameToken {
		return t, nil
	}
	secret, err := c.mint()
	if err != nil {
		return nil, err
	}
	if way == NewTokenOldDies {
		s.tokens.dropRefresh(g, func(*refreshToken) bool { return true })
	}
	s.tokens.families++
	t := &refreshToken{secret: secret, family: s.tokens.families, ends: c.now.Add(c.client.RefreshTokenTTL)}
	s.tokens.addRefresh(g, t)
	return t, nil
}

// issue says how an access token is given.
type issue struct {
	scope  string
	way    Renewal
	family family
	// refreshing leaves the access tokens of other logins valid.
	refreshing bool
}

// accessToken is the access token that is given: the valid one again, or a new
// one.
func (s *Server) accessToken(c *call, g *grant, i issue) (*accessToken, error) {
	if t := g.again(c.now, c.how.KilledTokens); t != nil && i.way.or(SameToken) == SameToken {
		t.family = i.family
		return t, nil
	}
	secret, err := c.mintAccess()
	if err != nil {
		return nil, err
	}
	if i.way == NewTokenOldDies {
		s.tokens.dropAccess(g, func(t *accessToken) bool { return !i.refreshing || t.family == i.family })
	}
	t := &accessToken{secret: secret, scope: i.scope, family: i.family, ends: c.now.Add(c.client.AccessTokenTTL)}
	s.tokens.addAccess(g, t)
	return t, nil
}
