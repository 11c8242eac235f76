package storetest

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
)

func duePromises() promises {
	return promises{
		"the most urgent come first":                 dueInOrder,
		"due is at now and not a moment later":       dueAtNow,
		"a page ends at its limit":                   duePages,
		"entries of one moment are paged, each once": dueAtOneMoment,
		"a shard holds its own":                      dueByShard,
		"no shard or no moment is no entry":          dueWithout,
		"an entry moves with its grant":              dueMoves,
		"an entry that moved on does not end paging": dueMovedWhilePaging,
		"a grant that was fenced off stays":          dueFenced,
		"nothing is due in an empty table":           dueNothing,
		"a thousand entries come in one call":        dueMany,
	}
}

// putDue writes a grant with an index entry, each time under a higher epoch.
func putDue(t *testing.T, s Store, epoch int64, connection string, shard grant.Shard, at time.Time) {
	t.Helper()
	putGrant(t, s, grant.Grant{Connection: connection, Owner: "o", Epoch: epoch, Shard: shard, DueAt: at})
}

func due(t *testing.T, s Store, shard grant.Shard, now time.Time, after *grant.Due, limit int) []grant.Due {
	t.Helper()
	found, err := s.DueGrants(t.Context(), shard, now, after, limit)
	if err != nil {
		t.Fatalf("DueGrants(%s): %v", shard, err)
	}
	return found
}

// duePaged reads the shard page by page to its end.
func duePaged(t *testing.T, s Store, shard grant.Shard, now time.Time, limit int) []grant.Due {
	t.Helper()
	var all []grant.Due
	for page := due(t, s, shard, now, nil, limit); len(page) > 0; page = due(t, s, shard, now, &page[len(page)-1], limit) {
		if len(page) > limit {
			t.Fatalf("a page of %d, want at most %d", len(page), limit)
		}
		all = append(all, page...)
	}
	return all
}

// names of entries, in order.
func names(entries []grant.Due) []string {
	var n []string
	for _, d := range entries {
		n = append(n, d.Connection)
	}
	return n
}

// wantDue waits until the shard holds the connections, in order.
func wantDue(t *testing.T, s Store, shard grant.Shard, want ...string) {
	t.Helper()
	settled(t, want, func() []string { return names(due(t, s, shard, start(), nil, 100)) })
}

func dueInOrder(t *testing.T, s Store) {
	for i, minute := range []int{3, 9, 1, 7, 5} {
		putDue(t, s, 1, fmt.Sprintf("c%d", i), grant.ShardDue, start().Add(-time.Duration(minute)*time.Minute))
	}
	wantDue(t, s, grant.ShardDue, "c1", "c3", "c4", "c0", "c2")
	for _, d := range due(t, s, grant.ShardDue, start(), nil, 1) {
		if want := start().Add(-9 * time.Minute); d.DueAt != want { // in UTC too
			t.Errorf("due at %v, want %v", d.DueAt, want)
		}
	}
}

func dueAtNow(t *testing.T, s Store) {
	putDue(t, s, 1, "past", grant.ShardDue, start().Add(-time.Millisecond))
	putDue(t, s, 1, "now", grant.ShardDue, start())
	putDue(t, s, 1, "soon", grant.ShardDue, start().Add(time.Millisecond))
	wantDue(t, s, grant.ShardDue, "past", "now")
	if got := names(due(t, s, grant.ShardDue, start().Add(time.Millisecond-1), nil, 9)); len(got) != 2 {
		t.Errorf("due within the millisecond: %v, want past and now", got)
	}
	if got := names(due(t, s, grant.ShardDue, start().Add(time.Millisecond), nil, 9)); len(got) != 3 {
		t.Errorf("due a millisecond later: %v, want all three", got)
	}
}

func duePages(t *testing.T, s Store) {
	var want []string
	for i := range 10 {
		name := fmt.Sprintf("c%d", i)
		putDue(t, s, 1, name, grant.ShardDue, start().Add(time.Duration(i-10)*time.Second))
		want = append(want, name)
	}
	wantDue(t, s, grant.ShardDue, want...)
	for limit := 1; limit <= 11; limit++ {
		settled(t, want, func() []string { return names(duePaged(t, s, grant.ShardDue, start(), limit)) })
	}
	if got := due(t, s, grant.ShardDue, start(), nil, 0); len(got) != 0 {
		t.Errorf("a page of none holds %v", names(got))
	}
}

