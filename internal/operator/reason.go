package operator

import (
	"net/http"
	"slices"
	"strings"
	"unicode"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// Reason is why an authorization server refused, as far as its response tells. It
// is for operators: the service's behaviour does not depend on it.
type Reason string

// The reasons.
const (
	// ReasonNone: the server did not refuse.
	ReasonNone Reason = ""
	// ReasonUnknown: it refused for an unknown reason.
	ReasonUnknown Reason = "unknown"

	ReasonUserLocked    Reason = "user_locked"
	ReasonUserDisabled  Reason = "user_disabled"
	ReasonUserExpired   Reason = "user_expired"
	ReasonPassword      Reason = "password"
	ReasonSecondFactor  Reason = "second_factor"
	ReasonRefreshToken  Reason = "refresh_token"
	ReasonClient        Reason = "client"
	ReasonClientAuth    Reason = "client_auth"
	ReasonGrantType     Reason = "grant_type"
	ReasonScope         Reason = "scope"
	ReasonRequest       Reason = "request"
	ReasonAuthURL       Reason = "auth_url"
	ReasonForbidden     Reason = "forbidden"
	ReasonThrottled     Reason = "throttled"
	ReasonServerTrouble Reason = "server_trouble"
)

// ReasonOf classifies a refusal by the OAuth error code (empty: there was none),
// the HTTP status (0: there was no response) and the server's description. It
// knows the texts of Spring Security OAuth2, the framework that Reltio's messages
// show, and those that Reltio documents, in any case.
func ReasonOf(code string, status int, description string) Reason {
	r := refusalWords{strings.ToLower(strings.TrimSpace(code)), status, strings.ToLower(description)}
	switch {
	case r.code == "" && status == 0:
		return ReasonNone
	case r.code == string(reltioauth.ErrMFARequired):
		return ReasonSecondFactor
	case status == http.StatusTooManyRequests || r.code == string(reltioauth.ErrRateLimited):
		return ReasonThrottled
	case status >= http.StatusInternalServerError || status == http.StatusRequestTimeout:
		return ReasonServerTrouble
	case status != 0 && status < http.StatusBadRequest,
		status == http.StatusNotFound, status == http.StatusMethodNotAllowed, status == http.StatusGone:
		return ReasonAuthURL // this server is no token endpoint
	}
	for _, of := range []func(refusalWords) Reason{aboutRequest, aboutRefreshToken, aboutUser, aboutClient} {
		if reason := of(r); reason != ReasonNone {
			return reason
		}
	}
	if status == http.StatusForbidden {
		return ReasonForbidden
	}
	return ReasonUnknown
}

// refusalWords are the texts of a refusal in small letters.
type refusalWords struct {
	code        string
	status      int
	description string
}

func (r refusalWords) is(codes ...reltioauth.ErrorCode) bool {
	return slices.Contains(codes, reltioauth.ErrorCode(r.code))
}

// says reports whether the description holds one of the texts.
func (r refusalWords) says(texts ...string) bool {
	return slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(r.description, text) })
}

// word reports whether the description holds the text as a whole word, and not as
// a part of another, like "blocked".
func (r refusalWords) word(word string) bool {
	return slices.Contains(strings.FieldsFunc(r.description, func(c rune) bool { return !unicode.IsLetter(c) }), word)
}

func aboutRequest(r refusalWords) Reason {
	switch {
	case r.is(reltioauth.ErrInvalidScope):
		return ReasonScope
	case r.is(reltioauth.ErrUnsupportedGrantType, reltioauth.ErrUnauthorizedClient),
		r.says("unauthorized grant type", "unsupported grant type"):
		return ReasonGrantType
	case r.is(reltioauth.ErrInvalidRequest):
		return ReasonRequest
	}
	return ReasonNone
}

func aboutRefreshToken(r refusalWords) Reason {
	if r.is(reltioauth.ErrInvalidToken) || r.says("refresh token") {
		return ReasonRefreshToken
	}
	return ReasonNone
}

// aboutUser: the framework sends these texts with 400 at a login; an older
// release with 401 at a refresh.
func aboutUser(r refusalWords) Reason {
	switch {
	case r.is(reltioauth.ErrInvalidClient):
		return ReasonNone
	case r.word("locked"):
		return ReasonUserLocked
	case r.word("disabled"):
		return ReasonUserDisabled
	case r.word("expired"):
		return ReasonUserExpired
	case r.is(reltioauth.ErrInvalidGrant), r.status == http.StatusBadRequest && r.says("bad credentials"), r.says("username or password"):
		return ReasonPassword
	}
	return ReasonNone
}

