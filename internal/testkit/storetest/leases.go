package storetest

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/internal/lease"
)

func leasePromises() promises {
	kept := promises{
		"a lease that is held is refused, with its holder": heldIsRefused,
		"the floor counts without a record":                floorWithoutRecord,
		"the floor does not count with a record":           floorWithRecord,
		"a lost answer of a taking is found":               takingAgain,
		"a released lease is free, its epoch rises":        releasedIsFree,
		"another's lease is not released":                  releaseOfAnother,
		"an unknown lease is released":                     releaseOfNone,
		"a lease is seized although another holds it":      seized,
		"a lease is seized without a record":               seizedWithoutRecord,
		"a lost answer of a seizure is found":              seizingAgain,
		"of many takers one wins":                          oneTakerWins,
		"of many seizers each gets an epoch of its own":    seizersApart,
		"a lease's end comes back in milliseconds":         leaseInMillis,
		"leases of two connections do not meet":            leasesApart,
	}
	for name, test := range map[string]struct {
		ahead time.Duration // the stored lease's end, from the taker's now
		want  error
	}{
		"one that ended long ago is free":              {-time.Hour, nil},
		"one that ends at this moment is free":         {0, nil},
		"one with a millisecond left is held":          {time.Millisecond, lease.ErrHeld},
		"one that ends at the bound of belief is held": {lease.MaxAhead, lease.ErrHeld},
		"one that ends beyond belief is free":          {lease.MaxAhead + time.Millisecond, nil},
		"one that ends in a year is free":              {365 * 24 * time.Hour, nil},
	} {
		kept[name] = func(t *testing.T, s Store) {
			stored := takeLease(t, s, "acme", "owner-1")
			stored, err := s.ExtendLease(t.Context(), stored, stored.Epoch, start().Add(test.ahead))
			noError(t, err)
			got, err := s.TakeLease(t.Context(), ask("acme", "owner-2"))
			wantError(t, err, test.want)
			want := stored
			if test.want == nil {
				want = lease.Lease{Connection: "acme", Owner: "owner-2", Epoch: 2, Until: start().Add(lease.Term)}
			}
			sameLease(t, got, want)
			wantHeld(t, s, want)
		}
	}
	return kept
}

// ask is a request at start, for the full term.
func ask(connection, owner string) lease.Request {
	return lease.Request{Connection: connection, Owner: owner, Now: start(), Until: start().Add(lease.Term)}
}

func takeLease(t *testing.T, s Store, connection, owner string) lease.Lease {
	t.Helper()
	l, err := s.TakeLease(t.Context(), ask(connection, owner))
	if err != nil {
		t.Fatalf("TakeLease(%s, %s): %v", connection, owner, err)
	}
	return l
}

func sameLease(t *testing.T, got, want lease.Lease) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lease (-want +got):\n%s", diff)
	}
}

// wantHeld looks at the stored lease in the two ways there are: it is refused
// to another while it lasts, and its holder can extend it to where it ends.
func wantHeld(t *testing.T, s Store, want lease.Lease) {
	t.Helper()
	if !lease.Ended(want.Until, start()) {
		got, err := s.TakeLease(t.Context(), ask(want.Connection, "intruder"))
		wantError(t, err, lease.ErrHeld)
		sameLease(t, got, want)
	}
	got, err := s.ExtendLease(t.Context(), want, want.Epoch, want.Until)
	if err != nil {
		t.Errorf("%s does not hold the lease %d: %v", want.Owner, want.Epoch, err)
		return
	}
	sameLease(t, got, want)
}

func heldIsRefused(t *testing.T, s Store) {
	first := takeLease(t, s, "acme", "owner-1")
	sameLease(t, first, lease.Lease{Connection: "acme", Owner: "owner-1", Epoch: 1, Until: start().Add(lease.Term)})
	got, err := s.TakeLease(t.Context(), ask("acme", "owner-2"))
	wantError(t, err, lease.ErrHeld)
	sameLease(t, got, first)
	wantHeld(t, s, first)
}

func floorWithoutRecord(t *testing.T, s Store) {
	r := ask("acme", "owner")
	r.Floor = 41
	l, err := s.TakeLease(t.Context(), r)
	noError(t, err)
	if l.Epoch != 42 {
		t.Errorf("epoch %d, want 42", l.Epoch)
	}
}

func floorWithRecord(t *testing.T, s Store) {
	noError(t, s.ReleaseLease(t.Context(), takeLease(t, s, "acme", "owner-1")))
	r := ask("acme", "owner-2")
	r.Floor = 41
	l, err := s.TakeLease(t.Context(), r)
	noError(t, err)
	if l.Epoch != 2 {
		t.Errorf("epoch %d, want 2", l.Epoch)
	}
	r.Owner = "owner-3"
	l, err = s.SeizeLease(t.Context(), r)
	noError(t, err)
	if l.Epoch != 3 {
		t.Errorf("seized with epoch %d, want 3", l.Epoch)
	}
}

