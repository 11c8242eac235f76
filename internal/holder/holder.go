// Package holder is the one writer of grants: the holder of a grant's lease.
//
// A renewal, a completed login and an operator's command change a grant in the
// same order: lease, read again, decide again, write, release. The decisions are
// theirs; the order, and what each write also has to do, are here.
//
//	h, err := config.Take(ctx, name, 0) // or Adopt, or Seize
//	if err != nil { ... }               // lease.ErrHeld: another holder renews
//	defer h.Release(ctx, time.Second)
//	g, exists, err := h.Read(ctx)       // now the lease's epoch is above the grant's
//	next := decide(g)
//	err = h.Write(ctx, next, person)    // indexed, with the events that the change requires
//	err = h.Publish(ctx, limit)         // the events are sent, and removed from the grant
//
// Every method that takes a context blocks on the stores for as long as the
// context allows. A write of a holder that has lost its lease fails with
// grant.ErrFenced and changes nothing. A failure of a store is an apierr.Error of
// type StoreUnavailable; after one of a write the grant is either the old or the
// new one.
package holder

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/authrequest"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
)

// Config is what a holder works with. Grants, Leases and Now are required.
type Config struct {
	Grants grant.Store
	Leases lease.Store
	// Now is the clock.
	Now func() time.Time
	// Doubts: grants are read without what a wrong clock wrote
	// (grant.Grant.Believed). The functions doubt. An operator's command does
	// not, because its own clock may be the wrong one.
	Doubts bool

	// Events sends events to operators; nil: none are added and none are sent.
	Events grant.Publisher
	// AuthRequests keeps the invitations whose links are sent with events, and
	// CallbackURL is where they lead, without a slash at its end; empty: events
	// carry no link.
	AuthRequests authrequest.Store
	CallbackURL  string
	// Links remembers the links of events that could not be sent. It is required
	// where CallbackURL is set.
	Links *Links
	// Bus remembers whether the event bus failed; nil: each holder finds out by
	// itself.
	Bus *Bus
}

// Holder holds the lease of one grant. It is not safe for concurrent use.
type Holder struct {
	Config

	held lease.Lease
	// found is the grant as this holder read it first, stored as it last read or
	// wrote it.
	found, stored grant.Grant
	read          bool
}

// Take takes the grant's lease. The error is lease.ErrHeld if another holder has
// it, or if this process was frozen while it asked. floor is the epoch of the
// grant if the caller has read it, else 0.
func (c Config) Take(ctx context.Context, name string, floor int64) (*Holder, error) {
	r := c.request(name, floor)
	held, err := c.Leases.TakeLease(ctx, r)
	if err != nil {
		return nil, err
	}
	h := &Holder{Config: c, held: held}
	if r.Stale(c.Now()) {
		h.Release(ctx, ReleaseTime)
		return nil, lease.ErrHeld
	}
	return h, nil
}

// Adopt takes over a lease that was handed over in an event. The error is
// lease.ErrLost if the event was delivered before.
func (c Config) Adopt(ctx context.Context, given lease.Lease) (*Holder, error) {
	held, err := c.Leases.AdoptLease(ctx, given, c.request(given.Connection, 0))
	if err != nil {
		return nil, err
	}
	return &Holder{Config: c, held: held}, nil
}

// Seize takes the grant's lease, also from another holder, whose next write then
// fails. floor is the epoch of the grant as the caller has read it.
func (c Config) Seize(ctx context.Context, name string, floor int64) (*Holder, error) {
	held, err := c.Leases.SeizeLease(ctx, c.request(name, floor))
	if err != nil {
		return nil, err
	}
	return &Holder{Config: c, held: held}, nil
}

func (c Config) request(name string, floor int64) lease.Request {
	now := c.Now()
	return lease.Request{
		Connection: name, Owner: lease.NewOwner(), Floor: floor, Now: now, Until: now.Add(lease.Term),
	}
}

// Lease is the lease as it is held.
func (h *Holder) Lease() lease.Lease { return h.held }

// Found is the grant as this holder read it first, Stored as it last read or
// wrote it; each the zero Grant before the first read.
func (h *Holder) Found() grant.Grant { return h.found }

// Stored is the grant as this holder last read or wrote it.
func (h *Holder) Stored() grant.Grant { return h.stored }

