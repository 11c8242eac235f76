package dynamo

import "strings"

// All keys and attribute names of the table are spelled in this file and
// nowhere else. They are read and written by other programs too: a name here
// never changes its meaning, and a time never its unit. Times are N, epoch
// milliseconds, except ttl: N, epoch seconds, as DynamoDB requires it.

// The key of the table, and the index of due grants.
const (
	attrKey   = "pk" // S
	indexDue  = "due"
	attrShard = "due_shard" // S
	attrDueAt = "due_at"
	attrTTL   = "ttl"
)

// What every key of a kind begins with.
const (
	prefixGrant   = "grant#"
	prefixLease   = "lease#"
	prefixAccount = "account#"
	prefixBudget  = "budget#"

	prefixInvitation = "invitation#"
	prefixRequest    = "request#"
	// What the issue function cannot read has a prefix of its own.
	prefixParked = "parked#"
)

func grantKey(connection string) string  { return prefixGrant + connection }
func parkedKey(connection string) string { return prefixParked + connection }
func leaseKey(connection string) string  { return prefixLease + connection }
func invitationKey(hash string) string   { return prefixInvitation + hash }
func requestKey(hash string) string      { return prefixRequest + hash }
func accountKey(hash string) string      { return prefixAccount + hash }

// budgetKey takes "host:port" in any case: a host's name has none.
func budgetKey(host string) string { return prefixBudget + strings.ToLower(host) }

// Attributes of grant# items.
const (
	attrAccessToken        = "access_token" // S, secret
	attrFingerprint        = "fingerprint"  // S
	attrTokenType          = "token_type"   // S
	attrScope              = "scope"        // S
	attrIssuedAt           = "issued_at"
	attrExpiresAt          = "expires_at"
	attrExpiresInMissing   = "expires_in_missing" // BOOL, there only if true
	attrVersion            = "version"            // N, there even if 0
	attrEpoch              = "epoch"              // N, there even if 0; lease# too
	attrOwner              = "owner"              // S; lease# too
	attrIdentity           = "identity"           // S
	attrAliases            = "aliases"            // SS
	attrRefreshMode        = "refresh_mode"       // S
	attrLoginMode          = "login_mode"         // S
	attrSecretVersion      = "grant_secret_version"
	attrConnectionVersion  = "connection_secret_version"
	attrRefreshFingerprint = "refresh_fingerprint" // S
	attrLoggedInAt         = "logged_in_at"
	attrRefreshExpiresAt   = "refresh_expires_at"
	attrUser               = "user"                  // S
	attrStatus             = "status"                // S
	attrSecondFactor       = "second_factor_version" // S
	attrRotates            = "rotates"               // BOOL, there only if true
	attrAPIURL             = "api_url"
	attrTenantID           = "tenant_id"
	attrFailures           = "failures"  // N
	attrRefusals           = "refusals"  // N, there even if 0: releases before this one had none
	attrThrottles          = "throttles" // N
	attrRefusalCode        = "refusal_code"
	attrRefusalStatus      = "refusal_status" // N
	attrRefusalText        = "refusal_description"
	attrRetryAt            = "retry_at"
	attrLastError          = "last_error"         // S
	attrLastErrorMessage   = "last_error_message" // S
	attrCheckedAt          = "checked_at"
	attrCheckVerdict       = "check_verdict" // S
	attrReissuedAt         = "reissued_at"
	attrRelogin            = "relogin" // S
	attrRepeatedUntil      = "repeated_until"
	attrEarlyAskedAt       = "early_asked_at"
	attrTriedAt            = "tried_at" // account# too
	attrWarnedAt           = "warned_at"
	attrUnpublished        = "unpublished"   // SS
	attrPublishTries       = "publish_tries" // N
	attrPublishAt          = "publish_at"
	attrSecretMissingAt    = "secret_missing_at"
	attrTokenMissingAt     = "token_missing_at"
)

// Attributes of parked# items; epoch, identity and logged_in_at stand above.
const (
	attrRefreshToken = "refresh_token" // S, secret
	attrParkedAt     = "parked_at"
)

// Attributes of lease# items; owner, epoch and ttl stand above.
const (
	attrUntil    = "until"
	attrFailedAt = "failed_at" // last_error and last_error_message say why
)

// Attributes of account# items; tried_at stands above.
const (
	attrConnection  = "connection"  // S
	attrCredentials = "credentials" // S
	attrAttempts    = "attempts"    // N
	attrUnclear     = "unclear"     // N
	attrAccepted    = "accepted"    // S
)

// Attributes of budget# items.
const (
	attrNext        = "tat"
	attrPausedUntil = "paused_until"
	attrPause       = "pause_ms"          // N
	attrThrottled   = "throttled_clients" // SS
	attrServed      = "served_clients"    // SS
	attrRefused     = "refused"           // SS
	// attrRefusedSince is there while attrRefused is.
	attrRefusedSince = "refused_since"
	attrDownSince    = "down_since"
	attrProbedAt     = "probe_at"
)

// Attributes of invitation# and request# items; connection and ttl stand above.
const (
	attrReplaceUser = "replace_user" // BOOL
	attrUsedAt      = "used_at"
	attrInvitation  = "invitation"   // S
	attrBinding     = "binding"      // S
	attrVerifier    = "verifier"     // S, secret
	attrRedirectURI = "redirect_uri" // S
	attrConsumedAt  = "consumed_at"
	attrOutcome     = "outcome" // S
	attrSecond      = "second"  // BOOL, there only if true
)
