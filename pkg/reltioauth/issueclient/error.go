package issueclient

import (
	"strings"
	"time"
	"unicode"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueapi"
)

// ErrorType says what went wrong, with the error types of the issue function. It
// is an error, so that
//
//	errors.Is(err, issueclient.ErrReauthorizationRequired)
//
// works on everything that a Source returns. A type that this package does not
// know is kept as it is.
type ErrorType = issueapi.ErrorType

// The errorTypes of issue, which issueapi explains. Two mean more here:
// ErrInvalidRequest is also a misconfigured Source, and an invocation that Lambda
// finds malformed, for example with a wrong function name; ErrAccessDenied is also
// an invocation that IAM does not allow. For ErrTokenLimitReached, which can last
// as long as a token, a Source does not wait.
const (
	ErrInvalidRequest          = issueapi.InvalidRequest
	ErrUnknownConnection       = issueapi.UnknownConnection
	ErrAccessDenied            = issueapi.AccessDenied
	ErrInvalidConnection       = issueapi.InvalidConnection
	ErrCredentialsRejected     = issueapi.CredentialsRejected
	ErrMFARequired             = issueapi.MFARequired
	ErrReauthorizationRequired = issueapi.ReauthorizationRequired
	ErrConnectionPaused        = issueapi.ConnectionPaused
	ErrTokenLimitReached       = issueapi.TokenLimitReached
	ErrRateLimited             = issueapi.RateLimited
	ErrReltioUnavailable       = issueapi.ReltioUnavailable
	ErrStoreUnavailable        = issueapi.StoreUnavailable
	ErrInternal                = issueapi.Internal
)

// ErrInvalidAnswer is assigned by this package: the function's response is not
// one of issue. Most likely another function was invoked.
const ErrInvalidAnswer ErrorType = "InvalidAnswer"

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
		// Lambda explains a signature that it refuses by the whole request that was
		// signed, with its session token.
		told, _, _ := strings.Cut(e.Err.Error(), "The Canonical String")
		b.WriteString(": " + strings.TrimSpace(told))
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
	if e.Type.Temporary() {
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
