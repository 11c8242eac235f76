package reltioauthtest

import (
	"time"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// Alive reports whether a token, access or refresh, would be accepted now.
func (s *Server) Alive(token reltioauth.Secret) bool {
	set, now := s.lockNow()
	defer s.mu.Unlock()
	fingerprint := reltioauth.Fingerprint(token)
	if t := s.vault.access[fingerprint]; t != nil {
		return t.alive(now)
	}
	t := s.vault.refresh[fingerprint]
	return t != nil && t.accepted(now, set.behaviour(t.grant.key.client))
}

// Tokens counts the living access tokens and the refresh tokens that are
// accepted.
func (s *Server) Tokens() (access, refresh int) {
	set, now := s.lockNow()
	defer s.mu.Unlock()
	for _, g := range s.vault.grants {
		access += g.living(now)
		for _, t := range g.refresh {
			if t.accepted(now, set.behaviour(g.key.client)) {
				refresh++
			}
		}
	}
	return access, refresh
}

// Kill ends a living token before its time and reports whether there was one.
// For what the token endpoint does with a killed access token see
// [Behaviour].KilledTokens.
func (s *Server) Kill(fingerprint string) bool {
	_, now := s.lockNow()
	defer s.mu.Unlock()
	if t := s.vault.access[fingerprint]; t != nil && t.alive(now) {
		t.killed = true
		return true
	}
	t := s.vault.refresh[fingerprint]
	if t == nil {
		return false
	}
	s.vault.dropRefresh(t.grant, func(other *refreshToken) bool { return other == t })
	return now.Before(t.ends)
}

// KillUserTokens ends all tokens of a user, refresh tokens too, and returns
// how many access tokens died.
func (s *Server) KillUserTokens(user string) int {
	return s.killUser(user, true)
}

// LoginElsewhere is what happens when the same user logs in by another way,
// such as Reltio's own pages: the access tokens die before their time, the
// refresh tokens live on. It returns how many died.
func (s *Server) LoginElsewhere(user string) int {
	return s.killUser(user, false)
}

func (s *Server) killUser(user string, refresh bool) int {
	_, now := s.lockNow()
	defer s.mu.Unlock()
	n := 0
	for key, g := range s.vault.grants {
		if key.user == "" || key.user != userKey(user) {
			continue
		}
		for _, t := range g.access {
			if t.alive(now) {
				t.killed = true
				n++
			}
		}
		if refresh {
			s.vault.dropRefresh(g, func(*refreshToken) bool { return true })
		}
	}
	return n
}

// LockUser locks a user, as an administrator or too many bad logins do.
func (s *Server) LockUser(user string) { s.setLock(user, true) }

// UnlockUser unlocks a user and forgets bad logins.
func (s *Server) UnlockUser(user string) { s.setLock(user, false) }

func (s *Server) setLock(user string, locked bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.logins[userKey(user)] = &loginState{locked: locked}
}

// Locked reports whether the user is locked.
func (s *Server) Locked(user string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	state := s.logins[userKey(user)]
	return state != nil && state.locked
}

// SetPassword changes a user's password. Tokens and locks stay.
func (s *Server) SetPassword(user string, password reltioauth.Secret) {
	s.Configure(func(cfg *Config) {
		for i := range cfg.Users {
			if userKey(cfg.Users[i].Username) == userKey(user) {
				cfg.Users[i].Password = password
			}
		}
	})
}

// SetClientSecret changes a client's secret, which revokes its tokens at once.
func (s *Server) SetClientSecret(clientID string, secret reltioauth.Secret) {
	s.Configure(func(cfg *Config) {
		for i := range cfg.Clients {
			if cfg.Clients[i].ID == clientID {
				cfg.Clients[i].Secret = secret
			}
		}
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, g := range s.vault.grants {
		if key.client == clientID {
			s.vault.dropRefresh(g, func(*refreshToken) bool { return true })
			s.vault.dropAccess(g, func(*accessToken) bool { return true })
		}
	}
}

// lockNow takes mu and reads the time. The caller unlocks.
func (s *Server) lockNow() (*settings, time.Time) {
	set := s.settings.Load()
	now := set.Now()
	s.mu.Lock()
	return set, s.tick(now)
}
