package memstore

import (
	"context"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/lease"
)

// TakeLease implements lease.Store.
func (t *Table) TakeLease(ctx context.Context, r lease.Request) (lease.Lease, error) {
	leave, err := t.enter(ctx)
	if err != nil {
		return lease.Lease{}, err
	}
	defer leave()
	stored, exists := t.leases[r.Connection]
	switch {
	case !exists || lease.Ended(stored.Until, inMillis(r.Now)):
		return t.nextLease(r), nil
	case answered(stored, r):
		return stored, nil
	default:
		return stored, lease.ErrHeld
	}
}

// SeizeLease implements lease.Store.
func (t *Table) SeizeLease(ctx context.Context, r lease.Request) (lease.Lease, error) {
	leave, err := t.enter(ctx)
	if err != nil {
		return lease.Lease{}, err
	}
	defer leave()
	if stored := t.leases[r.Connection]; answered(stored, r) {
		return stored, nil
	}
	return t.nextLease(r), nil
}

// AdoptLease implements lease.Store. The request's connection counts, not that
// of the given lease.
func (t *Table) AdoptLease(ctx context.Context, given lease.Lease, r lease.Request) (lease.Lease, error) {
	leave, err := t.enter(ctx)
	if err != nil {
		return lease.Lease{}, err
	}
	defer leave()
	stored, exists := t.leases[r.Connection]
	switch {
	case exists && stored.Owner == given.Owner && stored.Epoch == given.Epoch:
		return t.nextLease(r), nil
	case answered(stored, r):
		return stored, nil
	default:
		return lease.Lease{}, lease.ErrLost
	}
}

// answered reports whether this very request made the stored lease: an owner is
// drawn for each request.
func answered(stored lease.Lease, r lease.Request) bool {
	return r.Owner != "" && stored.Owner == r.Owner
}

// nextLease stores the request's lease with the next epoch; mu is held.
func (t *Table) nextLease(r lease.Request) lease.Lease {
	l := lease.Lease{Connection: r.Connection, Epoch: r.Floor}
	if stored, exists := t.leases[r.Connection]; exists {
		l = stored
	}
	l.Owner, l.Epoch, l.Until = r.Owner, l.Epoch+1, inMillis(r.Until)
	t.leases[l.Connection] = l
	return l
}

// ExtendLease implements lease.Store.
func (t *Table) ExtendLease(ctx context.Context, held lease.Lease, epoch int64, until time.Time) (lease.Lease, error) {
	leave, err := t.enter(ctx)
	if err != nil {
		return lease.Lease{}, err
	}
	defer leave()
	stored, exists := t.leases[held.Connection]
	switch {
	case !exists || stored.Owner != held.Owner:
		return lease.Lease{}, lease.ErrLost
	case stored.Epoch == held.Epoch:
		stored.Epoch = max(held.Epoch, epoch)
		stored.Until = inMillis(until)
		t.leases[held.Connection] = stored
		return stored, nil
	case stored.Epoch == epoch:
		return stored, nil // the first response was lost
	default:
		return lease.Lease{}, lease.ErrLost
	}
}

// ReleaseLease implements lease.Store. The record stays, so that the epoch
// rises on.
func (t *Table) ReleaseLease(ctx context.Context, held lease.Lease) error {
	leave, err := t.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	stored, exists := t.leases[held.Connection]
	if exists && stored.Owner == held.Owner && stored.Epoch == held.Epoch {
		stored.Until = time.Time{}
		if !held.FailedAt.IsZero() {
			stored.Failure, stored.FailedAt = held.Failure, inMillis(held.FailedAt)
		}
		t.leases[held.Connection] = stored
	}
	return nil
}
