package memory

import (
	"context"

	"github.com/reltio-tokens/reltio-tokens/internal/account"
)

// CountLogin implements account.Store.
func (t *Table) CountLogin(ctx context.Context, try account.Try) (int, error) {
	leave, err := t.enter(ctx)
	if err != nil {
		return 0, err
	}
	defer leave()
	try.Now = inMillis(try.Now)
	next, err := account.Count(t.accounts[try.Account], try)
	if err != nil {
		return 0, err
	}
	t.accounts[try.Account] = next
	return next.Attempts, nil
}

// UncountLogin implements account.Store.
func (t *Table) UncountLogin(ctx context.Context, try account.Try) error {
	return t.changeAccount(ctx, try.Account, func(r *account.Record) {
		if same(*r, try) && r.Attempts > 0 {
			r.Attempts--
		}
	})
}

// ClearLogins implements account.Store.
func (t *Table) ClearLogins(ctx context.Context, try account.Try) error {
	return t.changeAccount(ctx, try.Account, func(r *account.Record) {
		if same(*r, try) {
			r.Attempts = 0
		}
	})
}

// same reports whether nobody else claims the account and the credentials are
// the try's.
func same(r account.Record, try account.Try) bool {
	return (r.Connection == "" || r.Connection == try.Connection) && r.Credentials == try.Credentials
}

// MoveClaim implements account.Store.
func (t *Table) MoveClaim(ctx context.Context, hash, from, to string) error {
	return t.changeAccount(ctx, hash, func(r *account.Record) {
		if r.Connection == from {
			r.Connection = to
		}
	})
}

// changeAccount changes a record that is there.
func (t *Table) changeAccount(ctx context.Context, hash string, change func(*account.Record)) error {
	leave, err := t.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	if r, ok := t.accounts[hash]; ok {
		change(&r)
		t.accounts[hash] = r
	}
	return nil
}

// DropClaim implements account.Store.
func (t *Table) DropClaim(ctx context.Context, hash, connection string) error {
	return t.changeAccount(ctx, hash, func(r *account.Record) {
		if r.Connection == connection {
			r.Connection = ""
		}
	})
}
