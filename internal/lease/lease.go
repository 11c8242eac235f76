// Package lease is the exclusive, expiring right to renew one grant.
//
// Whoever renews holds the grant's lease. A lease has an owner, which is drawn
// anew each time it is taken, and an epoch, which only rises; every write of a
// grant carries both, and the store refuses a write of a lower epoch. So a
// holder that stalled past its lease can do no harm in the table, and
// everything else here is about not asking Reltio twice.
//
//	l, err := store.TakeLease(ctx, lease.Request{Connection: name, Owner: owner, Now: now, Until: now.Add(lease.Term)})
//	if errors.Is(err, lease.ErrHeld) { ... } // somebody else renews
//	defer store.ReleaseLease(ctx, l)
//	if !l.Covers(now, work) { ... } // too late to begin
//
// Clocks may differ: a holder begins nothing in the last Skew of its lease, and
// a taker takes it only when it has ended by the taker's own clock.
package lease

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"time"
)

// Every time of a lease, in one place.
const (
	// Term is the full term, set when a lease is taken by the one who renews,
	// at adoption and at each extension.
	Term = 35 * time.Second
	// SyncTerm is the term of a lease that is handed over in a synchronous
	// invocation: just long enough to be adopted.
	SyncTerm = 5 * time.Second
	// AsyncTerm is the term of a lease that is handed over in an asynchronous
	// invocation, which may wait in a queue. It never goes beyond the token's
	// end.
	AsyncTerm = 60 * time.Second
	// Skew is how far two clocks may differ: nothing is sent in the last Skew
	// of a lease.
	Skew = 10 * time.Second
	// MaxAhead bounds what is believed: a lease that ends later than this from
	// now was written by a broken clock and counts as ended.
	MaxAhead = 75 * time.Second
	// Kept is how long an unused lease's record stays, so that epochs rise on
	// after long pauses.
	Kept = 30 * 24 * time.Hour
	// MaxEpoch is beyond every epoch that is ever reached by counting: what is as
	// high was written by hand, and could not rise.
	MaxEpoch = 1 << 62
)

var (
	// ErrHeld says that somebody else holds the lease.
	ErrHeld = errors.New("lease: held by another")
	// ErrLost says that the lease is no longer ours: it was adopted, taken
	// over, or an event was delivered twice.
	ErrLost = errors.New("lease: lost")
)

// Lease is the right to renew Connection's grant until Until. A write takes it
// as proof.
type Lease struct {
	Connection string
	// Owner is a random text, new each time a lease is taken or adopted.
	Owner string
	// Epoch is the lease's number; it only rises.
	Epoch int64
	Until time.Time
	// Failure is why the holder before gave the lease back without a renewal, at
	// FailedAt: the renewing function could not be invoked. Callers that have
	// waited since then need not find out for themselves.
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

// NewOwner draws a name for a holder: 16 random bytes in hexadecimal, so that no
// two are ever alike.
func NewOwner() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails
	return hex.EncodeToString(b[:])
}

// Request asks for a lease.
type Request struct {
	Connection string
	// Owner must be drawn anew for each request: a store that finds it already
	// stored knows that the request was answered once and the answer was lost.
	Owner string
	// Floor is the epoch of the stored grant. It counts only if the lease has
	// no record (it was deleted after long disuse, or never was).
	Floor int64
	Now   time.Time
	Until time.Time
}

// Stale reports whether a lease taken by this request is not to be used: the
// process was frozen while it took it. What the store was told to be now was
// long past, and a living lease may have looked like one of a broken clock.
func (r Request) Stale(now time.Time) bool { return now.Sub(r.Now) > Skew }

// Store keeps one record per connection. All methods are atomic and safe for
// concurrent use by any number of processes. A network failure is a
// apierr.Error of type StoreUnavailable: the caller holds nothing then.
type Store interface {
	// TakeLease takes the lease if it has ended, with the next epoch. Else it
	// returns ErrHeld together with the holder's lease, so that the caller
	// knows when it would end.
	TakeLease(ctx context.Context, r Request) (Lease, error)
	// SeizeLease takes the lease over anyone's head, with the next epoch. The
	// holder before finds out when it next writes.
	SeizeLease(ctx context.Context, r Request) (Lease, error)
	// AdoptLease makes a lease that was handed over in an event the
	// receiver's: owner and epoch must still be as given, until does not
	// matter. A second delivery of the event gets ErrLost.
	AdoptLease(ctx context.Context, given Lease, r Request) (Lease, error)
	// ExtendLease sets a new end, and a higher epoch if wanted: owner and
	// epoch must still be as held, else ErrLost.
	ExtendLease(ctx context.Context, held Lease, epoch int64, until time.Time) (Lease, error)
	// ReleaseLease ends the lease if it is still ours. One that is not ours
	// any more is none of our business and no error.
	ReleaseLease(ctx context.Context, held Lease) error
}
