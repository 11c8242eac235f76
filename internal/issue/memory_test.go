package issue_test

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/issue"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueapi"
)

// reads counts the reads of the store while f runs.
func (w *world) readsOf(f func()) int {
	w.store.readTimes()
	f()
	return len(w.store.readTimes())
}

func TestASecondCallIsAnsweredFromMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "client_credentials")
		v := w.issuer()
		first, err := w.issue(v, issue.Request{})
		if err != nil {
			t.Fatal(err)
		}
		again := func(want int, state string) {
			t.Helper()
			n := w.readsOf(func() {
				a, err := w.issue(v, issue.Request{})
				if err != nil || a.Fingerprint != first.Fingerprint || a.Outcome != issueapi.Cached {
					t.Errorf("%s: %v, %v; want the same token, cached", state, a, err)
				}
				if left := time.Until(first.ExpiresAt).Truncate(time.Second); a.ExpiresIn != left {
					t.Errorf("%s: expires_in %v, want %v", state, a.ExpiresIn, left)
				}
			})
			if n != want {
				t.Errorf("%s: %d reads, want %d", state, n, want)
			}
		}
		again(0, "at once")
		time.Sleep(30 * time.Second)
		again(0, "30 s later")
		time.Sleep(time.Millisecond)
		again(1, "a moment later, by one eventually consistent read")
		time.Sleep(20 * time.Minute) // frozen meanwhile
		again(1, "after a freeze")
		due := w.grant().Due()
		time.Sleep(time.Until(due) - 31*time.Second)
		again(1, "31 s before it is due")
		again(0, "31 s before it is due, a second time")
		time.Sleep(time.Second)
		again(1, "30 s before it is due")
		again(1, "30 s before it is due, a second time")
	})
}

func TestAWallClockThatIsSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "client_credentials")
		offset := time.Duration(0)
		v := w.issuer()
		v.Now = func() time.Time { return time.Now().Add(offset) }
		if _, err := w.issue(v, issue.Request{}); err != nil {
			t.Fatal(err)
		}
		offset = -10 * time.Second
		if n := w.readsOf(func() { _, _ = w.issue(v, issue.Request{}) }); n != 1 {
			t.Errorf("set back: %d reads, want 1", n)
		}
		offset = 59*time.Minute + 59500*time.Millisecond // less than a second left by this clock
		a, err := w.issue(v, issue.Request{})
		if err == nil && !v.Now().Add(time.Second).Before(a.ExpiresAt.Add(time.Second)) {
			t.Errorf("a token that ends at %v was issued at %v", a.ExpiresAt, v.Now())
		}
	})
}

func TestATokenThatEndsInMemoryIsNotIssued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "client_credentials")
		w.must(issue.Request{})
		// Its next look lies far behind its end, so memory alone would do.
		g := w.alter(func(g *grant.Grant) { g.RetryAt = g.ExpiresAt.Add(10 * time.Minute) })
		v := w.issuer()
		time.Sleep(time.Until(g.ExpiresAt) - 5*time.Second)
		if _, err := w.issue(v, issue.Request{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(4 * time.Second) // 1 s left
		a, err := w.issue(v, issue.Request{})
		if err != nil || a.ExpiresIn != time.Second {
			t.Errorf("%v, %v; want a token with its last second", a, err)
		}
		time.Sleep(time.Millisecond)
		if _, err = w.issue(v, issue.Request{}); apierr.Of(err) == nil {
			t.Error("a token with less than a second was issued")
		}
	})
}

func TestAnAliasIsJudgedByMemoryToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "")
		f := fields("client_credentials")
		f["aliases"] = []string{"team-a"}
		w.connect(f)
		v := w.issuer()
		if _, err := w.issue(v, issue.Request{Alias: "team-a"}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.issue(v, issue.Request{Alias: "team-b"}); apierr.Of(err).Type != apierr.AccessDenied {
			t.Errorf("error %v, want AccessDenied", err)
		}
	})
}

func TestAnInstanceIsSafeForConcurrentUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "client_credentials")
		w.must(issue.Request{})
		v := w.issuer()
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				for range 50 {
					_, err := w.issue(v, issue.Request{})
					if i%2 == 0 {
						_, err = w.issue(v, issue.Request{RejectedFingerprint: other})
					}
					if err != nil {
						t.Error(fmt.Errorf("call: %w", err))
					}
				}
			})
		}
		all.Wait()
	})
}