// Look reads the grant with a strongly consistent read. If there is none it
// returns a healthy one without a token, and false.
func (h *Holder) Look(ctx context.Context) (g grant.Grant, exists bool, err error) {
	g, err = h.Grants.Grant(ctx, h.held.Connection, grant.Strong)
	switch {
	case errors.Is(err, grant.ErrNotFound):
		g = grant.Grant{Connection: h.held.Connection, Status: grant.StatusOK}
	case err != nil:
		return g, false, err
	default:
		exists = true
	}
	if h.Doubts {
		g = g.Believed(h.Now())
	}
	if !h.read {
		h.found, h.read = g, true
	}
	h.stored = g
	return g, exists, nil
}

// Read is Look, and raises the lease's epoch above the grant's if it is not, which
// it may be if the lease's record was deleted: the store would refuse all writes
// of this holder. If the epoch cannot be raised the error says so, and the grant
// is returned all the same.
func (h *Holder) Read(ctx context.Context) (g grant.Grant, exists bool, err error) {
	if g, exists, err = h.Look(ctx); err != nil {
		return g, exists, err
	}
	if h.Wrote(g) || g.Epoch < h.held.Epoch {
		return g, exists, nil
	}
	return g, exists, h.extend(ctx, max(h.held.Epoch, g.Epoch+1), h.held.Until)
}

// Wrote reports whether this holder wrote the grant.
func (h *Holder) Wrote(g grant.Grant) bool {
	return g.Owner == h.held.Owner && g.Epoch == h.held.Epoch
}

// Extend gives the lease its full term again. If that fails the holder keeps the
// lease as it was: results have to be written under it, and it has to be released.
func (h *Holder) Extend(ctx context.Context) error {
	return h.extend(ctx, h.held.Epoch, h.Now().Add(lease.Term))
}

// extendAt is how much of the lease is left when During extends it.
const extendAt = 15 * time.Second

// During runs work, and gives the lease its full term again whenever extendAt of it
// is left, so that a late result can be stored under it. If another holder has the
// lease it is not extended any more; the store then refuses the result. Nothing runs
// when During returns. Work must not use the Holder.
func (h *Holder) During(ctx context.Context, work func()) {
	ctx, cancel := context.WithCancel(ctx)
	var keeper sync.WaitGroup
	keeper.Go(func() {
		const pause = time.Second // before another attempt, if the store fails
		for wait := time.Duration(0); ; wait = pause {
			wait = max(wait, h.held.Until.Sub(h.Now())-extendAt)
			if ratelimit.Sleep(ctx, wait) != nil {
				return
			}
			if errors.Is(h.Extend(ctx), lease.ErrLost) {
				return
			}
		}
	})
	work()
	cancel()
	keeper.Wait()
}

func (h *Holder) extend(ctx context.Context, epoch int64, until time.Time) error {
	held, err := h.Leases.ExtendLease(ctx, h.held, epoch, until)
	if err == nil {
		h.held = held
	}
	return err
}

// Write stores g with the events that its change requires: from the grant as it
// is stored, or, if that needs no operator, from the status in which this holder
// found it. person says that a person authorizes the connection.
func (h *Holder) Write(ctx context.Context, g grant.Grant, person bool) error {
	if h.Events != nil {
		before := h.stored
		if !before.NeedsOperator() {
			before.Status = h.found.Status
		}
		g = g.Announced(before, h.Now(), person)
	}
	return h.Put(ctx, g)
}

// Put stores g without further events, and indexes it.
func (h *Holder) Put(ctx context.Context, g grant.Grant) error {
	return h.PutIndexed(ctx, g.IndexedSince(h.found, h.Now()))
}

// PutIndexed stores g with the index entry that it has.
func (h *Holder) PutIndexed(ctx context.Context, g grant.Grant) error {
	if err := h.Grants.PutGrant(ctx, h.held, g); err != nil {
		return err
	}
	g.Epoch, g.Owner = h.held.Epoch, h.held.Owner
	h.stored = g
	return nil
}

// ReleaseTime bounds a release that has no limit of its own.
const ReleaseTime = 5 * time.Second

// Release releases the lease within limit, also after the context has ended. A
// lease that cannot be released expires.
func (h *Holder) Release(ctx context.Context, limit time.Duration) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	_ = h.Leases.ReleaseLease(ctx, h.held)
}
