package reltioauthtest

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// checkToken tells what a living access token is.
func (s *Server) checkToken(c *call) (answer, error) {
	if err := c.authenticate(); err != nil {
		return answer{}, err
	}
	text := c.token()
	if text == "" {
		return answer{}, invalidRequest("token is required")
	}
	c.req.Presented = reltioauth.Fingerprint(reltioauth.NewSecret(text))
	t := s.vault.access[c.req.Presented]
	if t == nil || !t.alive(c.now) {
		return answer{}, &refusal{
			status: orStatus(c.how.DeadTokenStatus, http.StatusBadRequest),
			code:   "invalid_token", text: "Token is invalid: " + text,
		}
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
