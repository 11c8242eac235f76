package reltioauthtest_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

func form(pairs ...string) url.Values {
	values := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		values.Add(pairs[i], pairs[i+1])
	}
	return values
}

func passwordForm() url.Values {
	return form("grant_type", "password", "username", "ann", "password", "ann-password")
}

func code(err error) reltioauth.ErrorCode {
	var e *reltioauth.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

func basic(id, value string) http.Header {
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth(id, value)
	return r.Header
}

func TestTokenAnswer(t *testing.T) {
	f := like(t, reltioauthtest.Behaviour{})
	got := f.post("/oauth/token", passwordForm())
	equal(t, "status", got.status, 200)
	equal(t, "content type", got.header.Get("Content-Type"), "application/json;charset=UTF-8")
	equal(t, "caching", got.header.Get("Cache-Control"), "no-store")
	fields := got.json(t)
	for _, name := range []string{"access_token", "refresh_token"} {
		if text, ok := fields[name].(string); !ok || len(text) != 36 {
			t.Errorf("%s: not a UUID", name)
		}
		delete(fields, name)
	}
	want := map[string]any{"token_type": "bearer", "expires_in": 3600.0, "scope": "read write"}
	if diff := cmp.Diff(want, fields); diff != "" {
		t.Errorf("the rest (-want +got):\n%s", diff)
	}
}

func TestOddAnswers(t *testing.T) {
	tests := map[string]struct {
		behaviour reltioauthtest.Behaviour
		field     string
		want      any
	}{
		"expires_in as text":  {reltioauthtest.Behaviour{ExpiresInString: true}, "expires_in", "3600"},
		"expires_in missing":  {reltioauthtest.Behaviour{OmitExpiresIn: true}, "expires_in", missing{}},
		"expires_in null":     {reltioauthtest.Behaviour{ExpiresInJSON: "null"}, "expires_in", nil},
		"expires_in zero":     {reltioauthtest.Behaviour{ExpiresInJSON: "0"}, "expires_in", 0.0},
		"expires_in negative": {reltioauthtest.Behaviour{ExpiresInJSON: "-5"}, "expires_in", -5.0},
		"no token_type":       {reltioauthtest.Behaviour{OmitTokenType: true}, "token_type", missing{}},
		"no scope":            {reltioauthtest.Behaviour{OmitScope: true}, "scope", missing{}},
		"no refresh token":    {reltioauthtest.Behaviour{OmitRefreshToken: true}, "refresh_token", missing{}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			fields := like(t, test.behaviour).post("/oauth/token", passwordForm()).json(t)
			got, ok := fields[test.field]
			if !ok {
				got = missing{}
			}
			equal(t, test.field, got, test.want)
		})
	}
}

type missing struct{}

func TestRefreshTokenMissingOnRefresh(t *testing.T) {
	f := like(t, reltioauthtest.Behaviour{OmitRefreshTokenOnRefresh: true})
	first := f.login()
	equal(t, "told at login", first.RefreshToken.IsZero(), false)
	equal(t, "told at refresh", f.refresh(first).RefreshToken.IsZero(), true)
	f.refresh(first)
}

func TestLongTokens(t *testing.T) {
	f := like(t, reltioauthtest.Behaviour{LongTokens: true})
	token := f.login()
	if n := len(token.AccessToken.Reveal()); n < 2900 || n > 3100 {
		t.Errorf("length: got %d, want about 3000", n)
	}
	f.valid("long token", token.AccessToken, true)
}

func TestClientAuthentication(t *testing.T) {
	const path = "/oauth/token"
	credentials := form("grant_type", "client_credentials")
	posted := form("grant_type", "client_credentials", "client_id", "acme", "client_secret", "acme-secret")
	both := []reltioauth.ClientAuth{reltioauth.ClientAuthBasic, reltioauth.ClientAuthPost}
	post := both[1:]
	tests := map[string]struct {
		styles []reltioauth.ClientAuth
		header http.Header
		form   url.Values
		status int
		code   any
	}{
		"basic":                      {nil, basic("acme", "acme-secret"), credentials, 200, nil},
		"basic, wrong secret":        {nil, basic("acme", "wrong"), credentials, 401, "invalid_client"},
		"basic, unknown client":      {nil, basic("nobody", "acme-secret"), credentials, 401, "invalid_client"},
		"basic, where post is asked": {post, basic("acme", "acme-secret"), credentials, 401, "invalid_client"},
		"post":                       {post, http.Header{}, posted, 200, nil},
		"post, where both are taken": {both, http.Header{}, posted, 200, nil},
		"post, where basic is asked": {nil, http.Header{}, posted, 401, "invalid_client"},
		"none":                       {nil, http.Header{}, credentials, 401, "unauthorized"},
		"two at once":                {both, basic("acme", "acme-secret"), posted, 400, "invalid_request"},
		"another scheme":             {nil, http.Header{"Authorization": {"Bearer x"}}, credentials, 401, "unauthorized"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := setup(t, func(cfg *reltioauthtest.Config) { cfg.Clients[0].ClientAuth = test.styles })
			got := f.send(http.MethodPost, path, test.form, test.header.Clone())
			equal(t, "status", got.status, test.status)
			equal(t, "error", got.json(t)["error"], test.code)
			equal(t, "challenge", got.header.Get("Www-Authenticate") != "", test.status == 401)
		})
	}
}