func takingAgain(t *testing.T, s Store) {
	first := takeLease(t, s, "acme", "owner-1")
	sameLease(t, takeLease(t, s, "acme", "owner-1"), first)
	wantHeld(t, s, first)
}

func releasedIsFree(t *testing.T, s Store) {
	first := takeLease(t, s, "acme", "owner-1")
	noError(t, s.ReleaseLease(t.Context(), first))
	noError(t, s.ReleaseLease(t.Context(), first))
	second := takeLease(t, s, "acme", "owner-2")
	if second.Epoch != 2 {
		t.Errorf("epoch %d, want 2", second.Epoch)
	}
	wantHeld(t, s, second)
}

func releaseOfAnother(t *testing.T, s Store) {
	mine := takeLease(t, s, "acme", "owner-1")
	for _, other := range []lease.Lease{
		{Connection: "acme", Owner: "owner-2", Epoch: 1},
		{Connection: "acme", Owner: "owner-1", Epoch: 2},
		{Connection: "acme", Owner: "owner-1", Epoch: 0},
		{Connection: "acme"},
	} {
		noError(t, s.ReleaseLease(t.Context(), other))
		wantHeld(t, s, mine)
	}
}

func releaseOfNone(t *testing.T, s Store) {
	noError(t, s.ReleaseLease(t.Context(), lease.Lease{Connection: "acme", Owner: "owner", Epoch: 7}))
	if l := takeLease(t, s, "acme", "owner"); l.Epoch != 1 {
		t.Errorf("epoch %d, want 1: the release has left a record", l.Epoch)
	}
}

func seized(t *testing.T, s Store) {
	before := takeLease(t, s, "acme", "owner-1")
	after, err := s.SeizeLease(t.Context(), ask("acme", "owner-2"))
	noError(t, err)
	sameLease(t, after, lease.Lease{Connection: "acme", Owner: "owner-2", Epoch: 2, Until: start().Add(lease.Term)})
	_, err = s.ExtendLease(t.Context(), before, before.Epoch, before.Until)
	wantError(t, err, lease.ErrLost)
	_, err = s.ExtendLease(t.Context(), before, after.Epoch, before.Until)
	wantError(t, err, lease.ErrLost)
	noError(t, s.ReleaseLease(t.Context(), before))
	wantHeld(t, s, after)
}

func seizedWithoutRecord(t *testing.T, s Store) {
	r := ask("acme", "owner")
	r.Floor = 7
	l, err := s.SeizeLease(t.Context(), r)
	noError(t, err)
	sameLease(t, l, lease.Lease{Connection: "acme", Owner: "owner", Epoch: 8, Until: r.Until})
	wantHeld(t, s, l)
}

func seizingAgain(t *testing.T, s Store) {
	takeLease(t, s, "acme", "owner-1")
	first, err := s.SeizeLease(t.Context(), ask("acme", "owner-2"))
	noError(t, err)
	again, err := s.SeizeLease(t.Context(), ask("acme", "owner-2"))
	noError(t, err)
	sameLease(t, again, first)
	wantHeld(t, s, first)
}

func oneTakerWins(t *testing.T, s Store) {
	var won atomic.Int64
	winner := make(chan lease.Lease, many)
	race(func(i int) {
		l, err := s.TakeLease(t.Context(), ask("acme", fmt.Sprintf("owner-%d", i)))
		switch {
		case err == nil:
			won.Add(1)
			winner <- l
		case !errors.Is(err, lease.ErrHeld):
			t.Error(err)
		}
	})
	if won.Load() != 1 {
		t.Fatalf("%d of %d took the lease, want 1", won.Load(), many)
	}
	l := <-winner
	if l.Epoch != 1 {
		t.Errorf("epoch %d, want 1", l.Epoch)
	}
	wantHeld(t, s, l)
}

func seizersApart(t *testing.T, s Store) {
	var epochs [many]int64
	race(func(i int) {
		l, err := s.SeizeLease(t.Context(), ask("acme", fmt.Sprintf("owner-%d", i)))
		if err != nil {
			t.Error(err)
		}
		epochs[i] = l.Epoch
	})
	seen := map[int64]bool{}
	for _, epoch := range epochs {
		if epoch < 1 || epoch > many || seen[epoch] {
			t.Errorf("epoch %d, want 1 to %d, each once", epoch, many)
		}
		seen[epoch] = true
	}
}

func leaseInMillis(t *testing.T, s Store) {
	r := ask("acme", "owner")
	r.Until = start().Add(lease.Term + time.Millisecond - 1).In(time.FixedZone("elsewhere", 3600))
	l, err := s.TakeLease(t.Context(), r)
	noError(t, err)
	if want := start().Add(lease.Term); l.Until != want { // in UTC too
		t.Errorf("until %v, want %v", l.Until, want)
	}
}

func leasesApart(t *testing.T, s Store) {
	one := takeLease(t, s, "acme", "owner-1")
	other := takeLease(t, s, "other", "owner-1")
	noError(t, s.ReleaseLease(t.Context(), other))
	wantHeld(t, s, one)
}
