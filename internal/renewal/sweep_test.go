package renewal_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// list puts connections into the index, due one after the other up to now.
func (w *world) list(names []string) {
	w.t.Helper()
	now := time.Now()
	for i, name := range names {
		due := now.Add(-time.Duration(len(names)-i) * time.Second)
		g := grant.Grant{Connection: name, Status: grant.StatusFailing, RetryAt: due}
		held := lease.Lease{Connection: name, Owner: "setup", Epoch: 0}
		if err := w.table.PutGrant(w.t.Context(), held, g.Indexed(now)); err != nil {
			w.t.Fatal(err)
		}
	}
}

// sum is that of all outcomes, which due must be.
func sum(r rotateapi.Result) int {
	return r.Renewed + r.Unchanged + r.Contended + r.Failed + r.Reauthorize + r.LeftOver
}

func TestSweepByDeadline(t *testing.T) {
	bubble(t, func(w *world) {
		w.renewer.Concurrency = 1
		names := w.fleet(12)
		slices.Reverse(names) // the deadline counts, not the name
		w.list(names)
		if got := w.sweep(); got.Due != 12 || got.Renewed != 12 {
			t.Errorf("result %+v, want 12 renewed", got)
		}
		var order []string
		for _, r := range w.server.Requests() {
			order = append(order, r.ClientID)
		}
		if !slices.Equal(order, names) {
			t.Errorf("order %v, want %v", order, names)
		}
		if got := w.sweep(); got.Due != 0 {
			t.Errorf("result %+v, want nothing due", got)
		}
	})
}

// Renewals run so many at a time, never more than four times the rate.
func TestSweepConcurrency(t *testing.T) {
	for _, c := range []struct{ concurrency, rate, want int }{
		{0, 0, 16}, {-1, 0, 16}, {1, 8, 1}, {5, 8, 5}, {32, 8, 32}, {99, 8, 32}, {32, 2, 8}, {16, 1, 4},
	} {
		t.Run(fmt.Sprintf("%d at %d a second", c.concurrency, c.rate), func(t *testing.T) {
			bubble(t, func(w *world) {
				w.renewer.Concurrency, w.renewer.PerSecond = c.concurrency, c.rate
				w.list(w.fleet(40))
				var mu sync.Mutex
				now, most := 0, 0
				w.out.before = func(op string) error {
					mu.Lock()
					defer mu.Unlock()
					if op == takeLease {
						now++
						most = max(most, now)
					}
					return nil
				}
				w.out.after = func(op string) error {
					if op == takeLease {
						time.Sleep(time.Second)
					}
					mu.Lock()
					defer mu.Unlock()
					if op == releaseLease {
						now--
					}
					return nil
				}
				w.sweep()
				if most != c.want {
					t.Errorf("%d at a time, want %d", most, c.want)
				}
			})
		})
	}
}

// A sweep begins nothing after 60 s and ends within 100 s; what is left over is
// counted and found by the next.
func TestSweepEndsInTime(t *testing.T) {
	bubble(t, func(w *world) {
		const n = 600
		w.list(w.fleet(n))
		began := time.Now()
		got := w.sweep()
		if took := time.Since(began); took > 100*time.Second || took < 55*time.Second {
			t.Errorf("the sweep took %v", took)
		}
		if got.Due != n || sum(got) != n || got.LeftOver < 80 || got.Renewed < 470 {
			t.Errorf("result %+v, want most of %d renewed, the others left over", got, n)
		}
		if most := w.server.MaxTokenRequests(time.Second); most > 8 {
			t.Errorf("%d requests in a second", most)
		}
		for range 2 {
			time.Sleep(time.Minute)
			got = w.sweep()
		}
		if got.LeftOver != 0 || got.Failed != 0 {
			t.Errorf("two sweeps later: %+v", got)
		}
	})
}

// The server hangs: the last renewal is over after 100 s all the same.
func TestSweepEndsThoughTheServerHangs(t *testing.T) {
	bubble(t, func(w *world) {
		w.list(w.fleet(400))
		w.answer(reltioauthtest.Fault{Kind: reltioauthtest.FaultStatus, Status: 503, Delay: 7500 * time.Millisecond}, reltioauthtest.OpToken)
		began := time.Now()
		got := w.sweep()
		if took := time.Since(began); took > 100*time.Second {
			t.Errorf("the sweep took %v", took)
		}
		if got.Due != 400 || sum(got) != 400 || got.Failed != 16 || got.LeftOver != 384 {
			t.Errorf("result %+v, want those that were sent together failed, and the others left over", got)
		}
	})
}

