package framework

import (
	"net/http"
	"net/url"
	"testing"
)

// exchange is the token request of a code.
func exchange(code string, pairs ...string) request {
	return token(authorizationCode, append(pairs, "code", code, "redirect_uri", redirect)...)
}

// sso is the query of the contract's authorization request.
func sso(pairs ...string) url.Values {
	v := values("client_id", "app", "response_type", "code", "redirect_uri", redirect, "state", "a state", "tenant_id", "tenant")
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v
}

// authorize lets a user log in with a browser, and returns the code and the state
// that it was sent back with.
func authorize(t *testing.T, s server, user string, pairs ...string) (code, state string) {
	t.Helper()
	back := newBrowser(t).login(t, s.url()+"/oauth/sso?"+sso(pairs...).Encode(), user, redirect)
	if code = back.Get("code"); code == "" {
		t.Fatalf("no code: %s", back.Get("error"))
	}
	return code, back.Get("state")
}

// codeRules are about authorization codes.
func codeRules() []rule {
	return []rule{
		{"it brings a token once", nil, func(t *testing.T, s server) {
			code, state := authorize(t, s, "ann")
			if state != "a state" {
				t.Errorf("the state is %q", state)
			}
			access := wantToken(t, send(t, s, exchange(code)))
			invalidGrant("Invalid authorization code").ofToken(t, send(t, s, exchange(code)))
			if r := send(t, s, check(access)); r.status != http.StatusOK {
				t.Errorf("its token after the second try: HTTP %d", r.status)
			}
		}},
		{"an unknown one", nil, func(t *testing.T, s server) {
			invalidGrant("Invalid authorization code").ofToken(t, send(t, s, exchange("nobody's")))
		}},
		{"another redirect_uri, or none; the code is spent", nil, func(t *testing.T, s server) {
			for _, q := range []func(code string) request{
				func(code string) request { return token(authorizationCode, "code", code, "redirect_uri", redirect+"/") },
				func(code string) request { return token(authorizationCode, "code", code) },
			} {
				code, _ := authorize(t, s, "ann")
				invalidGrant("Redirect URI mismatch.").of(t, send(t, s, q(code)))
				invalidGrant("Invalid authorization code").ofToken(t, send(t, s, exchange(code)))
			}
		}},
		{"of another client; the code is spent", nil, func(t *testing.T, s server) {
			code, _ := authorize(t, s, "ann")
			badGrant("Client ID mismatch").of(t, send(t, s, exchange(code).by("other")))
			invalidGrant("Invalid authorization code").ofToken(t, send(t, s, exchange(code)))
		}},
		{"a wrong secret does not spend it", nil, func(t *testing.T, s server) {
			code, _ := authorize(t, s, "ann")
			q := exchange(code)
			q.secret = "wrong"
			badClient("Bad credentials").of(t, send(t, s, q))
			wantToken(t, send(t, s, exchange(code)))
		}},
		{"PKCE is ignored", nil, func(t *testing.T, s server) {
			challenge := []string{"code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "code_challenge_method", "S256"}
			code, _ := authorize(t, s, "ann", challenge...)
			wantToken(t, send(t, s, exchange(code)))
			code, _ = authorize(t, s, "ann", challenge...)
			wantToken(t, send(t, s, exchange(code, "code_verifier", "another one")))
		}},
		{"it needs no user store", nil, func(t *testing.T, s server) {
			code, _ := authorize(t, s, "ann")
			s.change(t, func(s *settings) { s.UserStoreDown = "connection refused" })
			wantToken(t, send(t, s, exchange(code)))
		}},
	}
}

// ssoRules are about authorization requests that no server can grant.
func ssoRules() []rule {
	noWayBack := func(status int, pairs ...string) func(*testing.T, server) {
		return func(t *testing.T, s server) {
			p := newBrowser(t).open(t, s.url()+"/oauth/sso?"+sso(pairs...).Encode())
			if p.form != nil {
				p = p.submit(t, "ann")
			}
			if p.status != status || p.location != nil {
				t.Errorf("HTTP %d, sent on: %v; want %d", p.status, p.location != nil, status)
			}
		}
	}
	return []rule{
		{"an unknown client", nil, noWayBack(http.StatusUnauthorized, "client_id", "nobody")},
		{"a redirect_uri that is not registered", nil, noWayBack(http.StatusBadRequest, "redirect_uri", "http://127.0.0.1:1/elsewhere")},
		{"a client that may not use codes", func(s *settings) {
			s.changeClient("app", func(c *client) { c.Grants = []string{clientCredentials} })
		}, noWayBack(http.StatusBadRequest)},
		{"an unknown scope is told to the client", nil, func(t *testing.T, s server) {
			back := newBrowser(t).login(t, s.url()+"/oauth/sso?"+sso("scope", "c").Encode(), "ann", redirect)
			if back.Get("error") != "invalid_scope" || back.Get("state") != "a state" || back.Has("code") {
				t.Errorf("error %q, state %q", back.Get("error"), back.Get("state"))
			}
		}},
	}
}
