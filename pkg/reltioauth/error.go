package reltioauth

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// The values of Error.Op.
const (
	opDial      = "dial"
	opToken     = "token"
	opRevoke    = "revoke"
	opCheck     = "checkToken"
	opAuthorize = "authorize"
)

// ErrorCode says what went wrong. It is an error, so that
//
//	errors.Is(err, reltioauth.ErrInvalidGrant)
//
// works on everything this package returns.
type ErrorCode string

// The server's codes: RFC 6749, section 5.2, and for the last two RFC 6750 and
// Spring Security (documented by Reltio). A code counts in any case, in error or
// errorCode, and only in a complete response of 400 to 499 that is not a page. So
// "Unauthorized", the default of the framework's Basic entry point, is
// ErrUnauthorized (seen in the framework).
//
// ErrInvalidRequest is also the code of a request that this package refuses to
// send, with StatusCode 0: a field is missing, or a Client is misconfigured.
const (
	ErrInvalidRequest       ErrorCode = "invalid_request"
	ErrInvalidClient        ErrorCode = "invalid_client"
	ErrInvalidGrant         ErrorCode = "invalid_grant"
	ErrUnauthorizedClient   ErrorCode = "unauthorized_client"
	ErrUnsupportedGrantType ErrorCode = "unsupported_grant_type"
	ErrInvalidScope         ErrorCode = "invalid_scope"
	ErrInvalidToken         ErrorCode = "invalid_token"
	ErrUnauthorized         ErrorCode = "unauthorized"
)

// Codes that this package assigns. A server's response can never produce them.
const (
	// ErrRateLimited is a 429, whatever its body: too many token requests, or too
	// many valid tokens of a client with Multi Token Support.
	ErrRateLimited ErrorCode = "rate_limited"
	// ErrMFARequired is a login that needs a second factor: see Error.MFA.
	ErrMFARequired ErrorCode = "mfa_required"
	// ErrInvalidResponse is a success that cannot be used and is not a page.
	ErrInvalidResponse ErrorCode = "invalid_response"
	// ErrUnavailable is everything that does not decide the request: the network,
	// a deadline, 5xx, a redirect, a page, a refusal without a known code.
	// Error.Reason tells them apart. If the server may count refusals, treat a
	// complete 4xx as a refusal whatever its body is: see Error.CutOff.
	ErrUnavailable ErrorCode = "unavailable"
)

// Error implements error.
func (c ErrorCode) Error() string { return string(c) }

// MFAChallenge is Reltio's response to a login that needs a second factor
// (documented by Reltio). The client continues with MFAGrant.
type MFAChallenge struct {
	Type       string        // of the factor, like "AUTHENTICATOR"
	Status     string        // like "ENROLL"
	StateToken Secret        // zero if it could not be read
	ExpiresIn  time.Duration // of StateToken; 0 if not said
}

// Error is the one error type of this package: a call that failed. Printing it
// never reveals a secret.
type Error struct {
	// Op is "dial", "token", "revoke", "checkToken" or "authorize".
	Op string
	// GrantType is that of the token request, else empty.
	GrantType string
	// Code is one of the constants of this package, never another text.
	Code ErrorCode

	// Description and URI are the server's explanations (RFC 6749, section 5.2;
	// errorMessage in Reltio's other shape), each on one line of at most 256
	// characters. Reltio's descriptions repeat tokens (documented), so all
	// secrets of the request, and whatever looks like a token, are replaced.
	Description string
	URI         string

	// StatusCode is that of the HTTP response; 0: there was none.
	StatusCode int

	// RetryAfter is how long the server asks the client to wait (RFC 9110,
	// section 10.2.3): 0 if it does not, at most 24 h.
	RetryAfter time.Duration

	// Sent is false only if certainly no byte of the request was sent, so that
	// the server cannot have acted on it.
	Sent bool

	// MFA is set with ErrMFARequired, else nil.
	MFA *MFAChallenge

	// Err is the cause, if there is one other than the server's response. With
	// errors.Is it matches what the network's error matched (context.Canceled, a
	// syscall.Errno). Its text is redacted, because net/http quotes URLs and
	// responses.
	Err error

	reason string // of the network or of a page, for Reason; else empty
	cutOff bool   // the response ended before its end
}

// Error names the operation, the code, the status and the cause. It leaves out
// the server's description.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("reltioauth: " + e.Op)
	if e.GrantType != "" {
		b.WriteString(" (" + e.GrantType + ")")
	}
	b.WriteString(": " + string(e.Code))
	if e.StatusCode != 0 {
		fmt.Fprintf(&b, " (HTTP %d)", e.StatusCode)
	}
	if e.Err != nil && e.Err.Error() != "" { // the redacted text may be empty
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is the error's code.
func (e *Error) Is(target error) bool {
	code, ok := target.(ErrorCode)
	return ok && code == e.Code
}

// Permanent reports whether the same input would be refused again. That is so for
// every code about the request and its credentials. The other codes
// (ErrRateLimited, ErrInvalidResponse, ErrUnavailable) may pass.
func (e *Error) Permanent() bool {
	switch e.Code {
	case ErrRateLimited, ErrInvalidResponse, ErrUnavailable:
		return false
	}
	return true
}

// CredentialsRefused reports whether the credentials of the client or of the user
// were refused, so that repeating them does harm: any refusal of the client, and
// invalid_grant on a password grant. On other grants invalid_grant is about a
// token or code.
func (e *Error) CredentialsRefused() bool {
	switch e.Code {
	case ErrInvalidClient, ErrUnauthorized, ErrUnauthorizedClient:
		return true
	case ErrInvalidGrant:
		return e.GrantType == PasswordGrant{}.GrantType()
	}
	return false
}

// Answered reports whether there was a response.
func (e *Error) Answered() bool { return e.StatusCode != 0 }

// CutOff reports whether the response was incomplete: its status is known, but
// not the rest of its body. A 429 is never cut off, because its status says
// everything.
//
// If CutOff is false, a response of 400 to 499 is complete, and its status counts
// whatever its body is: a page, empty, XML, more than 1 MiB, or unreadable. The
// server may have counted a user's login with a complete 400 as a refused one
// (documented: Reltio locks a user after five).
func (e *Error) CutOff() bool { return e.cutOff }

// OAuthSummary is the server's refusal in brackets, without a text of the server:
// "(invalid_grant, HTTP 400)"; "(no OAuth error, HTTP 401)" if the response had
// no known code; "(no answer)" if there was no response.
func (e *Error) OAuthSummary() string {
	if !e.Answered() {
		return "(no answer)"
	}
	word := "no OAuth error"
	if known(string(e.Code)) != "" {
		word = string(e.Code)
	}
	return fmt.Sprintf("(%s, HTTP %d)", word, e.StatusCode)
}

// constError is an error that is a constant text.
type constError string

func (e constError) Error() string { return string(e) }

// unsent is the error of a request that this package refuses to send. The cause
// names the field and no value.
func unsent(op, grantType string, cause error) *Error {
	return &Error{Op: op, GrantType: grantType, Code: ErrInvalidRequest, Err: cause}
}

// cause stands for an error that may quote a secret. errors.Is gives the same
// result as for that error, and the text is redacted. The error itself cannot be
// reached by errors.As, Unwrap or any verb of fmt.
type cause struct {
	text string
	is   func(target error) bool
}

func newCause(err error, text string) *cause {
	return &cause{text: text, is: func(target error) bool { return errors.Is(err, target) }}
}

func (c *cause) Error() string { return c.text }

// Is gives errors.Is access to the redacted error.
func (c *cause) Is(target error) bool { return c.is(target) }
