package framework

import (
	"net/http"
	"testing"
	"time"
)

// checkRules are about checkToken.
func checkRules() []rule {
	return []rule{
		{"a valid token", nil, func(t *testing.T, s server) {
			r := send(t, s, check(wantToken(t, send(t, s, login("ann")))))
			if active, _ := r.body["active"].(bool); r.status != http.StatusOK || !active || r.member("user_name") != "ann" || r.member("client_id") != "app" {
				t.Errorf("HTTP %d, active %v, user_name %q, client_id %q", r.status, active, r.member("user_name"), r.member("client_id"))
			}
			if until := time.Until(time.Unix(int64(r.number("exp")), 0)); until < 3590*time.Second || until > time.Hour {
				t.Errorf("it ends in %v", until)
			}
			r = send(t, s, check(wantToken(t, send(t, s, token(clientCredentials)))))
			if _, there := r.body["user_name"]; r.status != http.StatusOK || there {
				t.Errorf("without a user: HTTP %d, user_name %v", r.status, there)
			}
		}},
		{"an unknown token", nil, func(t *testing.T, s server) {
			inactiveToken("Token was not recognised").of(t, send(t, s, check("nobody's")))
		}},
		{"an ended token", shortTokens(1), func(t *testing.T, s server) {
			access := wantToken(t, send(t, s, token(clientCredentials)))
			wait(1200 * time.Millisecond)
			inactiveToken("Token has expired").of(t, send(t, s, check(access)))
		}},
		{"the token in the query; by another client", nil, func(t *testing.T, s server) {
			access := wantToken(t, send(t, s, token(clientCredentials)))
			q := check(access)
			q.query, q.form = q.form, nil
			for _, q := range []request{q, check(access).by("other")} {
				if r := send(t, s, q); r.status != http.StatusOK {
					t.Errorf("HTTP %d", r.status)
				}
			}
			q.method = http.MethodGet
			if r := send(t, s, q); r.status != http.StatusMethodNotAllowed {
				t.Errorf("GET: HTTP %d", r.status)
			}
		}},
		{"no token", nil, func(t *testing.T, s server) {
			if r := send(t, s, request{path: "/oauth/checkToken", client: "app"}); r.status != http.StatusBadRequest || r.member("error") == "invalid_token" {
				t.Errorf("HTTP %d %s", r.status, r.member("error"))
			}
		}},
		{"a client that is refused", nil, func(t *testing.T, s server) {
			q := check(wantToken(t, send(t, s, token(clientCredentials))))
			q.secret = "wrong"
			badClient("Bad credentials").of(t, send(t, s, q))
		}},
		{"nobody may: the default", func(s *settings) { s.CheckToken = false }, func(t *testing.T, s server) {
			for _, text := range []string{wantToken(t, send(t, s, token(clientCredentials))), "nobody's"} {
				r := send(t, s, check(text))
				refusal{status: http.StatusForbidden, code: "Forbidden"}.of(t, r)
				if r.number("status") != http.StatusForbidden || r.member("path") != "/oauth/checkToken" {
					t.Errorf("not Boot's page: %s", r.text)
				}
			}
		}},
		{"nobody may, and the client is refused", func(s *settings) { s.CheckToken = false }, func(t *testing.T, s server) {
			q := check("nobody's")
			q.secret = "wrong"
			badClient("Bad credentials").of(t, send(t, s, q))
		}},
	}
}

// revokeRules are about revoke, which is no part of the framework: the rules are
// what Reltio documents.
func revokeRules() []rule {
	dead := func(t *testing.T, s server, old response) {
		t.Helper()
		inactiveToken("Token was not recognised").of(t, send(t, s, check(old.member("access_token"))))
		invalidGrant("Invalid refresh token").ofToken(t, send(t, s, refresh(old)))
	}
	success := func(t *testing.T, r response) {
		t.Helper()
		if r.status != http.StatusOK || r.member("status") != "success" {
			t.Errorf("HTTP %d, status %q", r.status, r.member("status"))
		}
	}
	return []rule{
		{"an access token takes its refresh token with it", nil, func(t *testing.T, s server) {
			old := send(t, s, login("ann"))
			success(t, send(t, s, revoke(wantToken(t, old))))
			dead(t, s, old)
		}},
		{"a refresh token takes its access token with it", nil, func(t *testing.T, s server) {
			old := send(t, s, login("ann"))
			success(t, send(t, s, revoke(old.member("refresh_token"))))
			dead(t, s, old)
		}},
		{"then a login gives new ones", nil, func(t *testing.T, s server) {
			old := send(t, s, login("ann"))
			send(t, s, revoke(wantToken(t, old)))
			next := send(t, s, login("ann"))
			if wantToken(t, next) == old.member("access_token") || next.member("refresh_token") == old.member("refresh_token") {
				t.Error("a revoked token was given again")
			}
		}},
		{"an unknown one", nil, func(t *testing.T, s server) { success(t, send(t, s, revoke("nobody's"))) }},
		{"a client that is refused", nil, func(t *testing.T, s server) {
			q := revoke(wantToken(t, send(t, s, token(clientCredentials))))
			q.secret = "wrong"
			badClient("Bad credentials").of(t, send(t, s, q))
		}},
	}
}
