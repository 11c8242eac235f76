// Package lease is the exclusive, expiring right to renew one grant.
//
// A renewal holds the grant's lease. A lease has an owner, which is drawn again
// each time the lease is taken, and an epoch, which only rises. Every write of
// a grant carries both, and the store refuses a write of a lower epoch. So a
// holder that stalled past its lease cannot damage the table, and everything
// else here keeps two holders from asking Reltio twice.
//
//	l, err := store.TakeLease(ctx, lease.Request{Connection: name, Owner: owner, Now: now, Until: now.Add(lease.Term)})
//	if errors.Is(err, lease.ErrHeld) { ... } // another holder renews
//	defer store.ReleaseLease(ctx, l)
//	if !l.Covers(now, work) { ... } // too late to begin
//
// Clocks may differ: a holder begins nothing in the last Skew of its lease, and
// a lease can be taken only after it has ended by the clock of the process that
// takes it.
package lease

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"time"
)

// The times of a lease.
const (
	// Term is the full term, set when a renewal takes the lease itself, at
	// adoption and at each extension.
	Term = 35 * time.Second
	// SyncTerm is the term of a lease that is handed over in a synchronous
	// invocation: long enough to be adopted.
	SyncTerm = 5 * time.Second
	// AsyncTerm is the term of a lease that is handed over in an asynchronous
	// invocation, which may wait in a queue. It never goes beyond the token's
	// end.
	AsyncTerm = 60 * time.Second
	// Skew is how far two clocks may differ: nothing is sent in the last Skew
	// of a lease.
	Skew = 10 * time.Second
	// MaxAhead bounds what is believed: a wrong clock has written the end of a
	// lease that is further ahead, and the lease counts as ended.
	MaxAhead = 75 * time.Second
	// Kept is how long an unused lease's record stays, so that epochs rise on
	// after long pauses.
	Kept = 30 * 24 * time.Hour
	// MaxEpoch is above every epoch that counting can reach: a stored epoch as
	// high was written by hand, and could not rise.
	MaxEpoch = 1 << 62
)

var (
	// ErrHeld says that another holder has the lease.
	ErrHeld = errors.New("lease: held by another")
	// ErrLost says that the caller no longer holds the lease: it was adopted or
	// taken over, or an event was delivered twice.
	ErrLost = errors.New("lease: lost")
)

// Lease is the right to renew Connection's grant until Until. The writes of a
// grant's store take it as proof.
type Lease struct {
	Connection string
	// Owner is a random text, new each time a lease is taken or adopted.
	Owner string
	// Epoch is the lease's number; it only rises.
	Epoch int64
	Until time.Time
	// Failure is why the last holder released the lease without a renewal, at
	// FailedAt: rotate could not be invoked. Callers that have waited since
	// then need not try themselves.
	Failure  Failure
	FailedAt time.Time
}

// Failure is an error as callers of the issue function see it.
type Failure struct{ Type, Message string }

// Covers reports whether work begun now ends before the lease's last Skew.
func (l Lease) Covers(now time.Time, work time.Duration) bool {
	return !now.Add(work + Skew).After(l.Until)
}

// Ended reports whether a stored lease that ends at until is free at now. One
// that ends further ahead than MaxAhead counts as ended.
func Ended(until, now time.Time) bool {
	return !until.After(now) || until.After(now.Add(MaxAhead))
}

// NewOwner draws a holder's name: 16 random bytes in hexadecimal, so that no
// two holders have the same one.
func NewOwner() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails
	return hex.EncodeToString(b[:])
}

// Request asks for a lease.
type Request struct {
	Connection string
	// Owner must be drawn for each request: a store that finds it already
	// stored knows that its first response was lost.
	Owner string
	// Floor is the epoch of the stored grant. It counts only if the lease has
	// no record, because it was deleted after long disuse or never existed.
	Floor int64
	Now   time.Time
	Until time.Time
}

// Stale reports whether a lease that this request took must not be used: the
// process was frozen meanwhile. The request's Now was then long past when the
// store used it, and another holder's valid lease may have looked as if a wrong
// clock had written it.
func (r Request) Stale(now time.Time) bool { return now.Sub(r.Now) > Skew }

// Store keeps one record per connection. All methods are atomic and safe for
// concurrent use by any number of processes. A network failure is an
// apierr.Error of type StoreUnavailable: the caller then holds nothing.
type Store interface {
	// TakeLease takes the lease, with the next epoch, if it has ended.
	// Otherwise it returns ErrHeld together with the holder's lease, which says
	// when that ends.
	TakeLease(ctx context.Context, r Request) (Lease, error)
	// SeizeLease takes the lease even if another holder's term has not ended,
	// and raises the epoch. The previous holder's next write fails with
	// ErrFenced.
	SeizeLease(ctx context.Context, r Request) (Lease, error)
	// AdoptLease gives a lease that was handed over in an event to the
	// receiver. Owner and epoch must still be as given; until does not matter.
	// A second delivery of the event gets ErrLost.
	AdoptLease(ctx context.Context, given Lease, r Request) (Lease, error)
	// ExtendLease sets a new end, and a higher epoch if the caller gives one.
	// Owner and epoch must still be as held, else the error is ErrLost.
	ExtendLease(ctx context.Context, held Lease, epoch int64, until time.Time) (Lease, error)
	// ReleaseLease ends the lease if the caller still holds it. Otherwise it
	// does nothing and returns no error.
	ReleaseLease(ctx context.Context, held Lease) error
}
