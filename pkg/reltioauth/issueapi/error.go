package issueapi

import "slices"

// Error is the payload of a function error, in Lambda's form. Neither member ever
// holds a secret.
type Error struct {
	Type    ErrorType `json:"errorType"`
	Message string    `json:"errorMessage"`
}

// Error implements error.
func (e *Error) Error() string {
	if e.Message == "" {
		return string(e.Type)
	}
	return string(e.Type) + ": " + e.Message
}

// Unwrap returns the type, so that errors.Is(err, issueapi.RateLimited) works.
func (e *Error) Unwrap() error { return e.Type }

// ErrorType is an errorType: the word that callers, Step Functions and stored
// grants use for a kind of failure. It is an error, so that errors.Is can look for
// one.
type ErrorType string

// The types. Retry says whether the same call can succeed without a person
// changing something.
const (
	// InvalidRequest: the request is malformed. Retry: no.
	InvalidRequest ErrorType = "InvalidRequest"
	// UnknownConnection: there is no secret of that name. Retry: no.
	UnknownConnection ErrorType = "UnknownConnection"
	// AccessDenied: the invoked alias may not have this connection. Retry: no.
	AccessDenied ErrorType = "AccessDenied"
	// InvalidConnection: the connection's secret is malformed, or Reltio does not
	// know what it asks for. Retry: no.
	InvalidConnection ErrorType = "InvalidConnection"
	// CredentialsRejected: Reltio refused the credentials. Retry: no.
	CredentialsRejected ErrorType = "CredentialsRejected"
	// MFARequired: the user needs a second factor. Retry: no.
	MFARequired ErrorType = "MFARequired"
	// ReauthorizationRequired: a person must log in. Retry: no.
	ReauthorizationRequired ErrorType = "ReauthorizationRequired"
	// ConnectionPaused: an operator paused it and it has no valid token. Retry: no.
	ConnectionPaused ErrorType = "ConnectionPaused"
	// TokenLimitReached: the client's cap of Multi Token Support. Retry: later, it
	// can last as long as a token.
	TokenLimitReached ErrorType = "TokenLimitReached"
	// RateLimited: the rate limit, a 429, or a throttled function; the message is
	// "retry after <n> s". Retry: yes.
	RateLimited ErrorType = "RateLimited"
	// ReltioUnavailable: network, 5xx or an unreadable response, and no valid token.
	// Retry: yes.
	ReltioUnavailable ErrorType = "ReltioUnavailable"
	// StoreUnavailable: DynamoDB, Secrets Manager or Lambda failing. Retry: yes.
	StoreUnavailable ErrorType = "StoreUnavailable"
	// Internal: a defect; the message is a request id. Retry: yes.
	Internal ErrorType = "Internal"
)

// ErrorTypes are all of them, in the order of the documentation.
func ErrorTypes() []ErrorType {
	return []ErrorType{
		InvalidRequest, UnknownConnection, AccessDenied, InvalidConnection, CredentialsRejected,
		MFARequired, ReauthorizationRequired, ConnectionPaused, TokenLimitReached,
		RateLimited, ReltioUnavailable, StoreUnavailable, Internal,
	}
}

// Known reports whether t is one of the types above.
func (t ErrorType) Known() bool { return slices.Contains(ErrorTypes(), t) }

// Temporary reports whether the same call can succeed without a person changing
// something.
func (t ErrorType) Temporary() bool {
	switch t {
	case TokenLimitReached, RateLimited, ReltioUnavailable, StoreUnavailable, Internal:
		return true
	default:
		return false
	}
}

// Error implements error.
func (t ErrorType) Error() string { return string(t) }
