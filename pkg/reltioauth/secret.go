package reltioauth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
)

// redacted is what every way of printing a Secret shows.
const redacted = "[redacted]"

// Secret is a text that must not be seen: a token, a password, a code, a
// client secret. No way of printing reveals it: fmt with any verb, slog, JSON,
// text encoding and %+v of a struct that holds one in an unexported field all
// show "[redacted]" or an address. Only Reveal gives the text.
//
// The zero value is the empty secret. Secrets are compared with Equal; == on
// two of them compares where they are kept, not what they say, so a Secret is
// no key for a map.
type Secret struct {
	_ [0]func() // not comparable
	// text is behind two pointers' worth of types because fmt prints the
	// unexported fields of a struct without asking their methods, but never
	// follows a pointer below the top level.
	text *secretText
}

type secretText struct{ value string }

// NewSecret keeps value from being printed.
func NewSecret(value string) Secret {
	if value == "" {
		return Secret{}
	}
	return Secret{text: &secretText{value: value}}
}

// Reveal returns the text itself, for the one place that has to send or store
// it.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return s.text.value
}

// IsZero reports whether the secret is empty.
func (s Secret) IsZero() bool { return s.text == nil }

// Equal compares two secrets in constant time for equal lengths.
func (s Secret) Equal(other Secret) bool {
	return subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(other.Reveal())) == 1
}

// String implements fmt.Stringer.
func (s Secret) String() string { return redacted }

// GoString implements fmt.GoStringer.
func (s Secret) GoString() string { return redacted }

// Format implements fmt.Formatter, for every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue implements slog.LogValuer.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON implements json.Marshaler. What has to hold the secret in JSON
// takes it out with Reveal.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText implements encoding.TextMarshaler.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Fingerprint names a token without holding it: "sha256:" and the first 32
// hexadecimal digits of the token's SHA-256. It is safe in logs.
func Fingerprint(token Secret) string {
	sum := sha256.Sum256([]byte(token.Reveal()))
	return "sha256:" + hex.EncodeToString(sum[:16])
}
