package issue_test

import (
	"context"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/issue"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueapi"
)

func TestNothingRunsAfterTheAnswer(t *testing.T) {
	calls := map[string]func(w *world){
		"from the store":     func(w *world) { w.must(issue.Request{}) },
		"the long way":       func(w *world) { time.Sleep(2 * time.Hour); w.must(issue.Request{}) },
		"the early window":   func(w *world) { time.Sleep(time.Until(w.grant().Due())); w.must(issue.Request{}) },
		"a report":           func(w *world) { w.must(issue.Request{RejectedFingerprint: w.grant().Fingerprint}) },
		"the timeout passes": func(w *world) { w.hold(time.Minute); w.must(issue.Request{RejectedFingerprint: w.grant().Fingerprint}) },
		"an error": func(w *world) {
			time.Sleep(2 * time.Hour)
			w.down()
			w.refused(issue.Request{}, apierr.ReltioUnavailable)
		},
		"an event that hangs": func(w *world) {
			time.Sleep(time.Until(w.grant().Due()))
			v := w.issuer()
			v.Rotate = hangingEvents{w.rotate}
			if _, err := w.issue(v, issue.Request{}); err != nil {
				w.t.Error(err)
			}
		},
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, "client_credentials")
				w.must(issue.Request{})
				w.rotate.answer = func(ctx context.Context, r rotateapi.Request) (rotateapi.Result, error) {
					return w.rotate.run(ctx, r), nil // in the caller's goroutine
				}
				synctest.Wait()
				before := runtime.NumGoroutine()
				call(w)
				if after := runtime.NumGoroutine(); after > before {
					t.Errorf("%d goroutines after the answer, %d before the call", after, before)
				}
			})
		})
	}
}

func TestATokenThatEndsWhileItsRenewalIsAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := atDue(t)
		time.Sleep(time.Until(w.grant().ExpiresAt) - 1500*time.Millisecond)
		v := w.issuer()
		v.Rotate = slowEvents{w.rotate}
		a, err := w.issue(v, issue.Request{})
		if err != nil || a.Version != 2 || a.Outcome != issueapi.Renewed {
			t.Errorf("%v, %v; want a new token", a, err)
		}
	})
}

// The event that could not be sent is history once the renewal was awaited.
func TestAnEventThatIsRefusedAsItsTokenEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := atDue(t)
		time.Sleep(time.Until(w.grant().ExpiresAt) - 1500*time.Millisecond)
		v := w.issuer()
		v.Rotate = slowRefusal{w.rotate}
		a, err := w.issue(v, issue.Request{})
		if err != nil || a.Version != 2 || a.Outcome != issueapi.Renewed {
			t.Fatalf("%v, %v; want a new token", a, err)
		}
		wantWarnings(t, a)
	})
}

// slowRefusal takes a second to refuse an event.
type slowRefusal struct{ *rotate }

// RotateLater implements rotateapi.Function.
func (slowRefusal) RotateLater(context.Context, rotateapi.Request) error {
	time.Sleep(time.Second)
	return apierr.New(apierr.RateLimited, "retry after 1 s")
}

// slowEvents takes a second to accept an event.
type slowEvents struct{ *rotate }

// RotateLater implements rotateapi.Function.
func (s slowEvents) RotateLater(ctx context.Context, r rotateapi.Request) error {
	time.Sleep(time.Second)
	return s.rotate.RotateLater(ctx, r)
}

func TestStaleReadsAndAliases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "")
		f := fields("client_credentials")
		f["aliases"] = []string{"team-a"}
		w.connect(f)
		slowly(w)
		var mu sync.Mutex
		random := rand.New(rand.NewPCG(5, 6))
		w.store.behind = func() time.Duration {
			mu.Lock()
			defer mu.Unlock()
			return time.Duration(random.IntN(3000)) * time.Millisecond
		}
		var all sync.WaitGroup
		for _, alias := range []string{"team-a", "team-b", ""} {
			all.Go(func() {
				tokens, errs := fleet(w, 50, 300, issue.Request{Alias: alias})
				switch {
				case alias == "team-a" && (len(tokens) != 1 || len(errs) > 0):
					t.Errorf("%s: tokens %v, errors %v, want one token", alias, tokens, errs)
				case alias != "team-a" && (len(tokens) > 0 || errs[apierr.AccessDenied] != 300):
					t.Errorf("%q: tokens %v, errors %v, want AccessDenied", alias, tokens, errs)
				}
			})
		}
		all.Wait()
		w.wantRequests(1)
	})
}

func TestAPausedHostIsARateLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "client_credentials")
		if _, err := w.store.Throttled(t.Context(), host, ratelimit.Throttle{
			Client: "another", Now: time.Now(), RetryAfter: time.Minute,
		}); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		for _, want := range []string{"retry after 60 s", "retry after 60 s"} {
			if message := w.refused(issue.Request{}, apierr.RateLimited); message != want {
				t.Errorf("message %q, want %q", message, want)
			}
		}
		if time.Since(start) != 0 {
			t.Errorf("it took %v, want the error at once", time.Since(start))
		}
		w.wantRequests(0)
		time.Sleep(time.Minute)
		w.must(issue.Request{})
	})
}

func TestWinnersThatCrashOneAfterTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "client_credentials")
		slowly(w)
		var mu sync.Mutex
		n := 0
		// Two execution environments are killed with the lease in hand.
		w.rotate.answer = func(ctx context.Context, r rotateapi.Request) (rotateapi.Result, error) {
			mu.Lock()
			n++
			dies := n <= 2
			mu.Unlock()
			if dies {
				<-ctx.Done()
				return rotateapi.Result{}, apierr.Wrap(apierr.StoreUnavailable, "rotate: no answer in time", ctx.Err())
			}
			return w.rotate.run(ctx, r), nil
		}
		tokens, errs := fleet(w, 20, 200, issue.Request{})
		if got := tokens[w.grant().Fingerprint]; got < 198 || got+errs[apierr.ReltioUnavailable] != 200 {
			t.Errorf("tokens %v, errors %v, want all but at most two with a token", tokens, errs)
		}
		w.wantRequests(1)
	})
}
