package reltioauthtest

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// Sizes of the two random parts of a long token; the whole has about 3,000
// characters.
const (
	longPayload   = 2190
	longSignature = 32
)

// random fills b. The caller holds mu, because a reader of the Config need not
// be safe for concurrent use.
func (c *call) random(b []byte) error {
	source := c.set.Rand
	if source == nil {
		source = rand.Reader
	}
	if _, err := io.ReadFull(source, b); err != nil {
		return fmt.Errorf("reading random numbers: %w", err)
	}
	return nil
}

// Sizes of the framework's tokens, before they are encoded, and codes.
const (
	tokenBytes = 20
	codeLength = 6
)

// mint makes the text of a token.
func (c *call) mint() (reltioauth.Secret, error) {
	if c.how.UUIDs {
		return c.mintUUID()
	}
	var b [tokenBytes]byte
	if err := c.random(b[:]); err != nil {
		return reltioauth.Secret{}, err
	}
	return reltioauth.NewSecret(base64.RawURLEncoding.EncodeToString(b[:])), nil
}

// mintCode makes the text of an authorization code.
func (c *call) mintCode() (reltioauth.Secret, error) {
	if c.how.UUIDs {
		return c.mintUUID()
	}
	const letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	var b [codeLength]byte
	if err := c.random(b[:]); err != nil {
		return reltioauth.Secret{}, err
	}
	for i := range b {
		b[i] = letters[int(b[i])%len(letters)]
	}
	return reltioauth.NewSecret(string(b[:])), nil
}

func (c *call) mintUUID() (reltioauth.Secret, error) {
	var b [16]byte
	if err := c.random(b[:]); err != nil {
		return reltioauth.Secret{}, err
	}
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80 // version 4, RFC 9562
	var text [36]byte
	hex.Encode(text[0:8], b[0:4])
	hex.Encode(text[9:13], b[4:6])
	hex.Encode(text[14:18], b[6:8])
	hex.Encode(text[19:23], b[8:10])
	hex.Encode(text[24:36], b[10:16])
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
	return reltioauth.NewSecret(string(text[:])), nil
}

// mintAccess makes the text of an access token.
func (c *call) mintAccess() (reltioauth.Secret, error) {
	if !c.how.LongTokens {
		return c.mint()
	}
	b := make([]byte, longPayload+longSignature)
	if err := c.random(b); err != nil {
		return reltioauth.Secret{}, err
	}
	enc := base64.RawURLEncoding
	return reltioauth.NewSecret("s." + enc.EncodeToString(b[:longPayload]) + "." + enc.EncodeToString(b[longPayload:])), nil
}
