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
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueapi"
)

// uninvokable are the ways in which rotate cannot be invoked.
func uninvokable() map[string]*apierr.Error {
	all := map[string]*apierr.Error{
		"throttled":         apierr.New(apierr.RateLimited, "retry after 1 s"),
		"no answer":         apierr.New(apierr.StoreUnavailable, "rotate: it cannot be invoked"),
		"the function dies": apierr.New(apierr.StoreUnavailable, "rotate: the function failed"),
	}
	for _, code := range []string{
		"ResourceNotFoundException", "AccessDeniedException", "KMSAccessDeniedException", "KMSDisabledException",
		"ResourceConflictException", "EC2ThrottledException", "ServiceException", "SnapStartNotReadyException",
		"RequestTooLargeException", "InvalidRequestContentException",
	} {
		all[code] = apierr.New(apierr.StoreUnavailable, "rotate: it cannot be invoked: "+code)
	}
	return all
}

// While rotate cannot be invoked, callers who wait for the one who tries fail with
// that one's error; none of them finds out for itself.
func TestWhoWaitsWhileRotateCannotBeInvoked(t *testing.T) {
	for name, want := range uninvokable() {
		for _, takes := range []time.Duration{0, 100 * time.Millisecond, 200 * time.Millisecond} {
			t.Run(fmt.Sprintf("%s, after %v", name, takes), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, "client_credentials")
					slowly(w)
					w.rotate.refuse = func(rotateapi.Request) error {
						time.Sleep(takes)
						return want
					}
					start := time.Now()
					var all sync.WaitGroup
					for range 20 {
						all.Go(func() {
							_, err := w.issue(w.issuer(), issue.Request{})
							if got := apierr.Of(err); err == nil || got.Type != want.Type || got.Message != want.Message {
								t.Errorf("error %v, want %v", err, want)
							}
							if took := time.Since(start); took > time.Second {
								t.Errorf("it took %v", took)
							}
						})
					}
					all.Wait()
					if n := w.rotate.invoked(); n != 1 {
						t.Errorf("%d invocations, want 1", n)
					}
					w.wantRequests(0)
					// Back again, the next caller gets a token at once.
					w.rotate.refuse = nil
					start = time.Now()
					w.must(issue.Request{})
					if took := time.Since(start); took > time.Second {
						t.Errorf("back again it took %v", took)
					}
				})
			})
		}
	}
}

// An invocation that fails late ends the waiting too, though not that soon.
func TestWhoWaitsForAnInvocationThatFailsLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "client_credentials")
		slowly(w)
		const takes = 4 * time.Second
		w.rotate.refuse = func(rotateapi.Request) error {
			time.Sleep(takes)
			return apierr.New(apierr.StoreUnavailable, "rotate: the function failed")
		}
		start := time.Now()
		tokens, errs := fleet(w, 20, 20, issue.Request{})
		if len(tokens) > 0 || errs[apierr.StoreUnavailable] != 20 || w.rotate.invoked() != 1 {
			t.Errorf("tokens %v, errors %v, %d invocations; want 20 StoreUnavailable of one", tokens, errs, w.rotate.invoked())
		}
		if took := time.Since(start); took > takes+lease.SyncTerm+time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

// A fleet costs one invocation for each wave of callers.
func TestAFleetWhoseRotateIsThrottled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "client_credentials")
		slowly(w)
		w.rotate.refuse = func(rotateapi.Request) error { return apierr.New(apierr.RateLimited, "retry after 1 s") }
		for wave := 1; wave <= 3; wave++ {
			tokens, errs := fleet(w, 100, 500, issue.Request{})
			if errs[apierr.RateLimited] != 500 || len(errs) != 1 || w.rotate.invoked() != wave {
				t.Errorf("tokens %v, errors %v, %d invocations; want 500 RateLimited and one more", tokens, errs, w.rotate.invoked())
			}
			time.Sleep(time.Second)
		}
		w.rotate.refuse = nil
		tokens, errs := fleet(w, 100, 500, issue.Request{})
		if len(errs) > 0 || tokens[w.grant().Fingerprint] != 500 {
			t.Errorf("tokens %v, errors %v, want 500 tokens", tokens, errs)
		}
		w.wantRequests(1)
	})
}

