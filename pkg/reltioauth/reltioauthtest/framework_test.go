package reltioauthtest_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// These tests hold what Spring Security OAuth2 2.5.2 was seen to do.

func TestFrameworkTokenResponse(t *testing.T) {
	f := framework(t, nil)
	for name, sent := range map[string]url.Values{
		"client credentials": form("grant_type", "client_credentials"), "password": passwordForm(),
	} {
		got := f.post("/oauth/token", sent)
		equal(t, name+": status", got.status, 200)
		for key, want := range map[string]string{
			"Content-Type": "application/json;charset=UTF-8", "Cache-Control": "no-store", "Pragma": "no-cache",
		} {
			equal(t, name+": "+key, got.header.Get(key), want)
		}
		fields := got.json(t)
		_, refresh := fields["refresh_token"]
		equal(t, name+": refresh token", refresh, name == "password")
		for _, key := range []string{"access_token", "refresh_token"} {
			if text, there := fields[key].(string); there && len(text) != 27 {
				t.Errorf("%s: %s of %d characters", name, key, len(text))
			}
			delete(fields, key)
		}
		want := map[string]any{"token_type": "bearer", "expires_in": 3599.0, "scope": "read write"}
		if diff := cmp.Diff(want, fields); diff != "" {
			t.Errorf("%s: the rest (-want +got):\n%s", name, diff)
		}
	}
	equal(t, "length of a code", len(f.codeOf(authorization()).Code.Reveal()), 6)
}

func TestFrameworkSameToken(t *testing.T) {
	f := framework(t, nil)
	for name, ask := range map[string]func() *reltioauth.Token{
		"client credentials": f.clientCredentials, "password": f.login, "code": f.code,
	} {
		first, second := ask(), ask()
		equal(t, name+": the same access token", first.AccessToken.Equal(second.AccessToken), true)
		equal(t, name+": the same refresh token", first.RefreshToken.Equal(second.RefreshToken), true)
	}
	equal(t, "however the user logged in", f.code().Fingerprint(), f.login().Fingerprint())
	seen := map[string]string{}
	for name, grant := range map[string]reltioauth.Grant{
		"the client": reltioauth.ClientCredentialsGrant{}, "a scope": reltioauth.ClientCredentialsGrant{Scope: "read"},
		"the user": annPassword(), "the user, a scope": reltioauth.PasswordGrant{Username: "ann", Password: secret("ann-password"), Scope: "read"},
	} {
		fingerprint := f.must(grant).Fingerprint()
		equal(t, name+" shares its token with", seen[fingerprint], "")
		seen[fingerprint] = name
	}
}

func TestFrameworkExpiresIn(t *testing.T) {
	f := framework(t, nil)
	want := []float64{3599, 3598, 1, 0, 0}
	for i, left := range []time.Duration{time.Hour, time.Hour - time.Second, 1500 * time.Millisecond, time.Second, time.Millisecond} {
		f.clock.Advance(epoch.Add(time.Hour - left).Sub(f.clock.Now()))
		equal(t, left.String(), f.post("/oauth/token", form("grant_type", "client_credentials")).json(t)["expires_in"], any(want[i]))
	}
}

func TestFrameworkRefresh(t *testing.T) {
	const day = 24 * time.Hour
	for name, reuse := range map[string]bool{"reused": true, "rotated": false} {
		t.Run(name, func(t *testing.T) {
			f := framework(t, nil)
			f.ReuseRefreshTokens(reuse)
			first := f.login()
			f.clock.Advance(20 * day)
			second := f.refresh(first)
			f.valid("the new access token", second.AccessToken, true)
			equal(t, "the same refresh token", second.RefreshToken.Equal(first.RefreshToken), reuse)
			f.valid("the refresh token before", first.RefreshToken, reuse)
			f.clock.Advance(8 * day)
			f.valid("the refresh token 28 days after the login", second.RefreshToken, !reuse)
			f.clock.Advance(20*day - time.Second)
			f.valid("the refresh token 28 days after the refresh, less a second", second.RefreshToken, !reuse)
		})
	}
}

func TestFrameworkRefreshEndsTheAccessToken(t *testing.T) {
	for name, reuse := range map[string]bool{"reused": true, "rotated": false} {
		f := framework(t, nil)
		f.ReuseRefreshTokens(reuse)
		first := f.login()
		f.clock.Advance(30 * time.Minute)
		f.refresh(first)
		f.valid(name+": the access token before", first.AccessToken, false)
	}
}

// A login while the refresh token is valid gives that one, with its old clock.
func TestFrameworkLoginKeepsTheRefreshToken(t *testing.T) {
	f := framework(t, nil)
	first := f.login()
	f.clock.Advance(2 * time.Hour)
	second := f.code()
	equal(t, "another access token", second.AccessToken.Equal(first.AccessToken), false)
	equal(t, "the same refresh token", second.RefreshToken.Equal(first.RefreshToken), true)
	f.clock.Advance(28*24*time.Hour - 2*time.Hour)
	f.valid("the refresh token 28 days after the first login", second.RefreshToken, false)
	equal(t, "then another", f.login().RefreshToken.Equal(first.RefreshToken), false)
}

func TestFrameworkRefreshTokenOfAClientThatMayNotRefresh(t *testing.T) {
	f := framework(t, func(cfg *reltioauthtest.Config) { cfg.Clients[0].GrantTypes = []string{"password"} })
	equal(t, "no refresh token", f.login().RefreshToken.IsZero(), true)
}

