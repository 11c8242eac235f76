package lease_test

import (
	"regexp"
	"testing"

	"github.com/reltio-tokens/reltio-tokens/internal/lease"
)

func TestNoTwoOwnersAreAlike(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		owner := lease.NewOwner()
		if seen[owner] || !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(owner) {
			t.Fatalf("owner %q, want 32 hexadecimal digits that were not drawn before", owner)
		}
		seen[owner] = true
	}
}
