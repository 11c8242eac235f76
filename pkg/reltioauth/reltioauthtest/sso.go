package reltioauthtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// authorizationRequest is a valid one (RFC 6749, section 4.1.1).
type authorizationRequest struct {
	client      *Client
	redirectURI string
	state       string
	scope       string
	challenge   string
}

// carried are the parameters that the login page passes on.
func carried() []string {
	return []string{
		"tenant_id", "response_type", "client_id", "redirect_uri", "state",
		"scope", "code_challenge", "code_challenge_method",
	}
}

// ssoPage shows the login page.
func (s *Server) ssoPage(c *call) (answer, error) {
	r, a := c.authorizationRequest(c.query)
	if r == nil {
		return a, nil
	}
	if user := s.signed[c.session]; user != "" && c.how.SingleSignOn {
		c.req.User = user
		return s.sendBack(c, r)
	}
	return s.showPage(c.query, http.StatusOK, "", OutcomeOK)
}

// ssoLogin handles the login page's form, and sends the browser back to the
// client.
func (s *Server) ssoLogin(c *call) (answer, error) {
	r, a := c.authorizationRequest(c.form)
	if r == nil {
		return a, nil
	}
	if c.form.Get("action") == "cancel" {
		return r.redirect(c, url.Values{
			"error":             {"access_denied"},
			"error_description": {"The user has cancelled"},
		}, "access_denied"), nil
	}
	if _, err := s.checkPassword(c); err != nil {
		var refused *refusal
		if !errors.As(err, &refused) {
			return answer{}, err
		}
		return s.showPage(c.form, http.StatusUnauthorized, refused.text, Outcome(refused.code))
	}
	s.login(c.req.User).bad = 0
	a, err := s.sendBack(c, r)
	if err != nil || !c.how.SingleSignOn {
		return a, err
	}
	return a, s.stayLoggedIn(c, a)
}

// sendBack sends the browser of a user who is logged in back with a code.
func (s *Server) sendBack(c *call, r *authorizationRequest) (answer, error) {
	code, err := s.newCode(c, r)
	if err != nil {
		return answer{}, err
	}
	return r.redirect(c, url.Values{"code": {code.Reveal()}}, OutcomeOK), nil
}

// sessionCookie names the cookie of a browser that stays logged in.
const sessionCookie = "sandbox-session"

// stayLoggedIn gives the browser a session cookie.
func (s *Server) stayLoggedIn(c *call, a answer) error {
	session, err := c.mint()
	if err != nil {
		return err
	}
	s.signed[reltioauth.Fingerprint(session)] = c.req.User
	cookie := http.Cookie{ //nolint:gosec // the sandbox speaks plain HTTP on loopback
		Name: sessionCookie, Value: session.Reveal(), Path: pathSSO, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
	a.header.Set("Set-Cookie", cookie.String())
	return nil
}

// sessionOf is the fingerprint of the browser's session cookie.
func sessionOf(r *http.Request) string {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return ""
	}
	return reltioauth.Fingerprint(reltioauth.NewSecret(cookie.Value))
}

// authorizationRequest reads the parameters. If they are not valid it returns nil
// and the response: a page if it is unknown where the browser may be sent, else a
// redirect.
func (c *call) authorizationRequest(from url.Values) (*authorizationRequest, answer) {
	r := &authorizationRequest{
		client:      c.set.clients[from.Get("client_id")],
		redirectURI: from.Get("redirect_uri"), state: from.Get("state"), scope: from.Get("scope"),
	}
	switch {
	case c.fault.Kind == FaultClientStore:
		return nil, badRequestPage(http.StatusInternalServerError, c.fault.text("client store is down"))
	case r.client == nil:
		status := http.StatusBadRequest
		if c.how.Errors.framework() {
			status = http.StatusUnauthorized
		}
		return nil, badRequestPage(status, "unknown client")
	case !r.client.mayRedirect(r.redirectURI):
		return nil, badRequestPage(http.StatusBadRequest, "redirect_uri is missing or not registered")
	case strings.TrimSpace(r.state) == "":
		return nil, badRequestPage(http.StatusBadRequest, "state must not be blank")
	}
	c.req.ClientID = r.client.ID
	c.how = c.set.behaviour(r.client.ID)
	if c.provesCodes(r.client) {
		r.challenge = from.Get("code_challenge")
	}
	if c.how.Errors.framework() && !r.client.mayUse(grantAuthorizationCode) {
		return nil, badRequestPage(http.StatusBadRequest, "the client may not use this grant type")
	}
	code, text := r.wrong(from)
	if code == "" {
		return r, answer{}
	}
	return nil, r.redirect(c, url.Values{"error": {code}, "error_description": {text}}, Outcome(code))
}

// wrong is the error that the client is told about its request.
func (r *authorizationRequest) wrong(from url.Values) (code, text string) {
	switch {
	case from.Get("response_type") != "code":
		return "unsupported_response_type", "response_type must be code"
	case from.Get("tenant_id") == "":
		return "invalid_request", "tenant_id is required"
	case r.challenge == "" && r.client.RequirePKCE:
		return "invalid_request", "code_challenge is required"
	case r.challenge != "" && from.Get("code_challenge_method") != "S256":
		return "invalid_request", "code_challenge_method must be S256"
	case !r.client.mayUse(grantAuthorizationCode):
		return "unauthorized_client", "the client may not use this grant type"
	}
	if _, unknown := r.client.granted(r.scope); unknown != "" {
		return "invalid_scope", "the client may not have this scope"
	}
	return "", ""
}

// mayUse reports whether the client may use the grant type.
func (client *Client) mayUse(grantType string) bool {
	return len(client.GrantTypes) == 0 || slices.Contains(client.GrantTypes, grantType)
}