func TestClientThatSendsInTheBody(t *testing.T) {
	f := setup(t, func(cfg *reltioauthtest.Config) {
		cfg.Clients[0].ClientAuth = []reltioauth.ClientAuth{reltioauth.ClientAuthPost}
	})
	f.clientCredentials()
	equal(t, "client on record", f.last().ClientID, "acme")
}

func TestMalformedTokenRequests(t *testing.T) {
	big := make([]byte, 70<<10)
	tests := map[string]struct {
		method, target string
		form           url.Values
		status         int
		code           any
	}{
		"no grant type":         {"POST", "/oauth/token", nil, 400, "invalid_request"},
		"unknown grant type":    {"POST", "/oauth/token", form("grant_type", "implicit"), 400, "unsupported_grant_type"},
		"parameters in query":   {"POST", "/oauth/token?grant_type=client_credentials", nil, 400, "invalid_request"},
		"broken query":          {"POST", "/oauth/checkToken?a=%zz", nil, 400, "invalid_request"},
		"repeated parameter":    {"POST", "/oauth/token", form("grant_type", "password", "grant_type", "password"), 400, "invalid_request"},
		"too large":             {"POST", "/oauth/token", form("grant_type", string(big)), 400, "invalid_request"},
		"wrong method":          {"GET", "/oauth/token", nil, 405, "method_not_allowed"},
		"no user name":          {"POST", "/oauth/token", form("grant_type", "password", "password", "x"), 400, "invalid_request"},
		"no state token":        {"POST", "/oauth/token", form("grant_type", "state_token"), 400, "invalid_request"},
		"no code":               {"POST", "/oauth/token", form("grant_type", "authorization_code"), 400, "invalid_request"},
		"scope it may not have": {"POST", "/oauth/token", form("grant_type", "client_credentials", "scope", "read admin"), 400, "invalid_scope"},
		"no such address":       {"POST", "/oauth/nothing", nil, 404, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := like(t, reltioauthtest.Behaviour{})
			got := f.send(test.method, test.target, test.form, nil)
			equal(t, "status", got.status, test.status)
			equal(t, "error", got.json(t)["error"], test.code)
		})
	}
}

func TestBodyThatIsNoForm(t *testing.T) {
	f := like(t, reltioauthtest.Behaviour{})
	header := basic("acme", "acme-secret")
	header.Set("Content-Type", "application/json")
	got := f.send(http.MethodPost, "/oauth/token", form("grant_type", "client_credentials"), header)
	equal(t, "json", got.json(t)["error"], "invalid_request")
	header.Set("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8")
	got = f.send(http.MethodPost, "/oauth/token", form("grant_type", "client_credentials"), header)
	equal(t, "form with a charset", got.status, 200)
}

func TestGrantTypesOfAClient(t *testing.T) {
	f := setup(t, func(cfg *reltioauthtest.Config) { cfg.Clients[0].GrantTypes = []string{"client_credentials"} })
	f.clientCredentials()
	f.refused(annPassword(), reltioauth.ErrUnauthorizedClient)
}

func TestScope(t *testing.T) {
	f := like(t, reltioauthtest.Behaviour{})
	equal(t, "everything", f.clientCredentials().Scope, "read write")
	equal(t, "less", f.must(reltioauth.ClientCredentialsGrant{Scope: "read"}).Scope, "read")
	f.refused(reltioauth.PasswordGrant{Username: "ann", Password: secret("ann-password"), Scope: "admin"}, reltioauth.ErrInvalidScope)
	f.Client = f.Server.Client("other")
	equal(t, "a client without scopes", f.must(reltioauth.ClientCredentialsGrant{Scope: "anything"}).Scope, "anything")
}

