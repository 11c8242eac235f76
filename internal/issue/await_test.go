package issue_test

import (
	"context"
	"slices"
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

// blank stores acme's grant without anything in it.
func (w *world) blank() {
	w.t.Helper()
	held := lease.Lease{Connection: acme, Owner: "blank", Epoch: 1}
	if err := w.store.PutGrant(w.t.Context(), held, grant.Grant{Connection: acme, Status: grant.StatusOK}); err != nil {
		w.t.Fatal(err)
	}
}

// hold takes acme's lease as another holder, for d.
func (w *world) hold(d time.Duration) lease.Lease {
	w.t.Helper()
	now := time.Now()
	l, err := w.store.Table.TakeLease(w.t.Context(), lease.Request{
		Connection: acme, Owner: lease.NewOwner(), Now: now, Until: now.Add(d),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return l
}

func TestTheWinnerHandsItsLeaseOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "client_credentials")
		a := w.must(issue.Request{})
		if a.Outcome != issueapi.Renewed {
			t.Errorf("outcome %s, want renewed", a.Outcome)
		}
		taken, calls := w.store.leases(), w.rotate.calls
		if len(taken) != 1 || len(calls) != 1 {
			t.Fatalf("%d leases, %d invocations, want one of each", len(taken), len(calls))
		}
		if d := time.Until(taken[0].Until); d != lease.SyncTerm {
			t.Errorf("the lease is for %v, want %v", d, lease.SyncTerm)
		}
		if got := calls[0].Lease; got == nil || got.Owner != taken[0].Owner || got.Epoch != taken[0].Epoch {
			t.Errorf("the invocation carries lease %+v, want %+v", got, taken[0])
		}
		if n := w.store.strongReads(); n < 2 {
			t.Errorf("%d strong reads, want the winner's and the renewal's", n)
		}
	})
}

func TestLosersReadAgainWithGrowingJitteredPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "client_credentials")
		w.hold(time.Minute)
		start := time.Now()
		message := w.refused(issue.Request{}, apierr.ReltioUnavailable)
		if took := time.Since(start); took < 18*time.Second || took > 20*time.Second {
			t.Errorf("the call took %v, want its timeout of 20 s", took)
		}
		if message == "" {
			t.Error("the error says nothing")
		}
		times := w.store.readTimes()
		longest, nominal := time.Duration(0), 50*time.Millisecond
		for i := range times[1:] {
			pause := times[i+1].Sub(times[i])
			if pause < nominal/2 || pause > nominal || pause < 25*time.Millisecond {
				t.Errorf("pause %d is %v, want between half and all of %v", i+1, pause, nominal)
			}
			most := 400 * time.Millisecond
			if times[i+1].Sub(start) >= 3*time.Second {
				most = time.Second
			}
			nominal = min(nominal*5/4, most)
			longest = max(longest, pause)
		}
		if longest < 500*time.Millisecond || len(times) < 20 {
			t.Errorf("%d reads, longest pause %v", len(times), longest)
		}
		w.wantRequests(0)
	})
}

func TestPausesAreJittered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "client_credentials")
		w.hold(time.Minute)
		var ends [2][]time.Duration
		for i, chance := range []float64{0, 0.999} {
			v := w.issuer()
			v.Rand = func() float64 { return chance }
			w.store.readTimes()
			start := time.Now()
			_, _ = w.issue(v, issue.Request{})
			for _, at := range w.store.readTimes() {
				ends[i] = append(ends[i], at.Sub(start))
			}
			time.Sleep(time.Minute)
			w.hold(time.Minute)
		}
		if ends[0][1] != 50*time.Millisecond || ends[1][1] < 25*time.Millisecond || ends[1][1] > 26*time.Millisecond {
			t.Errorf("first pauses %v and %v, want 50 ms and about half of it", ends[0][1], ends[1][1])
		}
	})
}

