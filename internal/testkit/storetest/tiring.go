package storetest

import (
	"context"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
)

// Tiring is a store that refuses to write refresh tokens, and from a while after the
// first write on does not respond any more.
type Tiring struct {
	grant.RefreshTokenStore
	// Refusal is its error.
	Refusal error
	// After is how long it responds.
	After time.Duration

	first time.Time
}

// Put implements grant.RefreshTokenStore.
func (s *Tiring) Put(ctx context.Context, _ string, _ grant.RefreshToken) (string, error) {
	if s.first.IsZero() {
		s.first = time.Now()
	}
	if time.Since(s.first) < s.After {
		return "", s.Refusal
	}
	<-ctx.Done()
	return "", ctx.Err()
}
