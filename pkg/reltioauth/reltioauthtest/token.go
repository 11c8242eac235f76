package reltioauthtest

import (
	"net/http"
	"strconv"
	"time"
)

// The grant types of the token endpoint.
const (
	grantPassword          = "password"
	grantClientCredentials = "client_credentials"
	grantRefreshToken      = "refresh_token"
	grantAuthorizationCode = "authorization_code"
	grantStateToken        = "state_token"
)

// token is the token endpoint. The caller holds mu.
func (s *Server) token(c *call) (answer, error) {
	if err := c.authenticate(); err != nil {
		return answer{}, err
	}
	if id := c.form.Get("client_id"); id != "" && id != c.client.ID && c.how.Errors.framework() {
		return answer{}, invalidClient("Given client ID does not match authenticated client")
	}
	if err := c.authorizeGrantType(); err != nil {
		return answer{}, err
	}
	switch c.req.GrantType {
	case grantPassword:
		return s.passwordGrant(c)
	case grantClientCredentials:
		return s.clientCredentialsGrant(c)
	case grantRefreshToken:
		return s.refreshGrant(c)
	case grantAuthorizationCode:
		return s.codeGrant(c)
	default:
		return s.stateTokenGrant(c)
	}
}

// give makes the response with the tokens and records their fingerprints. refresh
// is nil if the response has no refresh token.
func (c *call) give(access *accessToken, refresh *refreshToken) answer {
	c.req.AccessToken = access.fingerprint
	o := object(make([]byte, 0, 512)).addText("access_token", access.secret.Reveal())
	if !c.how.OmitTokenType {
		o = o.addRaw("token_type", `"bearer"`)
	}
	if refresh != nil {
		c.req.RefreshToken = refresh.fingerprint
		o = o.addText("refresh_token", refresh.secret.Reveal())
	}
	if !c.how.OmitExpiresIn {
		o = o.addRaw("expires_in", c.how.expiresIn(access.ends.Sub(c.now)))
	}
	if !c.how.OmitScope {
		o = o.addText("scope", access.scope)
	}
	return answer{
		status: http.StatusOK, contentType: contentJSON, body: o.end(), outcome: OutcomeOK,
		header: http.Header{"Pragma": {"no-cache"}},
	}
}

// expiresIn is the JSON text of the remaining life, in whole seconds, rounded
// down. The framework reads its clock twice: for the token's end, and a little
// later for the response. So it never gives the whole life.
func (b *Behaviour) expiresIn(left time.Duration) string {
	if b.Errors.framework() {
		left -= time.Millisecond
	}
	seconds := strconv.FormatInt(int64(left/time.Second), 10)
	switch {
	case b.ExpiresInJSON != "":
		return b.ExpiresInJSON
	case b.ExpiresInString:
		return `"` + seconds + `"`
	default:
		return seconds
	}
}
