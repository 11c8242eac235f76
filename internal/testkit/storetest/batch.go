package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
)

func batchPromises() promises {
	return promises{
		"of an empty table everything is missing": batchOfNothing,
		"each part is as it is read by itself":    batchOfAll,
		"a part does not need the others":         batchOfSome,
		"connections do not meet in a batch":      batchApart,
		"hosts may be named twice, in any case":   batchOfHosts,
	}
}

// wantBatch compares a batch with what the single reads return.
func wantBatch(t *testing.T, s Store, name string, hosts ...string) grant.Batch {
	t.Helper()
	got, err := s.ReadBatch(t.Context(), name, hosts)
	noError(t, err)
	if got.Grant == nil || got.Parked == nil {
		t.Fatalf("parts were not read: grant %t, parked %t", got.Grant != nil, got.Parked != nil)
	}
	g, err := s.Grant(t.Context(), name, grant.Strong)
	if diff := cmp.Diff(g, got.Grant.Value); diff != "" || !errors.Is(got.Grant.Err, err) {
		t.Errorf("grant of %s: error %v, want %v (-single +batch):\n%s", name, got.Grant.Err, err, diff)
	}
	r, err := s.Parked(t.Context(), name)
	wantToken(t, "parked for "+name, got.Parked.Value, r)
	if !errors.Is(got.Parked.Err, err) {
		t.Errorf("parked for %s: error %v, want %v", name, got.Parked.Err, err)
	}
	want := map[string]ratelimit.Record{}
	for _, host := range hosts {
		want[host], err = s.Budget(t.Context(), host)
		noError(t, err)
	}
	if diff := cmp.Diff(want, got.Hosts); diff != "" {
		t.Errorf("hosts (-single +batch):\n%s", diff)
	}
	return got
}

func batchOfNothing(t *testing.T, s Store) {
	for _, hosts := range [][]string{nil, {"a:443"}, {"a:443", "b:443", "c:8443", "d:1"}} {
		got := wantBatch(t, s, "acme", hosts...)
		wantError(t, got.Grant.Err, grant.ErrNotFound)
		wantError(t, got.Parked.Err, grant.ErrNotFound)
	}
}

// fill stores a grant, a parked refresh token and a host's record.
func fill(t *testing.T, s Store, name, host string) {
	t.Helper()
	l := takeLease(t, s, name, "owner-"+name)
	g := fullGrant(t, name)
	g.Owner, g.Epoch = l.Owner, l.Epoch
	putGrant(t, s, g)
	park(t, s, name, parkedToken("r-"+name, 7))
	noError(t, s.Unanswered(t.Context(), host, start()))
	_, err := s.Refused(t.Context(), host, name, start().Add(time.Second))
	noError(t, err)
}

func batchOfAll(t *testing.T, s Store) {
	fill(t, s, "acme", "a:443")
	got := wantBatch(t, s, "acme", "a:443", "b:443")
	if !got.Hosts["a:443"].Down() || got.Hosts["b:443"].Down() || got.Grant.Err != nil || got.Parked.Err != nil {
		t.Errorf("got %+v", got)
	}
	noError(t, s.Unpark(t.Context(), "acme", 7))
	got = wantBatch(t, s, "acme")
	if got.Parked.Value.Epoch != 7 {
		t.Errorf("the one that was unparked has epoch %d, want 7", got.Parked.Value.Epoch)
	}
}

func batchOfSome(t *testing.T, s Store) {
	park(t, s, "parked", parkedToken("r", 7))
	wantError(t, wantBatch(t, s, "parked", "a:443").Grant.Err, grant.ErrNotFound)
	l := takeLease(t, s, "granted", "owner")
	putGrant(t, s, grant.Grant{Connection: "granted", Owner: l.Owner, Epoch: l.Epoch})
	wantError(t, wantBatch(t, s, "granted", "a:443").Parked.Err, grant.ErrNotFound)
}

func batchApart(t *testing.T, s Store) {
	fill(t, s, "acme", "a:443")
	fill(t, s, "acme.b", "b:443")
	wantBatch(t, s, "acme", "b:443")
	wantBatch(t, s, "acme.b", "a:443")
	wantError(t, wantBatch(t, s, "acm", "a").Grant.Err, grant.ErrNotFound)
}

func batchOfHosts(t *testing.T, s Store) {
	fill(t, s, "acme", "a:443")
	wantBatch(t, s, "acme", "a:443", "A:443", "a:443")
}
