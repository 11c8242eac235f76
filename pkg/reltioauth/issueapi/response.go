package issueapi

import (
	"fmt"
	"log/slog"
)

// Response is a valid token, with what a caller should know of it. In JSON it has
// always these keys; a later release may add more. Printing it does not reveal the
// token, encoding it does.
type Response struct {
	// Connection is the one that was asked for.
	Connection string `json:"connection"`
	// AccessToken is opaque: printable ASCII characters without spaces, at most 16
	// KiB.
	AccessToken string `json:"access_token"`
	// TokenType is as Reltio sent it, "bearer" if it did not.
	TokenType string `json:"token_type"`
	// Scope is as Reltio sent it, separated by spaces; empty if it did not.
	Scope string `json:"scope"`
	// ExpiresIn is how many whole seconds the token stays valid, at least 1.
	ExpiresIn int64 `json:"expires_in"`
	// ExpiresAt is Reltio's own deadline in RFC 3339: UTC, whole seconds.
	ExpiresAt string `json:"expires_at"`
	// Fingerprint identifies the token without revealing it: see ValidFingerprint.
	Fingerprint string `json:"fingerprint"`
	// Version rises with each new access token of the connection.
	Version int64 `json:"version"`
	// Outcome says where the token comes from.
	Outcome Outcome `json:"outcome"`
	// MinTTLMet is false if less life is left than the caller asked for: Reltio gave
	// no longer one.
	MinTTLMet bool `json:"min_ttl_met"`
	// Warnings are sorted; an empty list if there are none. Who encodes a response
	// sets it: nil would be null.
	Warnings []Warning `json:"warnings"`
	// APIURL is where the token is used, and TenantID the tenant, as the connection's
	// secret has them; empty if it does not. So a connection's name gives an
	// integration the token and the place to use it.
	APIURL   string `json:"api_url"`
	TenantID string `json:"tenant_id"`
}

// Format implements fmt.Formatter: whatever the verb, the token is not printed.
func (r Response) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(r.text())) }

// LogValue implements slog.LogValuer.
func (r Response) LogValue() slog.Value { return slog.StringValue(r.text()) }

func (r Response) text() string {
	return fmt.Sprintf("token %s of connection %s, version %d, %d s left", r.Fingerprint, r.Connection, r.Version, r.ExpiresIn)
}

// Outcome says where the token of a response comes from.
type Outcome string

// The outcomes.
const (
	// Cached: the token was stored already.
	Cached Outcome = "cached"
	// Renewed: this call caused a renewal or waited for one, and Reltio gave a
	// token: a new one, or the stored one again.
	Renewed Outcome = "renewed"
)

// Warning is something to know although there is a token.
type Warning string

// The warnings.
const (
	// ExpiresInMissing: Reltio named no deadline; five minutes are assumed.
	ExpiresInMissing Warning = "expires_in_missing"
	// RefreshTokenEndsSoon: a person has to log in, or soon will.
	RefreshTokenEndsSoon Warning = "refresh_token_ends_soon"
	// RejectedTokenIsAlive: Reltio says that the reported token is active.
	RejectedTokenIsAlive Warning = "rejected_token_is_alive"
	// RejectedTokenReissued: Reltio gives the reported inactive token again.
	RejectedTokenReissued Warning = "rejected_token_reissued"
	// RenewalFailing: the token is valid, but its renewal fails, or the reported
	// token could not be introspected.
	RenewalFailing Warning = "renewal_failing"
	// StoreFailing: DynamoDB could not be read, and the token is one that this
	// execution environment remembers.
	StoreFailing Warning = "store_failing"
)

// Warnings are all of them, sorted.
func Warnings() []Warning {
	return []Warning{ExpiresInMissing, RefreshTokenEndsSoon, RejectedTokenIsAlive, RejectedTokenReissued, RenewalFailing, StoreFailing}
}
