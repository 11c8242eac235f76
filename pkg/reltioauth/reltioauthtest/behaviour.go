package reltioauthtest

import "time"

// Behaviour is everything that may differ between one authorization server
// and another. The zero value is [Framework]; [Documented] is the server that
// Reltio's documents describe. A comment that names no other default means that
// the framework behaves as the field's zero value says.
type Behaviour struct {
	// Login, Refresh and Code say what happens to the access token when a
	// client asks for one while an earlier one is valid: Login at password and
	// client_credentials, Refresh at refresh_token, Code at
	// authorization_code. Multi Token Support outranks Login. AsFramework is
	// NewTokenOldDies for Refresh, and SameToken for the others.
	Login, Refresh, Code Renewal
	// LoginRefreshToken and CodeRefreshToken say the same of the refresh
	// token when a user logs in again. SameToken leaves its clock running.
	// AsFramework is SameToken.
	LoginRefreshToken, CodeRefreshToken Renewal

	// RefreshTokens says what a refresh does to the refresh token. For the two
	// ways of the framework see [Server.ReuseRefreshTokens].
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
	// RefreshIgnoresUser lets a refresh succeed whatever became of the user.
	// Otherwise the server loads the user again at each refresh, and refuses
	// one who may not log in.
	RefreshIgnoresUser bool
	// CodeReuseRevokes ends the tokens that a code brought when the code is
	// used again.
	CodeReuseRevokes bool
	// CodeReusable lets a code bring tokens again and again until its end.
	CodeReusable bool
	// CodeSurvivesFailure leaves a code usable after an attempt with another
	// redirect URI or code verifier.
	CodeSurvivesFailure bool
	// HonourPKCE makes the server keep code challenges and ask for their
	// verifiers. Otherwise it does so only for a client with RequirePKCE.
	HonourPKCE bool
	// SingleSignOn makes the login page remember a browser that has logged in,
	// in a cookie, and send it back from then on without asking again.
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

	// Errors says in whose words the server refuses.
	Errors Errors
	// NoEntryPoint is the framework of an owner who set no entry point: a
	// client that is refused at the Basic header gets 401 with Spring Boot's
	// error object, which holds no OAuth code.
	NoEntryPoint bool
	// ServerErrorAtRefresh makes a refresh during FaultUserStore end in 500
	// server_error instead of 401 unauthorized. The framework does either: it
	// depends on the exception.
	ServerErrorAtRefresh bool
	// StylesEverywhere holds each client to its own styles of authentication,
	// at every endpoint. Otherwise the server takes the Basic header
	// everywhere, and credentials in the form at the token endpoint alone, from
	// clients that may send them there.
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

	// RevokeSparesRefreshToken lets a refresh token outlive the revocation of
	// its access token. The revocation of a refresh token always ends its
	// access tokens.
	RevokeSparesRefreshToken bool
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

	// DressRefusals and DressTokens change how responses look on the wire, and
	// nothing of what the server does: the first those with a 4xx (but 429) of
	// token endpoint, revoke and checkToken, the second those of the token
	// endpoint with tokens in them.
	DressRefusals, DressTokens Dress
	// RefusalStatus, if not zero, is the status of every 4xx (but 429) of the
	// token endpoint.
	RefusalStatus int
}

// Renewal says what happens to a token when another one is asked for.
type Renewal int

// The ways of a Renewal.
const (
	// AsFramework is what the framework does; see the field.
	AsFramework Renewal = iota
	// SameToken gives the valid token again, with what is left of its life.
	SameToken
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

// or is the way itself, or usual if nothing is said.
func (r Renewal) or(usual Renewal) Renewal {
	if r == AsFramework {
		return usual
	}
	return r
}

// Errors says in whose words and statuses a server refuses.
type Errors int

// The errors.
const (
	// FrameworkErrors are those of Spring Security OAuth2 2.5.
	FrameworkErrors Errors = iota
	// Framework23Errors are those of 2.3: what is refused (tokens, codes, grant
	// types, scopes) is repeated in error_description, and a refresh of a user who may not log in is
	// refused with 401 unauthorized.
	Framework23Errors
	// DocumentedErrors are those that Reltio's documents show or RFC 6749
	// gives. What is refused is repeated in error_description.
	DocumentedErrors
)

// repeats reports whether what is refused is repeated in error_description.
func (e Errors) repeats() bool { return e != FrameworkErrors }

// framework reports whether the words are the framework's.
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
