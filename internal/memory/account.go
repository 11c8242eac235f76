package memory

import (
	"context"

	"github.com/reltio-tokens/reltio-tokens/internal/account"
)

// Account implements account.Store.
func (t *Table) Account(ctx context.Context, hash string) (account.Record, error) {
	leave, err := t.enter(ctx)
	if err != nil {
		return account.Record{}, err
	}
	defer leave()
	return t.accounts[hash], nil
}

// CountLogin implements account.Store.
func (t *Table) CountLogin(ctx context.Context, try account.Try) (account.Record, error) {
	leave, err := t.enter(ctx)
	if err != nil {
		return account.Record{}, err
	}
	defer leave()
	try.Now = inMillis(try.Now)
	next, err := account.Count(t.accounts[try.Account], try)
	if err == nil {
		t.accounts[try.Account] = next
	}
	return next, err
}

// SettleLogin implements account.Store.
func (t *Table) SettleLogin(ctx context.Context, try account.Try, o account.Outcome) error {
	leave, err := t.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	try.Now = inMillis(try.Now)
	if r, ok := t.accounts[try.Account]; ok || o == account.Accepted {
		t.accounts[try.Account] = account.Settle(r, try, o)
	}
	return nil
}

// MoveClaim implements account.Store.
func (t *Table) MoveClaim(ctx context.Context, hash, from, to string) error {
	leave, err := t.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	if r, ok := t.accounts[hash]; ok && r.Connection == from {
		r.Connection = to
		t.accounts[hash] = r
	}
	return nil
}
