package reltioauthtest

import (
	"slices"
	"time"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// grantKey identifies a login: logins with the same key are the same one.
type grantKey struct {
	client string
	user   string // userKey; empty for client_credentials
	scope  string
}

// grant is all tokens that were given for one key, the latest last.
type grant struct {
	key     grantKey
	access  []*accessToken
	refresh []*refreshToken
}

// family identifies a refresh token, its successors by rotation and the access
// tokens given with them. Zero is no family.
type family uint64

type accessToken struct {
	secret      reltioauth.Secret
	fingerprint string
	grant       *grant
	scope       string
	family      family
	ends        time.Time
	killed      bool // ended early, but still known
}

func (t *accessToken) valid(now time.Time) bool { return !t.killed && now.Before(t.ends) }

type refreshToken struct {
	secret      reltioauth.Secret
	fingerprint string
	grant       *grant
	family      family
	ends        time.Time
	replaced    time.Time // when it was first rotated; zero if it is the current one
}

// accepted reports whether a refresh may use the refresh token.
func (t *refreshToken) accepted(now time.Time, how *Behaviour) bool {
	if !now.Before(t.ends) {
		return false
	}
	return t.replaced.IsZero() || now.Before(t.replaced.Add(how.RotationGrace))
}

// tokenStore holds the valid tokens by fingerprint, and ended ones that must be
// remembered.
type tokenStore struct {
	grants   map[grantKey]*grant
	access   map[string]*accessToken
	refresh  map[string]*refreshToken
	families family
}

func newTokenStore() tokenStore {
	return tokenStore{
		grants:  make(map[grantKey]*grant),
		access:  make(map[string]*accessToken),
		refresh: make(map[string]*refreshToken),
	}
}

// grant finds or makes the grant, and removes expired tokens from it.
func (s *tokenStore) grant(key grantKey, now time.Time, how *Behaviour) *grant {
	g := s.grants[key]
	if g == nil {
		g = &grant{key: key}
		s.grants[key] = g
	}
	s.prune(g, now, how)
	return g
}

// again is the access token that the server gives once more.
func (g *grant) again(now time.Time, killed KilledTokens) *accessToken {
	for _, t := range slices.Backward(g.access) {
		if now.Before(t.ends) && (!t.killed || killed != KilledAreReplaced) {
			return t
		}
	}
	return nil
}

// current is the refresh token that a login may give once more.
func (g *grant) current(now time.Time) *refreshToken {
	for _, t := range slices.Backward(g.refresh) {
		if now.Before(t.ends) && t.replaced.IsZero() {
			return t
		}
	}
	return nil
}

// validTokens counts the valid access tokens.
func (g *grant) validTokens(now time.Time) int {
	n := 0
	for _, t := range g.access {
		if t.valid(now) {
			n++
		}
	}
	return n
}

func (s *tokenStore) addAccess(g *grant, t *accessToken) {
	t.grant, t.fingerprint = g, reltioauth.Fingerprint(t.secret)
	s.access[t.fingerprint] = t
	g.access = append(g.access, t)
}

func (s *tokenStore) addRefresh(g *grant, t *refreshToken) {
	t.grant, t.fingerprint = g, reltioauth.Fingerprint(t.secret)
	s.refresh[t.fingerprint] = t
	g.refresh = append(g.refresh, t)
}

// dropAccess removes the access tokens of g for which gone is true.
func (s *tokenStore) dropAccess(g *grant, gone func(*accessToken) bool) {
	g.access = slices.DeleteFunc(g.access, func(t *accessToken) bool {
		if gone(t) {
			delete(s.access, t.fingerprint)
			return true
		}
		return false
	})
}

// dropRefresh removes the refresh tokens of g for which gone is true.
func (s *tokenStore) dropRefresh(g *grant, gone func(*refreshToken) bool) {
	g.refresh = slices.DeleteFunc(g.refresh, func(t *refreshToken) bool {
		if gone(t) {
			delete(s.refresh, t.fingerprint)
			return true
		}
		return false
	})
}

// dropFamily ends a login: its refresh tokens and their access tokens, except
// ended ones that the server gives again.
func (s *tokenStore) dropFamily(g *grant, fam family, how *Behaviour) {
	s.dropRefresh(g, func(t *refreshToken) bool { return t.family == fam })
	s.dropAccess(g, func(t *accessToken) bool { return t.family == fam && how.forgets(t) })
}

// forgets reports whether revoking the token makes the server forget it.
func (b *Behaviour) forgets(t *accessToken) bool {
	return !t.killed || b.KilledTokens != KilledUntilEnd
}

// prune removes expired tokens. Access tokens expire in about the order in which
// they were made, so only the oldest are checked; sweep finds the others.
func (s *tokenStore) prune(g *grant, now time.Time, how *Behaviour) {
	for len(g.access) > 0 && !now.Before(g.access[0].ends) {
		delete(s.access, g.access[0].fingerprint)
		g.access[0] = nil
		g.access = g.access[1:]
	}
	s.dropRefresh(g, func(t *refreshToken) bool {
		return !t.accepted(now, how) && (!how.ReuseRevokes || !now.Before(t.ends))
	})
}

// sweep prunes everything.
func (s *tokenStore) sweep(set *settings, now time.Time) {
	for key, g := range s.grants {
		s.dropAccess(g, func(t *accessToken) bool { return !now.Before(t.ends) })
		s.prune(g, now, set.behaviour(key.client))
		if len(g.access) == 0 && len(g.refresh) == 0 {
			delete(s.grants, key)
		}
	}
}
