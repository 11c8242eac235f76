package reltioauthtest

import (
	"fmt"
	"net/http"
)

// refusal is an error that is a response. Its text may repeat the request, as
// Reltio's does, and is sent only to the caller.
type refusal struct {
	status     int
	code       string
	text       string
	header     http.Header
	scheme     scheme
	more       map[string]string // further fields of the body
	management bool              // {"errorCode":…,"errorMessage":…}
	boot       bool              // Spring Boot's error object
	outcome    Outcome           // if it is not the code
}

// scheme is the first word of WWW-Authenticate.
type scheme string

// The schemes: for the client in the header, for the client in the form, and for
// the endpoint behind them.
const (
	schemeBasic  scheme = "Basic"
	schemeForm   scheme = "Form"
	schemeBearer scheme = "Bearer"
)

// Error implements error without the text.
func (r *refusal) Error() string { return r.code }

func invalidRequest(text string) error {
	return &refusal{status: http.StatusBadRequest, code: "invalid_request", text: text}
}

func invalidGrant(text string) error {
	return &refusal{status: http.StatusBadRequest, code: "invalid_grant", text: text}
}

// invalidClient is a 401 of the token endpoint itself about a client that has
// authenticated.
func invalidClient(text string) error {
	return &refusal{status: http.StatusUnauthorized, code: "invalid_client", text: text, scheme: schemeBearer}
}

func invalidToken(status int, text string) error {
	return &refusal{status: status, code: "invalid_token", text: text, scheme: schemeBearer}
}

// repeating is text, with the refused value after it if the server repeats that.
func (c *call) repeating(text, sent string) string {
	if c.how.Errors.repeats() {
		return text + ": " + sent
	}
	return text
}

// unauthorized refuses a request that names no client.
func (c *call) unauthorized() error {
	return c.atEntryPoint("Full authentication is required to access this resource")
}

// atEntryPoint is the refusal of the entry point for the Basic header.
func (c *call) atEntryPoint(text string) error {
	return &refusal{
		status: http.StatusUnauthorized, code: "unauthorized", text: text, scheme: schemeBasic,
		boot: c.how.NoEntryPoint,
	}
}

// badClient refuses the client's credentials, in the header or in the form.
func (c *call) badClient() error {
	switch {
	case c.how.Errors == DocumentedErrors:
		return &refusal{status: http.StatusUnauthorized, code: "invalid_client", text: "Bad client credentials", scheme: schemeBasic}
	case c.hasBasic:
		return c.atEntryPoint("Bad credentials")
	default:
		return &refusal{status: http.StatusUnauthorized, code: "invalid_client", text: "Bad client credentials", scheme: schemeForm}
	}
}

// clientStoreDown refuses every client: the framework says 401 when it cannot
// read its clients, with the exception's text.
func (c *call) clientStoreDown() error {
	if !c.hasBasic {
		return &refusal{
			status: http.StatusUnauthorized, code: "unauthorized", text: c.fault.text("client store is down"), scheme: schemeForm,
		}
	}
	return c.atEntryPoint(c.fault.text("client store is down"))
}

// userStoreDown refuses a login or a refresh when the server cannot read its
// users.
func (c *call) userStoreDown() error {
	if c.req.GrantType == grantRefreshToken && c.how.ServerErrorAtRefresh {
		return &refusal{status: http.StatusInternalServerError, code: "server_error", text: "Internal Server Error"}
	}
	return userUnauthorized(c.fault.text("user store is down: connection refused"))
}

// userUnauthorized is the framework's 401 about a user.
func userUnauthorized(text string) error {
	return &refusal{status: http.StatusUnauthorized, code: "unauthorized", text: text, scheme: schemeBearer}
}

// badCredentials refuses a user name or password.
func (c *call) badCredentials() error {
	switch {
	case c.how.BadCredentialsText != "":
		return invalidGrant(c.how.BadCredentialsText)
	case c.how.Errors == DocumentedErrors:
		return invalidGrant("Invalid Username or Password")
	default:
		return invalidGrant("Bad credentials")
	}
}

