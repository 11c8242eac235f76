package storetest

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/lease"
)

func handoverPromises() promises {
	return promises{
		"an adopted lease is the receiver's":       adopted,
		"a second delivery is refused":             adoptedTwice,
		"a lost answer of an adoption is found":    adoptingAgain,
		"of many receivers one adopts":             oneReceiverAdopts,
		"one that has ended is adopted":            adoptedAfterEnd,
		"one that was given back is adopted":       adoptedAfterRelease,
		"one that was taken over is not adopted":   adoptedAfterTaking,
		"one that was seized is not adopted":       adoptedAfterSeizure,
		"one that never was is not adopted":        adoptedWithoutRecord,
		"owner and epoch have both to be as given": adoptedByHalf,
		"a lease is extended":                      extended,
		"one that has ended is extended":           extendedAfterEnd,
		"an extension raises the epoch":            extendedWithEpoch,
		"an extension never lowers the epoch":      extendedWithLowerEpoch,
		"a lost answer of an extension is found":   extendingAgain,
		"what is not held is not extended":         extendedWithoutHolding,
		"what was adopted is not extended before":  extendedAfterAdoption,
	}
}

func adopt(t *testing.T, s Store, given lease.Lease, owner string) lease.Lease {
	t.Helper()
	l, err := s.AdoptLease(t.Context(), given, ask(given.Connection, owner))
	if err != nil {
		t.Fatalf("AdoptLease(%d, %s): %v", given.Epoch, owner, err)
	}
	return l
}

func notAdopted(t *testing.T, s Store, given lease.Lease, owner string) {
	t.Helper()
	_, err := s.AdoptLease(t.Context(), given, ask(given.Connection, owner))
	wantError(t, err, lease.ErrLost)
}

func adopted(t *testing.T, s Store) {
	r := ask("acme", "giver")
	r.Until = start().Add(lease.SyncTerm)
	given, err := s.TakeLease(t.Context(), r)
	noError(t, err)
	given.Until = time.Time{} // an event does not carry it
	l := adopt(t, s, given, "receiver")
	sameLease(t, l, lease.Lease{Connection: "acme", Owner: "receiver", Epoch: 2, Until: start().Add(lease.Term)})
	wantHeld(t, s, l)
	noError(t, s.ReleaseLease(t.Context(), given))
	wantHeld(t, s, l)
}

func adoptedTwice(t *testing.T, s Store) {
	given := takeLease(t, s, "acme", "giver")
	l := adopt(t, s, given, "receiver-1")
	notAdopted(t, s, given, "receiver-2")
	wantHeld(t, s, l)
	noError(t, s.ReleaseLease(t.Context(), l))
	notAdopted(t, s, given, "receiver-3")
}

func adoptingAgain(t *testing.T, s Store) {
	given := takeLease(t, s, "acme", "giver")
	first := adopt(t, s, given, "receiver")
	sameLease(t, adopt(t, s, given, "receiver"), first)
	wantHeld(t, s, first)
}

func oneReceiverAdopts(t *testing.T, s Store) {
	given := takeLease(t, s, "acme", "giver")
	var won atomic.Int64
	race(func(i int) {
		_, err := s.AdoptLease(t.Context(), given, ask("acme", fmt.Sprintf("receiver-%d", i)))
		switch {
		case err == nil:
			won.Add(1)
		case !errors.Is(err, lease.ErrLost):
			t.Error(err)
		}
	})
	if won.Load() != 1 {
		t.Errorf("%d of %d adopted the lease, want 1", won.Load(), many)
	}
}

func adoptedAfterEnd(t *testing.T, s Store) {
	given := takeLease(t, s, "acme", "giver")
	r := ask("acme", "receiver")
	r.Now, r.Until = start().Add(time.Hour), start().Add(time.Hour+lease.Term)
	l, err := s.AdoptLease(t.Context(), given, r)
	noError(t, err)
	sameLease(t, l, lease.Lease{Connection: "acme", Owner: "receiver", Epoch: 2, Until: r.Until})
}

func adoptedAfterRelease(t *testing.T, s Store) {
	given := takeLease(t, s, "acme", "giver")
	noError(t, s.ReleaseLease(t.Context(), given))
	l := adopt(t, s, given, "receiver")
	if l.Epoch != 2 {
		t.Errorf("epoch %d, want 2", l.Epoch)
	}
	wantHeld(t, s, l)
}

func adoptedAfterTaking(t *testing.T, s Store) {
	given := takeLease(t, s, "acme", "giver")
	noError(t, s.ReleaseLease(t.Context(), given))
	taken := takeLease(t, s, "acme", "taker")
	notAdopted(t, s, given, "receiver")
	wantHeld(t, s, taken)
}

