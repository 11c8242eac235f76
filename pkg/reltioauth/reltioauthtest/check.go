package reltioauthtest

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// checkToken describes a valid access token.
func (s *Server) checkToken(c *call) (answer, error) {
	if err := c.authenticate(); err != nil {
		return answer{}, err
	}
	if c.how.CheckDenied {
		return answer{}, checkDenied()
	}
	text := c.token()
	if text == "" {
		return answer{}, c.missingToken()
	}
	c.req.Presented = reltioauth.Fingerprint(reltioauth.NewSecret(text))
	t := s.tokens.access[c.req.Presented]
	if t == nil || !t.valid(c.now) {
		return answer{}, c.invalidToken(text, t != nil && !t.killed)
	}
	c.req.User = t.grant.key.user
	return answer{status: http.StatusOK, contentType: contentJSON, body: c.tokenInfo(t), outcome: OutcomeOK}, nil
}

// tokenInfo is the description of a token.
func (c *call) tokenInfo(t *accessToken) []byte {
	key := t.grant.key
	user := c.set.users[key.user]
	roles := c.rolesOf(key.client)
	if user != nil {
		roles = user.Roles
	}
	if c.how.CheckShape == FrameworkShape {
		o := object(nil)
		if user != nil {
			o = o.addText("user_name", user.Username)
		}
		return o.addList("scope", strings.Fields(t.scope)).addRaw("active", "true").
			addRaw("exp", strconv.FormatInt(t.ends.Unix(), 10)).
			addList("authorities", roles).addText("client_id", key.client).end()
	}
	o := object(nil).addText("clientId", key.client).
		addRaw("expiration", c.how.Expiration.format(t.ends)).
		addList("scopes", strings.Fields(t.scope)).
		addList("roles", roles)
	if user != nil {
		about := object(nil).addText("customer", user.Customer).addText("username", user.Username).
			addText("email", user.Email).addList("tenants", user.Tenants).end()
		o = o.addRaw("user", string(about))
	}
	return o.end()
}

func (c *call) rolesOf(clientID string) []string {
	if client := c.set.clients[clientID]; client != nil {
		return client.Roles
	}
	return nil
}

// format is the JSON text of a moment.
func (f ExpirationFormat) format(t time.Time) string {
	switch f {
	case ExpirationSeconds:
		return strconv.FormatInt(t.Unix(), 10)
	case ExpirationRFC3339:
		return strconv.Quote(t.UTC().Format(time.RFC3339))
	default:
		return strconv.FormatInt(t.UnixMilli(), 10)
	}
}