// A renewal begins only if 40 s of the function's time are left.
func TestSweepWithLittleTime(t *testing.T) {
	bubble(t, func(w *world) {
		w.list(w.fleet(3))
		ctx, cancel := context.WithTimeout(w.t.Context(), 39*time.Second)
		defer cancel()
		swept, err := w.renewer.Sweep(ctx)
		if err != nil || swept.Result.LeftOver != 3 || w.out.count(takeLease) != 0 {
			t.Errorf("result %+v, %v, %d begun", swept.Result, err, w.out.count(takeLease))
		}
	})
}

// A host that is down gets one request in a sweep, and the others go on.
func TestSweepAtAHostThatIsDown(t *testing.T) {
	for name, f := range map[string]reltioauthtest.Fault{
		"no connection": {Kind: reltioauthtest.FaultUnreachable},
		"no response":   {Kind: reltioauthtest.FaultCut},
		"503":           {Kind: reltioauthtest.FaultStatus, Status: 503},
		"a page":        {Kind: reltioauthtest.FaultHTML, Status: 200},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.renewer.Concurrency = 1
				names := w.fleet(10)
				w.connect("fleet-0009", with(clientCredentials(), "auth_url", otherURL))
				w.list(names)
				w.server.Outage(reltioauthtest.Outage{Fault: f})
				if got := w.sweep(); got.Failed != 1 || got.LeftOver != 8 || got.Renewed != 1 {
					t.Errorf("result %+v, want 1 failed, 8 left over, and the other host's renewed", got)
				}
				time.Sleep(time.Minute)
				if got := w.sweep(); got.Failed != 1 || got.LeftOver != 8 {
					t.Errorf("a minute later: %+v, want 1 failed, 8 left over", got)
				}
				if n := w.out.count(connect); n != 3 {
					t.Errorf("%d connections dialled, want 3", n)
				}
				if g := w.grant(names[5]); g.Failures != 0 { // nothing was sent for it
					t.Errorf("%d failures", g.Failures)
				}
			})
		})
	}
}

// The one request shows that the host responds again: the same sweep renews the
// others, those too that it has left over meanwhile.
func TestSweepAtAHostThatWasDown(t *testing.T) {
	for name, up := range map[string]reltioauthtest.Fault{
		"it gives a token": {Delay: time.Second},
		"it refuses one":   {Kind: reltioauthtest.FaultStatus, Status: 403, Delay: time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				const n = 60
				w.list(w.fleet(n))
				w.answer(says(503, "server_error"), reltioauthtest.OpToken)
				if got := w.sweep(); got.Renewed != 0 {
					t.Fatalf("result %+v, want none renewed", got)
				}
				time.Sleep(time.Minute)
				first := true
				w.server.Configure(func(c *reltioauthtest.Config) {
					c.Fault = func(reltioauthtest.Request) (f reltioauthtest.Fault) {
						if first {
							f = up
						}
						first = false
						return f
					}
				})
				if got := w.sweep(); got.Renewed < n-1 || got.LeftOver != 0 {
					t.Errorf("result %+v, want %d renewed", got, n)
				}
			})
		})
	}
}

func TestSweepsMayOverlap(t *testing.T) {
	bubble(t, func(w *world) {
		const n = 60
		w.list(w.fleet(n))
		var sweeps sync.WaitGroup
		results := make([]rotateapi.Result, 3)
		for i := range results {
			sweeps.Go(func() {
				time.Sleep(time.Duration(i) * time.Second)
				results[i] = w.sweep()
			})
		}
		sweeps.Wait()
		time.Sleep(time.Minute)
		results = append(results, w.sweep()) // the renewals that got no slot
		renewed := 0
		for _, r := range results {
			renewed += r.Renewed
			if r.Failed != 0 || r.Due != sum(r) {
				t.Errorf("result %+v", r)
			}
		}
		if renewed != n {
			t.Errorf("%d renewed, want %d", renewed, n)
		}
		w.wantRequests(n)
	})
}

