package account_test

import (
	"testing"

	"github.com/reltio-tokens/reltio-tokens/internal/account"
)

func TestClaimedErrorNamesTheOwner(t *testing.T) {
	err := &account.ClaimedError{By: "acme"}
	if got, want := err.Error(), "account: claimed by connection acme"; got != want {
		t.Errorf("error %q, want %q", got, want)
	}
}
