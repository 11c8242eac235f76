package memstore_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/memstore"
	"github.com/reltio-tokens/reltio-tokens/internal/testkit/storetest"
)

func TestTable(t *testing.T) {
	storetest.Run(t, func(*testing.T) storetest.Store { return &memstore.Table{} })
}

// TestDueGrantsOfALargeFleet moves entries about, next to a plain list of them.
func TestDueGrantsOfALargeFleet(t *testing.T) {
	var table memstore.Table
	chance := rand.New(rand.NewPCG(1, 2))
	now := time.Date(2026, 11, 23, 16, 0, 0, 0, time.UTC)
	at := map[string]time.Time{}
	for step := range 20_000 {
		name := fmt.Sprintf("c%04d", chance.IntN(3000))
		at[name] = now.Add(time.Duration(chance.IntN(500)-400) * time.Millisecond)
		g := grant.Grant{Connection: name, Shard: grant.ShardDue, DueAt: at[name]}
		if chance.IntN(4) == 0 || step > 15_000 { // in the end most are gone
			delete(at, name)
			g.Shard = ""
		}
		if err := table.PutGrant(t.Context(), lease.Lease{Connection: name, Owner: "o"}, g); err != nil {
			t.Fatal(err)
		}
		if step%1000 != 0 && step < 19_990 {
			continue
		}
		var want, got []string
		for name, due := range at {
			if !due.After(now) {
				want = append(want, fmt.Sprintf("%d %s", due.UnixMilli(), name))
			}
		}
		limit := 1 + chance.IntN(300)
		var last *grant.Due
		for page := readDue(t, &table, now, last, limit); len(page) > 0; page = readDue(t, &table, now, last, limit) {
			for _, d := range page {
				got = append(got, fmt.Sprintf("%d %s", d.DueAt.UnixMilli(), d.Connection))
			}
			last = &page[len(page)-1]
		}
		slices.Sort(want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("step %d, in pages of %d (-want +got):\n%s", step, limit, diff)
		}
	}
}

func readDue(t *testing.T, table *memstore.Table, now time.Time, after *grant.Due, limit int) []grant.Due {
	t.Helper()
	page, err := table.DueGrants(t.Context(), grant.ShardDue, now, after, limit)
	if err != nil || len(page) > limit {
		t.Fatalf("a page of %d, %v; want at most %d", len(page), err, limit)
	}
	return page
}

// BenchmarkSweep is a fleet's minute: what is due is read, and renewed to be
// due again an hour later.
func BenchmarkSweep(b *testing.B) {
	const fleet, hour = 25_000, 60
	var table memstore.Table
	now := time.Date(2026, 11, 23, 16, 0, 0, 0, time.UTC)
	renew := func(connection string, due time.Time) {
		held := lease.Lease{Connection: connection, Owner: "o", Epoch: 1}
		g := grant.Grant{Connection: connection, Shard: grant.ShardDue, DueAt: due}
		if err := table.PutGrant(b.Context(), held, g); err != nil {
			b.Fatal(err)
		}
	}
	for i := range fleet {
		renew(fmt.Sprintf("c%05d", i), now.Add(time.Duration(i%hour+1)*time.Minute))
	}
	for b.Loop() {
		now = now.Add(time.Minute)
		due, err := table.DueGrants(b.Context(), grant.ShardDue, now, nil, fleet)
		if err != nil || len(due) < fleet/hour {
			b.Fatalf("%d due, %v; want %d", len(due), err, fleet/hour)
		}
		for _, d := range due {
			renew(d.Connection, d.DueAt.Add(hour*time.Minute))
		}
	}
}
