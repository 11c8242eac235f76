package issueclient

import (
	"time"

	"golang.org/x/oauth2"
)

// warm is what callers get while nothing is to be decided: most calls return it,
// without a lock or an allocation. It is replaced, never changed.
type warm struct {
	// from and until bound the time in which callers get it.
	from, until time.Time
	// expires is the token's deadline. Callers share the token, so nothing here is
	// decided by its fields.
	expires time.Time
	token   *Token
	oauth2  *oauth2.Token
}

// warmUp makes warm what the memory says. The caller holds mu.
func (s *Source) warmUp() {
	kept := s.memory.kept
	if kept == nil {
		return
	}
	w := &warm{from: s.memory.asked, until: s.memory.restUntil(), expires: kept.ExpiresAt}
	w.token, w.oauth2 = kept.answering(0, w.from), kept.OAuth2()
	s.warm.Store(w)
}

// atHand is what a caller gets that needs no decision; nil if it needs one.
func (s *Source) atHand(need Options) *warm {
	w := s.warm.Load()
	if w == nil || need.Rejected != "" {
		return nil
	}
	now, minTTL := s.now(), max(need.MinTTL, s.MinTTL)
	if now.Before(w.from) || !now.Before(w.until) || minTTL > maxMinTTL || w.expires.Sub(now) < minTTL {
		return nil
	}
	return w
}
