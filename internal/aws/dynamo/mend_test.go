package dynamo_test

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/aws/dynamo"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// wrongValues are one of each type but right's, and for right the numbers that
// cannot be counted on.
func wrongValues(right string) []string {
	all := []string{"S:" + canary, "N:7", "SS:" + canary, "L:" + canary, "M:" + canary, "BOOL:true", "B:" + canary, "NULL:"}
	var wrong []string
	for _, v := range all {
		if kind, _, _ := strings.Cut(v, ":"); kind != right {
			wrong = append(wrong, v)
		}
	}
	return wrong
}

// eachWrong calls f for each attribute with each wrong value, on an item that
// has it beside the others.
func eachWrong(t *testing.T, whole plain, f func(t *testing.T, attr string, item plain)) {
	t.Helper()
	for attr, right := range whole {
		kind, _, _ := strings.Cut(right, ":")
		for _, wrong := range wrongValues(kind) {
			item := maps.Clone(whole)
			item[attr] = wrong
			t.Run(attr+" as "+wrong, func(t *testing.T) { f(t, attr, item) })
		}
	}
}

// A rate limit's record can be lost: with an attribute of a wrong type it is made
// again, and the host's connections continue.
func TestRateLimitsOfAWrongTypeAreMadeAgain(t *testing.T) {
	table := newTable(t)
	whole := plain{
		"tat": "N:1795449600250", "paused_until": "N:1795449600000", "pause_ms": "N:1000", "probe_at": "N:1795440000000",
		"refused_since": "N:1795449600000", "throttled_clients": "SS:c1", "served_clients": "SS:c2", "refused": "SS:other",
	}
	idle := window()
	idle.Idle = true
	calls := map[string]func() error{
		"Budget":  func() error { return err2(table.Budget(t.Context(), "h:1")) },
		"Reserve": func() error { return err2(table.Reserve(t.Context(), "h:1", window())) },
		"Idle":    func() error { return err2(table.Reserve(t.Context(), "h:1", idle)) },
		"Throttled": func() error {
			return err2(table.Throttled(t.Context(), "h:1", ratelimit.Throttle{Client: "c", Now: now(), First: true}))
		},
		"Refused":   func() error { return err2(table.Refused(t.Context(), "h:1", "acme", now())) },
		"Succeeded": func() error { return table.Succeeded(t.Context(), "h:1", "c") },
		"Probe": func() error {
			may, err := table.Probe(t.Context(), "h:1", now(), ratelimit.ProbeEvery)
			if err == nil && !may {
				err = errors.New("it may not probe")
			}
			return err
		},
	}
	eachWrong(t, whole, func(t *testing.T, _ string, item plain) {
		for name, call := range calls {
			write(t, table, "budget#h:1", item)
			if err := call(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if err := err2(table.Budget(t.Context(), "h:1")); err != nil {
				t.Errorf("after %s: %v", name, err)
			}
		}
	})
}

// What is right in a record stays when the rest is made again.
func TestWhatIsRightInARateLimitStays(t *testing.T) {
	table := newTable(t)
	write(t, table, "budget#h:1", plain{"tat": "S:" + canary, "paused_until": "N:1795449601250", "refused": "SS:acme", "pause_ms": "L:x"})
	r, err := table.Budget(t.Context(), "h:1")
	if err != nil || len(r.Refused) != 1 || !r.PausedUntil.Equal(now().Add(time.Second)) {
		t.Errorf("Budget = %v, %v; want the pause and the refused connection", r, err)
	}
	wantItem(t, table, "budget#h:1", plain{"paused_until": "N:1795449601250", "refused": "SS:acme"})
}

// leaseItem is a lease that has ended, given back by one who could not invoke.
func leaseItem() plain {
	return plain{
		"owner": "S:o1", "epoch": "N:40", "until": "N:1795449600250", "ttl": "N:1798041635",
		"failed_at": "N:1795449600000", "last_error": "S:RateLimited", "last_error_message": "S:retry after 1 s",
	}
}

// wrongLeases calls f with each wrong form of a lease's record, for an epoch
// also the numbers that cannot rise.
func wrongLeases(t *testing.T, f func(t *testing.T, attr string, item plain)) {
	t.Helper()
	whole := leaseItem()
	delete(whole, "ttl") // each write sets it
	eachWrong(t, whole, f)
	for _, n := range []string{"4611686018427387904", "9223372036854775807", "9223372036854775808", "1e30"} {
		item := maps.Clone(whole)
		item["epoch"] = "N:" + n
		t.Run("epoch "+n, func(t *testing.T) { f(t, "epoch", item) })
	}
}

func TestLeasesOfAWrongTypeAreMadeAgain(t *testing.T) {
	table := newTable(t)
	seize := func(owner string) (lease.Lease, error) { return table.SeizeLease(t.Context(), request(owner)) }
	take := func(owner string) (lease.Lease, error) { return table.TakeLease(t.Context(), request(owner)) }
	wrongLeases(t, func(t *testing.T, attr string, item plain) {
		want := int64(41)
		if attr == "epoch" {
			want = 7 // one above the floor
		}
		for name, call := range map[string]func(string) (lease.Lease, error){"TakeLease": take, "SeizeLease": seize} {
			write(t, table, "lease#acme", item)
			l, err := call("o2")
			if err != nil || l.Epoch != want || l.Owner != "o2" || !l.Until.Equal(now().Add(lease.Term)) {
				t.Fatalf("%s = %+v, %v; want epoch %d", name, l, err, want)
			}
			adopted, err := table.AdoptLease(t.Context(), l, request("o3"))
			if err != nil || adopted.Epoch != want+1 {
				t.Errorf("after %s: AdoptLease = %+v, %v; want epoch %d", name, adopted, err, want+1)
			}
			if _, err := take("o4"); !errors.Is(err, lease.ErrHeld) {
				t.Errorf("after %s it is taken by another: %v", name, err)
			}
		}
	})
}

// Who holds a lease goes on though its record has something wrong beside; who
// does not stand in it any more has lost it, and nothing else.
func TestHoldersOfALeaseOfAWrongType(t *testing.T) {
	table := newTable(t)
	held := lease.Lease{Connection: "acme", Owner: "o1", Epoch: 40}
	wrongLeases(t, func(t *testing.T, attr string, item plain) {
		lost := attr == "owner" || attr == "epoch"
		for name, call := range map[string]func() error{
			"AdoptLease":   func() error { return err2(table.AdoptLease(t.Context(), held, request("o2"))) },
			"ExtendLease":  func() error { return err2(table.ExtendLease(t.Context(), held, 40, now().Add(lease.Term))) },
			"ReleaseLease": func() error { return table.ReleaseLease(t.Context(), held) },
		} {
			write(t, table, "lease#acme", item)
			err := call()
			if lost && name != "ReleaseLease" {
				if !errors.Is(err, lease.ErrLost) {
					t.Errorf("%s: %v, want %v", name, err, lease.ErrLost)
				}
			} else if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			later := request("o5")
			later.Now = now().Add(lease.Term)
			if _, err := table.TakeLease(t.Context(), later); err != nil {
				t.Errorf("after %s: TakeLease: %v", name, err)
			}
		}
	})
}

// A grant is not made again: what is wrong is named, with the item that it is in.
func TestGrantAttributesOfAWrongType(t *testing.T) {
	table := newTable(t)
	_, whole := fullGrant()
	// DynamoDB itself refuses these.
	delete(whole, "due_shard")
	delete(whole, "due_at")
	for attr, right := range whole {
		kind, _, _ := strings.Cut(right, ":")
		for _, wrong := range wrongValues(kind) {
			wantNamed(t, table, attr, wrong)
		}
	}
}

// An epoch or version that could not rise any more is named before anything is
// asked of Reltio, whose response could not be stored.
func TestAGrantThatCannotRiseIsNamed(t *testing.T) {
	table := newTable(t)
	for _, attr := range []string{"epoch", "version"} {
		for _, n := range []string{"4611686018427387904", "9223372036854775807", "9223372036854775808", "1e30"} {
			wantNamed(t, table, attr, "N:"+n)
		}
		write(t, table, "grant#acme", plain{attr: "N:4611686018427387903"})
		if err := err2(table.Grant(t.Context(), "acme", grant.Strong)); err != nil {
			t.Errorf("the highest %s: %v", attr, err)
		}
	}
}

func wantNamed(t *testing.T, table *dynamo.Table, attr, value string) {
	t.Helper()
	write(t, table, "grant#acme", plain{attr: value})
	err := err2(table.Grant(t.Context(), "acme", grant.Strong))
	want := fmt.Sprintf("StoreUnavailable: DynamoDB: attribute %s has a wrong type or value, in the item grant#acme", attr)
	if err == nil || err.Error() != want {
		t.Errorf("%s as %s: error %v, want %s", attr, value, err, want)
	}
}

// A parked token is not removed. But a newer one replaces it.
func TestParkedOfAWrongType(t *testing.T) {
	table := newTable(t)
	whole := plain{"refresh_token": "S:" + canary, "logged_in_at": "N:1795449600250", "epoch": "N:6", "identity": "S:i"}
	next := grant.RefreshToken{Token: reltioauth.NewSecret(canary), LoggedInAt: now(), Epoch: 7, Identity: "i"}
	eachWrong(t, whole, func(t *testing.T, attr string, item plain) {
		write(t, table, "parked#acme", item)
		err := err2(table.Parked(t.Context(), "acme"))
		want := fmt.Sprintf("StoreUnavailable: DynamoDB: attribute %s has a wrong type or value, in the item parked#acme", attr)
		if err == nil || err.Error() != want {
			t.Errorf("Parked: %v, want %s", err, want)
		}
		if err := table.Park(t.Context(), "acme", next); err != nil {
			t.Fatalf("Park: %v", err)
		}
		if got, err := table.Parked(t.Context(), "acme"); err != nil || got.Epoch != 7 {
			t.Errorf("Parked = epoch %d, %v; want 7", got.Epoch, err)
		}
	})
}

func TestParkedItem(t *testing.T) {
	table := newTable(t)
	r := grant.RefreshToken{Token: reltioauth.NewSecret(canary), LoggedInAt: now(), Epoch: 7, Identity: "i", ParkedAt: now()}
	if err := table.Park(t.Context(), "acme", r); err != nil {
		t.Fatal(err)
	}
	want := plain{
		"refresh_token": "S:" + canary, "logged_in_at": "N:1795449600250", "epoch": "N:7", "identity": "S:i", "parked_at": "N:1795449600250",
	}
	wantItem(t, table, "parked#acme", want)
	if err := table.Unpark(t.Context(), "acme", 7); err != nil {
		t.Fatal(err)
	}
	delete(want, "refresh_token")
	wantItem(t, table, "parked#acme", want)
}

func TestLeaseItemOfAFailure(t *testing.T) {
	table := newTable(t)
	write(t, table, "lease#acme", plain{"owner": "S:o1", "epoch": "N:40", "until": "N:1795449605250"})
	held := lease.Lease{
		Connection: "acme", Owner: "o1", Epoch: 40, FailedAt: now(),
		Failure: lease.Failure{Type: "RateLimited", Message: "retry after 1 s"},
	}
	if err := table.ReleaseLease(t.Context(), held); err != nil {
		t.Fatal(err)
	}
	wantItem(t, table, "lease#acme", plain{
		"owner": "S:o1", "epoch": "N:40", "until": "N:0",
		"failed_at": "N:1795449600250", "last_error": "S:RateLimited", "last_error_message": "S:retry after 1 s",
	})
}
