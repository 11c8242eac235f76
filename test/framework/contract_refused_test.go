package framework

import (
	"net/http"
	"strings"
	"testing"
)

// storeDown is what a login is told while the user store is down.
func storeDown(text string) refusal {
	return refusal{
		http.StatusUnauthorized, "unauthorized", text,
		`Bearer error="unauthorized", error_description="` + text + `"`,
	}
}

// clientRules are about clients that are refused.
func clientRules() []rule {
	const full = "Full authentication is required to access this resource"
	wrong := token(clientCredentials)
	wrong.secret = "wrong"
	unknown := token(clientCredentials)
	unknown.client = "nobody"
	form := func(secret string) request {
		q := token(clientCredentials, "client_id", "app", "client_secret", secret)
		q.client = ""
		return q
	}
	boot := func(s *settings) { s.BootEntryPoint = true }
	forms := func(s *settings) { s.FormAuthentication = true }
	return []rule{
		{"a wrong secret, an unknown client", nil, func(t *testing.T, s server) {
			badClient("Bad credentials").of(t, send(t, s, wrong))
			badClient("Bad credentials").of(t, send(t, s, unknown))
		}},
		{"no client", nil, func(t *testing.T, s server) { badClient(full).of(t, send(t, s, wrong.by(""))) }},
		{"a form where none is allowed", nil, func(t *testing.T, s server) { badClient(full).of(t, send(t, s, form(secretOf("app")))) }},
		{"a form where it is", forms, func(t *testing.T, s server) {
			wantToken(t, send(t, s, form(secretOf("app"))))
			wantToken(t, send(t, s, token(clientCredentials)))
			refusal{http.StatusUnauthorized, "invalid_client", "Bad client credentials", `Form realm="oauth2/client", error="invalid_client"`}.of(t, send(t, s, form("wrong")))
			badClient("Bad credentials").of(t, send(t, s, wrong))
		}},
		{"a form is for the token endpoint alone", forms, func(t *testing.T, s server) {
			access := wantToken(t, send(t, s, token(clientCredentials)))
			for _, q := range []request{check(access), revoke(access)} {
				q.client = ""
				q.form = values("token", access, "client_id", "app", "client_secret", secretOf("app"))
				badClient(full).of(t, send(t, s, q))
			}
		}},
		{"no entry point set", boot, func(t *testing.T, s server) {
			access := wantToken(t, send(t, s, token(clientCredentials)))
			for _, q := range []request{wrong, unknown, wrong.by(""), check(access).by("nobody")} {
				r := send(t, s, q)
				refusal{http.StatusUnauthorized, "Unauthorized", "", `Basic realm="oauth2/client"`}.of(t, r)
				if r.number("status") != http.StatusUnauthorized || r.member("path") != q.path || r.member("timestamp") == "" {
					t.Errorf("not Boot's page: %s", r.text)
				}
			}
		}},
		{"a grant type that it may not use", func(s *settings) {
			s.changeClient("app", func(c *client) { c.Grants = []string{"implicit"} })
		}, func(t *testing.T, s server) {
			for _, q := range []request{token(clientCredentials), login("ann"), token(refreshToken, "refresh_token", "x"), exchange("x")} {
				badGrant("Unauthorized grant type").of(t, send(t, s, q))
			}
		}},
		{"the client store is down", func(s *settings) { s.ClientStoreDown = "client store is down" }, func(t *testing.T, s server) {
			for _, q := range []request{token(clientCredentials), login("ann"), token(refreshToken, "refresh_token", "x"), exchange("x"), check("x"), revoke("x")} {
				badClient("client store is down").of(t, send(t, s, q))
			}
			s.change(t, func(s *settings) { s.ClientStoreDown = "" })
			wantToken(t, send(t, s, token(clientCredentials)))
		}},
	}
}

// userRules are about users that are refused.
func userRules() []rule {
	refused := func(description string, change func(*user)) rule {
		return rule{description, func(s *settings) { s.changeUser("ann", change) }, func(t *testing.T, s server) {
			invalidGrant(description).of(t, send(t, s, login("ann")))
		}}
	}
	down := func(throwsOther bool) func(*settings) {
		return func(s *settings) {
			s.UserStoreDown, s.UserStoreThrowsOther = "user store is down: connection refused", throwsOther
		}
	}
	login401 := func(t *testing.T, s server) {
		storeDown("user store is down: connection refused").of(t, send(t, s, login("ann")))
		wantToken(t, send(t, s, token(clientCredentials))) // it needs no user
		s.change(t, func(s *settings) { s.UserStoreDown = "" })
		wantToken(t, send(t, s, login("ann")))
	}
	return []rule{
		{"a wrong password, an unknown user, none", nil, func(t *testing.T, s server) {
			for _, q := range []request{
				token(password, "username", "ann", "password", "wrong"),
				token(password, "username", "nobody", "password", "wrong"),
				token(password),
			} {
				r := send(t, s, q)
				invalidGrant("Bad credentials").of(t, r)
				if !strings.HasPrefix(r.header.Get("Content-Type"), "application/json") || r.header.Get("Cache-Control") != "no-store" {
					t.Errorf("Content-Type %q, Cache-Control %q", r.header.Get("Content-Type"), r.header.Get("Cache-Control"))
				}
			}
		}},
		refused("User account is locked", func(u *user) { u.Locked = true }),
		refused("User is disabled", func(u *user) { u.Disabled = true }),
		refused("User credentials have expired", func(u *user) { u.Expired = true }),
		{"the user store is down", down(false), login401},
		{"the user store is down, in any exception's words", down(true), login401},
	}
}
