package renewal

import (
	"errors"
	"strconv"

	"github.com/reltio-tokens/reltio-tokens/internal/fault"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// verdict is how an answer to a token request is read.
type verdict int

const (
	// accepted: there is a token.
	accepted verdict = iota
	// refusedCredentials: of the user or the client.
	refusedCredentials
	// deadRefreshToken: the refresh token is of no use any more.
	deadRefreshToken
	// misconfigured: the server does not know what the secret asks for.
	misconfigured
	// secondFactor: the user needs one.
	secondFactor
	// throttled: 429.
	throttled
	// unavailable: everything else; it says nothing about the credentials.
	unavailable
)

// judge reads an answer: the one table of what a server's words mean.
func judge(k kind, err error) verdict {
	is := func(codes ...reltioauth.ErrorCode) bool {
		for _, code := range codes {
			if errors.Is(err, code) {
				return true
			}
		}
		return false
	}
	switch {
	case err == nil:
		return accepted
	case is(reltioauth.ErrInvalidClient, reltioauth.ErrUnauthorized, reltioauth.ErrUnauthorizedClient):
		return refusedCredentials
	case is(reltioauth.ErrInvalidGrant) && k == login:
		return refusedCredentials
	case is(reltioauth.ErrInvalidGrant, reltioauth.ErrInvalidToken) && k == refresh:
		return deadRefreshToken
	case is(reltioauth.ErrInvalidRequest, reltioauth.ErrInvalidScope, reltioauth.ErrUnsupportedGrantType):
		return misconfigured
	case is(reltioauth.ErrMFARequired):
		return secondFactor
	case is(reltioauth.ErrRateLimited):
		return throttled
	default:
		return unavailable
	}
}

// staysCounted reports whether a counted login counts on after the answer: if
// it was refused, and, where a user can be locked, if nobody saw what became of
// it: there was no answer, or one that broke off and whose status may be that of
// a refusal.
func staysCounted(v verdict, err error, user bool) bool {
	if v == refusedCredentials || !user {
		return v == refusedCredentials
	}
	var e *reltioauth.Error
	if !errors.As(err, &e) || !e.Sent {
		return false
	}
	return !e.Answered() || e.CutOff() && e.StatusCode/100 == 4
}

// success reports whether the server answered with a success, of use or not.
func success(err error) bool {
	var e *reltioauth.Error
	return err == nil || errors.As(err, &e) && e.StatusCode/100 == 2
}

// outage is the error of an answer that says nothing, in words of our own.
func outage(err error) *fault.Error {
	var e *reltioauth.Error
	switch {
	case !errors.As(err, &e) || !e.Answered():
		return fault.Wrap(fault.ReltioUnavailable, "Reltio did not answer", err)
	case errors.Is(err, reltioauth.ErrInvalidResponse):
		return fault.Wrap(fault.ReltioUnavailable, "Reltio's answer has no usable token", err)
	default:
		return fault.Wrap(fault.ReltioUnavailable, "Reltio answered with status "+strconv.Itoa(e.StatusCode), err)
	}
}

// serverSays is the error of a connection that the server does not know how to
// serve. The code is one of the RFC's words, never the server's text.
func serverSays(err error) *fault.Error {
	var e *reltioauth.Error
	if !errors.As(err, &e) {
		return fault.Wrap(fault.InvalidConnection, "server: refused", err)
	}
	return fault.Wrap(fault.InvalidConnection, "server: "+string(e.Code), err)
}
