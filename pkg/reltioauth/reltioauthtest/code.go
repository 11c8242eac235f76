package reltioauthtest

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"time"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// code is an authorization code that was given to a browser.
type code struct {
	client      string
	user        string
	redirectURI string
	scope       string // as asked for
	challenge   string // S256; empty without PKCE
	ends        time.Time
	used        bool
	key         grantKey // of the tokens that it gave
	family      family
}

// newCode makes a code for a user who has just logged in.
func (s *Server) newCode(c *call, r *authorizationRequest) (reltioauth.Secret, error) {
	secret, err := c.mintCode()
	if err != nil {
		return reltioauth.Secret{}, err
	}
	s.codes[reltioauth.Fingerprint(secret)] = &code{
		client: r.client.ID, user: c.req.User, redirectURI: r.redirectURI, scope: r.scope,
		challenge: r.challenge, ends: c.now.Add(c.set.CodeTTL),
	}
	return secret, nil
}

// codeGrant exchanges a code (RFC 6749, section 4.1.3). The first attempt uses
// the code up, right or wrong, unless the server behaves otherwise.
func (s *Server) codeGrant(c *call) (answer, error) {
	text := c.form.Get("code")
	if text == "" {
		return answer{}, c.missing("code")
	}
	c.req.Presented = reltioauth.Fingerprint(reltioauth.NewSecret(text))
	found := s.codes[c.req.Presented]
	foreign := found != nil && found.client != c.client.ID
	if found == nil || !c.now.Before(found.ends) || (foreign && c.how.Errors == DocumentedErrors) {
		return answer{}, c.invalidCode(text)
	}
	c.req.User = found.user
	if found.used && !c.how.CodeReusable {
		s.reused(c, found)
		return answer{}, c.invalidCode(text)
	}
	found.used = !c.how.CodeSurvivesFailure
	switch {
	case found.redirectURI != c.form.Get("redirect_uri"):
		return answer{}, invalidGrant("Redirect URI mismatch.")
	case foreign:
		return answer{}, invalidClient("Client ID mismatch")
	case c.provesCodes(c.client) && !found.proves(c.form.Get("code_verifier")):
		return answer{}, invalidGrant("Invalid code verifier")
	}
	return s.exchange(c, found)
}

// reused revokes the tokens of a code that comes a second time, if the server does
// that (RFC 6749, section 4.1.2).
func (s *Server) reused(c *call, found *code) {
	g := s.tokens.grants[found.key]
	if c.how.CodeReuseRevokes && found.family != 0 && g != nil {
		s.tokens.dropFamily(g, found.family, c.how)
	}
}

// provesCodes reports whether the server checks code challenges for the client.
func (c *call) provesCodes(client *Client) bool { return c.how.HonourPKCE || client.RequirePKCE }

// exchange gives the tokens for the code.
func (s *Server) exchange(c *call, found *code) (answer, error) {
	found.used = true
	scope, err := c.scope(found.scope)
	if err != nil {
		return answer{}, err
	}
	found.key = grantKey{client: found.client, user: found.user, scope: scope}
	a, fam, err := s.logIn(c, found.key, c.how.Code, c.how.CodeRefreshToken)
	found.family = fam
	return a, err
}

// proves reports whether the verifier belongs to the code's challenge (RFC
// 7636, section 4.6).
func (found *code) proves(verifier string) bool {
	if found.challenge == "" {
		return verifier == ""
	}
	sum := sha256.Sum256([]byte(verifier))
	got := base64.RawURLEncoding.EncodeToString(sum[:])
	return subtle.ConstantTimeCompare([]byte(got), []byte(found.challenge)) == 1
}
