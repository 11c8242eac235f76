package reltioauthtest_test

import (
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

func TestKill(t *testing.T) {
	f := like(t, reltioauthtest.Behaviour{})
	token := f.login()
	equal(t, "unknown", f.Kill("sha256:00000000000000000000000000000000"), false)
	equal(t, "access token", f.Kill(token.Fingerprint()), true)
	equal(t, "once more", f.Kill(token.Fingerprint()), false)
	info, err := f.Introspect(ctx(), token.AccessToken)
	if err != nil || info.Active {
		t.Errorf("checkToken: got %v, %v", info, err)
	}
	equal(t, "another token follows", f.login().Fingerprint() == token.Fingerprint(), false)

	equal(t, "refresh token", f.Kill(reltioauth.Fingerprint(token.RefreshToken)), true)
	f.refused(reltioauth.RefreshTokenGrant{RefreshToken: token.RefreshToken}, reltioauth.ErrInvalidGrant)
}

func TestKilledTokensAreGivenAgain(t *testing.T) {
	tests := map[string]struct {
		mode         reltioauthtest.KilledTokens
		again, after bool // the same token before and after it is revoked
	}{
		"never":         {reltioauthtest.KilledAreReplaced, false, false},
		"until revoked": {reltioauthtest.KilledUntilRevoked, true, false},
		"until its end": {reltioauthtest.KilledUntilEnd, true, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := like(t, reltioauthtest.Behaviour{KilledTokens: test.mode})
			token := f.login()
			f.Kill(token.Fingerprint())
			equal(t, "same token", f.refresh(token).Fingerprint() == token.Fingerprint(), test.again)
			if err := f.Revoke(ctx(), token.AccessToken, ""); err != nil {
				t.Fatal(err)
			}
			equal(t, "same token after revoke", f.refresh(token).Fingerprint() == token.Fingerprint(), test.after)
			f.valid("killed token", token.AccessToken, false)
			f.clock.Advance(time.Hour)
			equal(t, "same token after its end", f.refresh(token).Fingerprint() == token.Fingerprint(), false)
		})
	}
}

func TestKillUserTokens(t *testing.T) {
	f := like(t, reltioauthtest.Behaviour{})
	user, client := f.login(), f.clientCredentials()
	equal(t, "killed", f.KillUserTokens("ANN"), 1)
	f.valid("access token", user.AccessToken, false)
	f.valid("refresh token", user.RefreshToken, false)
	f.valid("the client's own token", client.AccessToken, true)
	equal(t, "nobody", f.KillUserTokens(""), 0)
}

func TestLoginElsewhere(t *testing.T) {
	f := like(t, reltioauthtest.Behaviour{})
	token := f.login()
	equal(t, "killed", f.LoginElsewhere("ann"), 1)
	f.valid("access token", token.AccessToken, false)
	f.valid("refresh token", token.RefreshToken, true)
	f.refresh(token)
}

func TestSetClientSecret(t *testing.T) {
	f := like(t, reltioauthtest.Behaviour{})
	user, own := f.login(), f.clientCredentials()
	other, err := f.Server.Client("other").Token(ctx(), reltioauth.ClientCredentialsGrant{})
	if err != nil {
		t.Fatal(err)
	}
	f.SetClientSecret("acme", secret("changed"))
	f.valid("a user's token", user.AccessToken, false)
	f.valid("a user's refresh token", user.RefreshToken, false)
	f.valid("the client's own token", own.AccessToken, false)
	f.valid("another client's token", other.AccessToken, true)
	f.refused(reltioauth.ClientCredentialsGrant{}, reltioauth.ErrInvalidClient)
	f.ClientSecret = secret("changed")
	f.clientCredentials()
}

func TestTokens(t *testing.T) {
	f := like(t, reltioauthtest.Behaviour{Refresh: reltioauthtest.NewToken})
	token := f.login()
	f.clock.Advance(time.Minute)
	f.refresh(token)
	f.clientCredentials()
	access, refresh := f.Tokens()
	equal(t, "access tokens", access, 3)
	equal(t, "refresh tokens", refresh, 1)
	f.clock.Advance(time.Hour - time.Minute)
	access, refresh = f.Tokens()
	equal(t, "access tokens after the first has ended", access, 2)
	equal(t, "refresh tokens", refresh, 1)
}

func TestClockThatRunsBackwards(t *testing.T) {
	f := like(t, reltioauthtest.Behaviour{})
	f.login()
	f.clock.Advance(-time.Hour)
	f.login()
	equal(t, "time stands still", f.last().At, epoch)
}

func TestClientOfAnUnknownID(t *testing.T) {
	f := like(t, reltioauthtest.Behaviour{})
	f.Client = f.Server.Client("nobody")
	f.refused(reltioauth.ClientCredentialsGrant{}, reltioauth.ErrInvalidClient)
}

func TestAddAndReplace(t *testing.T) {
	f := framework(t, nil)
	f.AddUser(reltioauthtest.User{Username: "ANN", Password: secret("another")})
	f.refused(annPassword(), reltioauth.ErrInvalidGrant)
	f.must(reltioauth.PasswordGrant{Username: "ann", Password: secret("another")})
	f.AddClient(reltioauthtest.Client{ID: "third", Secret: secret("x")})
	f.clientCredentials()
	f.Client = f.Server.Client("third")
	f.clientCredentials()
}

func TestSetLifetimes(t *testing.T) {
	f := framework(t, nil)
	f.SetLifetimes("acme", time.Minute, 0)
	token := f.login()
	equal(t, "access", token.ExpiresIn, 59*time.Second)
	f.clock.Advance(27 * 24 * time.Hour)
	f.valid("refresh token, as before", token.RefreshToken, true)
	f.SetLifetimes("acme", 0, time.Hour)
	f.clock.Advance(24 * time.Hour)
	token = f.login()
	f.clock.Advance(time.Hour)
	f.valid("refresh token", token.RefreshToken, false)
}

func TestRestart(t *testing.T) {
	f := framework(t, nil)
	f.LockUser("mia")
	grant, token := f.codeOf(authorization()), f.login()
	f.Restart()
	f.valid("access token", token.AccessToken, false)
	f.valid("refresh token", token.RefreshToken, false)
	f.refused(grant, reltioauth.ErrInvalidGrant)
	equal(t, "mia is locked", f.UserState("mia"), reltioauthtest.UserLocked)
	equal(t, "an unknown user is not", f.UserState("nobody"), reltioauthtest.UserActive)
	equal(t, "the same token", f.login().Fingerprint() == token.Fingerprint(), false)
}
