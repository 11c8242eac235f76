package reltioauthtest_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// challenge logs in mia, who has a second factor.
func (f *fixture) challenge() *reltioauth.MFAChallenge {
	f.t.Helper()
	_, err := f.Token(ctx(), reltioauth.PasswordGrant{Username: "mia", Password: secret("mia-password")})
	var e *reltioauth.Error
	if !errors.As(err, &e) || e.MFA == nil {
		f.t.Fatalf("login of a user with a second factor: got %v", err)
	}
	return e.MFA
}

func TestSecondFactor(t *testing.T) {
	t.Run("asked for with status 200", func(t *testing.T) {
		f := like(t, reltioauthtest.Behaviour{})
		got := f.post("/oauth/token", form("grant_type", "password", "username", "mia", "password", "mia-password"))
		equal(t, "status", got.status, 200)
		fields := got.json(t)
		state, _ := fields["state_token"].(map[string]any)
		delete(state, "token")
		want := map[string]any{
			"expires_in":  600.0,
			"state_token": map[string]any{"mfaType": "AUTHENTICATOR", "expires_in": "600", "status": "ENROLL"},
		}
		if diff := cmp.Diff(want, fields); diff != "" {
			t.Errorf("answer (-want +got):\n%s", diff)
		}
	})
	t.Run("right", func(t *testing.T) {
		f := like(t, reltioauthtest.Behaviour{})
		grant := reltioauth.MFAGrant{StateToken: f.challenge().StateToken, TOTP: secret("123456")}
		f.refresh(f.must(grant))
		f.refused(grant, reltioauth.ErrInvalidGrant) // used up
	})
	t.Run("wrong, until locked", func(t *testing.T) {
		f := setup(t, func(cfg *reltioauthtest.Config) { cfg.LockAfter = 2 })
		state := f.challenge().StateToken
		f.refused(reltioauth.MFAGrant{StateToken: state, TOTP: secret("000000")}, reltioauth.ErrInvalidGrant)
		f.refused(reltioauth.MFAGrant{StateToken: state, TOTP: secret("000000")}, reltioauth.ErrInvalidGrant)
		equal(t, "locked", f.Locked("mia"), true)
		f.refused(reltioauth.MFAGrant{StateToken: state, TOTP: secret("123456")}, reltioauth.ErrInvalidGrant)
		equal(t, "refused logins", f.RefusedLogins("mia", epoch, time.Time{}), 3)
	})
	t.Run("too late", func(t *testing.T) {
		f := like(t, reltioauthtest.Behaviour{})
		state := f.challenge().StateToken
		f.clock.Advance(10 * time.Minute)
		f.refused(reltioauth.MFAGrant{StateToken: state, TOTP: secret("123456")}, reltioauth.ErrInvalidGrant)
	})
}
