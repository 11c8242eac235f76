package issueclient

import (
	"strings"
	"time"
	"unicode"
)

// ErrorType says what went wrong, with the error types of the issue function. It
// is an error, so that
//
//	errors.Is(err, issueclient.ErrReauthorizationRequired)
//
// works on everything that a Source returns. A type that this package does not
// know is kept as it is.
type ErrorType string

// The errorTypes of issue.
const (
	// ErrInvalidRequest: the request is malformed. Also for a misconfigured
	// Source, and for an invocation that Lambda finds malformed, for example with
	// a wrong function name.
	ErrInvalidRequest ErrorType = "InvalidRequest"
	// ErrUnknownConnection: no connection has this name.
	ErrUnknownConnection ErrorType = "UnknownConnection"
	// ErrAccessDenied: the invoked alias may not have this connection, or IAM
	// does not allow the invocation.
	ErrAccessDenied ErrorType = "AccessDenied"
	// ErrInvalidConnection: the connection's secret is malformed.
	ErrInvalidConnection ErrorType = "InvalidConnection"
	// ErrCredentialsRejected: Reltio refused the connection's credentials.
	ErrCredentialsRejected ErrorType = "CredentialsRejected"
	// ErrMFARequired: the connection's user needs a second factor.
	ErrMFARequired ErrorType = "MFARequired"
	// ErrReauthorizationRequired: a person must log in.
	ErrReauthorizationRequired ErrorType = "ReauthorizationRequired"
	// ErrConnectionPaused: an operator paused the connection.
	ErrConnectionPaused ErrorType = "ConnectionPaused"
	// ErrTokenLimitReached: the client has too many valid tokens. It can last as
	// long as a token, so a Source does not wait for it to pass.
	ErrTokenLimitReached ErrorType = "TokenLimitReached"
	// ErrRateLimited: too many requests, at Reltio or at Lambda.
	ErrRateLimited ErrorType = "RateLimited"
	// ErrReltioUnavailable: Reltio gives no token, and no valid one is stored.
	ErrReltioUnavailable ErrorType = "ReltioUnavailable"
	// ErrStoreUnavailable: DynamoDB, Secrets Manager or Lambda fails, or the
	// network in between.
	ErrStoreUnavailable ErrorType = "StoreUnavailable"
	// ErrInternal: a defect; the message names a request.
	ErrInternal ErrorType = "Internal"
)

// ErrInvalidAnswer is assigned by this package: the function's response is not
// one of issue. Most likely another function was invoked.
const ErrInvalidAnswer ErrorType = "InvalidAnswer"

// Error implements error.
func (t ErrorType) Error() string { return string(t) }

// Error is the one error type of this package: there is no token. Printing it
// never reveals a secret.
type Error struct {
	// Connection is the one that was asked for.
	Connection string
	// Type is one of the constants of this package, or the type that the function
	// or Lambda's runtime gave.
	Type ErrorType
	// Message explains it: one line of at most 256 characters.
	Message string
	// RetryAfter is how long to wait, at most 5 minutes. 0 if the error did not
	// say.
	RetryAfter time.Duration
	// Err is the SDK's error if the function was not reached or its response was
	// lost; nil if the error is the function's own.
	Err error `json:"-"`
}

// Error implements error.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("vended: ")
	if e.Connection != "" {
		b.WriteString(e.Connection + ": ")
	}
	b.WriteString(string(e.Type))
	if e.Message != "" {
		b.WriteString(": " + e.Message)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// Unwrap returns the SDK's error.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is the error's type.
func (e *Error) Is(target error) bool {
	t, ok := target.(ErrorType)
	return ok && t == e.Type
}

// Temporary reports whether the same call can succeed without a repair. Unknown
// types are permanent, except those of Lambda's runtime: a process that crashed
// or ran out of time is replaced.
func (e *Error) Temporary() bool {
	switch e.Type {
	case ErrTokenLimitReached, ErrRateLimited, ErrReltioUnavailable, ErrStoreUnavailable, ErrInternal:
		return true
	}
	for _, prefix := range []string{"Runtime.", "Sandbox.", "Extension."} {
		if strings.HasPrefix(string(e.Type), prefix) {
			return true
		}
	}
	return false
}

// awaited reports whether a caller should wait until the error has passed.
func (e *Error) awaited() bool { return e.Temporary() && e.Type != ErrTokenLimitReached }

// The longest texts that are accepted from a function.
const (
	maxMessage = 256
	maxType    = 128
)

// oneLine is a text fit for a log: printable, with single spaces, and short.
func oneLine(text string) string {
	text = text[:min(len(text), 4*maxMessage)]
	text = strings.Join(strings.FieldsFunc(text, func(c rune) bool {
		return unicode.IsSpace(c) || !unicode.IsPrint(c) || c == unicode.ReplacementChar
	}), " ")
	if runes := []rune(text); len(runes) > maxMessage {
		text = string(runes[:maxMessage])
	}
	return text
}
