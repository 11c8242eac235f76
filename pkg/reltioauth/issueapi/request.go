package issueapi

import (
	"regexp"
	"strings"
)

// MaxMinTTLSeconds is the longest life that a caller may ask for: a day.
const MaxMinTTLSeconds = 24 * 60 * 60

// The names of a request's fields in JSON, and those of a response of which the
// extension's callers send one.
const (
	FieldConnection          = "connection"
	FieldMinTTLSeconds       = "min_ttl_seconds"
	FieldRejectedFingerprint = "rejected_fingerprint"
	FieldFingerprint         = "fingerprint"
)

// Request asks for a token. The function refuses fields that it does not know.
type Request struct {
	// Connection is required: a name that ValidConnection accepts.
	Connection string `json:"connection"`
	// MinTTLSeconds is for how long the caller needs the token to stay valid, from 0
	// to MaxMinTTLSeconds; 0 for no wish. A shorter life is no error: see
	// Response.MinTTLMet.
	MinTTLSeconds int64 `json:"min_ttl_seconds,omitempty"`
	// RejectedFingerprint is the fingerprint of a token that Reltio refused, which
	// ValidFingerprint accepts; empty for none.
	RejectedFingerprint string `json:"rejected_fingerprint,omitempty"`
}

// The rules of the fields, as the function's errors state them after the name of
// the field.
const (
	// Required is the rule of a field that is not there.
	Required = "is required"
	// ConnectionRule is ValidConnection's.
	ConnectionRule = "must be a name like acme-prod: lower-case letters, digits, dots, dashes and underscores, at most 64"
	// MinTTLRule is ValidMinTTLSeconds'.
	MinTTLRule = "must be from 0 to 86400"
	// FingerprintRule is ValidFingerprint's.
	FingerprintRule = "must be the fingerprint of an answer: sha256: and 32 hexadecimal digits"
)

var connectionName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)

// ValidConnection reports whether a connection can have the name.
func ValidConnection(name string) bool { return connectionName.MatchString(name) }

// ValidMinTTLSeconds reports whether a caller may ask for such a life.
func ValidMinTTLSeconds(seconds int64) bool { return seconds >= 0 && seconds <= MaxMinTTLSeconds }

// ValidFingerprint reports whether the text has the shape of a response's
// fingerprint: "sha256:" and the first 32 hexadecimal digits of the token's
// SHA-256.
func ValidFingerprint(text string) bool {
	const prefix, digits = "sha256:", 32
	hex, found := strings.CutPrefix(text, prefix)
	notHex := func(c rune) bool { return (c < '0' || c > '9') && (c < 'a' || c > 'f') }
	return found && len(hex) == digits && !strings.ContainsFunc(hex, notHex)
}
