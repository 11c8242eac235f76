package storetest

import (
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/lease"
)

// failurePromises are about why a lease was given back without a renewal.
func failurePromises() promises {
	return promises{
		"a failure is seen by who takes the lease next":     failureIsTaken,
		"a failure is seen by who is told it is held":       failureIsHeld,
		"a failure is seen by who seizes, adopts, extends":  failureIsHandedOn,
		"a failure stays when the lease is given back well": failureStays,
		"a later failure takes the place of one":            failureFollows,
		"another's failure is not kept":                     failureOfAnother,
		"a failure without a moment is none":                failureWithoutMoment,
		"a failure's moment comes back in milliseconds":     failureInMillis,
	}
}

// failed is the lease as its holder gives it back after a failure.
func failed(l lease.Lease, message string, after time.Duration) lease.Lease {
	l.Failure, l.FailedAt = lease.Failure{Type: "StoreUnavailable", Message: message}, start().Add(after)
	return l
}

// giveBackFailed takes the lease and gives it back with a failure.
func giveBackFailed(t *testing.T, s Store, owner, message string) {
	t.Helper()
	l := takeLease(t, s, "acme", owner)
	noError(t, s.ReleaseLease(t.Context(), failed(l, message, 0)))
}

func failureIsTaken(t *testing.T, s Store) {
	giveBackFailed(t, s, "owner-1", "m1")
	got := takeLease(t, s, "acme", "owner-2")
	want := lease.Lease{Connection: "acme", Owner: "owner-2", Epoch: 2, Until: start().Add(lease.Term)}
	sameLease(t, got, failed(want, "m1", 0))
}

func failureIsHeld(t *testing.T, s Store) {
	giveBackFailed(t, s, "owner-1", "m1")
	held := takeLease(t, s, "acme", "owner-2")
	got, err := s.TakeLease(t.Context(), ask("acme", "owner-3"))
	wantError(t, err, lease.ErrHeld)
	sameLease(t, got, failed(held, "m1", 0))
	// The same when the response was lost.
	again, err := s.TakeLease(t.Context(), ask("acme", "owner-2"))
	noError(t, err)
	sameLease(t, again, held)
}

func failureIsHandedOn(t *testing.T, s Store) {
	giveBackFailed(t, s, "owner-1", "m1")
	seized, err := s.SeizeLease(t.Context(), ask("acme", "owner-2"))
	noError(t, err)
	adopted, err := s.AdoptLease(t.Context(), seized, ask("acme", "owner-3"))
	noError(t, err)
	extended, err := s.ExtendLease(t.Context(), adopted, 9, adopted.Until)
	noError(t, err)
	for i, got := range []lease.Lease{seized, adopted, extended} {
		want := lease.Lease{
			Connection: "acme", Owner: []string{"owner-2", "owner-3", "owner-3"}[i], Epoch: []int64{2, 3, 9}[i],
			Until: start().Add(lease.Term),
		}
		sameLease(t, got, failed(want, "m1", 0))
	}
}

func failureStays(t *testing.T, s Store) {
	giveBackFailed(t, s, "owner-1", "m1")
	l := takeLease(t, s, "acme", "owner-2")
	noError(t, s.ReleaseLease(t.Context(), lease.Lease{Connection: "acme", Owner: l.Owner, Epoch: l.Epoch}))
	got := takeLease(t, s, "acme", "owner-3")
	sameLease(t, got, failed(lease.Lease{Connection: "acme", Owner: "owner-3", Epoch: 3, Until: l.Until}, "m1", 0))
}

func failureFollows(t *testing.T, s Store) {
	giveBackFailed(t, s, "owner-1", "m1")
	l := takeLease(t, s, "acme", "owner-2")
	later := failed(l, "", time.Minute)
	later.Failure.Type = ""
	for _, next := range []lease.Lease{failed(l, "m2", time.Second), later} {
		noError(t, s.ReleaseLease(t.Context(), next))
		got, err := s.ExtendLease(t.Context(), l, l.Epoch, l.Until)
		noError(t, err)
		sameLease(t, got, next)
	}
}

func failureOfAnother(t *testing.T, s Store) {
	mine := takeLease(t, s, "acme", "owner-1")
	for _, other := range []lease.Lease{
		{Connection: "acme", Owner: "owner-2", Epoch: 1},
		{Connection: "acme", Owner: "owner-1", Epoch: 2},
		{Connection: "acme"},
	} {
		noError(t, s.ReleaseLease(t.Context(), failed(other, "m1", 0)))
		wantHeld(t, s, mine)
	}
}

func failureWithoutMoment(t *testing.T, s Store) {
	l := takeLease(t, s, "acme", "owner-1")
	l.Failure = lease.Failure{Type: "StoreUnavailable", Message: "m"}
	noError(t, s.ReleaseLease(t.Context(), l))
	got := takeLease(t, s, "acme", "owner-2")
	sameLease(t, got, lease.Lease{Connection: "acme", Owner: "owner-2", Epoch: 2, Until: l.Until})
}

func failureInMillis(t *testing.T, s Store) {
	l := failed(takeLease(t, s, "acme", "owner-1"), "m1", 999_999)
	l.FailedAt = l.FailedAt.In(time.FixedZone("elsewhere", 3600))
	noError(t, s.ReleaseLease(t.Context(), l))
	got := takeLease(t, s, "acme", "owner-2")
	if got.FailedAt != start() { // in UTC too
		t.Errorf("failed at %v, want %v", got.FailedAt, start())
	}
}