// mayRedirect reports whether the browser may be sent to the URI.
func (client *Client) mayRedirect(uri string) bool {
	u, err := url.Parse(uri)
	if err != nil || !u.IsAbs() || u.Host == "" || u.Fragment != "" {
		return false
	}
	return len(client.RedirectURIs) == 0 || slices.Contains(client.RedirectURIs, uri)
}

// redirect sends the browser back to the client.
func (r *authorizationRequest) redirect(c *call, values url.Values, outcome Outcome) answer {
	values.Set("state", r.state)
	if c.how.Issuer != "" {
		values.Set("iss", c.how.Issuer)
	}
	join := "?"
	if strings.Contains(r.redirectURI, "?") {
		join = "&"
	}
	status := http.StatusFound
	if c.method == http.MethodPost {
		status = http.StatusSeeOther
	}
	return answer{
		status: status, outcome: outcome,
		header: http.Header{"Location": {r.redirectURI + join + values.Encode()}},
	}
}

// Authorize does what a person with a browser does: it opens the authorization
// URL, logs in with the user's right password, and is sent back. The result is
// the redirection URL with its code and state, or with the server's error for the
// client. An error means that the browser was not sent back; it does not repeat
// the URL.
func (s *Server) Authorize(ctx context.Context, authorizationURL, username string) (string, error) {
	u, err := url.Parse(authorizationURL)
	if err != nil || u.Path != pathSSO {
		return "", errors.New("authorize: not an authorization URL")
	}
	form := u.Query()
	form.Set("username", username)
	if user := s.settings.Load().users[userKey(username)]; user != nil {
		form.Set("password", user.Password.Reveal())
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, pathLogin, strings.NewReader(form.Encode()))
	if err != nil {
		return "", fmt.Errorf("authorize: %w", err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := newMemoryWriter()
	s.ServeHTTP(w, request)
	if location := w.header.Get("Location"); location != "" {
		return location, nil
	}
	return "", fmt.Errorf("authorize: the login page answers %d", w.status)
}

// field is a hidden field of the login page.
type field struct{ Name, Value string }

// showPage is the login page, with a message if there is one.
func (s *Server) showPage(from url.Values, status int, message string, outcome Outcome) (answer, error) {
	data := struct {
		Action, Client, Note, Message string
		Fields                        []field
	}{Action: pathLogin, Client: from.Get("client_id"), Note: s.settings.Load().LoginNote, Message: message}
	for _, name := range carried() {
		if from.Has(name) {
			data.Fields = append(data.Fields, field{name, from.Get(name)})
		}
	}
	var page bytes.Buffer
	if err := s.page.Execute(&page, data); err != nil {
		return answer{}, fmt.Errorf("login page: %w", err)
	}
	return htmlAnswer(status, page.Bytes(), outcome), nil
}

func badRequestPage(status int, text string) answer {
	page := "<!DOCTYPE html><html lang=\"en\"><head><title>Bad request</title></head><body><main><h1>Bad request</h1><p>" +
		text + "</p></main></body></html>"
	return htmlAnswer(status, []byte(page), "invalid_request")
}

// htmlAnswer is a page. Its policy names no form-action, because browsers would
// apply it to the redirect after the form, too.
func htmlAnswer(status int, page []byte, outcome Outcome) answer {
	return answer{status: status, contentType: contentHTML, body: page, outcome: outcome, header: http.Header{
		"Content-Security-Policy": {"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"},
		"Referrer-Policy":         {"no-referrer"},
		"X-Content-Type-Options":  {"nosniff"},
	}}
}

// loginPage is the template of the login page.
const loginPage = `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Log in (sandbox)</title>
<style>
:root { color-scheme: light dark; --ground: #fff; --text: #1d2430; --line: #5b6474; --go: #0b5c8f; --on-go: #fff; --bad: #a3161f; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #15181e; --text: #e6eaf1; --line: #97a1b3; --go: #7cc4f0; --on-go: #08202f; --bad: #ff9a9a; }
}
body { font: 1rem/1.5 system-ui, "DejaVu Sans", sans-serif; margin: 0; padding: 8vh 1.25rem; background: var(--ground); color: var(--text); }
main { max-width: 22rem; margin: 0 auto; }
h1 { font-size: 1.6rem; margin: 0 0 .75rem; }
label, input { display: block; width: 100%; box-sizing: border-box; }
input { font: inherit; color: inherit; background: transparent; margin: .2rem 0 1rem; padding: .5rem; border: 1px solid var(--line); border-radius: .3rem; }
button { font: inherit; padding: .5rem 1.4rem; margin-right: .5rem; border: 1px solid var(--line); border-radius: .3rem; background: transparent; color: inherit; }
button[value=login] { background: var(--go); border-color: var(--go); color: var(--on-go); }
:focus-visible { outline: 3px solid var(--go); outline-offset: 2px; }
[role=alert] { color: var(--bad); }
</style>
</head>
<body>
<main>
<h1>Log in</h1>
<p>This is a sandbox, not Reltio. The client <b>{{.Client}}</b> asks for access in your name.</p>
{{with .Note}}<p>{{.}}</p>
{{end}}{{with .Message}}<p role="alert">{{.}}</p>
{{end -}}
<form method="post" action="{{.Action}}">
{{range .Fields}}<input type="hidden" name="{{.Name}}" value="{{.Value}}">
{{end -}}
<label for="username">User name</label>
<input id="username" name="username" autocomplete="username" autocapitalize="none" spellcheck="false" autofocus>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password">
<button name="action" value="login">Log in</button>
<button name="action" value="cancel">Cancel</button>
</form>
</main>
</body>
</html>
`
