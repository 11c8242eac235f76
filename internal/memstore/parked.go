package memstore

import (
	"context"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
)

// Park implements grant.Parking.
func (t *Table) Park(ctx context.Context, name string, r grant.RefreshToken) error {
	leave, err := t.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	if kept, ok := t.parked[name]; ok && kept.Epoch > r.Epoch {
		return grant.ErrFenced
	}
	r.LoggedInAt, r.ParkedAt, r.Version = inMillis(r.LoggedInAt), inMillis(r.ParkedAt), ""
	t.parked[name] = r
	return nil
}

// Parked implements grant.Parking.
func (t *Table) Parked(ctx context.Context, name string) (grant.RefreshToken, error) {
	leave, err := t.enter(ctx)
	if err != nil {
		return grant.RefreshToken{}, err
	}
	defer leave()
	r := t.parked[name]
	if r.Token.IsZero() {
		return grant.RefreshToken{Epoch: r.Epoch}, grant.ErrNotFound
	}
	return r, nil
}

// Unpark implements grant.Parking. What stays says which epoch was kept last.
func (t *Table) Unpark(ctx context.Context, name string, epoch int64) error {
	leave, err := t.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	if r, ok := t.parked[name]; ok && r.Epoch == epoch {
		t.parked[name] = grant.RefreshToken{Epoch: epoch}
	}
	return nil
}
