package connection

import (
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// TOTPPeriod is how long a code of an authenticator counts (RFC 6238, section 5.2).
const TOTPPeriod = 30 * time.Second

// TOTP is what the user's authenticator shows at now: six digits, SHA-1. It fails
// if the connection has no TOTPSecret.
func (c *Connection) TOTP(now time.Time) (reltioauth.Secret, error) {
	code, err := totp.GenerateCodeCustom(c.TOTPSecret.Reveal(), now, totp.ValidateOpts{
		Period: uint(TOTPPeriod / time.Second), Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1,
	})
	if err != nil {
		// The library's text may hold a part of the key.
		return reltioauth.Secret{}, apierr.New(apierr.InvalidConnection, "totp_secret: cannot be used")
	}
	return reltioauth.NewSecret(code), nil
}
