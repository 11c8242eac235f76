package reltioauthtest_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

func TestRevoke(t *testing.T) {
	tests := map[string]struct {
		spares                bool // RevokeSparesRefreshToken
		refresh               bool // revoke the refresh token
		accessLives, refLives bool
	}{
		"access token":                       {true, false, false, true},
		"access token, with its refresh one": {false, false, false, false},
		"refresh token":                      {true, true, false, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := setup(t, func(cfg *reltioauthtest.Config) { cfg.Behaviour.RevokeSparesRefreshToken = test.spares })
			token := f.login()
			revoked := token.AccessToken
			if test.refresh {
				revoked = token.RefreshToken
			}
			if err := f.Revoke(ctx(), revoked, ""); err != nil {
				t.Fatal(err)
			}
			f.valid("access token", token.AccessToken, test.accessLives)
			f.valid("refresh token", token.RefreshToken, test.refLives)
			equal(t, "user on record", f.last().User, "ann")
		})
	}
}

func TestRevokedRefreshTokenAfterRotation(t *testing.T) {
	f := like(t, reltioauthtest.Behaviour{Refresh: reltioauthtest.NewToken, RefreshTokens: reltioauthtest.Rotate})
	first := f.login()
	second := f.refresh(first)
	if err := f.Revoke(ctx(), second.RefreshToken, ""); err != nil {
		t.Fatal(err)
	}
	f.valid("access token from before the rotation", first.AccessToken, false)
	f.valid("access token", second.AccessToken, false)
}

func TestNewTokenAfterRevoke(t *testing.T) {
	f := like(t, reltioauthtest.Behaviour{})
	first := f.clientCredentials()
	if err := f.Revoke(ctx(), first.AccessToken, ""); err != nil {
		t.Fatal(err)
	}
	equal(t, "same token", f.clientCredentials().Fingerprint() == first.Fingerprint(), false)
}

func TestRevokeAnswers(t *testing.T) {
	t.Run("success", func(t *testing.T) {
		f := like(t, reltioauthtest.Behaviour{LogoutURI: "https://idp.example/logout"})
		got := f.post("/oauth/revoke", form("token", f.login().AccessToken.Reveal())).json(t)
		want := map[string]any{"status": "success", "logoutUri": "https://idp.example/logout"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("answer (-want +got):\n%s", diff)
		}
	})
	t.Run("unknown token", func(t *testing.T) {
		f := like(t, reltioauthtest.Behaviour{})
		equal(t, "status", f.post("/oauth/revoke", form("token", "x")).status, 200)
	})
	t.Run("unknown token, refused", func(t *testing.T) {
		f := like(t, reltioauthtest.Behaviour{RevokeUnknownStatus: 404, ManagementErrors: true})
		got := f.post("/oauth/revoke", form("token", "x"))
		equal(t, "status", got.status, 404)
		want := map[string]any{"errorCode": 404.0, "errorMessage": "Token is invalid: x"}
		if diff := cmp.Diff(want, got.json(t)); diff != "" {
			t.Errorf("answer (-want +got):\n%s", diff)
		}
	})
	t.Run("ended token", func(t *testing.T) {
		f := like(t, reltioauthtest.Behaviour{RevokeUnknownStatus: 400})
		token := f.login()
		f.clock.Advance(29 * 24 * time.Hour)
		equal(t, "access", f.post("/oauth/revoke", form("token", token.AccessToken.Reveal())).status, 400)
		equal(t, "refresh", f.post("/oauth/revoke", form("token", token.RefreshToken.Reveal())).status, 400)
	})
	t.Run("no token", func(t *testing.T) {
		f := like(t, reltioauthtest.Behaviour{})
		equal(t, "error", f.post("/oauth/revoke", nil).json(t)["error"], "invalid_request")
	})
	t.Run("another client's token lives on", func(t *testing.T) {
		f := like(t, reltioauthtest.Behaviour{})
		token := f.login()
		other := f.Server.Client("other")
		for _, text := range []reltioauth.Secret{token.AccessToken, token.RefreshToken} {
			if err := other.Revoke(ctx(), text, ""); err != nil {
				t.Fatal(err)
			}
			f.valid("token", text, true)
		}
	})
	t.Run("without a client", func(t *testing.T) {
		f := like(t, reltioauthtest.Behaviour{})
		token := f.login().AccessToken
		equal(t, "refused", f.send(http.MethodPost, "/oauth/revoke", form("token", token.Reveal()), http.Header{}).status, 401)
		f.Configure(func(cfg *reltioauthtest.Config) { cfg.Behaviour.RevokeAnonymous = true })
		equal(t, "allowed", f.send(http.MethodPost, "/oauth/revoke", form("token", token.Reveal()), http.Header{}).status, 200)
		f.valid("token", token, false)
		equal(t, "wrong client", f.send(http.MethodPost, "/oauth/revoke", form("token", "x"), basic("acme", "wrong")).status, 401)
	})
}

