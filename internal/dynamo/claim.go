package dynamo

import (
	"context"

	"github.com/reltio-tokens/reltio-tokens/internal/account"
)

// Account returns the record of an account, read strongly; the zero Record if
// there is none.
func (t *Table) Account(ctx context.Context, hash string) (account.Record, error) {
	stored, err := t.get(ctx, accountKey(hash), true)
	if err != nil {
		return account.Record{}, err
	}
	return readAccount(stored)
}