// badState refuses a user who may not log in.
func (c *call) badState(state UserState) error {
	text := state.text()
	if state == UserLocked && c.how.LockedText != "" {
		text = c.how.LockedText
	}
	if c.req.GrantType == grantRefreshToken && c.how.Errors == Framework23Errors {
		return userUnauthorized(text)
	}
	return invalidGrant(text)
}

// missing refuses a request without the parameters that its grant type needs.
func (c *call) missing(names string) error { return invalidRequest(names + " is required") }

// missingToken refuses a checkToken request without a token.
func (c *call) missingToken() error {
	return &refusal{
		status: http.StatusBadRequest, code: "invalid_request", text: "token is required", boot: c.how.Errors.framework(),
	}
}

func (c *call) badGrantType() error {
	text := c.repeating("Unauthorized grant type", c.req.GrantType)
	if c.how.Errors == DocumentedErrors {
		return &refusal{status: http.StatusBadRequest, code: "unauthorized_client", text: text}
	}
	return invalidClient(text)
}

// invalidRefreshToken is the response to a refresh token that is unknown, revoked or
// used up.
func (c *call) invalidRefreshToken(token string) error {
	text := c.repeating("Invalid refresh token", token)
	if c.how.DeadRefreshStatus == http.StatusUnauthorized {
		return invalidToken(http.StatusUnauthorized, text)
	}
	return invalidGrant(text)
}

// foreignRefreshToken is the response to another client's refresh token.
func (c *call) foreignRefreshToken(token string) error {
	if c.how.Errors == DocumentedErrors {
		return c.invalidRefreshToken(token)
	}
	return invalidGrant(c.repeating("Wrong client for this refresh token", token))
}

// expiredRefreshToken is the response to an expired refresh token.
func (c *call) expiredRefreshToken(token string) error {
	if c.how.Errors == DocumentedErrors || c.how.DeadRefreshStatus == http.StatusBadRequest {
		return c.invalidRefreshToken(token)
	}
	return invalidToken(http.StatusUnauthorized, c.repeating("Invalid refresh token (expired)", token))
}

func (c *call) invalidCode(code string) error {
	return invalidGrant(c.repeating("Invalid authorization code", code))
}

// invalidToken is checkToken's response to an access token that is not valid.
// expired says that the server still knows it.
func (c *call) invalidToken(token string, expired bool) error {
	status := orStatus(c.how.DeadTokenStatus, http.StatusBadRequest)
	switch {
	case c.how.Errors == DocumentedErrors:
		return invalidToken(status, "Token is invalid: "+token)
	case expired:
		return invalidToken(status, "Token has expired")
	default:
		return invalidToken(status, "Token was not recognised")
	}
}

// checkDenied refuses checkToken to a client that has authenticated.
func checkDenied() error {
	return &refusal{status: http.StatusForbidden, code: "access_denied", text: "Forbidden", boot: true}
}

// badMethod refuses an HTTP method.
func (c *call) badMethod(allowed string) error {
	return &refusal{
		status: http.StatusMethodNotAllowed, code: "method_not_allowed",
		text: "Request method '" + c.method + "' not supported", header: http.Header{"Allow": {allowed}},
		boot: c.how.Errors.framework() && c.req.Op != OpToken,
	}
}

// challenge is the value of WWW-Authenticate, empty without one.
func (c *call) challenge(r *refusal) string {
	switch {
	case r.status != http.StatusUnauthorized || r.scheme == "":
		return ""
	case c.how.Errors == DocumentedErrors:
		return `Basic realm="oauth"`
	case r.boot:
		return `Basic realm="oauth2/client"`
	case r.scheme == schemeBearer:
		return fmt.Sprintf(`Bearer error=%q, error_description=%q`, r.code, r.text)
	default:
		return fmt.Sprintf(`%s realm="oauth2/client", error=%q, error_description=%q`, r.scheme, r.code, r.text)
	}
}