// Five hundred callers find no token: half of them have it within 1.3 times the time
// of the one that had it renewed, at a server that takes 0.3 s or more.
func TestCrowdHasTheTokenSoonAfterItIsThere(t *testing.T) {
	for _, takes := range []time.Duration{300 * time.Millisecond, time.Second, 2500 * time.Millisecond, 9 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, "client_credentials")
			w.server.Configure(func(c *reltioauthtest.Config) {
				c.Fault = func(reltioauthtest.Request) reltioauthtest.Fault { return reltioauthtest.Fault{Delay: takes} }
			})
			var all sync.WaitGroup
			waits := make([]time.Duration, 500)
			for i := range waits {
				all.Go(func() {
					began := time.Now()
					if _, err := w.issue(w.issuer(), issue.Request{}); err != nil {
						t.Error(err)
					}
					waits[i] = time.Since(began)
				})
			}
			all.Wait()
			slices.Sort(waits)
			if least, median := waits[0], waits[len(waits)/2]; median > least*13/10 {
				t.Errorf("the server takes %v: the winner waited %v, half of the others more than %v", takes, least, median)
			}
			w.wantRequests(1)
		})
	}
}

// Reltio gives a token again while it lives, so a renewal may bring the one that
// was thought to have ended.
func TestATokenThatComesAgainIsRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "client_credentials")
		first := w.must(issue.Request{})
		time.Sleep(time.Minute)
		w.alter(func(g *grant.Grant) { g.ExpiresAt = time.Now() })
		slowly(w)
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				a := w.must(issue.Request{})
				if a.Outcome != issueapi.Renewed || a.Fingerprint != first.Fingerprint || a.Version != 1 {
					t.Errorf("%s, version %d, want the first token, renewed", a.Outcome, a.Version)
				}
			})
		}
		all.Wait()
		w.wantRequests(2)
		if a := w.must(issue.Request{}); a.Outcome != issueapi.Cached {
			t.Errorf("afterwards %s, want cached", a.Outcome)
		}
	})
}

func TestALoserGetsWhatTheWinnerGot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "client_credentials")
		w.server.Outage(reltioauthtest.Outage{Fault: reltioauthtest.Fault{Delay: 3 * time.Second}})
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				start := time.Now()
				a := w.must(issue.Request{})
				took := time.Since(start)
				if a.Outcome != issueapi.Renewed || took < 3*time.Second || took > 4*time.Second {
					t.Errorf("outcome %s after %v, want renewed between 3 and 4 s", a.Outcome, took)
				}
			})
		}
		all.Wait()
		w.wantRequests(1)
	})
}

func TestThrottledReadsAndLeasesArePauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "client_credentials")
		throttled := apierr.New(apierr.StoreUnavailable, "the table: throttled")
		reads, leases := 0, 0
		w.store.readFault = func(c grant.Consistency) error {
			reads++
			if c == grant.Eventual && reads > 1 && reads < 6 {
				return throttled
			}
			return nil
		}
		w.store.leaseFault = func() error {
			leases++
			if leases < 4 {
				return throttled
			}
			return nil
		}
		w.must(issue.Request{})
		w.wantRequests(1)
	})
}

// A caller who waited in vain because of the table is told so, and not that Reltio gave
// no token.
func TestTheTableFailsUntilTheTimeout(t *testing.T) {
	const refused = "DynamoDB: AccessDeniedException"
	failed := func() error { return apierr.New(apierr.StoreUnavailable, refused) }
	for name, fail := range map[string]func(*world){
		"leases": func(w *world) { w.store.leaseFault = failed },
		"reads": func(w *world) {
			w.hold(time.Minute)
			reads := 0
			w.store.readFault = func(grant.Consistency) error {
				reads++
				if reads > 1 {
					return failed()
				}
				return nil
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, "client_credentials")
				fail(w)
				if message := w.refused(issue.Request{}, apierr.StoreUnavailable); message != refused {
					t.Errorf("message %q, want %q", message, refused)
				}
			})
		})
	}
}

func TestAStoredErrorIsAnsweredAtOnceWhileRetryAtLiesAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "client_credentials")
		w.down()
		w.refused(issue.Request{}, apierr.ReltioUnavailable)
		start := time.Now()
		message := w.refused(issue.Request{}, apierr.ReltioUnavailable)
		if time.Since(start) != 0 {
			t.Errorf("it took %v, want an answer at once", time.Since(start))
		}
		if message != w.grant().LastErrorMessage {
			t.Errorf("message %q, want the stored %q", message, w.grant().LastErrorMessage)
		}
		if n := w.rotate.invoked(); n != 1 {
			t.Errorf("rotate was invoked %d times, want once", n)
		}
		time.Sleep(time.Until(w.grant().RetryAt))
		w.up()
		w.must(issue.Request{})
	})
}

