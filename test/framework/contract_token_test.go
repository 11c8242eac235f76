package framework

import (
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// tokenRules are about the access tokens of logins.
func tokenRules() []rule {
	return []rule{
		{"the response", nil, func(t *testing.T, s server) {
			wantShape(t, send(t, s, token(clientCredentials)), "access_token", "expires_in", "scope", "token_type")
			wantShape(t, send(t, s, login("ann")), "access_token", "expires_in", "refresh_token", "scope", "token_type")
			code, _ := authorize(t, s, "ann")
			wantShape(t, send(t, s, exchange(code)), "access_token", "expires_in", "refresh_token", "scope", "token_type")
		}},
		{"what tokens and codes look like", nil, func(t *testing.T, s server) {
			code, _ := authorize(t, s, "ann")
			r := send(t, s, exchange(code))
			for text, want := range map[string]string{
				wantToken(t, r):           `^[A-Za-z0-9_-]{27}$`,
				r.member("refresh_token"): `^[A-Za-z0-9_-]{27}$`,
				code:                      `^[A-Za-z0-9_-]{6}$`,
			} {
				if !regexp.MustCompile(want).MatchString(text) {
					t.Errorf("one of %d characters does not match %s", len(text), want)
				}
			}
		}},
		{"the same token while one is valid, for every login", nil, sameToken},
		{"another token for another client, user or scope", nil, otherToken},
		{"expires_in is truncated, and 0 in the last second", shortTokens(2), truncated},
		{"a token killed before its end is replaced", nil, func(t *testing.T, s server) {
			old := wantToken(t, send(t, s, token(clientCredentials)))
			s.kill(t, old)
			inactiveToken("Token was not recognised").of(t, send(t, s, check(old)))
			if wantToken(t, send(t, s, token(clientCredentials))) == old {
				t.Error("the killed token was given again")
			}
		}},
		{"no refresh token for a client that may not refresh", func(s *settings) {
			s.changeClient("app", func(c *client) { c.Grants = []string{password} })
		}, func(t *testing.T, s server) {
			wantShape(t, send(t, s, login("ann")), "access_token", "expires_in", "scope", "token_type")
		}},
		{"a server that has lost all tokens", nil, func(t *testing.T, s server) {
			old := send(t, s, login("ann"))
			wantToken(t, old)
			s.forget(t)
			inactiveToken("Token was not recognised").of(t, send(t, s, check(old.member("access_token"))))
			invalidGrant("Invalid refresh token").ofToken(t, send(t, s, refresh(old)))
			if wantToken(t, send(t, s, login("ann"))) == old.member("access_token") {
				t.Error("a lost token was given again")
			}
		}},
	}
}

// wantShape checks what stands on a response with a token, and which members it
// has.
func wantShape(t *testing.T, r response, members ...string) {
	t.Helper()
	wantToken(t, r)
	if got := slices.Sorted(maps.Keys(r.body)); !slices.Equal(got, members) {
		t.Errorf("members %v, want %v", got, members)
	}
	// 3600 only within the millisecond of its issue.
	if n := r.number("expires_in"); r.member("token_type") != "bearer" || r.member("scope") != "a b" || n != 3599 && n != 3600 {
		t.Errorf("%s, %q, %v", r.member("token_type"), r.member("scope"), r.number("expires_in"))
	}
	for name, want := range map[string]string{
		"Content-Type": "application/json;charset=UTF-8", "Cache-Control": "no-store", "Pragma": "no-cache",
	} {
		if got := r.header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func sameToken(t *testing.T, s server) {
	for grant, ask := range map[string]func() response{
		clientCredentials: func() response { return send(t, s, token(clientCredentials)) },
		password:          func() response { return send(t, s, login("ann")) },
		authorizationCode: func() response {
			code, _ := authorize(t, s, "bob")
			return send(t, s, exchange(code))
		},
	} {
		first, second := ask(), ask()
		if wantToken(t, first) != wantToken(t, second) {
			t.Errorf("%s: another access token", grant)
		}
		if first.member("refresh_token") != second.member("refresh_token") {
			t.Errorf("%s: another refresh token", grant)
		}
	}
	// However the user has logged in.
	code, _ := authorize(t, s, "ann")
	if wantToken(t, send(t, s, exchange(code))) != wantToken(t, send(t, s, login("ann"))) {
		t.Error("another access token by password than by code")
	}
}

func otherToken(t *testing.T, s server) {
	seen := map[string]string{}
	for name, q := range map[string]request{
		"the client":          token(clientCredentials),
		"another client":      token(clientCredentials).by("other"),
		"the client, a scope": token(clientCredentials, "scope", "a"),
		"ann":                 login("ann"),
		"bob":                 login("bob"),
		"ann, another client": login("ann").by("other"),
		"ann, a scope":        login("ann", "scope", "b"),
	} {
		text := wantToken(t, send(t, s, q))
		if seen[text] != "" {
			t.Errorf("%s and %s have one token", seen[text], name)
		}
		seen[text] = name
	}
}

func truncated(t *testing.T, s server) {
	first := send(t, s, token(clientCredentials))
	old := wantToken(t, first)
	if got := first.number("expires_in"); got != 1 && got != 2 {
		t.Errorf("at first: expires_in is %v, want 1", got)
	}
	wait(1300 * time.Millisecond)
	last := send(t, s, token(clientCredentials))
	if wantToken(t, last) != old || last.number("expires_in") != 0 {
		t.Errorf("in the last second: the same token: %v, expires_in %v", last.member("access_token") == old, last.number("expires_in"))
	}
	wait(900 * time.Millisecond)
	if wantToken(t, send(t, s, token(clientCredentials))) == old {
		t.Error("after its end: the same token")
	}
}

// ofToken is of, for a description that may be followed by the token: as the
// framework said it before version 2.5.
func (want refusal) ofToken(t *testing.T, r response) {
	t.Helper()
	said, rest, _ := strings.Cut(r.member("error_description"), ":")
	if rest != "" {
		t.Errorf("the token is repeated after %q", said)
	}
	want.of(t, r)
}

// requestRules are about token requests that no server can grant.
func requestRules() []rule {
	refused := func(q request, want refusal) func(*testing.T, server) {
		return func(t *testing.T, s server) { want.of(t, send(t, s, q)) }
	}
	bad := http.StatusBadRequest
	return []rule{
		{"no grant type", nil, refused(request{path: "/oauth/token", client: "app"}, refusal{bad, "invalid_request", "Missing grant type", ""})},
		{"an unknown grant type", nil, refused(token("magic"), refusal{bad, "unsupported_grant_type", "Unsupported grant type", ""})},
		{"an unknown scope", nil, func(t *testing.T, s server) {
			r := send(t, s, login("ann", "scope", "a c"))
			refusal{bad, "invalid_scope", "Invalid scope", ""}.of(t, r)
			if r.member("scope") != "a b" {
				t.Errorf("the client's scope is %q", r.member("scope"))
			}
		}},
		{"GET", nil, func(t *testing.T, s server) {
			q := token(clientCredentials)
			q.method, q.query, q.form = http.MethodGet, q.form, nil
			refusal{http.StatusMethodNotAllowed, "method_not_allowed", "Request method 'GET' not supported", ""}.of(t, send(t, s, q))
		}},
		{"a client's errors are XML for Accept: application/xml alone", nil, func(t *testing.T, s server) {
			q := token(clientCredentials)
			q.secret = "wrong"
			for accept, xml := range map[string]bool{"": false, "*/*": false, "application/json": false, "application/xml": true} {
				q.accept = accept
				if got := strings.HasPrefix(send(t, s, q).text, "<"); got != xml {
					t.Errorf("Accept %q: XML %v, want %v", accept, got, xml)
				}
			}
		}},
	}
}