func TestSweepSeesBothShards(t *testing.T) {
	bubble(t, func(w *world) {
		w.connect("acme", wrongPassword())
		w.force()
		w.force()
		w.connect("person", authorizationCode())
		w.expect(w.renew(rotateapi.Request{Connection: "person"}), rotateapi.Reauthorize, apierr.ReauthorizationRequired)
		w.list(w.fleet(1))
		time.Sleep(6 * time.Minute)
		ctx, cancel := context.WithTimeout(w.t.Context(), 90*time.Second)
		defer cancel()
		swept, err := w.renewer.Sweep(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if r := swept.Result; r.Due != 3 || r.Unchanged != 2 || r.Renewed != 1 || swept.Waiting != 2 {
			t.Errorf("result %+v, %d waiting, want 2 looked at and 1 renewed", r, swept.Waiting)
		}
		if got := swept.OldestOverdue; got < 5*time.Minute || got > 7*time.Minute {
			t.Errorf("oldest overdue %v", got)
		}
		w.wantRefused(2)
	})
}

// A clock that was ahead has put off the next look at who waits: a sweep looks all
// the same.
func TestSweepSeesWhatAWrongClockHasPutOff(t *testing.T) {
	for _, ahead := range []time.Duration{20 * time.Minute, 24 * time.Hour} {
		bubble(t, func(w *world) {
			w.started(authorizationCode())
			g := w.grant("acme")
			g.Status, g.RetryAt, g.TriedAt = grant.StatusReauthorize, time.Now().Add(ahead), time.Now().Add(ahead-grant.LookEvery)
			if err := w.table.PutGrant(w.t.Context(), w.seize(), g.WithoutToken().Indexed(time.Now())); err != nil {
				t.Fatal(err)
			}
			time.Sleep(lease.Term)
			w.sweep()
			if g := w.grant("acme"); !g.Valid(time.Now()) {
				t.Errorf("%s ahead: %s until %s, want it renewed", ahead, g.Status, g.RetryAt)
			}
		})
	}
}

// More than a page is due: no grant is left out.
func TestSweepPages(t *testing.T) {
	bubble(t, func(w *world) {
		const n = 1203
		var names []string
		for i := range n {
			names = append(names, fmt.Sprintf("gone-%04d", i))
		}
		w.list(names) // no secret: each is forgotten without a request
		if got := w.sweep(); got.Due != n || got.Failed != n {
			t.Errorf("result %+v, want %d", got, n)
		}
		if got := w.sweep(); got.Due != 0 {
			t.Errorf("result %+v, want nothing left", got)
		}
	})
}

func TestSweepWithoutIndex(t *testing.T) {
	bubble(t, func(w *world) {
		w.out.fail(always, queryDue)
		if _, err := w.renewer.Sweep(w.t.Context()); apierr.Of(err).Type != apierr.StoreUnavailable {
			t.Errorf("error %v, want StoreUnavailable", err)
		}
	})
}

// A paused connection is in no sweep, and nothing forces it.
func TestPausedConnection(t *testing.T) {
	bubble(t, func(w *world) {
		g := w.started(password())
		g.Status = grant.StatusPaused
		held := w.seize()
		if err := w.table.PutGrant(w.t.Context(), held, g.Indexed(time.Now())); err != nil {
			t.Fatal(err)
		}
		if err := w.table.ReleaseLease(w.t.Context(), held); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Hour)
		if got := w.sweep(); got.Due != 0 {
			t.Errorf("result %+v, want nothing due", got)
		}
		w.expect(w.force(), rotateapi.Unchanged, apierr.ConnectionPaused)
		w.wantRequests(1)
	})
}

// The reports are for the log: one for each candidate.
func TestSweepReports(t *testing.T) {
	bubble(t, func(w *world) {
		names := w.fleet(3)
		w.list(names)
		swept, err := w.renewer.Sweep(w.t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range swept.Reports {
			got = append(got, r.Connection)
			if r.Outcome != rotateapi.Renewed || r.TokenRequests != 1 || r.Version != 1 {
				t.Errorf("report %+v", r)
			}
		}
		if !slices.Equal(got, names) {
			t.Errorf("reports of %v, want %v", got, names)
		}
	})
}

// A host that is down has more overdue grants than a sweep takes up at a time:
// those of other hosts are renewed all the same, however late they are.
func TestSweepPastAHostThatIsDown(t *testing.T) {
	bubble(t, func(w *world) {
		w.other.Outage(reltioauthtest.Outage{Fault: reltioauthtest.Fault{Kind: reltioauthtest.FaultUnreachable}})
		var names []string
		for i := range 4500 {
			names = append(names, fmt.Sprintf("down-%04d", i))
			w.connect(names[i], with(clientCredentials(), "auth_url", otherURL))
		}
		well := w.fleet(20)
		w.list(append(names, well...))
		w.out.after = slowly(takeLease, 5*time.Millisecond)
		got := w.sweep()
		if got.Due != 4520 || got.Renewed != len(well) || got.Failed > 20 || sum(got) != got.Due {
			t.Errorf("result %+v, want %d renewed", got, len(well))
		}
	})
}
