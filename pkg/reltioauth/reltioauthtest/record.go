package reltioauthtest

import (
	"sort"
	"time"
)

// Request is one request as the server saw it. It holds no secret.
type Request struct {
	// At is the moment of its arrival.
	At time.Time
	// Op is the operation.
	Op Op
	// GrantType is that of a token request.
	GrantType string
	// ClientID and User are as the request names them, else those whom its
	// token belongs to. User is in lower case.
	ClientID, User string
	// Presented is the fingerprint of the token, refresh token or code that
	// the request holds.
	Presented string
	// Outcome is how it ended; OutcomePending until it has.
	Outcome Outcome
	// Acted says that the server did what it was asked, whether or not the
	// caller saw the answer.
	Acted bool
	// Status is that of the answer sent; zero if there was none.
	Status int
	// AccessToken and RefreshToken are the fingerprints of the tokens given.
	AccessToken, RefreshToken string
}

// Op is an operation of the server.
type Op string

// The operations.
const (
	OpToken      Op = "token"
	OpRevoke     Op = "revoke"
	OpCheckToken Op = "checkToken"
	OpSSO        Op = "sso"   // the login page
	OpLogin      Op = "login" // the login page, sent
	OpOther      Op = "other" // an address that the server does not have
)

// Outcome is how a request ended: one of these, or the error code of the
// answer ("invalid_grant").
type Outcome string

// The outcomes that are no error code.
const (
	OutcomePending     Outcome = "pending"
	OutcomeOK          Outcome = "ok"
	OutcomeMFARequired Outcome = "mfa_required"
	OutcomeRateLimited Outcome = "rate_limited"
	OutcomeTokenLimit  Outcome = "token_limit" // the cap of Multi Token Support
	OutcomeCut         Outcome = "cut"
	OutcomeAbandoned   Outcome = "abandoned" // the caller went away
	OutcomeFault       Outcome = "fault"     // another answer took its place
)
