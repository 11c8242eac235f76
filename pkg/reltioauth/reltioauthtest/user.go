package reltioauthtest

import "github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"

// UserState says whether a user may log in, with the right password.
type UserState int

// The states of the framework.
const (
	// UserActive may log in.
	UserActive UserState = iota
	// UserLocked was locked, by an administrator or by too many bad logins.
	UserLocked
	// UserDisabled was disabled by an administrator.
	UserDisabled
	// UserExpired is one whose account has expired.
	UserExpired
	// UserCredentialsExpired is one whose password has expired. This is the only
	// state that the framework checks after the password.
	UserCredentialsExpired
)

// text is the framework's message about a user in this state.
func (state UserState) text() string {
	switch state {
	case UserLocked:
		return "User account is locked"
	case UserDisabled:
		return "User is disabled"
	case UserExpired:
		return "User account has expired"
	case UserCredentialsExpired:
		return "User credentials have expired"
	default:
		return ""
	}
}

// loginState is the server's record of a user's logins.
type loginState struct {
	bad   int               // in a row
	code  reltioauth.Secret // of an authenticator, accepted last
	state UserState
}

// login finds or makes the record of a user.
func (s *Server) login(user string) *loginState {
	state := s.logins[user]
	if state == nil {
		state = &loginState{}
		s.logins[user] = state
	}
	return state
}

// checkPassword finds the user, or counts a bad login. It does not reset the
// count: the second factor may still be missing.
func (s *Server) checkPassword(c *call) (*User, error) {
	if c.fault.Kind == FaultUserStore {
		return nil, c.userStoreDown()
	}
	user := c.set.users[c.req.User]
	if user == nil {
		return nil, c.badCredentials()
	}
	state := s.login(c.req.User).state
	if state != UserActive && state != UserCredentialsExpired {
		return nil, c.badState(state)
	}
	if user.Password.IsZero() || !user.Password.Equal(reltioauth.NewSecret(c.form.Get("password"))) {
		return nil, s.badLogin(c, user)
	}
	if state != UserActive {
		return nil, c.badState(state)
	}
	return user, nil
}

// badLogin counts a bad login and returns its refusal. user may be nil.
func (s *Server) badLogin(c *call, user *User) error {
	if user == nil {
		return c.badCredentials()
	}
	state := s.login(userKey(user.Username))
	if state.state == UserLocked {
		return c.badState(UserLocked)
	}
	state.bad++
	if c.set.LockAfter > 0 && state.bad >= c.set.LockAfter {
		state.state = UserLocked
	}
	return c.badCredentials()
}

// SetUserState sets a user's state, as an administrator does, and clears the
// count of bad logins.
func (s *Server) SetUserState(user string, state UserState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.logins[userKey(user)] = &loginState{state: state}
}

// UserState is the state of a user; UserActive for an unknown user.
func (s *Server) UserState(user string) UserState {
	s.mu.Lock()
	defer s.mu.Unlock()
	if state := s.logins[userKey(user)]; state != nil {
		return state.state
	}
	return UserActive
}

// LockUser locks a user.
func (s *Server) LockUser(user string) { s.SetUserState(user, UserLocked) }

// UnlockUser unlocks a user and clears the count of bad logins.
func (s *Server) UnlockUser(user string) { s.SetUserState(user, UserActive) }

// Locked reports whether the user is locked.
func (s *Server) Locked(user string) bool { return s.UserState(user) == UserLocked }
