package connection_test

import (
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// The vectors of RFC 6238, appendix B, for SHA-1: the last six of their eight
// digits.
func TestTOTP(t *testing.T) {
	const key = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ" // 12345678901234567890
	c := connection.Connection{TOTPSecret: reltioauth.NewSecret(key)}
	for seconds, want := range map[int64]string{
		59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130",
	} {
		got, err := c.TOTP(time.Unix(seconds, 0))
		if err != nil || got.Reveal() != want {
			t.Errorf("at %d: %v, want %s", seconds, err, want)
		}
	}
}

// A code counts from the beginning of a period of 30 s to its end.
func TestTOTPPeriod(t *testing.T) {
	c := connection.Connection{TOTPSecret: reltioauth.NewSecret("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")}
	begins := time.Unix(1111111110, 0)
	next := begins.Add(connection.TOTPPeriod)
	if connection.TOTPPeriod != 30*time.Second {
		t.Errorf("a period of %s", connection.TOTPPeriod)
	}
	for at, want := range map[time.Time]string{
		begins.Add(-1): "081804", begins: "050471", next.Add(-1): "050471", next: "266759",
	} {
		if got, err := c.TOTP(at); err != nil || got.Reveal() != want {
			t.Errorf("at %s: %s, %v, want %s", at.UTC().Format(time.RFC3339Nano), got.Reveal(), err, want)
		}
	}
}

// A key without padding, as it is stored, and one that is not base32.
func TestTOTPKeys(t *testing.T) {
	for key, good := range map[string]bool{"GEZDGNBVGY3TQOJQ": true, "GEZDGNBVGY3TQOJQGE": true, "not base32 at all!": false} {
		c := connection.Connection{TOTPSecret: reltioauth.NewSecret(key)}
		code, err := c.TOTP(time.Unix(59, 0))
		if good != (err == nil) || good != (len(code.Reveal()) == 6) {
			t.Errorf("%q: %v", key, err)
		}
	}
}