func TestFrameworkCheckToken(t *testing.T) {
	f := framework(t, nil)
	check := func(token reltioauth.Secret) map[string]any {
		return f.post("/oauth/checkToken", form("token", token.Reveal())).json(t)
	}
	exp := float64(epoch.Add(time.Hour).Unix())
	for name, test := range map[string]struct {
		token reltioauth.Secret
		want  map[string]any
	}{
		"a user's": {f.login().AccessToken, map[string]any{
			"user_name": "Ann", "client_id": "acme", "active": true, "exp": exp,
			"scope": []any{"read", "write"}, "authorities": []any{"ROLE_USER"},
		}},
		"a client's": {f.clientCredentials().AccessToken, map[string]any{
			"client_id": "acme", "active": true, "exp": exp,
			"scope": []any{"read", "write"}, "authorities": []any{"ROLE_API"},
		}},
	} {
		if diff := cmp.Diff(test.want, check(test.token)); diff != "" {
			t.Errorf("%s token (-want +got):\n%s", name, diff)
		}
	}
	token := f.login().AccessToken.Reveal()
	equal(t, "in the query, by another client", f.send(http.MethodPost, "/oauth/checkToken?token="+token, nil, basic("other", "other-secret")).status, 200)

	f.Configure(func(cfg *reltioauthtest.Config) { cfg.Behaviour.CheckShape = reltioauthtest.ReltioShape })
	equal(t, "Reltio's shape", check(f.login().AccessToken)["clientId"], any("acme"))
}

func TestFrameworkRevoke(t *testing.T) {
	for name, of := range map[string]func(*reltioauth.Token) reltioauth.Secret{
		"access token":  func(token *reltioauth.Token) reltioauth.Secret { return token.AccessToken },
		"refresh token": func(token *reltioauth.Token) reltioauth.Secret { return token.RefreshToken },
	} {
		t.Run(name, func(t *testing.T) {
			f := framework(t, nil)
			token := f.login()
			got := f.post("/oauth/revoke", form("token", of(token).Reveal()))
			equal(t, "status", got.status, 200)
			equal(t, "says", got.json(t)["status"], any("success"))
			f.valid("access token", token.AccessToken, false)
			f.valid("refresh token", token.RefreshToken, false)
			equal(t, "another one then", f.login().Fingerprint() == token.Fingerprint(), false)
		})
	}
	f := framework(t, nil)
	equal(t, "unknown token", f.post("/oauth/revoke", form("token", "x")).status, 200)
}

func TestFrameworkCode(t *testing.T) {
	t.Run("PKCE is ignored", func(t *testing.T) {
		f := framework(t, nil)
		r := authorization()
		r.Verifier = secret(verifier)
		for _, sent := range []reltioauth.Secret{{}, secret("another-" + verifier)} {
			grant := f.codeOf(r)
			grant.Verifier = sent
			f.must(grant)
		}
	})
	t.Run("PKCE counts for a client that must use it", func(t *testing.T) {
		f := framework(t, func(cfg *reltioauthtest.Config) { cfg.Clients[0].RequirePKCE = true })
		r := authorization()
		r.Verifier = secret(verifier)
		grant := f.codeOf(r)
		grant.Verifier = secret("another-" + verifier)
		f.refused(grant, reltioauth.ErrInvalidGrant)
		f.must(f.codeOf(r))
	})
	t.Run("a failed try spends it", func(t *testing.T) {
		f := framework(t, nil)
		for name, try := range map[string]func(reltioauth.AuthorizationCodeGrant){
			"another redirect_uri": func(grant reltioauth.AuthorizationCodeGrant) {
				grant.RedirectURI += "/"
				f.refused(grant, reltioauth.ErrInvalidGrant)
			},
			"another client": func(grant reltioauth.AuthorizationCodeGrant) {
				if _, err := f.Server.Client("other").Token(ctx(), grant); code(err) != reltioauth.ErrInvalidClient {
					t.Errorf("got %v", err)
				}
			},
		} {
			grant := f.codeOf(authorization())
			try(grant)
			_, err := f.Token(ctx(), grant)
			equal(t, name, code(err), reltioauth.ErrInvalidGrant)
		}
	})
	t.Run("a wrong secret does not", func(t *testing.T) {
		f := framework(t, nil)
		grant := f.codeOf(authorization())
		f.ClientSecret = secret("wrong")
		f.refused(grant, reltioauth.ErrUnauthorized)
		f.ClientSecret = secret("acme-secret")
		f.must(grant)
	})
}

func TestFrameworkAuthorizationRequests(t *testing.T) {
	f := framework(t, func(cfg *reltioauthtest.Config) { cfg.Clients[1].GrantTypes = []string{"password"} })
	for name, test := range map[string]struct {
		field, value string
		status       int
		back         string
	}{
		"unknown client":        {"client_id", "nobody", 401, ""},
		"client without codes":  {"client_id", "other", 400, ""},
		"unregistered redirect": {"redirect_uri", "https://elsewhere.example", 400, ""},
		"scope":                 {"scope", "admin", 302, "error=invalid_scope"},
	} {
		got := f.send(http.MethodGet, "/oauth/sso?"+f.pageForm(test.field, test.value).Encode(), nil, http.Header{})
		equal(t, name+": status", got.status, test.status)
		if location := got.header.Get("Location"); (location == "") != (test.back == "") || !strings.Contains(location, test.back) {
			t.Errorf("%s: sent back: %v", name, location != "")
		}
	}
}