func TestTokenPlace(t *testing.T) {
	tests := map[string]struct {
		place       reltioauthtest.TokenPlace
		query, form bool // taken from there
	}{
		"either":     {reltioauthtest.QueryOrForm, true, true},
		"query only": {reltioauthtest.QueryOnly, true, false},
		"form only":  {reltioauthtest.FormOnly, false, true},
	}
	for name, test := range tests {
		for _, path := range []string{"/oauth/checkToken", "/oauth/revoke"} {
			t.Run(name+path, func(t *testing.T) {
				f := like(t, reltioauthtest.Behaviour{TokenPlace: test.place})
				token := f.login().AccessToken.Reveal()
				inForm := f.post(path, form("token", token))
				equal(t, "form", inForm.status == 200, test.form)
				inQuery := f.post(path+"?token="+token, nil)
				equal(t, "query", inQuery.status == 400 && strings.Contains(inQuery.body, "token is required"), !test.query)
			})
		}
	}
	f := like(t, reltioauthtest.Behaviour{TokenPlace: reltioauthtest.QueryOnly})
	if _, err := f.Introspect(ctx(), f.login().AccessToken); err != nil {
		t.Errorf("the server's own client knows the place: %v", err)
	}
}

func TestCheckToken(t *testing.T) {
	f := like(t, reltioauthtest.Behaviour{})
	got := f.post("/oauth/checkToken", form("token", f.login().AccessToken.Reveal())).json(t)
	want := map[string]any{
		"clientId": "acme", "expiration": float64(epoch.Add(time.Hour).UnixMilli()),
		"scopes": []any{"read", "write"}, "roles": []any{"ROLE_USER"},
		"user": map[string]any{"customer": "Acme", "username": "Ann", "email": "ann@acme.example", "tenants": []any{"t1", "t2"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("user's token (-want +got):\n%s", diff)
	}
	got = f.post("/oauth/checkToken", form("token", f.clientCredentials().AccessToken.Reveal())).json(t)
	equal(t, "no user", got["user"], nil)
	if diff := cmp.Diff([]any{"ROLE_API"}, got["roles"]); diff != "" {
		t.Errorf("roles of a client's token (-want +got):\n%s", diff)
	}
}

func TestCheckTokenOfAClientThatIsGone(t *testing.T) {
	f := like(t, reltioauthtest.Behaviour{})
	token := f.clientCredentials().AccessToken
	f.Configure(func(cfg *reltioauthtest.Config) { cfg.Clients = cfg.Clients[1:] })
	info, err := f.Server.Client("other").Introspect(ctx(), token)
	if err != nil || info.ClientID != "acme" || len(info.Roles) != 0 {
		t.Errorf("got %+v, %v", info, err)
	}
}

func TestExpirationFormat(t *testing.T) {
	for name, format := range map[string]reltioauthtest.ExpirationFormat{
		"milliseconds": reltioauthtest.ExpirationMillis,
		"seconds":      reltioauthtest.ExpirationSeconds,
		"text":         reltioauthtest.ExpirationRFC3339,
	} {
		t.Run(name, func(t *testing.T) {
			f := like(t, reltioauthtest.Behaviour{Expiration: format})
			info, err := f.Introspect(ctx(), f.login().AccessToken)
			if err != nil || !info.ExpiresAt.Equal(epoch.Add(time.Hour)) {
				t.Errorf("got %v, %v; want %v", info, err, epoch.Add(time.Hour))
			}
		})
	}
}

func TestInvalidToken(t *testing.T) {
	for status, management := range map[int]bool{400: false, 401: false, 404: true} {
		f := like(t, reltioauthtest.Behaviour{DeadTokenStatus: status, ManagementErrors: management})
		token := f.login()
		for what, text := range map[string]string{
			"unknown token": "no-such-token", "refresh token": token.RefreshToken.Reveal(),
		} {
			got := f.post("/oauth/checkToken", form("token", text))
			equal(t, what, got.status, status)
			if !strings.Contains(got.body, "Token is invalid: "+text) {
				t.Errorf("%s: the token is not echoed", what)
			}
		}
		f.clock.Advance(time.Hour)
		info, err := f.Introspect(ctx(), token.AccessToken)
		if verdict := err == nil && !info.Active; verdict == management { // a 404 is none
			t.Errorf("ended token, %d: got %v, %v", status, info, err)
		}
	}
}

func TestCheckTokenRefused(t *testing.T) {
	f := like(t, reltioauthtest.Behaviour{})
	equal(t, "no token", f.post("/oauth/checkToken", nil).status, 400)
	f.ClientSecret = secret("wrong")
	_, err := f.Introspect(ctx(), secret("x"))
	if !errors.Is(err, reltioauth.ErrInvalidClient) {
		t.Errorf("wrong client: got %v", err)
	}
}
