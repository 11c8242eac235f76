package reltioauthtest

import (
	"net/http"
	"time"
)

// Behaviour is everything that may differ between one authorization server
// and another. The zero value is the documented server: see the package
// comment.
type Behaviour struct {
	// Login, Refresh and Code say what becomes of the access token when one is
	// asked for while an earlier one lives: Login at password and
	// client_credentials, Refresh at refresh_token, Code at
	// authorization_code. Multi Token Support outranks Login.
	Login, Refresh, Code Renewal
	// LoginRefreshToken and CodeRefreshToken say the same of the refresh
	// token when somebody logs in anew. SameToken leaves its clock running.
	LoginRefreshToken, CodeRefreshToken Renewal

	// RefreshTokens says what a refresh does to the refresh token.
	RefreshTokens Rotation
	// RotationGrace is how long a rotated refresh token is still accepted.
	// Used again meanwhile, it is rotated again.
	RotationGrace time.Duration
	// RestartClock lets the life of the refresh token begin anew with every
	// refresh. Otherwise it is counted from the login.
	RestartClock bool
	// ReuseRevokes ends all tokens of a login when a rotated refresh token is
	// used after its grace.
	ReuseRevokes bool

	// KilledTokens says whether a token that died early is handed out again.
	KilledTokens KilledTokens
	// LockedCannotRefresh refuses the refresh tokens of a locked user.
	LockedCannotRefresh bool
	// CodeReuseRevokes ends the tokens that a code brought when the code is
	// used again.
	CodeReuseRevokes bool
	// CodeReusable lets a code bring tokens again and again until its end.
	CodeReusable bool
	// CodeSurvivesFailure leaves a code usable after an attempt with another
	// redirect URI or code verifier.
	CodeSurvivesFailure bool
	// IgnorePKCE makes the server overlook challenges and verifiers.
	IgnorePKCE bool
	// SingleSignOn makes the login page remember a browser that has logged in,
	// in a cookie, and send it back from then on without asking again.
	SingleSignOn bool
	// Issuer, if not empty, is sent as iss with every redirect (RFC 9207).
	Issuer string

	// LongTokens makes access tokens of about 3,000 characters
	// ("s.<payload>.<signature>") instead of UUIDs.
	LongTokens bool
	// OmitExpiresIn leaves expires_in out.
	OmitExpiresIn bool
	// ExpiresInString sends expires_in in quotation marks.
	ExpiresInString bool
	// ExpiresInJSON, if not empty, is sent as expires_in as it stands: "null",
	// "0", "-5", `"soon"`.
	ExpiresInJSON string
	// OmitTokenType and OmitScope leave these out.
	OmitTokenType, OmitScope bool
	// OmitRefreshToken makes a server without refresh tokens.
	OmitRefreshToken bool
	// OmitRefreshTokenOnRefresh leaves the refresh token out of the answer to a
	// refresh. The sender goes on with the one it has.
	OmitRefreshTokenOnRefresh bool

	// TokenPlace is where revoke and checkToken look for the token.
	TokenPlace TokenPlace
	// DeadTokenStatus is checkToken's answer to a dead token. Zero means 400.
	DeadTokenStatus int
	// DeadRefreshStatus is the answer to a dead refresh token: 400 comes with
	// invalid_grant, 401 with invalid_token. Zero means 400.
	DeadRefreshStatus int
	// ManagementErrors gives the errors of revoke and checkToken the shape
	// {"errorCode":404,"errorMessage":"…"}.
	ManagementErrors bool
	// Expiration is how checkToken writes the token's end.
	Expiration ExpirationFormat

	// RevokeTakesRefreshToken makes the revocation of an access token end its
	// refresh token as well. The reverse always holds.
	RevokeTakesRefreshToken bool
	// RevokeAnonymous lets revoke work without client authentication.
	RevokeAnonymous bool
	// RevokeUnknownStatus is revoke's answer to a token it does not know. Zero
	// means 200.
	RevokeUnknownStatus int
	// LogoutURI, if not empty, is sent by revoke, as for SAML tenants.
	LogoutURI string

	// BadCredentialsText and LockedText replace the error_description for a
	// wrong user name or password and for a locked user.
	BadCredentialsText, LockedText string
	// RateLimitBody replaces the body of a 429.
	RateLimitBody string
}

// Renewal says what happens to a token when another one is asked for.
type Renewal int

// The ways of a Renewal.
const (
	// SameToken gives the living token again, with what is left of its life.
	SameToken Renewal = iota
	// NewToken gives a new token; the old one lives on to its own end.
	NewToken
	// NewTokenOldDies gives a new token; the old one is dead at once.
	NewTokenOldDies
)

// Rotation says what a refresh does to the refresh token.
type Rotation int

// The ways of a Rotation.
const (
	// Keep leaves the refresh token as it is; the answer repeats it.
	Keep Rotation = iota
	// Rotate replaces it by a new one.
	Rotate
)

// KilledTokens says what the token endpoint does with a token that died
// before its end (see [Server.Kill]) where it would give the same token again.
type KilledTokens int

// The ways of KilledTokens.
const (
	// KilledAreReplaced gives a new one.
	KilledAreReplaced KilledTokens = iota
	// KilledUntilRevoked gives the dead token again until somebody revokes it.
	KilledUntilRevoked
	// KilledUntilEnd gives it again until its end, revoked or not.
	KilledUntilEnd
)

// TokenPlace is where a token is looked for in a request.
type TokenPlace int

// The places.
const (
	// QueryOrForm takes it from either.
	QueryOrForm TokenPlace = iota
	// QueryOnly overlooks the form body.
	QueryOnly
	// FormOnly overlooks the query.
	FormOnly
)

// ExpirationFormat is how a moment is written.
type ExpirationFormat int

// The formats.
const (
	// ExpirationMillis is a number of milliseconds since 1970.
	ExpirationMillis ExpirationFormat = iota
	// ExpirationSeconds is a number of seconds since 1970.
	ExpirationSeconds
	// ExpirationRFC3339 is a text.
	ExpirationRFC3339
)

// SpringBehaviour is what the framework behind Reltio's server does if
// nobody tells it otherwise: a login gives the same token again, a refresh
// keeps the refresh token and its clock and removes the access token before it,
// revoking an access token ends the refresh token too.
func SpringBehaviour() Behaviour {
	return Behaviour{
		Login:                   SameToken,
		Refresh:                 NewTokenOldDies,
		Code:                    SameToken,
		LoginRefreshToken:       SameToken,
		CodeRefreshToken:        SameToken,
		RefreshTokens:           Keep,
		RevokeTakesRefreshToken: true,
		BadCredentialsText:      "Bad credentials",
		DeadRefreshStatus:       http.StatusBadRequest,
	}
}
