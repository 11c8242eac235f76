package framework

import (
	"net/http"
	"sync"
	"testing"
	"time"
)

func rotating(s *settings) { s.RotateRefreshTokens = true }

// shortRefresh makes refresh tokens end after four seconds.
func shortRefresh(s *settings) {
	s.changeClient("app", func(c *client) { c.RefreshSeconds = 4 })
}

func both(one, other func(*settings)) func(*settings) {
	return func(s *settings) { one(s); other(s) }
}

// endedRefreshToken is what is said of a refresh token whose time is over.
func endedRefreshToken() refusal {
	return refusal{
		http.StatusUnauthorized, "invalid_token", "Invalid refresh token (expired)",
		`Bearer error="invalid_token", error_description="Invalid refresh token (expired)"`,
	}
}

// refreshRules are about refresh tokens.
func refreshRules() []rule {
	return []rule{
		{"the same refresh token; the old access token is dead", nil, func(t *testing.T, s server) {
			old := send(t, s, login("ann"))
			wantToken(t, old)
			next := send(t, s, refresh(old))
			if wantToken(t, next) == old.member("access_token") || next.member("refresh_token") != old.member("refresh_token") {
				t.Error("want another access token with the same refresh token")
			}
			inactiveToken("Token was not recognised").of(t, send(t, s, check(old.member("access_token"))))
		}},
		{"rotating: another refresh token; both old tokens are dead", rotating, func(t *testing.T, s server) {
			old := send(t, s, login("ann"))
			wantToken(t, old)
			next := send(t, s, refresh(old))
			if wantToken(t, next) == old.member("access_token") || next.member("refresh_token") == old.member("refresh_token") {
				t.Error("want another access token with another refresh token")
			}
			inactiveToken("Token was not recognised").of(t, send(t, s, check(old.member("access_token"))))
			invalidGrant("Invalid refresh token").ofToken(t, send(t, s, refresh(old)))
			wantToken(t, send(t, s, refresh(next))) // no detection of the reuse
		}},
		{"the clock goes on", shortRefresh, func(t *testing.T, s server) {
			old := send(t, s, login("ann"))
			wait(2500 * time.Millisecond)
			wantToken(t, send(t, s, refresh(old)))
			wait(2 * time.Second)
			endedRefreshToken().ofToken(t, send(t, s, refresh(old)))
			invalidGrant("Invalid refresh token").ofToken(t, send(t, s, refresh(old))) // it has been thrown away
		}},
		{"rotating: the clock starts anew", both(rotating, shortRefresh), func(t *testing.T, s server) {
			old := send(t, s, login("ann"))
			wait(2500 * time.Millisecond)
			next := send(t, s, refresh(old))
			wait(2500 * time.Millisecond)
			wantToken(t, send(t, s, refresh(next)))
		}},
		{"a login while it is valid gives it again, and its clock goes on", both(shortRefresh, shortTokens(1)), func(t *testing.T, s server) {
			old := send(t, s, login("ann"))
			wait(2500 * time.Millisecond)
			again := send(t, s, login("ann"))
			if wantToken(t, again) == old.member("access_token") || again.member("refresh_token") != old.member("refresh_token") {
				t.Error("want another access token with the same refresh token")
			}
			wait(2 * time.Second)
			endedRefreshToken().ofToken(t, send(t, s, refresh(old)))
			last := send(t, s, login("ann"))
			wantToken(t, last)
			if last.member("refresh_token") == old.member("refresh_token") {
				t.Error("the ended refresh token was given again")
			}
		}},
		{"an unknown one, and one of another client", nil, func(t *testing.T, s server) {
			invalidGrant("Invalid refresh token").ofToken(t, send(t, s, token(refreshToken, "refresh_token", "nobody's")))
			old := send(t, s, login("ann"))
			invalidGrant("Wrong client for this refresh token").ofToken(t, send(t, s, refresh(old).by("other")))
			wantToken(t, send(t, s, refresh(old)))
		}},
		{"it is none of checkToken's", nil, func(t *testing.T, s server) {
			old := send(t, s, login("ann"))
			inactiveToken("Token was not recognised").of(t, send(t, s, check(old.member("refresh_token"))))
		}},
		{"the user is looked up again", nil, refreshOfAUser},
		{"many at once: one succeeds at least, the others may", nil, refreshAtOnce},
	}
}

// refreshOfAUser is refused while the user may not log in.
func refreshOfAUser(t *testing.T, s server) {
	old := send(t, s, login("ann"))
	wantToken(t, old)
	for description, change := range map[string]func(*user){
		"User account is locked":        func(u *user) { u.Locked = true },
		"User is disabled":              func(u *user) { u.Disabled = true },
		"User credentials have expired": func(u *user) { u.Expired = true },
	} {
		s.change(t, func(s *settings) { s.changeUser("ann", change) })
		invalidGrant(description).of(t, send(t, s, refresh(old)))
		s.change(t, func(s *settings) { s.Users["ann"] = newUser("ann") })
	}
	s.change(t, func(s *settings) { s.UserStoreDown = "connection refused" })
	storeDown("connection refused").of(t, send(t, s, refresh(old)))
	s.change(t, func(s *settings) { s.UserStoreThrowsOther = true })
	refusal{http.StatusInternalServerError, "server_error", "Internal Server Error", ""}.of(t, send(t, s, refresh(old)))
	s.change(t, func(s *settings) { s.UserStoreDown = "" })
	wantToken(t, send(t, s, refresh(old)))
}

func refreshAtOnce(t *testing.T, s server) {
	old := send(t, s, login("ann"))
	wantToken(t, old)
	var all sync.WaitGroup
	statuses := make([]int, 3)
	for i := range statuses {
		all.Go(func() { statuses[i] = send(t, s, refresh(old)).status })
	}
	all.Wait()
	succeeded := 0
	for _, status := range statuses {
		switch status {
		case http.StatusOK:
			succeeded++
		case http.StatusBadRequest:
		default:
			t.Errorf("HTTP %d", status)
		}
	}
	if succeeded == 0 {
		t.Error("none succeeded")
	}
}
