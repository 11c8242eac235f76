// Package apierr names every failure that callers can get.
//
// A caller of the issue function gets an errorType and a message; the rotate
// function returns the same pair, and a grant stores it as its last error. The
// types are a closed list, and each message is written in one place. Neither
// holds a secret: a message is made of field names, numbers and fixed words,
// never of what a server or an operator wrote.
//
//	err := apierr.New(apierr.InvalidConnection, "grant_type: is missing")
//	apierr.Of(err).Type // InvalidConnection
//
// Nothing here blocks or fails.
package apierr

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Type is an errorType: the word that callers, Step Functions and stored grants
// use for a kind of failure.
type Type string

// The types. Retry says whether the same call can succeed without a person
// changing something.
const (
	// InvalidRequest: the request is malformed. Retry: no.
	InvalidRequest Type = "InvalidRequest"
	// UnknownConnection: there is no secret of that name. Retry: no.
	UnknownConnection Type = "UnknownConnection"
	// AccessDenied: the invoked alias may not have this connection. Retry: no.
	AccessDenied Type = "AccessDenied"
	// InvalidConnection: the connection's secret is malformed, or Reltio does
	// not know what it asks for. Retry: no.
	InvalidConnection Type = "InvalidConnection"
	// CredentialsRejected: Reltio refused the credentials. Retry: no.
	CredentialsRejected Type = "CredentialsRejected"
	// MFARequired: the user needs a second factor. Retry: no.
	MFARequired Type = "MFARequired"
	// ReauthorizationRequired: a person must log in. Retry: no.
	ReauthorizationRequired Type = "ReauthorizationRequired"
	// ConnectionPaused: an operator paused it and it has no valid token. Retry:
	// no.
	ConnectionPaused Type = "ConnectionPaused"
	// TokenLimitReached: the client's cap of Multi Token Support. Retry: later.
	TokenLimitReached Type = "TokenLimitReached"
	// RateLimited: the rate limit, a 429, or a throttled function. Retry: yes.
	RateLimited Type = "RateLimited"
	// ReltioUnavailable: network, 5xx or an unreadable response. Retry: yes.
	ReltioUnavailable Type = "ReltioUnavailable"
	// StoreUnavailable: DynamoDB, Secrets Manager or Lambda failing. Retry: yes.
	StoreUnavailable Type = "StoreUnavailable"
	// Internal: a defect; the message is a request id. Retry: yes.
	Internal Type = "Internal"
)

// Known reports whether t is one of the types above.
func (t Type) Known() bool {
	switch t {
	case InvalidRequest, UnknownConnection, AccessDenied, InvalidConnection, CredentialsRejected,
		MFARequired, ReauthorizationRequired, ConnectionPaused, TokenLimitReached,
		RateLimited, ReltioUnavailable, StoreUnavailable, Internal:
		return true
	default:
		return false
	}
}

// Error is a failure as callers get it.
type Error struct {
	Type Type
	// Message is safe to show to callers.
	Message string
	// cause is for errors.Is and errors.As inside the process; it is never
	// printed, because what it holds is not known to be safe.
	cause error
}

// New makes an error of the type; the message must be safe to show.
func New(t Type, message string) *Error { return &Error{Type: t, Message: message} }

// Wrap is New with a cause that callers inside the process can look for.
func Wrap(t Type, message string, cause error) *Error {
	return &Error{Type: t, Message: message, cause: cause}
}

// Error implements error; it prints type and message and never the cause.
func (e *Error) Error() string {
	if e.Message == "" {
		return string(e.Type)
	}
	return string(e.Type) + ": " + e.Message
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.cause }

// Limited is RateLimited with the message that tells how long to wait, in whole
// seconds rounded up, at least one.
func Limited(wait time.Duration) *Error {
	seconds := max(1, int64((wait+time.Second-1)/time.Second))
	return New(RateLimited, fmt.Sprintf("retry after %d s", seconds))
}

// Fields is InvalidRequest or InvalidConnection with one "<field>: <what>" for
// each problem, joined by "; ". Nil when there is none.
func Fields(t Type, problems []string) *Error {
	if len(problems) == 0 {
		return nil
	}
	return New(t, strings.Join(problems, "; "))
}

// Of finds the Error in err's tree. An error that holds none is Internal
// without a message, because its text may hold a secret.
func Of(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return Wrap(Internal, "", err)
}
