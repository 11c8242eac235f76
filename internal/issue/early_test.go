package issue_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/issue"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// atDue is a world with a token whose early window has just begun.
func atDue(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, "client_credentials")
	w.behave(func(b *reltioauthtest.Behaviour) { b.Login = reltioauthtest.NewToken })
	w.must(issue.Request{})
	time.Sleep(time.Until(w.grant().Due()))
	return w
}

// wantQueued fails unless so many events wait, and returns them.
func (w *world) wantQueued(n int) []rotateapi.Request {
	w.t.Helper()
	queue := w.rotate.queued()
	if len(queue) != n {
		w.t.Fatalf("%d events wait, want %d", len(queue), n)
	}
	return queue
}

func TestTheEarlyWindowCausesOneAsynchronousInvocation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := atDue(t)
		before := w.rotate.invoked()
		var all sync.WaitGroup
		start := time.Now()
		for range 200 {
			all.Go(func() {
				a := w.must(issue.Request{})
				if a.Outcome != issueapi.Cached || a.Version != 1 {
					t.Errorf("outcome %s, version %d, want the cached first token", a.Outcome, a.Version)
				}
				wantWarnings(t, a)
			})
		}
		all.Wait()
		if time.Since(start) != 0 || w.rotate.invoked() != before {
			t.Error("a caller waited")
		}
		event := w.wantQueued(1)[0]
		held, ok := w.store.holder(t.Context(), time.Now())
		if !ok || event.Lease == nil || event.Lease.Owner != held.Owner || event.Lease.Epoch != held.Epoch {
			t.Errorf("the event carries lease %+v, want %+v", event.Lease, held)
		}
		if got := time.Until(held.Until); got != lease.AsyncTerm {
			t.Errorf("the lease is for %v, want %v", got, lease.AsyncTerm)
		}
		w.rotate.deliver(t.Context())
		if a := w.must(issue.Request{}); a.Version != 2 || a.Outcome != issueapi.Cached {
			t.Errorf("afterwards version %d, %s, want a cached second token", a.Version, a.Outcome)
		}
		w.wantRequests(2)
	})
}

func TestTheEarlyWindowBeginsAtTheDueMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "client_credentials")
		w.must(issue.Request{})
		due := w.grant().Due()
		time.Sleep(time.Until(due) - time.Millisecond)
		w.must(issue.Request{})
		w.wantQueued(0)
		time.Sleep(time.Millisecond)
		w.must(issue.Request{})
		w.wantQueued(1)
	})
}

func TestALeaseOfTheEarlyWindowEndsWithTheToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := atDue(t)
		end := w.grant().ExpiresAt
		time.Sleep(time.Until(end) - 20*time.Second)
		w.must(issue.Request{})
		if held, ok := w.store.holder(t.Context(), time.Now()); !ok || !held.Until.Equal(end) {
			t.Errorf("the lease ends at %v, want with the token at %v", held.Until, end)
		}
		// The event is lost: the first caller after the end renews at once.
		time.Sleep(time.Until(end))
		start := time.Now()
		w.must(issue.Request{})
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

func TestALostEventIsSentAgainAfterItsLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := atDue(t)
		w.must(issue.Request{})
		time.Sleep(lease.AsyncTerm - time.Second)
		w.must(issue.Request{})
		w.wantQueued(1)
		time.Sleep(time.Second)
		w.must(issue.Request{})
		queue := w.wantQueued(2)
		w.rotate.deliver(t.Context()) // the first one comes late, and adopts nothing
		w.wantRequests(2)
		if queue[0].Lease.Epoch >= queue[1].Lease.Epoch {
			t.Error("the epoch did not rise")
		}
	})
}

func TestAnEventThatIsNotAcceptedIsAWarning(t *testing.T) {
	for _, refusal := range []*apierr.Error{
		apierr.New(apierr.RateLimited, "retry after 1 s"), apierr.New(apierr.StoreUnavailable, "rotate: it cannot be invoked"),
	} {
		synctest.Test(t, func(t *testing.T) {
			w := atDue(t)
			w.rotate.refuse = func(rotateapi.Request) error { return refusal }
			a := w.must(issue.Request{})
			wantWarnings(t, a, issueapi.RenewalFailing)
			if a.Outcome != issueapi.Cached {
				t.Errorf("outcome %s, want cached", a.Outcome)
			}
			if _, held := w.store.holder(t.Context(), time.Now()); held {
				t.Error("the lease was not given back")
			}
			w.rotate.refuse = nil
			wantWarnings(t, w.must(issue.Request{}))
			w.wantQueued(1)
		})
	}
}