func TestBadLoginText(t *testing.T) {
	f := setup(t, func(cfg *reltioauthtest.Config) { cfg.LockAfter = 1 })
	bad := form("grant_type", "password", "username", "ann", "password", "wrong")
	want := map[string]any{"error": "invalid_grant", "error_description": "Invalid Username or Password"}
	first := f.post("/oauth/token", bad)
	if diff := cmp.Diff(want, first.json(t)); diff != "" || first.status != 400 {
		t.Errorf("status %d (-want +got):\n%s", first.status, diff)
	}
	locked := f.post("/oauth/token", passwordForm()).json(t)
	equal(t, "locked", locked["error_description"], "User account is locked")
	f.Configure(func(cfg *reltioauthtest.Config) {
		cfg.Behaviour.BadCredentialsText, cfg.Behaviour.LockedText = "Bad credentials", "Locked out"
	})
	equal(t, "locked, other words", f.post("/oauth/token", passwordForm()).json(t)["error_description"], "Locked out")
	f.UnlockUser("ann")
	equal(t, "bad, other words", f.post("/oauth/token", bad).json(t)["error_description"], "Bad credentials")
}

func TestLockOut(t *testing.T) {
	wrong := reltioauth.PasswordGrant{Username: "ANN", Password: secret("wrong")}
	t.Run("five bad logins", func(t *testing.T) {
		f := like(t, reltioauthtest.Behaviour{})
		for range 4 {
			f.refused(wrong, reltioauth.ErrInvalidGrant)
		}
		equal(t, "after four", f.Locked("ann"), false)
		f.refused(wrong, reltioauth.ErrInvalidGrant)
		equal(t, "after five", f.Locked("ann"), true)
		f.refused(annPassword(), reltioauth.ErrInvalidGrant)
		f.UnlockUser("ann")
		f.login()
	})
	t.Run("a good login begins anew", func(t *testing.T) {
		f := like(t, reltioauthtest.Behaviour{})
		for range 3 {
			for range 4 {
				f.refused(wrong, reltioauth.ErrInvalidGrant)
			}
			f.login()
		}
		equal(t, "locked", f.Locked("ann"), false)
	})
	t.Run("a wrong client is no bad login", func(t *testing.T) {
		f := like(t, reltioauthtest.Behaviour{})
		f.ClientSecret = secret("wrong")
		for range 6 {
			f.refused(annPassword(), reltioauth.ErrInvalidClient)
		}
		equal(t, "locked", f.Locked("ann"), false)
	})
	t.Run("never", func(t *testing.T) {
		f := setup(t, func(cfg *reltioauthtest.Config) { cfg.LockAfter = -1 })
		for range 50 {
			f.refused(wrong, reltioauth.ErrInvalidGrant)
		}
		f.login()
	})
	t.Run("unknown users are not locked", func(t *testing.T) {
		f := like(t, reltioauthtest.Behaviour{})
		f.refused(reltioauth.PasswordGrant{Username: "nobody", Password: secret("x")}, reltioauth.ErrInvalidGrant)
		equal(t, "locked", f.Locked("nobody"), false)
	})
}

func TestSetPassword(t *testing.T) {
	f := like(t, reltioauthtest.Behaviour{})
	f.SetPassword("ANN", secret("another"))
	f.refused(annPassword(), reltioauth.ErrInvalidGrant)
	f.must(reltioauth.PasswordGrant{Username: "ann", Password: secret("another")})
}

func TestMultiToken(t *testing.T) {
	f := setup(t, func(cfg *reltioauthtest.Config) {
		cfg.Clients[0].MultiToken = 3
		cfg.Clients[0].AccessTokenTTL = 30 * time.Minute
	})
	seen := map[string]bool{}
	for i := range 3 {
		scope := []string{"", "read", "write"}[i]
		token := f.must(reltioauth.ClientCredentialsGrant{Scope: scope})
		equal(t, fmt.Sprintf("token %d: full life", i), token.ExpiresIn, 30*time.Minute)
		seen[token.Fingerprint()] = true
		f.clock.Advance(time.Minute)
	}
	equal(t, "different tokens", len(seen), 3)
	f.refused(reltioauth.ClientCredentialsGrant{}, reltioauth.ErrRateLimited)
	equal(t, "outcome", f.last().Outcome, reltioauthtest.OutcomeTokenLimit)
	equal(t, "user logins are not concerned", f.login().ExpiresIn, 30*time.Minute)
	f.clock.Advance(27 * time.Minute)
	f.clientCredentials()
}
