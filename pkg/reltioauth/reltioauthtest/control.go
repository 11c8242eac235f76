package reltioauthtest

import (
	"cmp"
	"slices"
	"time"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// Valid reports whether a token, access or refresh, would be accepted now.
func (s *Server) Valid(token reltioauth.Secret) bool {
	set, now := s.lockNow()
	defer s.mu.Unlock()
	fingerprint := reltioauth.Fingerprint(token)
	if t := s.tokens.access[fingerprint]; t != nil {
		return t.valid(now)
	}
	t := s.tokens.refresh[fingerprint]
	return t != nil && t.accepted(now, set.behaviour(t.grant.key.client))
}

// Tokens counts the valid access tokens and the refresh tokens that are accepted.
func (s *Server) Tokens() (access, refresh int) {
	set, now := s.lockNow()
	defer s.mu.Unlock()
	for _, g := range s.tokens.grants {
		access += g.validTokens(now)
		for _, t := range g.refresh {
			if t.accepted(now, set.behaviour(g.key.client)) {
				refresh++
			}
		}
	}
	return access, refresh
}

// Kill ends a valid token early and reports whether there was one. For what the
// token endpoint does with such an access token see [Behaviour].KilledTokens.
func (s *Server) Kill(fingerprint string) bool {
	_, now := s.lockNow()
	defer s.mu.Unlock()
	if t := s.tokens.access[fingerprint]; t != nil && t.valid(now) {
		t.killed = true
		return true
	}
	t := s.tokens.refresh[fingerprint]
	if t == nil {
		return false
	}
	s.tokens.dropRefresh(t.grant, func(other *refreshToken) bool { return other == t })
	return now.Before(t.ends)
}

// KillUserTokens ends all tokens of a user, refresh tokens too, and returns how
// many access tokens it ended.
func (s *Server) KillUserTokens(user string) int {
	return s.killUser(user, true)
}

// LoginElsewhere has the effect of a login of the same user outside the service,
// for example at Reltio's own pages: the access tokens end early, the refresh
// tokens stay valid. It returns how many access tokens it ended.
func (s *Server) LoginElsewhere(user string) int {
	return s.killUser(user, false)
}

func (s *Server) killUser(user string, refresh bool) int {
	_, now := s.lockNow()
	defer s.mu.Unlock()
	n := 0
	for key, g := range s.tokens.grants {
		if key.user == "" || key.user != userKey(user) {
			continue
		}
		for _, t := range g.access {
			if t.valid(now) {
				t.killed = true
				n++
			}
		}
		if refresh {
			s.tokens.dropRefresh(g, func(*refreshToken) bool { return true })
		}
	}
	return n
}

// SetPassword changes a user's password. Tokens and locks do not change.
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
	for key, g := range s.tokens.grants {
		if key.client == clientID {
			s.tokens.dropRefresh(g, func(*refreshToken) bool { return true })
			s.tokens.dropAccess(g, func(*accessToken) bool { return true })
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

// AddClient registers a client, or replaces the one with its ID.
func (s *Server) AddClient(client Client) {
	s.Configure(func(cfg *Config) {
		cfg.Clients = append(slices.DeleteFunc(cfg.Clients, func(other Client) bool { return other.ID == client.ID }), client)
	})
}

// AddUser adds a user, or replaces the one with the same name.
func (s *Server) AddUser(user User) {
	s.Configure(func(cfg *Config) {
		cfg.Users = append(slices.DeleteFunc(cfg.Users, func(other User) bool {
			return userKey(other.Username) == userKey(user.Username)
		}), user)
	})
}

// SetLifetimes changes the lifetimes of a client's future tokens. Zero leaves a
// lifetime as it is.
func (s *Server) SetLifetimes(clientID string, access, refresh time.Duration) {
	s.Configure(func(cfg *Config) {
		for i := range cfg.Clients {
			if client := &cfg.Clients[i]; client.ID == clientID {
				client.AccessTokenTTL = cmp.Or(access, client.AccessTokenTTL)
				client.RefreshTokenTTL = cmp.Or(refresh, client.RefreshTokenTTL)
			}
		}
	})
}

// ReuseRefreshTokens is the framework's setting of that name, for clients without
// their own Behaviour: a refresh keeps the refresh token and its deadline (true,
// the framework's default), or ends it and gives a new one with its full life.
func (s *Server) ReuseRefreshTokens(reuse bool) {
	s.Configure(func(cfg *Config) {
		cfg.Behaviour.RefreshTokens, cfg.Behaviour.RestartClock = Keep, false
		if !reuse {
			cfg.Behaviour.RefreshTokens, cfg.Behaviour.RestartClock = Rotate, true
		}
	})
}

// Restart drops all tokens, codes, state tokens and browser sessions, as the
// restart of a server does that keeps them in memory. Users do not change.
func (s *Server) Restart() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens = newTokenStore()
	clear(s.codes)
	clear(s.states)
	clear(s.signed)
}
