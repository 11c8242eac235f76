package framework

import (
	"net/http"
	"testing"
	"time"
)

// ends are servers whose refresh tokens end after so many seconds.
func ends(access, refresh int, more func(*settings)) func(*settings) {
	return func(s *settings) {
		s.changeClient("app", func(c *client) { c.AccessSeconds, c.RefreshSeconds = access, refresh })
		if more != nil {
			more(s)
		}
	}
}

// days tells a connection after how many seconds its refresh token ends.
func days(seconds float64) fields {
	return fields{"refresh_token_days": seconds / (24 * 60 * 60)}
}

// A refresh token ends, and the server has not said when.
func TestTheEndOfARefreshToken(t *testing.T) {
	t.Parallel()
	t.Run(password, func(t *testing.T) {
		t.Parallel()
		w := newServer(t, ends(15, 40, nil))
		name := w.add(t, password, nil)
		w.live(t, name, 60*time.Second).want(t, 4)
		calls := w.tokens()
		if story(w.calls(password)) != "password 200 ×2" || count(w.calls(refreshToken), http.StatusUnauthorized) != 1 {
			t.Errorf("the server was asked: %s", story(calls))
		}
		did(t, "refresh ended", "`password`: a login at once; no error, no dead token")
	})
	t.Run(authorizationCode, func(t *testing.T) {
		t.Parallel()
		w, name, _ := issued(t, authorizationCode, ends(15, 40, nil), nil)
		w.wantPersonNeeded(t, name, 70*time.Second)
		if p := w.person(t, name, "ann"); p.status != http.StatusOK {
			t.Errorf("the person saw HTTP %d", p.status)
		}
		w.wantIssued(t, w.ask(t, name))
		did(t, "refresh ended", "`authorization_code`: `ReauthorizationRequired`; well after the person's login")
	})
}

// wantPersonNeeded polls until a person is needed; until then there are valid
// tokens.
func (w *wired) wantPersonNeeded(t *testing.T, name string, most time.Duration) {
	t.Helper()
	last := answer{}
	w.poll(t, name, most, func(a answer) bool {
		last = a
		if a.AccessToken != "" && !w.valid(t, a) {
			t.Errorf("a dead token: %v", a)
		}
		return a.ErrorType != ""
	})
	wantError(t, last, "ReauthorizationRequired", "")
}

// The connection says when: so a login comes before.
func TestTheKnownEndOfARefreshToken(t *testing.T) {
	t.Parallel()
	t.Run(password, func(t *testing.T) {
		t.Parallel()
		// A tenth of the refresh token's time, the last in which no login is
		// planned, has to be longer than the life of an access token.
		w := newServer(t, ends(6, 90, nil))
		name := w.add(t, password, days(90))
		w.live(t, name, 110*time.Second).want(t, 12)
		if calls := w.tokens(); count(calls, http.StatusOK) != len(calls) || len(w.calls(password)) < 2 || len(w.calls("revoke")) == 0 {
			t.Errorf("the server was asked: %s; %s", story(calls), story(w.calls("revoke")))
		}
		did(t, "refresh told", "`password`: logs in before it, revokes the refresh token that comes again, logs in; no error, no dead token")
	})
	t.Run(authorizationCode, func(t *testing.T) {
		t.Parallel()
		w, name, _ := issued(t, authorizationCode, ends(10, 60, nil), days(60))
		w.wantPersonNeeded(t, name, 90*time.Second)
		if calls := w.tokens(); count(calls, http.StatusOK) < len(calls)-1 {
			t.Errorf("the server was asked: %s", story(calls))
		}
		did(t, "refresh told", "`authorization_code`: `ReauthorizationRequired` at its end")
	})
	t.Run("again and again, "+authorizationCode, func(t *testing.T) {
		t.Parallel()
		w, name, first := issued(t, authorizationCode, nil, nil)
		if p := w.person(t, name, "ann"); p.status != http.StatusOK {
			t.Errorf("the person saw HTTP %d", p.status)
		}
		// The revocation ended the token of before, which an execution environment
		// may remember: its caller reports it.
		if next := w.wantIssued(t, w.report(t, name, first)); next.Fingerprint == first.Fingerprint {
			t.Error("the same token after a login with a new refresh token")
		}
		if calls := w.calls(authorizationCode); story(calls) != "authorization_code 200 ×2" {
			t.Errorf("the server was asked: %s", story(calls))
		}
		did(t, "refresh told", "a person's login before it: the refresh token that comes again is revoked, the browser sent through once more, the new one has its full time")
	})
	t.Run("rotating, "+authorizationCode, func(t *testing.T) {
		t.Parallel()
		w, name, _ := issued(t, authorizationCode, ends(10, 45, rotating), days(45))
		w.live(t, name, 80*time.Second).want(t, 7)
		did(t, "rotating", "its newest refresh token is used past the first one's end: nobody is called")
	})
}