func dueAtOneMoment(t *testing.T, s Store) {
	var want []string
	for i := range 25 {
		name := fmt.Sprintf("c%02d", i)
		putDue(t, s, 1, name, grant.ShardDue, start())
		want = append(want, name)
	}
	for _, limit := range []int{1, 4, 5, 24, 25, 26} {
		settled(t, want, func() []string {
			return slices.Sorted(slices.Values(names(duePaged(t, s, grant.ShardDue, start(), limit))))
		})
	}
}

func dueByShard(t *testing.T, s Store) {
	putDue(t, s, 1, "a", grant.ShardDue, start())
	putDue(t, s, 1, "b", grant.ShardWaiting, start())
	putDue(t, s, 1, "c", "another", start())
	wantDue(t, s, grant.ShardDue, "a")
	wantDue(t, s, grant.ShardWaiting, "b")
	wantDue(t, s, "another", "c")
}

func dueWithout(t *testing.T, s Store) {
	putDue(t, s, 1, "no-shard", "", start())
	putDue(t, s, 1, "no-moment", grant.ShardDue, time.Time{})
	putDue(t, s, 1, "both", grant.ShardDue, start())
	wantDue(t, s, grant.ShardDue, "both")
	if got := due(t, s, "", start(), nil, 9); len(got) != 0 {
		t.Errorf("no shard holds %v", names(got))
	}
}

func dueMoves(t *testing.T, s Store) {
	putDue(t, s, 1, "a", grant.ShardDue, start().Add(-time.Minute))
	putDue(t, s, 1, "b", grant.ShardDue, start().Add(-time.Second))
	wantDue(t, s, grant.ShardDue, "a", "b")
	putDue(t, s, 2, "a", grant.ShardDue, start())
	wantDue(t, s, grant.ShardDue, "b", "a")
	putDue(t, s, 3, "a", grant.ShardWaiting, start())
	wantDue(t, s, grant.ShardDue, "b")
	wantDue(t, s, grant.ShardWaiting, "a")
	putDue(t, s, 2, "b", "", time.Time{})
	wantDue(t, s, grant.ShardDue)
	putDue(t, s, 3, "b", grant.ShardDue, start().Add(time.Hour))
	wantDue(t, s, grant.ShardDue)
}

func dueMovedWhilePaging(t *testing.T, s Store) {
	for i, name := range []string{"a", "b", "c", "d"} {
		putDue(t, s, 1, name, grant.ShardDue, start().Add(time.Duration(i-4)*time.Second))
	}
	wantDue(t, s, grant.ShardDue, "a", "b", "c", "d")
	page := due(t, s, grant.ShardDue, start(), nil, 2)
	putDue(t, s, 2, "b", grant.ShardDue, start().Add(time.Hour)) // the last one seen is gone
	putDue(t, s, 2, "c", "", time.Time{})                        // and the one that came next
	wantDue(t, s, grant.ShardDue, "a", "d")
	if got := names(due(t, s, grant.ShardDue, start(), &page[1], 2)); !slices.Equal(got, []string{"d"}) {
		t.Errorf("the second page holds %v, want [d]", got)
	}
	beyond := grant.Due{Connection: "z", DueAt: start().Add(time.Second)}
	if got := due(t, s, grant.ShardDue, start(), &beyond, 2); len(got) != 0 {
		t.Errorf("behind everything that is due: %v", names(got))
	}
}

func dueFenced(t *testing.T, s Store) {
	putDue(t, s, 2, "a", grant.ShardDue, start())
	wantDue(t, s, grant.ShardDue, "a")
	wantError(t, s.PutGrant(t.Context(), held("a", "o", 1), grant.Grant{Connection: "a"}), grant.ErrFenced)
	wantDue(t, s, grant.ShardDue, "a")
}

func dueNothing(t *testing.T, s Store) {
	if got := due(t, s, grant.ShardDue, start(), nil, 9); len(got) != 0 {
		t.Errorf("due in an empty table: %v", names(got))
	}
}

func dueMany(t *testing.T, s Store) {
	const grants = 1100
	var want []grant.Due
	for i := range grants {
		// Not in the order of time.
		d := grant.Due{Connection: fmt.Sprintf("c%04d", i), DueAt: start().Add(-time.Duration(i*7919%grants) * time.Millisecond)}
		want = append(want, d)
		putDue(t, s, 1, d.Connection, grant.ShardDue, d.DueAt)
	}
	slices.SortFunc(want, func(a, b grant.Due) int {
		return cmp.Or(a.DueAt.Compare(b.DueAt), cmp.Compare(a.Connection, b.Connection))
	})
	settled(t, want, func() []grant.Due { return due(t, s, grant.ShardDue, start(), nil, grants+1) })
	settled(t, want, func() []grant.Due { return duePaged(t, s, grant.ShardDue, start(), 300) })
}