// A failure that a caller has not waited for says nothing to it, nor does one that
// a wrong clock or another release wrote.
func TestFailuresThatCountForNothing(t *testing.T) {
	old := lease.Failure{Type: "StoreUnavailable", Message: "rotate: it cannot be invoked: ServiceException"}
	for name, test := range map[string]struct {
		failure lease.Failure
		after   time.Duration // the start of the call
	}{
		"an hour ago":               {old, -time.Hour},
		"just before":               {old, -time.Millisecond},
		"at this moment":            {old, 0},
		"in a minute":               {old, time.Minute},
		"in a year":                 {old, 365 * 24 * time.Hour},
		"of an unknown type":        {lease.Failure{Type: "FromTheFuture", Message: "m"}, 5 * time.Second},
		"of no type":                {lease.Failure{}, 5 * time.Second},
		"of no type, with a moment": {lease.Failure{Message: "m"}, 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, "client_credentials")
				w.fail(test.failure, time.Now().Add(test.after))
				start := time.Now()
				if a := w.must(issue.Request{}); a.Outcome != issueapi.Renewed || time.Since(start) > time.Second {
					t.Errorf("outcome %s after %v, want a token at once", a.Outcome, time.Since(start))
				}
				w.wantRequests(1)
			})
		})
	}
}

// fail takes the lease and gives it back as one who could not invoke.
func (w *world) fail(f lease.Failure, at time.Time) {
	w.t.Helper()
	now := time.Now()
	held, err := w.store.Table.TakeLease(w.t.Context(), lease.Request{
		Connection: acme, Owner: lease.NewOwner(), Now: now, Until: now.Add(lease.SyncTerm),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	held.Failure, held.FailedAt = f, at
	if err := w.store.ReleaseLease(w.t.Context(), held); err != nil {
		w.t.Fatal(err)
	}
}

// What a wrong clock wrote is doubted: the token is served, and renewed at once.
func TestATokenThatWasIssuedInTheFuture(t *testing.T) {
	for name, ahead := range map[string]time.Duration{"ten minutes": 10 * time.Minute, "a year": 365 * 24 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, "client_credentials")
				life := w.must(issue.Request{}).ExpiresIn
				w.alter(func(g *grant.Grant) {
					g.IssuedAt, g.ExpiresAt = g.IssuedAt.Add(ahead), g.ExpiresAt.Add(ahead)
				})
				time.Sleep(time.Second)
				v := w.issuer()
				a, err := w.issue(v, issue.Request{})
				if err != nil || a.Outcome != issueapi.Cached || a.ExpiresIn > life {
					t.Fatalf("%s, expires in %v, %v; want it for %v at most", a.Outcome, a.ExpiresIn, err, life)
				}
				if n := len(w.rotate.queued()); n != 1 {
					t.Fatalf("%d renewals asked for, want 1", n)
				}
				w.rotate.deliver(t.Context())
				w.wantRequests(2)
				if g := w.grant(); g.IssuedAt.After(time.Now()) || g.ExpiresAt.After(time.Now().Add(life)) {
					t.Errorf("issued at %v, expires at %v; want the server's", g.IssuedAt, g.ExpiresAt)
				}
			})
		})
	}
}

// Of a token that ends later than any, nothing is believed: another is asked for.
func TestATokenThatEndsInAYear(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "client_credentials")
		life := w.must(issue.Request{}).ExpiresIn
		w.alter(func(g *grant.Grant) { g.ExpiresAt = g.ExpiresAt.Add(365 * 24 * time.Hour) })
		if a := w.must(issue.Request{}); a.Outcome != issueapi.Renewed || a.ExpiresIn > life {
			t.Errorf("%s, expires in %v; want another within %v", a.Outcome, a.ExpiresIn, life)
		}
		w.wantRequests(2)
	})
}

func TestARetryInTheFutureIsNotBelieved(t *testing.T) {
	for name, test := range map[string]struct {
		ahead    time.Duration
		believed bool
	}{
		"an hour":     {time.Hour, true},
		"65 minutes":  {65 * time.Minute, true},
		"66 minutes":  {66 * time.Minute, false},
		"ten days":    {240 * time.Hour, false},
		"a year":      {365 * 24 * time.Hour, false},
		"a long past": {-time.Hour, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, "client_credentials")
				w.must(issue.Request{})
				w.alter(func(g *grant.Grant) {
					*g = g.WithoutToken()
					g.Status, g.LastError, g.LastErrorMessage = grant.StatusFailing, apierr.ReltioUnavailable, "HTTP 503"
					g.RetryAt = time.Now().Add(test.ahead)
				})
				if test.believed {
					w.refused(issue.Request{}, apierr.ReltioUnavailable)
					w.wantRequests(1)
					return
				}
				w.must(issue.Request{})
				w.wantRequests(2)
			})
		})
	}
}
