package reltioauthtest

import "time"

// Behaviour is everything that may differ between two authorization servers. The
// zero value is [Framework]; [Documented] is the server that Reltio's documents
// describe. If a comment names no other default, the framework behaves as the
// field's zero value says.
type Behaviour struct {
	// Login, Refresh and Code say what happens to the access token when a client
	// asks for one while an earlier one is valid: Login at password and
	// client_credentials, Refresh at refresh_token, Code at authorization_code.
	// With Multi Token Support, Login is ignored. AsFramework is NewTokenOldDies
	// for Refresh, and SameToken for the others.
	Login, Refresh, Code Renewal
	// LoginRefreshToken and CodeRefreshToken say the same of the refresh token
	// when a user logs in again. SameToken does not move its deadline.
	// AsFramework is SameToken.
	LoginRefreshToken, CodeRefreshToken Renewal

	// RefreshTokens says what a refresh does to the refresh token. For the
	// framework's two settings see [Server.ReuseRefreshTokens].
	RefreshTokens Rotation
	// RotationGrace is how long a rotated refresh token is still accepted. If it
	// is used in that time, it is rotated again.
	RotationGrace time.Duration
	// RestartClock makes the life of the refresh token start again with every
	// refresh. Otherwise it is counted from the login.
	RestartClock bool
	// ReuseRevokes ends all tokens of a login when a rotated refresh token is
	// used after its grace.
	ReuseRevokes bool

	// KilledTokens says whether a token that was ended early is given again.
	KilledTokens KilledTokens
	// RefreshIgnoresUser makes a refresh succeed whatever the user's state is.
	// Otherwise the server loads the user again at each refresh, and refuses a
	// user who may not log in.
	RefreshIgnoresUser bool
	// CodeReuseRevokes ends the tokens of a code when the code is used again.
	CodeReuseRevokes bool
	// CodeReusable lets a code give tokens any number of times until it expires.
	CodeReusable bool
	// CodeSurvivesFailure leaves a code usable after an attempt with another
	// redirect URI or code verifier.
	CodeSurvivesFailure bool
	// HonourPKCE makes the server store code challenges and require their
	// verifiers. Otherwise it does so only for a client with RequirePKCE.
	HonourPKCE bool
	// SingleSignOn makes the login page remember a browser that has logged in,
	// with a cookie, and send it back from then on without another login.
	SingleSignOn bool
	// Issuer, if not empty, is sent as iss with every redirect (RFC 9207).
	Issuer string

	// UUIDs makes tokens and codes that are UUIDs. Otherwise a token has 27
	// characters of base64url, and a code 6 letters and digits.
	UUIDs bool
	// LongTokens makes access tokens of about 3,000 characters
	// ("s.<payload>.<signature>").
	LongTokens bool
	// OmitExpiresIn leaves expires_in out.
	OmitExpiresIn bool
	// ExpiresInString sends expires_in in quotation marks.
	ExpiresInString bool
	// ExpiresInJSON, if not empty, is sent unchanged as expires_in: "null", "0",
	// "-5", `"soon"`.
	ExpiresInJSON string
	// OmitTokenType and OmitScope leave these fields out.
	OmitTokenType, OmitScope bool
	// OmitRefreshToken makes a server without refresh tokens.
	OmitRefreshToken bool
	// OmitRefreshTokenOnRefresh leaves the refresh token out of the response to a
	// refresh. The client keeps the one it has.
	OmitRefreshTokenOnRefresh bool

	// Errors says with whose error texts the server refuses.
	Errors Errors
	// NoEntryPoint is the framework without a configured entry point: a client
	// that is refused at the Basic header gets 401 with Spring Boot's error
	// object, which holds no OAuth code.
	NoEntryPoint bool
	// ServerErrorAtRefresh makes a refresh during FaultUserStore end in 500
	// server_error instead of 401 unauthorized. The framework can do both,
	// depending on the exception.
	ServerErrorAtRefresh bool
	// StylesEverywhere holds each client to its own styles of authentication, at
	// every endpoint. Otherwise the server accepts the Basic header everywhere,
	// and credentials in the form only at the token endpoint, from clients that
	// may send them there.
	StylesEverywhere bool

	// CheckDenied refuses checkToken to every client with 403, as the
	// framework does unless its owner permits the call ("denyAll()").
	CheckDenied bool
	// CheckShape says which fields checkToken sends.
	CheckShape CheckShape
	// TokenPlace is where revoke and checkToken look for the token.
	TokenPlace TokenPlace
	// DeadTokenStatus is the status of checkToken's response to a token that is
	// not valid. Zero means 400.
	DeadTokenStatus int
	// DeadRefreshStatus is the status of the response to a refresh token that
	// is not valid: 400 comes with invalid_grant, 401 with invalid_token. Zero
	// means 400, and for the framework 401 if the refresh token has expired.
	DeadRefreshStatus int
	// ManagementErrors gives the errors of revoke and checkToken the shape
	// {"errorCode":404,"errorMessage":"…"}.
	ManagementErrors bool
	// Expiration is how checkToken writes the token's end in ReltioShape.
	Expiration ExpirationFormat

	// RevokeSparesRefreshToken keeps a refresh token valid when its access token
	// is revoked. The revocation of a refresh token always ends its access
	// tokens.
	RevokeSparesRefreshToken bool
	// RevokeAnonymous lets revoke work without client authentication.
	RevokeAnonymous bool
	// RevokeUnknownStatus is the status of revoke's response for an unknown
	// token. Zero means 200.
	RevokeUnknownStatus int
	// LogoutURI, if not empty, is sent by revoke, as for SAML tenants.
	LogoutURI string

	// BadCredentialsText and LockedText replace the error_description for a
	// wrong user name or password and for a locked user.
	BadCredentialsText, LockedText string
	// RateLimitBody replaces the body of a 429.
	RateLimitBody string

	// DressRefusals and DressTokens change the form of responses, and not what
	// the server does: DressRefusals those with a 4xx (but 429) of token
	// endpoint, revoke and checkToken, DressTokens those of the token endpoint
	// with tokens in them.
	DressRefusals, DressTokens Dress
	// RefusalStatus, if not zero, is the status of every 4xx (but 429) of the
	// token endpoint.
	RefusalStatus int
}

