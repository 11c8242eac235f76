package lease_test

import (
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/lease"
)

func TestEnded(t *testing.T) {
	now := time.Date(2026, 11, 23, 16, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		until time.Time
		want  bool
	}{
		"never taken":                {time.Time{}, true},
		"long past":                  {now.Add(-time.Hour), true},
		"this moment":                {now, true},
		"a millisecond left":         {now.Add(time.Millisecond), false},
		"asynchronous":               {now.Add(lease.AsyncTerm), false},
		"at the bound of belief":     {now.Add(lease.MaxAhead), false},
		"beyond the bound of belief": {now.Add(lease.MaxAhead + 1), true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := lease.Ended(test.until, now); got != test.want {
				t.Errorf("Ended = %v, want %v", got, test.want)
			}
		})
	}
}

func TestALeaseTakenWhileFrozenIsStale(t *testing.T) {
	now := time.Date(2026, 11, 23, 16, 0, 0, 0, time.UTC)
	r := lease.Request{Now: now}
	if r.Stale(now.Add(lease.Skew)) {
		t.Error("a slow answer is stale")
	}
	if !r.Stale(now.Add(lease.Skew + 1)) {
		t.Error("an answer after a freeze is not stale")
	}
}

func TestNothingBeginsInTheLastSkew(t *testing.T) {
	now := time.Date(2026, 11, 23, 16, 0, 0, 0, time.UTC)
	l := lease.Lease{Until: now.Add(lease.Term)}
	if !l.Covers(now, lease.Term-lease.Skew) {
		t.Error("work that just fits is refused")
	}
	if l.Covers(now, lease.Term-lease.Skew+1) {
		t.Error("work that reaches into the last seconds is begun")
	}
}

// The times are those of docs/architecture.md: every function counts on them.
func TestTimes(t *testing.T) {
	for name, test := range map[string]struct{ got, want time.Duration }{
		"Term":      {lease.Term, 35 * time.Second},
		"SyncTerm":  {lease.SyncTerm, 5 * time.Second},
		"AsyncTerm": {lease.AsyncTerm, time.Minute},
		"Skew":      {lease.Skew, 10 * time.Second},
		"MaxAhead":  {lease.MaxAhead, 75 * time.Second},
		"Kept":      {lease.Kept, 720 * time.Hour},
	} {
		if test.got != test.want {
			t.Errorf("%s is %v, want %v", name, test.got, test.want)
		}
	}
}
