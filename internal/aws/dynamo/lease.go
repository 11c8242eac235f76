package dynamo

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/reltio-tokens/reltio-tokens/internal/lease"
)

// TakeLease implements lease.Store. If the response of its first write was lost
// and the client repeats the write, the item that refuses it has the owner that
// was drawn for this very request: the lease is the caller's.
func (t *Table) TakeLease(ctx context.Context, r lease.Request) (lease.Lease, error) {
	w := nextLease(r)
	w.condition = all(w.rises(), either(
		w.absent(attrUntil),
		w.is(attrUntil, "<=", millis(r.Now)),
		w.is(attrUntil, ">", millis(r.Now.Add(lease.MaxAhead))),
	))
	l, ours, err := t.claim(ctx, w, r)
	if err == nil && !ours {
		err = lease.ErrHeld
	}
	return l, err
}

// SeizeLease implements lease.Store. Its condition refuses only a repetition of
// the same request.
func (t *Table) SeizeLease(ctx context.Context, r lease.Request) (lease.Lease, error) {
	w := nextLease(r)
	w.condition = all(w.rises(), either(w.absent(attrOwner), w.is(attrOwner, "<>", text(r.Owner))))
	l, _, err := t.claim(ctx, w, r)
	return l, err
}

// AdoptLease implements lease.Store. The request's connection counts, not that
// of the given lease.
func (t *Table) AdoptLease(ctx context.Context, given lease.Lease, r lease.Request) (lease.Lease, error) {
	w := nextLease(r)
	w.condition = w.heldBy(given)
	l, ours, err := t.claim(ctx, w, r)
	if err == nil && !ours {
		return lease.Lease{}, lease.ErrLost
	}
	return l, err
}

// nextLease is the write that gives the lease to the request, with the next
// epoch; the caller sets its condition.
func nextLease(r lease.Request) *write {
	w := newWrite(leaseKey(r.Connection))
	w.countFrom(attrEpoch, r.Floor, 1)
	w.set(attrOwner, text(r.Owner))
	w.setEnd(r.Until)
	w.returns = types.ReturnValueAllNew
	w.showRefusing = true
	return w
}

// rises holds for an epoch that can rise.
func (w *write) rises() string {
	return either(w.absent(attrEpoch), w.is(attrEpoch, "<", number(lease.MaxEpoch)))
}

// setEnd sets the lease's end, and when its record is deleted.
func (w *write) setEnd(until time.Time) {
	w.set(attrUntil, millis(until))
	w.set(attrTTL, seconds(until.Add(lease.Kept)))
}

// heldBy holds until another holder takes the lease.
func (w *write) heldBy(l lease.Lease) string {
	return all(w.is(attrOwner, "=", text(l.Owner)), w.is(attrEpoch, "=", number(l.Epoch)))
}

// claim sends the write and returns the stored lease, and whether it is the
// request's.
func (t *Table) claim(ctx context.Context, w *write, r lease.Request) (l lease.Lease, ours bool, err error) {
	stored, taken, err := t.updateMended(ctx, w, leaseMending)
	if err != nil {
		return lease.Lease{}, false, err
	}
	l, err = readLease(r.Connection, stored)
	return l, taken || r.Owner != "" && l.Owner == r.Owner, err
}

// ExtendLease implements lease.Store.
func (t *Table) ExtendLease(ctx context.Context, held lease.Lease, epoch int64, until time.Time) (lease.Lease, error) {
	w := newWrite(leaseKey(held.Connection))
	w.set(attrEpoch, number(max(epoch, held.Epoch)))
	w.setEnd(until)
	w.condition = w.heldBy(held)
	w.returns = types.ReturnValueAllNew
	w.showRefusing = true
	stored, taken, err := t.updateMended(ctx, w, leaseMending)
	if err != nil {
		return lease.Lease{}, err
	}
	l, err := readLease(held.Connection, stored)
	if err != nil {
		return lease.Lease{}, err
	}
	if ours := held.Owner != "" && l.Owner == held.Owner && l.Epoch == epoch; !taken && !ours {
		return lease.Lease{}, lease.ErrLost
	}
	return l, nil
}

// ReleaseLease implements lease.Store. The record stays, so that the epoch
// rises on. Owner and epoch stay too: an event that was given the lease and
// arrives late can still adopt it, if no other holder took it meanwhile.
func (t *Table) ReleaseLease(ctx context.Context, held lease.Lease) error {
	w := newWrite(leaseKey(held.Connection))
	w.set(attrUntil, number(0))
	if !held.FailedAt.IsZero() {
		w.set(attrFailedAt, millis(held.FailedAt))
		w.set(attrLastError, asText(&held.Failure.Type).save())
		w.set(attrLastErrorMessage, asText(&held.Failure.Message).save())
	}
	w.condition = w.heldBy(held)
	_, _, err := t.update(ctx, w)
	return err
}

func readLease(connection string, i item) (lease.Lease, error) {
	l := lease.Lease{Connection: connection}
	err := load(i, []field{
		{attrOwner, asText(&l.Owner)},
		{attrEpoch, asRising(&l.Epoch)},
		{attrUntil, asTime(&l.Until)},
		{attrFailedAt, asTime(&l.FailedAt)},
		{attrLastError, asText(&l.Failure.Type)},
		{attrLastErrorMessage, asText(&l.Failure.Message)},
	})
	if err != nil {
		return lease.Lease{}, err
	}
	return l, nil
}
