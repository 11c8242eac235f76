package renewal_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// callersOf ask for a token of each connection until it has one: each waits for the
// moment that the grant names, as issue makes callers wait.
func (w *world) callersOf(names []string) *sync.WaitGroup {
	var all sync.WaitGroup
	for _, name := range names {
		all.Go(func() {
			for !w.grant(name).Valid(time.Now()) {
				w.awaitRetry(name)
				w.renew(rotateapi.Request{Connection: name})
			}
		})
	}
	return &all
}

// awaitRetry waits for the moment at which the grant may be renewed again.
func (w *world) awaitRetry(name string) {
	time.Sleep(max(time.Second, time.Until(w.grant(name).RetryAt)+time.Millisecond))
}

// sentBetween are the moments at which the server got a request since a moment.
func (w *world) sentBetween(from, to time.Time) (at []time.Time) {
	for _, r := range w.server.Requests() {
		if !r.At.Before(from) && r.At.Before(to) {
			at = append(at, r.At)
		}
	}
	slices.SortFunc(at, time.Time.Compare)
	return at
}

// A host is down while a fleet's tokens end, and every connection has a caller. All
// together send one request in 5 s, in 15 s after ten minutes; and all are back
// within the rate limit once the host responds.
func TestFleetAtAHostThatIsDown(t *testing.T) {
	for name, c := range map[string]struct {
		outage time.Duration
		first  time.Duration // the longest until the first token after it
	}{
		"10 s":   {10 * time.Second, 6 * time.Second},
		"1 min":  {time.Minute, 6 * time.Second},
		"15 min": {15 * time.Minute, 16 * time.Second},
		"2 h":    {2 * time.Hour, 16 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				names := append(w.fleet(60), w.users(20)...)
				w.list(names)
				if got := w.sweep(); got.Renewed != len(names) {
					t.Fatalf("%+v", got)
				}
				time.Sleep(time.Hour)
				began := time.Now()
				ends := began.Add(c.outage)
				w.server.Outage(reltioauthtest.Outage{
					Until: ends, Fault: reltioauthtest.Fault{Kind: reltioauthtest.FaultStatus, Status: 503},
				})
				all := w.callersOf(names)
				for time.Now().Before(ends.Add(time.Minute)) {
					w.sweep()
					time.Sleep(time.Minute)
				}
				all.Wait()
				burst := began.Add(time.Second) // those that were sent before the first response
				at := w.sentBetween(burst, ends)
				for i := 1; i < len(at); i++ {
					least := ratelimit.DownProbeEvery
					if at[i-1].Sub(began) > 11*time.Minute {
						least = ratelimit.LongDownProbeEvery
					}
					if gap := at[i].Sub(at[i-1]); gap < least {
						t.Fatalf("asked %v after it was asked, %v into the outage", gap, at[i].Sub(began))
					}
				}
				if want := int(min(c.outage, 10*time.Minute)/(6*time.Second)) - 1; len(at) < want {
					t.Errorf("asked %d times, want at least %d", len(at), want)
				}
				after := w.sentBetween(ends, ends.Add(time.Hour))
				if late := after[0].Sub(ends); late > c.first {
					t.Errorf("the first request after it came %v later, want %v", late, c.first)
				}
				if took := after[len(names)-1].Sub(after[0]); took > 25*time.Second {
					t.Errorf("all were back %v after the first", took)
				}
			})
		})
	}
}

