package renewal

import (
	"errors"
	"net/http"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lockout"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// verdict is what the response to a token request means.
type verdict int

const (
	// accepted: there is a token.
	accepted verdict = iota
	// refusedUser: a user's login was refused, which brings the user nearer to
	// a lockout.
	refusedUser
	// unclearUser: a user's login was neither accepted nor refused: the client
	// was refused, or a proxy or firewall answered, or the server's user store
	// failed.
	unclearUser
	// refusedClient: a login without a user was refused.
	refusedClient
	// unclear: a request that cannot lock a user was refused without a definite
	// reason.
	unclear
	// inactiveRefreshToken: the refresh token is expired or revoked.
	inactiveRefreshToken
	// misconfigured: the server does not support what the secret requests.
	misconfigured
	// secondFactor: the user needs a second factor.
	secondFactor
	// throttled: 429.
	throttled
	// unavailable: any other response, or none; it shows nothing about the
	// credentials.
	unavailable
)

// judge reads a response: the one table of what responses mean. A user's login
// is refused by the status 400, whatever the body says: the framework sends it
// for a wrong, locked, disabled or expired user, and otherwise only for a
// malformed request.
func judge(k kind, user bool, err error) verdict {
	var e *reltioauth.Error
	switch {
	case err == nil:
		return accepted
	case !errors.As(err, &e):
		return unavailable
	}
	switch e.Code {
	case reltioauth.ErrInvalidRequest, reltioauth.ErrInvalidScope, reltioauth.ErrUnsupportedGrantType:
		return misconfigured
	case reltioauth.ErrMFARequired:
		return secondFactor
	case reltioauth.ErrRateLimited:
		return throttled
	}
	switch {
	case !refuses(e):
		return unavailable
	case k == refresh:
		return judgeRefresh(e)
	case user && e.StatusCode == http.StatusBadRequest:
		return refusedUser
	case user:
		return unclearUser
	}
	return judgeClient(e)
}

// down reports whether the server did not respond: not at all or not in time, with a
// 5xx, or with a success that cannot be read. A refusal that breaks off is a response,
// and so is the demand for a second factor.
func down(err error) bool {
	var e *reltioauth.Error
	switch {
	case err == nil, errors.Is(err, errInactive):
		return false
	case !errors.As(err, &e), !e.Answered():
		return true
	case e.Code == reltioauth.ErrMFARequired:
		return false
	}
	return e.StatusCode/100 == 5 || e.StatusCode/100 == 2 || e.StatusCode == http.StatusRequestTimeout
}

// refuses reports whether a response is complete and is a refusal.
func refuses(e *reltioauth.Error) bool {
	return e.StatusCode/100 == 4 && e.StatusCode != http.StatusRequestTimeout && !e.CutOff()
}

func judgeRefresh(e *reltioauth.Error) verdict {
	inactive := e.StatusCode == http.StatusBadRequest && e.Code == reltioauth.ErrInvalidGrant ||
		e.StatusCode == http.StatusUnauthorized && e.Code == reltioauth.ErrInvalidToken
	if inactive {
		return inactiveRefreshToken
	}
	return unclear
}

func judgeClient(e *reltioauth.Error) verdict {
	switch {
	case e.StatusCode == http.StatusUnauthorized:
		return refusedClient
	case e.Code == reltioauth.ErrInvalidClient, e.Code == reltioauth.ErrUnauthorized, e.Code == reltioauth.ErrUnauthorizedClient:
		return refusedClient
	}
	return unclear
}

// outcomeOf is the outcome of a counted login; false if its response was not
// seen, so that it stays counted: there was none, or it broke off and its
// status may be that of a refusal.
func outcomeOf(v verdict, err error) (lockout.Outcome, bool) {
	switch v {
	case accepted:
		return lockout.Accepted, true
	case refusedUser:
		return lockout.Refused, true
	case unclearUser:
		return lockout.Unclear, true
	}
	var e *reltioauth.Error
	if v != unavailable || !errors.As(err, &e) || !e.Sent {
		return lockout.Nothing, true
	}
	unseen := !e.Answered() || e.CutOff() && e.StatusCode/100 == 4
	return lockout.Nothing, !unseen
}

// success reports whether the server's response was a success, whether or not
// its token can be used.
func success(err error) bool {
	var e *reltioauth.Error
	return err == nil || errors.As(err, &e) && e.StatusCode/100 == 2
}

// refusalOf is what the server said when it refused.
func refusalOf(err error) grant.Refusal {
	var e *reltioauth.Error
	if !errors.As(err, &e) || !e.Answered() {
		return grant.Refusal{}
	}
	r := grant.Refusal{Status: e.StatusCode, Description: e.Description}
	if e.Permanent() { // other codes come from package reltioauth and not from the server
		r.Code = string(e.Code)
	}
	return r
}

// refusedText is the message of refused credentials: of a user, or of a client.
// Without a refusal it says that a user's logins have stopped because no
// response was seen. Like all texts of refusals it ends with the server's OAuth
// code and the status, and has no other text of the server's.
func refusedText(user bool, r grant.Refusal, stopped bool) string {
	if r.Status == 0 {
		return "no response to the last logins was seen; stopped to prevent a lock-out"
	}
	text := "Reltio refused the user or the client"
	switch reltioauth.ErrorCode(r.Code) {
	case reltioauth.ErrInvalidGrant:
		text = "Reltio refused the user"
	case reltioauth.ErrInvalidClient, reltioauth.ErrUnauthorized, reltioauth.ErrUnauthorizedClient:
		text = "Reltio refused the client"
	}
	if !user {
		text = "Reltio refused the client"
	}
	if stopped && user {
		text += "; stopped to prevent a lock-out"
	}
	return text + " " + r.String()
}

// unclearText is the message of an unclear refusal.
func unclearText(what string, r grant.Refusal) string {
	return "Reltio neither accepted nor clearly refused the " + what + " " + r.String()
}

// outage is the error of a server that gave no usable response.
func outage(err error) *apierr.Error {
	var e *reltioauth.Error
	if !errors.As(err, &e) {
		return apierr.Wrap(apierr.ReltioUnavailable, "Reltio gave no token", err)
	}
	return apierr.Wrap(apierr.ReltioUnavailable, "Reltio gave no token: "+e.Reason(), err)
}

// serverSays is the error of a connection whose request the server does not
// support. The code is one of the RFC's words, never the server's text.
func serverSays(err error) *apierr.Error {
	var e *reltioauth.Error
	if !errors.As(err, &e) {
		return apierr.Wrap(apierr.InvalidConnection, "server: refused", err)
	}
	return apierr.Wrap(apierr.InvalidConnection, "server: "+string(e.Code), err)
}