// An invocation that fails long after the caller's deadline, as after a freeze:
// its lease is given back still.
func TestALeaseIsGivenBackAfterTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := atDue(t)
		w.rotate.refuse = func(rotateapi.Request) error {
			time.Sleep(24 * time.Second)
			return apierr.New(apierr.StoreUnavailable, "rotate: it cannot be invoked")
		}
		w.must(issue.Request{})
		if _, held := w.store.holder(t.Context(), time.Now()); held {
			t.Error("the lease was not given back")
		}
	})
}

func TestALeaseStoreThatFailsInTheEarlyWindowIsAWarning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := atDue(t)
		w.store.leaseFault = func() error { return apierr.New(apierr.StoreUnavailable, "the table: out of order") }
		wantWarnings(t, w.must(issue.Request{}), issueapi.RenewalFailing)
		w.wantQueued(0)
	})
}

func TestNoEarlyWindow(t *testing.T) {
	tests := map[string]func(*grant.Grant){
		"at_end":                func(g *grant.Grant) { *g = g.WithMode(false, grant.AtEnd, time.Now()) },
		"at_end, weekly test":   func(g *grant.Grant) { g.LoginMode, g.EarlyAskedAt = grant.AtEnd, time.Time{} },
		"a re-login is due":     func(g *grant.Grant) { g.Relogin = grant.ReloginDue },
		"retry_at ahead":        func(g *grant.Grant) { g.RetryAt = time.Now().Add(time.Minute) },
		"paused":                func(g *grant.Grant) { g.Status = grant.StatusPaused },
		"waiting for a person":  func(g *grant.Grant) { g.Status, g.RetryAt = grant.StatusReauthorize, time.Now() },
		"waiting for a secret":  func(g *grant.Grant) { g.Status, g.RetryAt = grant.StatusInvalidConnection, time.Now() },
		"second factor needed":  func(g *grant.Grant) { g.Status, g.RetryAt = grant.StatusMFARequired, time.Now() },
		"credentials rejected":  func(g *grant.Grant) { g.Status, g.RetryAt = grant.StatusCredentialsRejected, time.Now() },
		"repeated, and at_end":  func(g *grant.Grant) { g.LoginMode, g.RepeatedUntil = grant.AtEnd, g.ExpiresAt },
		"overlap and retry_at":  func(g *grant.Grant) { g.LoginMode, g.RetryAt = grant.Overlap, time.Now().Add(time.Second) },
		"failing with retry_at": func(g *grant.Grant) { g.Status, g.RetryAt = grant.StatusFailing, time.Now().Add(time.Second) },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := atDue(t)
				w.alter(change)
				w.must(issue.Request{})
				w.wantQueued(0)
			})
		})
	}
}

func TestAReportInTheEarlyWindowDoesNotHinderTheRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := atDue(t)
		fingerprint := w.grant().Fingerprint
		w.must(issue.Request{RejectedFingerprint: fingerprint}) // found active
		a := w.must(issue.Request{RejectedFingerprint: fingerprint})
		wantWarnings(t, a, issueapi.RejectedTokenIsAlive)
		w.wantQueued(1)
		w.rotate.deliver(t.Context())
		if g := w.grant(); g.Version != 2 {
			t.Errorf("version %d, want the renewal that is due", g.Version)
		}
	})
}

func TestAHungEventIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := atDue(t)
		v := w.issuer()
		v.Rotate = hangingEvents{w.rotate}
		start := time.Now()
		a, err := w.issue(v, issue.Request{})
		if err != nil {
			t.Fatal(err)
		}
		wantWarnings(t, a, issueapi.RenewalFailing)
		if took := time.Since(start); took > 3*time.Second {
			t.Errorf("it took %v with a token in hand", took)
		}
		if _, held := w.store.holder(t.Context(), time.Now()); held {
			t.Error("the lease was not given back")
		}
	})
}