func adoptedAfterSeizure(t *testing.T, s Store) {
	given := takeLease(t, s, "acme", "giver")
	seized, err := s.SeizeLease(t.Context(), ask("acme", "seizer"))
	noError(t, err)
	notAdopted(t, s, given, "receiver")
	wantHeld(t, s, seized)
}

func adoptedWithoutRecord(t *testing.T, s Store) {
	for _, given := range []lease.Lease{{Connection: "acme", Owner: "giver", Epoch: 7}, {Connection: "acme"}} {
		notAdopted(t, s, given, "receiver")
	}
	if l := takeLease(t, s, "acme", "owner"); l.Epoch != 1 {
		t.Errorf("epoch %d, want 1: the adoption has left a record", l.Epoch)
	}
}

func adoptedByHalf(t *testing.T, s Store) {
	mine := takeLease(t, s, "acme", "giver")
	for _, given := range []lease.Lease{
		{Connection: "acme", Owner: "giver", Epoch: 2},
		{Connection: "acme", Owner: "giver"},
		{Connection: "acme", Owner: "other", Epoch: 1},
		{Connection: "acme", Epoch: 1},
	} {
		notAdopted(t, s, given, "receiver")
	}
	wantHeld(t, s, mine)
}

func extended(t *testing.T, s Store) {
	l := takeLease(t, s, "acme", "owner")
	for _, ahead := range []time.Duration{lease.AsyncTerm, lease.SyncTerm} {
		got, err := s.ExtendLease(t.Context(), l, l.Epoch, start().Add(ahead))
		noError(t, err)
		l.Until = start().Add(ahead)
		sameLease(t, got, l)
	}
	r := ask("acme", "other")
	r.Now = l.Until
	r.Until = r.Now.Add(lease.Term)
	_, err := s.TakeLease(t.Context(), r)
	noError(t, err)
}

func extendedAfterEnd(t *testing.T, s Store) {
	l := takeLease(t, s, "acme", "owner")
	later := start().Add(time.Hour)
	got, err := s.ExtendLease(t.Context(), l, l.Epoch, later)
	noError(t, err)
	l.Until = later
	sameLease(t, got, l)
}

func extendedWithEpoch(t *testing.T, s Store) {
	l := takeLease(t, s, "acme", "owner")
	got, err := s.ExtendLease(t.Context(), l, 40, l.Until)
	noError(t, err)
	want := lease.Lease{Connection: "acme", Owner: "owner", Epoch: 40, Until: l.Until}
	sameLease(t, got, want)
	wantHeld(t, s, want)
	_, err = s.ExtendLease(t.Context(), l, l.Epoch, l.Until)
	wantError(t, err, lease.ErrLost)
	noError(t, s.ReleaseLease(t.Context(), want))
	if next := takeLease(t, s, "acme", "next"); next.Epoch != 41 {
		t.Errorf("the next epoch is %d, want 41", next.Epoch)
	}
}

func extendedWithLowerEpoch(t *testing.T, s Store) {
	r := ask("acme", "owner")
	r.Floor = 9
	l, err := s.TakeLease(t.Context(), r)
	noError(t, err)
	for _, epoch := range []int64{0, 9, -1} {
		got, err := s.ExtendLease(t.Context(), l, epoch, l.Until)
		noError(t, err)
		sameLease(t, got, l)
	}
}

func extendingAgain(t *testing.T, s Store) {
	l := takeLease(t, s, "acme", "owner")
	first, err := s.ExtendLease(t.Context(), l, 40, start().Add(lease.AsyncTerm))
	noError(t, err)
	again, err := s.ExtendLease(t.Context(), l, 40, start().Add(lease.AsyncTerm))
	noError(t, err)
	sameLease(t, again, first)
}

func extendedWithoutHolding(t *testing.T, s Store) {
	_, err := s.ExtendLease(t.Context(), lease.Lease{Connection: "acme", Owner: "owner", Epoch: 1}, 1, start())
	wantError(t, err, lease.ErrLost)
	mine := takeLease(t, s, "acme", "owner")
	for _, other := range []lease.Lease{
		{Connection: "acme", Owner: "other", Epoch: 1},
		{Connection: "acme", Owner: "owner", Epoch: 2},
		{Connection: "acme"},
	} {
		_, err := s.ExtendLease(t.Context(), other, other.Epoch, start().Add(time.Hour))
		wantError(t, err, lease.ErrLost)
	}
	wantHeld(t, s, mine)
}

func extendedAfterAdoption(t *testing.T, s Store) {
	given := takeLease(t, s, "acme", "giver")
	l := adopt(t, s, given, "receiver")
	_, err := s.ExtendLease(t.Context(), given, given.Epoch, given.Until)
	wantError(t, err, lease.ErrLost)
	wantHeld(t, s, l)
}
