package framework

import (
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"
)

// A user who is refused is logged in twice, however often callers ask and
// operators force.
func TestRefusedUsers(t *testing.T) {
	t.Parallel()
	for state, change := range map[string]func(*user){
		"wrong":    func(u *user) { u.Password = "another" },
		"locked":   func(u *user) { u.Locked = true },
		"disabled": func(u *user) { u.Disabled = true },
		"expired":  func(u *user) { u.Expired = true },
	} {
		t.Run(state, func(t *testing.T) {
			quick(t)
			w := newServer(t, func(s *settings) { s.changeUser("ann", change) })
			name := w.add(t, password, nil)
			w.refused(t, name)
			if calls := w.tokens(); len(calls) != 2 || count(calls, http.StatusBadRequest) != 2 {
				t.Errorf("the server was asked: %s", story(calls))
			}
			did(t, "user", "login: two, then `CredentialsRejected (invalid_grant, HTTP 400)`")
		})
		t.Run(state+", at a refresh", func(t *testing.T) {
			quick(t)
			w := newServer(t, nil)
			name := w.add(t, password, nil)
			w.wantIssued(t, w.ask(t, name))
			w.direct.change(t, func(s *settings) { s.changeUser("ann", change) })
			w.force(t, name)
			if state == "wrong" { // a refresh needs no password
				if calls := w.tokens(); story(calls) != "password 200, refresh_token 200" {
					t.Errorf("the server was asked: %s", story(calls))
				}
				return
			}
			for range 3 {
				w.force(t, name)
			}
			if calls := w.tokens(); count(w.calls(password), http.StatusBadRequest) != 2 {
				t.Errorf("the server was asked: %s", story(calls))
			}
			if status := w.grant(t, name, "status"); status != "credentials_rejected" {
				t.Errorf("status %q", status)
			}
			did(t, "user", "refresh: two logins follow, then `credentials_rejected`")
		})
	}
}

// refused asks and forces until nothing more is sent.
func (w *wired) refused(t *testing.T, name string) {
	t.Helper()
	wantError(t, w.ask(t, name), "CredentialsRejected", "(invalid_grant, HTTP 400)")
	for range 3 {
		w.force(t, name)
		wantError(t, w.ask(t, name), "CredentialsRejected", "(invalid_grant, HTTP 400)")
	}
	if status := w.grant(t, name, "status"); status != "credentials_rejected" {
		t.Errorf("status %q", status)
	}
}

// A client that is refused locks no user: two refusals are said as such, and the
// service tries again, seldom.
func TestRefusedClients(t *testing.T) {
	t.Parallel()
	unauthorized, invalidClient := "(unauthorized, HTTP 401)", "(invalid_client, HTTP 401)"
	post := fields{"client_secret": "wrong", "client_auth": "post"}
	for state, c := range map[string]struct {
		row  string
		with func(*settings)
		more fields
		end  string
	}{
		"wrong secret":           {"secret", nil, fields{"client_secret": "wrong"}, unauthorized},
		"unknown client":         {"secret", nil, fields{"client_id": "nobody"}, unauthorized},
		"wrong secret, by form":  {"secret", func(s *settings) { s.FormAuthentication = true }, post, invalidClient},
		"form where none is":     {"secret", nil, fields{"client_auth": "post"}, unauthorized},
		"no entry point":         {"secret", func(s *settings) { s.BootEntryPoint = true }, fields{"client_secret": "wrong"}, unauthorized},
		"no such grant type":     {"grant type", func(s *settings) { s.changeClient("app", onlyImplicit) }, nil, invalidClient},
		"client store, all down": {"client store", func(s *settings) { s.ClientStoreDown = "down" }, nil, unauthorized},
	} {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			w := newServer(t, c.with)
			name := w.add(t, clientCredentials, c.more)
			w.poll(t, name, time.Minute, func(a answer) bool { // the pause is at most 30 s
				wantError(t, a, "CredentialsRejected", c.end)
				return w.grant(t, name, "status") == "credentials_rejected"
			})
			if status := w.grant(t, name, "status"); status != "credentials_rejected" {
				t.Errorf("status %q", status)
			}
			if calls := w.tokens(); len(calls) != 2 || count(calls, http.StatusUnauthorized) != 2 {
				t.Errorf("the server was asked: %s", story(calls))
			}
			did(t, c.row, "`client_credentials`: `CredentialsRejected` with code and status; two requests in the first half minute, then `credentials_rejected`")
		})
		t.Run(state+", login of a user", func(t *testing.T) {
			quick(t)
			w := newServer(t, c.with)
			name := w.add(t, password, c.more)
			wantError(t, w.ask(t, name), "ReltioUnavailable", c.end)
			for range 5 { // force skips the pauses, not the limit
				w.force(t, name)
			}
			wantError(t, w.ask(t, name), "CredentialsRejected", c.end)
			if calls := w.tokens(); len(calls) != 4 || count(calls, http.StatusUnauthorized) != 4 {
				t.Errorf("the server was asked: %s", story(calls))
			}
			did(t, c.row, "`password`: `ReltioUnavailable` with code and status, at most four logins a day")
		})
	}
}

