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
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueapi"
)

// Type is an errorType, of which issueapi has the closed list.
type Type = issueapi.ErrorType

// The types.
const (
	InvalidRequest          = issueapi.InvalidRequest
	UnknownConnection       = issueapi.UnknownConnection
	AccessDenied            = issueapi.AccessDenied
	InvalidConnection       = issueapi.InvalidConnection
	CredentialsRejected     = issueapi.CredentialsRejected
	MFARequired             = issueapi.MFARequired
	ReauthorizationRequired = issueapi.ReauthorizationRequired
	ConnectionPaused        = issueapi.ConnectionPaused
	TokenLimitReached       = issueapi.TokenLimitReached
	RateLimited             = issueapi.RateLimited
	ReltioUnavailable       = issueapi.ReltioUnavailable
	StoreUnavailable        = issueapi.StoreUnavailable
	Internal                = issueapi.Internal
)

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

// Clearer returns the error of an operation that was tried again and again: the last
// one, unless that attempt only ran out of its time and an earlier one was told why it
// failed. An operator then reads AWS's code, and not that the time was over.
func Clearer(earlier, last error) error {
	if earlier != nil && errors.Is(last, context.DeadlineExceeded) {
		return earlier
	}
	return last
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