// aboutClient: a 401 is about the client, unless its text is not one of the
// framework's: then the server's store of users or clients fails.
func aboutClient(r refusalWords) Reason {
	switch {
	case r.says("full authentication is required"):
		return ReasonClientAuth
	case r.is(reltioauth.ErrInvalidClient):
		return ReasonClient
	case r.status != http.StatusUnauthorized:
		return ReasonNone
	case r.description == "" || r.description == "unauthorized" || r.says("bad credentials", "bad client credentials", "invalid client"):
		return ReasonClient
	}
	return ReasonServerTrouble
}

// advice is what an operator is told about a reason.
type advice struct {
	// what completes the sentence "Reltio says that".
	what string
	// do is what to do first, with NAME for the connection's name; "" if the
	// refusal passes by itself.
	do string
	// lasts says that the refusal does not pass by itself: the secret or a
	// setting at Reltio has to be changed.
	lasts bool
}

const (
	doRewrite = "reltio-tokens add NAME --force writes another secret, which is noticed within five minutes"
	doUser    = "ask an administrator of Reltio"
	doResume  = "; then, for the service to try at once: reltio-tokens resume NAME"
)

func (r Reason) advice() advice {
	switch r {
	case ReasonUserLocked:
		return advice{"the user is locked", doUser + " to unlock the user, and who else logs in as this user with a wrong password" + doResume, true}
	case ReasonUserDisabled:
		return advice{"the user is disabled", doUser + " to enable the user, or write another one into the secret" + doResume, true}
	case ReasonUserExpired:
		return advice{"the user, or the password, has expired", doUser + " to renew it, and write a new password into the secret: reltio-tokens add NAME --force", true}
	case ReasonPassword:
		return advice{"the user name or the password is wrong", "log in at Reltio with both by hand, once; then " + doRewrite, true}
	case ReasonSecondFactor:
		return advice{"the user needs a second factor", "use client_credentials or authorization_code, or give the secret of the user's authenticator: totp_secret", true}
	case ReasonRefreshToken:
		return advice{"the refresh token is of no use any more", "a password connection logs in by itself; for authorization_code: reltio-tokens connect NAME", false}
	case ReasonClient:
		return advice{"it does not know the client, or the client secret is wrong", "look whether the client is there at this auth_url, and what its secret is; then " + doRewrite, true}
	case ReasonClientAuth:
		return advice{"it saw no credentials of the client", "set client_auth in the secret to the style that the client is registered with, basic or post", true}
	case ReasonGrantType:
		return advice{"the client may not use this grant type", doUser + " to allow the client the grant type, or use a client that has it" + doResume, true}
	case ReasonScope:
		return advice{"the client may not have this scope", "take scope out of the secret, or name one that the client has; " + doRewrite, true}
	case ReasonRequest:
		return advice{"something in the request is wrong", "look at token_params, scope and client_auth in the secret; " + doRewrite, true}
	case ReasonAuthURL:
		return advice{"there is no token endpoint: something else answers", "is auth_url right? It is the authorization server's, not the tenant's; " + doRewrite, true}
	case ReasonForbidden:
		return advice{"the request is forbidden", "look at what stands between rotate and Reltio (proxy, firewall), and ask Reltio whether rotate's address is let in", false}
	case ReasonThrottled:
		return advice{"there are too many requests", "", false}
	case ReasonServerTrouble:
		return advice{"it is in trouble itself, which says nothing about the credentials", "it passes by itself; if it lasts, ask Reltio", false}
	case ReasonUnknown:
		return advice{"it refuses, in words that are not known", "look at what it says, and at the user, the client and auth_url", true}
	default:
		return advice{}
	}
}

// What says what the server means, in fixed words; "" for ReasonNone.
func (r Reason) What() string { return r.advice().what }

// Do says what to do first about a connection; "" if there is nothing to do.
func (r Reason) Do(name string) string { return strings.ReplaceAll(r.advice().do, "NAME", name) }

// Lasts reports whether the refusal does not pass by itself.
func (r Reason) Lasts() bool { return r.advice().lasts }
