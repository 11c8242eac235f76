package reltioauthtest_test

import (
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// again is a second token after a first, by each of the three ways.
var again = map[string]struct {
	behaviour func(reltioauthtest.Renewal) reltioauthtest.Behaviour
	first     func(*fixture) *reltioauth.Token
	second    func(*fixture, *reltioauth.Token) *reltioauth.Token
}{
	"password": {
		func(r reltioauthtest.Renewal) reltioauthtest.Behaviour { return reltioauthtest.Behaviour{Login: r} },
		(*fixture).login,
		func(f *fixture, _ *reltioauth.Token) *reltioauth.Token { return f.login() },
	},
	"client credentials": {
		func(r reltioauthtest.Renewal) reltioauthtest.Behaviour { return reltioauthtest.Behaviour{Login: r} },
		(*fixture).clientCredentials,
		func(f *fixture, _ *reltioauth.Token) *reltioauth.Token { return f.clientCredentials() },
	},
	"refresh": {
		func(r reltioauthtest.Renewal) reltioauthtest.Behaviour { return reltioauthtest.Behaviour{Refresh: r} },
		(*fixture).login,
		(*fixture).refresh,
	},
	"code": {
		func(r reltioauthtest.Renewal) reltioauthtest.Behaviour { return reltioauthtest.Behaviour{Code: r} },
		(*fixture).code,
		func(f *fixture, _ *reltioauth.Token) *reltioauth.Token { return f.code() },
	},
}

func (f *fixture) clientCredentials() *reltioauth.Token {
	f.t.Helper()
	return f.must(reltioauth.ClientCredentialsGrant{})
}

func TestSecondTokenWhileTheFirstLives(t *testing.T) {
	modes := map[string]struct {
		mode             reltioauthtest.Renewal
		same, firstLives bool
		secondLeft       time.Duration
	}{
		"same token":           {mode: reltioauthtest.SameToken, same: true, firstLives: true, secondLeft: 10 * time.Minute},
		"new token":            {mode: reltioauthtest.NewToken, firstLives: true, secondLeft: time.Hour},
		"new, the old is dead": {mode: reltioauthtest.NewTokenOldDies, secondLeft: time.Hour},
	}
	for way, how := range again {
		for mode, want := range modes {
			t.Run(way+"/"+mode, func(t *testing.T) {
				f := like(t, how.behaviour(want.mode))
				first := how.first(f)
				equal(t, "first token's life", first.ExpiresIn, time.Hour)
				f.clock.Advance(50 * time.Minute)
				second := how.second(f, first)
				equal(t, "same token", second.AccessToken.Equal(first.AccessToken), want.same)
				equal(t, "second token's life", second.ExpiresIn, want.secondLeft)
				f.valid("first token", first.AccessToken, want.firstLives)
				f.valid("second token", second.AccessToken, true)
			})
		}
	}
}

func TestTokenAfterTheFirstHasEnded(t *testing.T) {
	for way, how := range again {
		t.Run(way, func(t *testing.T) {
			f := like(t, how.behaviour(reltioauthtest.SameToken))
			first := how.first(f)
			f.clock.Advance(time.Hour - time.Nanosecond)
			f.valid("first token in its last moment", first.AccessToken, true)
			f.clock.Advance(time.Nanosecond)
			f.valid("first token at its end", first.AccessToken, false)
			second := how.second(f, first)
			equal(t, "same token", second.AccessToken.Equal(first.AccessToken), false)
			equal(t, "second token's life", second.ExpiresIn, time.Hour)
		})
	}
}

func TestSameTokenWithLessThanASecondLeft(t *testing.T) {
	f := like(t, reltioauthtest.Behaviour{})
	f.login()
	f.clock.Advance(time.Hour - time.Millisecond)
	got := f.post("/oauth/token", passwordForm()).json(t)
	equal(t, "expires_in", got["expires_in"], 0.0)
}

func TestLoginsOfOthersAreNotTheSame(t *testing.T) {
	f := setup(t, func(cfg *reltioauthtest.Config) { cfg.Behaviour.Login = reltioauthtest.NewTokenOldDies })
	ann := f.login()
	credentials := f.clientCredentials()
	other, err := f.Server.Client("other").Token(ctx(), annPassword())
	if err != nil {
		t.Fatal(err)
	}
	less := f.must(reltioauth.PasswordGrant{Username: "ann", Password: secret("ann-password"), Scope: "read"})
	for what, token := range map[string]*reltioauth.Token{
		"a user": ann, "the client itself": credentials, "another client": other, "a smaller scope": less,
	} {
		f.valid(what, token.AccessToken, true)
	}
}

func TestRefreshSparesOtherLogins(t *testing.T) {
	f := like(t, reltioauthtest.Behaviour{
		Login: reltioauthtest.NewToken, Refresh: reltioauthtest.NewTokenOldDies,
		LoginRefreshToken: reltioauthtest.NewToken,
	})
	one, two := f.login(), f.login()
	f.refresh(two)
	f.valid("the other login's token", one.AccessToken, true)
	f.valid("the refreshed login's token", two.AccessToken, false)
}

func TestRefreshTokenAtLogin(t *testing.T) {
	login := func(r reltioauthtest.Renewal) reltioauthtest.Behaviour {
		return reltioauthtest.Behaviour{LoginRefreshToken: r, CodeRefreshToken: r}
	}
	tests := map[string]struct {
		mode           reltioauthtest.Renewal
		same, oldLives bool
		newLives       bool
	}{
		"same, with its old clock": {reltioauthtest.SameToken, true, true, false},
		"new":                      {reltioauthtest.NewToken, false, true, true},
		"new, the old one is dead": {reltioauthtest.NewTokenOldDies, false, false, true},
	}
	for name, test := range tests {
		for way, ask := range map[string]func(*fixture) *reltioauth.Token{"password": (*fixture).login, "code": (*fixture).code} {
			t.Run(way+"/"+name, func(t *testing.T) {
				f := like(t, login(test.mode))
				first := ask(f)
				f.clock.Advance(20 * 24 * time.Hour)
				second := ask(f)
				equal(t, "same refresh token", second.RefreshToken.Equal(first.RefreshToken), test.same)
				f.valid("first refresh token", first.RefreshToken, test.oldLives)
				f.clock.Advance(8 * 24 * time.Hour)
				f.valid("first refresh token after 28 days", first.RefreshToken, false)
				f.valid("second refresh token after the first's 28 days", second.RefreshToken, test.newLives)
			})
		}
	}
}

func TestClientCredentialsGiveNoRefreshToken(t *testing.T) {
	f := like(t, reltioauthtest.Behaviour{})
	equal(t, "no refresh token", f.clientCredentials().RefreshToken.IsZero(), true)
}

func TestRefreshTokenClock(t *testing.T) {
	for name, test := range map[string]struct {
		behaviour reltioauthtest.Behaviour
		lives     bool
	}{
		"kept":                   {reltioauthtest.Behaviour{}, false},
		"kept, restarted":        {reltioauthtest.Behaviour{RestartClock: true}, true},
		"rotated":                {reltioauthtest.Behaviour{RefreshTokens: reltioauthtest.Rotate}, false},
		"rotated, and restarted": {reltioauthtest.Behaviour{RefreshTokens: reltioauthtest.Rotate, RestartClock: true}, true},
	} {
		t.Run(name, func(t *testing.T) {
			f := like(t, test.behaviour)
			token := f.login()
			f.clock.Advance(20 * 24 * time.Hour)
			token = f.refresh(token)
			f.clock.Advance(8*24*time.Hour - time.Second)
			f.valid("in its last second", token.RefreshToken, true)
			f.clock.Advance(time.Second)
			f.valid("28 days after the login", token.RefreshToken, test.lives)
			f.clock.Advance(20 * 24 * time.Hour)
			f.valid("28 days after the refresh", token.RefreshToken, false)
			f.refused(reltioauth.RefreshTokenGrant{RefreshToken: token.RefreshToken}, reltioauth.ErrInvalidGrant)
		})
	}
}

func TestRotation(t *testing.T) {
	f := like(t, reltioauthtest.Behaviour{RefreshTokens: reltioauthtest.Rotate, Refresh: reltioauthtest.NewToken})
	first := f.login()
	second := f.refresh(first)
	equal(t, "same refresh token", second.RefreshToken.Equal(first.RefreshToken), false)
	f.refused(reltioauth.RefreshTokenGrant{RefreshToken: first.RefreshToken}, reltioauth.ErrInvalidGrant)
	third := f.refresh(second)
	f.valid("the latest refresh token", third.RefreshToken, true)
	f.valid("the first access token", first.AccessToken, true)
}

func TestRotationGrace(t *testing.T) {
	f := like(t, reltioauthtest.Behaviour{RefreshTokens: reltioauthtest.Rotate, RotationGrace: time.Minute})
	first := f.login()
	second := f.refresh(first)
	f.clock.Advance(time.Minute - time.Second)
	third := f.refresh(first)
	equal(t, "rotated once more", third.RefreshToken.Equal(second.RefreshToken), false)
	f.valid("the token of the answer that may have been lost", second.RefreshToken, true)
	f.clock.Advance(time.Second)
	f.refused(reltioauth.RefreshTokenGrant{RefreshToken: first.RefreshToken}, reltioauth.ErrInvalidGrant)
	f.valid("the latest refresh token", third.RefreshToken, true)
}

func TestReuseOfARotatedRefreshToken(t *testing.T) {
	for name, revokes := range map[string]bool{"is refused": false, "ends the login": true} {
		t.Run(name, func(t *testing.T) {
			f := like(t, reltioauthtest.Behaviour{RefreshTokens: reltioauthtest.Rotate, ReuseRevokes: revokes})
			first := f.login()
			second := f.refresh(first)
			f.clock.Advance(time.Second)
			f.refused(reltioauth.RefreshTokenGrant{RefreshToken: first.RefreshToken}, reltioauth.ErrInvalidGrant)
			f.valid("the latest refresh token", second.RefreshToken, !revokes)
			f.valid("the latest access token", second.AccessToken, !revokes)
		})
	}
}

func TestRefreshRefused(t *testing.T) {
	f := setup(t, func(cfg *reltioauthtest.Config) { cfg.Behaviour.RefreshIgnoresUser = false })
	token := f.login()
	grant := reltioauth.RefreshTokenGrant{RefreshToken: token.RefreshToken}

	_, err := f.Server.Client("other").Token(ctx(), grant)
	equal(t, "another client's", code(err), reltioauth.ErrInvalidGrant)
	f.refused(reltioauth.RefreshTokenGrant{RefreshToken: secret("no-such-token")}, reltioauth.ErrInvalidGrant)
	f.LockUser("ann")
	f.refused(grant, reltioauth.ErrInvalidGrant)
	f.UnlockUser("ann")
	f.must(grant)

	f.Configure(func(cfg *reltioauthtest.Config) { cfg.Behaviour.DeadRefreshStatus = 401 })
	f.refused(reltioauth.RefreshTokenGrant{RefreshToken: secret("no-such-token")}, reltioauth.ErrInvalidToken)
	got := f.post("/oauth/token", form("grant_type", "refresh_token")).json(t)
	equal(t, "no refresh token at all", got["error"], "invalid_request")
}

func TestBehaviourOfOneClient(t *testing.T) {
	f := setup(t, func(cfg *reltioauthtest.Config) {
		cfg.Clients[1].Behaviour = &reltioauthtest.Behaviour{Login: reltioauthtest.NewToken}
	})
	same := f.clientCredentials()
	equal(t, "the server's behaviour", f.clientCredentials().Fingerprint(), same.Fingerprint())
	f.Client = f.Server.Client("other")
	own := f.clientCredentials()
	equal(t, "its own behaviour", f.clientCredentials().Fingerprint() == own.Fingerprint(), false)
}

func TestConfigureWhileRunning(t *testing.T) {
	f := like(t, reltioauthtest.Behaviour{})
	first := f.login()
	f.Configure(func(cfg *reltioauthtest.Config) {
		cfg.Behaviour.Login = reltioauthtest.NewToken
		cfg.Clients[0].AccessTokenTTL = 10 * time.Minute
	})
	second := f.login()
	equal(t, "another token", second.Fingerprint() == first.Fingerprint(), false)
	equal(t, "life", second.ExpiresIn, 10*time.Minute)
}