// Three connections have just been added with wrong secrets: each hears so, and
// the healthy one beside them is renewed as usual.
func TestWrongClientsBesideARightOne(t *testing.T) {
	t.Parallel()
	wrong := []string{"one", "two", "three"}
	w := newServer(t, func(s *settings) {
		for _, id := range wrong {
			s.Clients[id] = newClient(id)
		}
		shortTokens(20)(s)
	})
	name := w.add(t, clientCredentials, nil)
	w.wantIssued(t, w.ask(t, name))
	var all sync.WaitGroup
	for _, id := range wrong {
		one := w.add(t, clientCredentials, fields{"client_id": id, "client_secret": "wrong"})
		all.Go(func() {
			w.during(t, one, 90*time.Second, "CredentialsRejected")
		})
	}
	w.live(t, name, 90*time.Second).want(t, 4)
	all.Wait()
	for _, id := range wrong {
		n := 0
		for _, c := range w.tokens() {
			if c.client == id {
				n++
			}
		}
		if n < 2 || n > 4 { // 30 s apart, then 60 s, then two minutes
			t.Errorf("%d requests of a wrong client", n)
		}
	}
	did(t, "secret", "three wrong clients beside a right one: each is told so, no gap for the right one")
}

func onlyImplicit(c *client) { c.Grants = []string{"implicit"} }

// outage is how long a store is down.
const outage = time.Minute

// The user store is down for a minute: no user counts as refused, and everything
// is well soon after, without an operator.
func TestUserStoreDown(t *testing.T) {
	t.Parallel()
	down := func(s *settings) { s.UserStoreDown = "user store is down: connection refused" }
	t.Run("login", func(t *testing.T) {
		t.Parallel()
		w := newServer(t, down)
		name := w.add(t, password, nil)
		w.during(t, name, outage, "ReltioUnavailable")
		w.direct.change(t, func(s *settings) { s.UserStoreDown = "" })
		w.untilIssued(t, name, 3*time.Minute)
		if calls := w.tokens(); len(calls) > 4 || count(calls, http.StatusBadRequest) > 0 {
			t.Errorf("the server was asked: %s", story(calls))
		}
		did(t, "login store", "down for a minute: `ReltioUnavailable (unauthorized, HTTP 401)`; a token at the second login, two minutes after the first")
	})
	for _, grant := range []string{password, authorizationCode} {
		t.Run("refresh, "+grant, func(t *testing.T) {
			t.Parallel()
			w := newServer(t, shortTokens(20))
			name := w.granted(t, grant, nil)
			w.wantIssued(t, w.ask(t, name))
			w.direct.change(t, down)
			w.during(t, name, outage, "ReltioUnavailable")
			w.direct.change(t, func(s *settings) { s.UserStoreDown = "" })
			w.untilIssued(t, name, 3*time.Minute)
			if n := len(w.calls(password)); n > 4 || count(w.tokens(), http.StatusBadRequest) > 0 {
				t.Errorf("the server was asked: %s", story(w.tokens()))
			}
			did(t, "refresh store", "401 for a minute: a token within three minutes of its end, without an operator or a person")
		})
		t.Run("refresh, 500, "+grant, func(t *testing.T) {
			t.Parallel()
			w := newServer(t, shortTokens(20))
			name := w.granted(t, grant, nil)
			w.wantIssued(t, w.ask(t, name))
			w.direct.change(t, func(s *settings) { down(s); s.UserStoreThrowsOther = true })
			w.during(t, name, outage, "ReltioUnavailable")
			w.direct.change(t, func(s *settings) { s.UserStoreDown = "" })
			if took := w.untilIssued(t, name, 3*time.Minute); took > 20*time.Second {
				t.Errorf("a token after %v", took)
			}
			did(t, "refresh store", "500 for a minute: a token within 20 s of its end")
		})
	}
}

// during asks while something is wrong. Each answer is a valid token, or one of
// the errors.
func (w *wired) during(t *testing.T, name string, most time.Duration, errors ...string) {
	t.Helper()
	wrong := map[string]bool{}
	w.poll(t, name, most, func(a answer) bool {
		if a.AccessToken != "" && !w.valid(t, a) || a.ErrorType != "" && !slices.Contains(errors, a.ErrorType) {
			wrong[a.String()] = true
		}
		return false
	})
	for what := range wrong {
		t.Errorf("unexpected: %s", what)
	}
}

// The client store is down for a minute.
func TestClientStoreDown(t *testing.T) {
	t.Parallel()
	for _, grant := range []string{clientCredentials, password, authorizationCode} {
		t.Run(grant, func(t *testing.T) {
			t.Parallel()
			w := newServer(t, shortTokens(20))
			name := w.granted(t, grant, nil)
			w.wantIssued(t, w.ask(t, name))
			w.direct.change(t, func(s *settings) { s.ClientStoreDown = "client store is down" })
			errors := []string{"ReltioUnavailable"}
			if grant == clientCredentials { // it cannot be told from a wrong secret
				errors = []string{"CredentialsRejected"}
			}
			w.during(t, name, outage, errors...)
			w.direct.change(t, func(s *settings) { s.ClientStoreDown = "" })
			w.untilIssued(t, name, 3*time.Minute)
			did(t, "client store", "down for a minute: a token within three minutes of its end, without an operator or a person")
		})
	}
}
