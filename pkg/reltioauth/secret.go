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

// Secret is a text that must not be seen: a token, a password, a code, a client
// secret. No way of printing reveals it: fmt with any verb, slog, JSON and text
// encoding show "[redacted]". A struct that holds it in an unexported field,
// where fmt cannot call its methods, shows an address. Only Reveal gives the
// text.
//
// The zero value is the empty secret. Compare with Equal, which go-cmp also uses:
// == does not compile, and so a Secret cannot be the key of a map.
type Secret struct {
	// reveal is a closure because reflection cannot read the variables of one. A
	// pointer would not do: fmt prints the unexported fields of a struct without
	// calling their methods, and follows a pointer for a verb like %s.
	reveal func() string
}

// NewSecret returns the text as a Secret.
func NewSecret(value string) Secret {
	if value == "" {
		return Secret{}
	}
	return Secret{reveal: func() string { return value }}
}

// Reveal returns the text itself, for the code that has to send or store it; ""
// for the zero value.
func (s Secret) Reveal() string {
	if s.reveal == nil {
		return ""
	}
	return s.reveal()
}

// IsZero reports whether the secret is empty.
func (s Secret) IsZero() bool { return s.reveal == nil }

// Equal reports whether two secrets are the same text. For equal lengths the
// time it takes does not depend on the texts.
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

// MarshalJSON implements json.Marshaler. To store a secret as JSON use Reveal.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText implements encoding.TextMarshaler.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Fingerprint identifies a token without containing it: "sha256:" and the first
// 32 hexadecimal digits of the token's SHA-256. It is safe in logs.
func Fingerprint(token Secret) string {
	sum := sha256.Sum256([]byte(token.Reveal()))
	return "sha256:" + hex.EncodeToString(sum[:16])
}