// The last login that a user may have refused is never sent to a host that is down:
// checkToken, which locks no user, is called in its place, and the login follows.
func TestLastLoginAtAHostThatIsDown(t *testing.T) {
	down := reltioauthtest.Fault{Kind: reltioauthtest.FaultStatus, Status: 503}
	for name, op := range map[string]reltioauthtest.Op{
		"the host":           "",
		"the token endpoint": reltioauthtest.OpToken,
	} {
		for _, attempts := range []int{1, 2} {
			t.Run(name, func(t *testing.T) {
				bubble(t, func(w *world) {
					w.renewer.LoginAttempts = attempts
					w.connect("acme", password())
					if attempts == 2 {
						w.answer(says(400, "invalid_grant"), reltioauthtest.OpToken)
						w.expect(w.acme(), rotateapi.Failed, apierr.CredentialsRejected)
						time.Sleep(time.Minute)
					}
					w.server.Configure(func(c *reltioauthtest.Config) {
						c.Fault = func(r reltioauthtest.Request) (f reltioauthtest.Fault) {
							if op == "" || r.Op == op {
								f = down
							}
							return f
						}
					})
					w.expect(w.acme(), rotateapi.Failed, apierr.ReltioUnavailable)
					began, logins := time.Now(), w.requests()
					for time.Since(began) < time.Minute {
						w.awaitRetry("acme")
						w.expect(w.acme(), rotateapi.Failed, apierr.ReltioUnavailable)
					}
					if sent := len(w.sentBetween(began, time.Now())); sent < 4 || sent > 12 {
						t.Errorf("%d requests in a minute", sent)
					}
					if op == "" && w.requests() != logins {
						t.Errorf("%d logins were sent to a host that is down", w.requests()-logins)
					}
					w.heal()
					w.callersOf([]string{"acme"}).Wait()
					if took := time.Since(began); took > time.Minute+3*ratelimit.DownProbeEvery {
						t.Errorf("renewed only %v after the outage began", took)
					}
					w.wantAttempts(0)
				})
			})
		}
	}
}

// The server fails for one connection alone, at each of its requests: it backs off
// alone, and the others are renewed as ever.
func TestOutageOfOneConnection(t *testing.T) {
	bubble(t, func(w *world) {
		names := w.fleet(40)
		w.list(names)
		w.server.Configure(func(c *reltioauthtest.Config) {
			c.Fault = func(r reltioauthtest.Request) (f reltioauthtest.Fault) {
				if r.ClientID == names[7] {
					f = reltioauthtest.Fault{Kind: reltioauthtest.FaultStatus, Status: 500}
				}
				return f
			}
		})
		began := time.Now()
		ctx, stop := context.WithCancel(w.t.Context())
		var caller sync.WaitGroup
		caller.Go(func() {
			for ctx.Err() == nil {
				w.renew(rotateapi.Request{Connection: names[7]})
				w.awaitRetry(names[7])
			}
		})
		for time.Since(began) < 3*time.Hour {
			w.sweep()
			time.Sleep(time.Until(began.Add(time.Since(began).Truncate(time.Minute) + time.Minute)))
			for i, name := range names {
				g := w.grant(name)
				if i != 7 && time.Since(began) > 2*time.Minute && time.Since(g.ExpiresAt) > 62*time.Second {
					t.Fatalf("%s has had no token for %v", name, time.Since(g.ExpiresAt))
				}
			}
		}
		stop()
		caller.Wait()
		n := 0
		for _, r := range w.server.Requests() {
			if r.ClientID == names[7] {
				n++
			}
		}
		if n > 50 {
			t.Errorf("the connection that fails sent %d requests in 3 h", n)
		}
	})
}

// A renewal that an operator forces waits until it may ask, if that is soon.
func TestForceAtAHostThatIsDown(t *testing.T) {
	bubble(t, func(w *world) {
		w.connect("acme", clientCredentials())
		w.answer(says(503, "server_error"), reltioauthtest.OpToken)
		w.expect(w.acme(), rotateapi.Failed, apierr.ReltioUnavailable)
		w.heal()
		began := time.Now()
		w.expect(w.force(), rotateapi.Renewed, "")
		if took := time.Since(began); took < ratelimit.DownProbeEvery || took > ratelimit.DownProbeEvery+time.Second {
			t.Errorf("it took %v", took)
		}
		w.wantRequests(2)
	})
}