// Renewal says what happens to a token when another one is asked for.
type Renewal int

// The values of a Renewal.
const (
	// AsFramework is the framework's behaviour; see the field.
	AsFramework Renewal = iota
	// SameToken gives the valid token again, with its remaining life.
	SameToken
	// NewToken gives a new token; the old one stays valid until its deadline.
	NewToken
	// NewTokenOldDies gives a new token; the old one ends at once.
	NewTokenOldDies
)

// Rotation says what a refresh does to the refresh token.
type Rotation int

// The values of a Rotation.
const (
	// Keep leaves the refresh token as it is; the response repeats it.
	Keep Rotation = iota
	// Rotate replaces it by a new one.
	Rotate
)

// KilledTokens says what the token endpoint does with a token that was ended
// early (see [Server.Kill]) where it would give the same token again.
type KilledTokens int

// The values of KilledTokens.
const (
	// KilledAreReplaced gives a new one.
	KilledAreReplaced KilledTokens = iota
	// KilledUntilRevoked gives the ended token again until it is revoked.
	KilledUntilRevoked
	// KilledUntilEnd gives it again until its deadline, revoked or not.
	KilledUntilEnd
)

// TokenPlace is where a token is looked for in a request.
type TokenPlace int

// The places.
const (
	// QueryOrForm accepts it in both places.
	QueryOrForm TokenPlace = iota
	// QueryOnly ignores the form body.
	QueryOnly
	// FormOnly ignores the query.
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

// or is the value, or usual if it is AsFramework.
func (r Renewal) or(usual Renewal) Renewal {
	if r == AsFramework {
		return usual
	}
	return r
}

// Errors says with whose texts and statuses a server refuses.
type Errors int

// The errors.
const (
	// FrameworkErrors are those of Spring Security OAuth2 2.5.
	FrameworkErrors Errors = iota
	// Framework23Errors are those of 2.3: the refused value (token, code, grant
	// type, scope) is repeated in error_description, and a refresh of a user who
	// may not log in is refused with 401 unauthorized.
	Framework23Errors
	// DocumentedErrors are those that Reltio's documents show or RFC 6749 gives.
	// The refused value is repeated in error_description.
	DocumentedErrors
)

// repeats reports whether the refused value is repeated in error_description.
func (e Errors) repeats() bool { return e != FrameworkErrors }

// framework reports whether the texts are the framework's.
func (e Errors) framework() bool { return e != DocumentedErrors }

// CheckShape says which fields checkToken sends.
type CheckShape int

// The shapes.
const (
	// FrameworkShape has active, client_id, exp, scope, authorities and
	// user_name.
	FrameworkShape CheckShape = iota
	// ReltioShape has clientId, expiration, scopes, roles and user, as Reltio
	// documents.
	ReltioShape
)
