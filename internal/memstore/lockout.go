package memstore

import (
	"context"

	"github.com/reltio-tokens/reltio-tokens/internal/lockout"
)

// Account implements lockout.Store.
func (t *Table) Account(ctx context.Context, hash string) (lockout.Record, error) {
	leave, err := t.enter(ctx)
	if err != nil {
		return lockout.Record{}, err
	}
	defer leave()
	return t.accounts[hash], nil
}

// CountLogin implements lockout.Store.
func (t *Table) CountLogin(ctx context.Context, try lockout.Try) (lockout.Record, error) {
	leave, err := t.enter(ctx)
	if err != nil {
		return lockout.Record{}, err
	}
	defer leave()
	try.Now = inMillis(try.Now)
	next, err := lockout.Count(t.accounts[try.AccountHash], try)
	if err == nil {
		t.accounts[try.AccountHash] = next
	}
	return next, err
}

// SettleLogin implements lockout.Store.
func (t *Table) SettleLogin(ctx context.Context, try lockout.Try, o lockout.Outcome) error {
	leave, err := t.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	try.Now = inMillis(try.Now)
	if r, ok := t.accounts[try.AccountHash]; ok || o == lockout.Accepted {
		t.accounts[try.AccountHash] = lockout.Settle(r, try, o)
	}
	return nil
}

// MoveClaim implements lockout.Store.
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
