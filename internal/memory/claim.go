package memory

import (
	"context"

	"github.com/reltio-tokens/reltio-tokens/internal/account"
)

// Account returns the record of an account; the zero Record if there is none.
func (t *Table) Account(ctx context.Context, hash string) (account.Record, error) {
	leave, err := t.enter(ctx)
	if err != nil {
		return account.Record{}, err
	}
	defer leave()
	return t.accounts[hash], nil
}