func TestAFailureNewerThanTheCallEndsTheWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "client_credentials")
		w.hold(time.Minute)
		go func() {
			time.Sleep(2 * time.Second)
			w.alter(func(g *grant.Grant) {
				*g = g.Failed(grant.StatusFailing, apierr.New(apierr.ReltioUnavailable, "it did not work"), time.Now(), 0, 0)
			})
		}()
		w.blank()
		start := time.Now()
		message := w.refused(issue.Request{}, apierr.ReltioUnavailable)
		if took := time.Since(start); took > 4*time.Second || message != "it did not work" {
			t.Errorf("after %v: %v, want the news of 2 s", took, message)
		}
	})
}

func TestAFailureNewerThanTheCallEndsTheWaitingThoughItsBackOffIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "client_credentials")
		w.hold(time.Minute)
		w.blank()
		go func() {
			time.Sleep(8 * time.Second) // pauses are half a second and more by now
			w.alter(func(g *grant.Grant) {
				*g = g.Failed(grant.StatusFailing, apierr.New(apierr.ReltioUnavailable, "it did not work"), time.Now(), 0, 0)
				g.RetryAt = time.Now().Add(time.Millisecond)
			})
		}()
		if message := w.refused(issue.Request{}, apierr.ReltioUnavailable); message != "it did not work" {
			t.Errorf("message %q, want the news", message)
		}
		w.wantRequests(0)
	})
}

func TestRotateAnswersThatAreNoNews(t *testing.T) {
	for _, outcome := range []rotateapi.Outcome{rotateapi.Contended, rotateapi.Unchanged, rotateapi.LeftOver} {
		t.Run(string(outcome), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, "client_credentials")
				n := 0
				w.rotate.answer = func(ctx context.Context, r rotateapi.Request) (rotateapi.Result, error) {
					n++
					if n == 1 {
						return rotateapi.Single(outcome, nil), nil
					}
					return w.rotate.run(ctx, r), nil
				}
				w.must(issue.Request{}) // it reads on and takes the lease again
				if n != 2 {
					t.Errorf("%d invocations, want 2", n)
				}
			})
		})
	}
}

func TestTheLeaseOfAWinnerThatCrashedIsTakenOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "client_credentials")
		w.hold(lease.SyncTerm) // and never hands it over
		start := time.Now()
		w.must(issue.Request{})
		if took := time.Since(start); took < lease.SyncTerm || took > lease.SyncTerm+1100*time.Millisecond {
			t.Errorf("it took %v, want the lease's %v and a pause", took, lease.SyncTerm)
		}
		w.wantRequests(1)
	})
}

func TestALeaseGivenBackBeforeItsEndIsTakenInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "client_credentials")
		held := w.hold(lease.Term) // a sweep, which then has no time for it
		go func() {
			time.Sleep(2 * time.Second)
			_ = w.store.ReleaseLease(t.Context(), held)
		}()
		start := time.Now()
		w.must(issue.Request{})
		if took := time.Since(start); took > 8*time.Second {
			t.Errorf("it took %v though the lease was free after 2 s", took)
		}
	})
}

func TestReadsOfOneCallNeverGoBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "client_credentials")
		w.behave(func(b *reltioauthtest.Behaviour) { b.Login = reltioauthtest.NewToken })
		first := w.must(issue.Request{})
		time.Sleep(time.Until(w.grant().Due()))
		w.must(issue.Request{})
		w.rotate.deliver(t.Context())
		second := w.grant()
		if first.Fingerprint == second.Fingerprint {
			t.Fatal("no second token")
		}
		// Another holder renews the second one, and eventually consistent reads see
		// the first, which has time left but was replaced.
		w.hold(lease.Term)
		w.store.behind = func() time.Duration { return time.Minute }
		w.rotate.answer = nil
		time.Sleep(10 * time.Second)
		a, err := w.issue(w.issuer(), issue.Request{RejectedFingerprint: second.Fingerprint})
		if err != nil || a.Fingerprint == first.Fingerprint || !slices.Contains(a.Warnings, issueapi.RenewalFailing) {
			t.Errorf("%v, %v; want the current token with a warning", a, err)
		}
	})
}
