package renewal_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
	"github.com/reltio-tokens/reltio-tokens/internal/renewal"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// together renews all at once, each in a process of its own.
func (w *world) together(names []string) []renewal.Report {
	reports := make([]renewal.Report, len(names))
	var all sync.WaitGroup
	for i, name := range names {
		all.Go(func() { reports[i] = w.renew(rotateapi.Request{Connection: name}) })
	}
	all.Wait()
	return reports
}

func TestParallelRenewalsStayApart(t *testing.T) {
	for rate, most := range map[int]int{0: 9, 8: 9, 3: 4, 1: 2, 99: 9} {
		bubble(t, func(w *world) {
			w.renewer.PerSecond = rate
			for i, r := range w.together(w.fleet(16)) {
				switch {
				case r.Outcome == rotateapi.Renewed && r.RateLimitWait <= ratelimit.MaxWait:
				case rate != 0 && rate < 4 && r.Outcome == rotateapi.LeftOver && r.Err.Type == apierr.RateLimited:
				default:
					t.Errorf("rate %d: renewal %d: %s (%v) after %v", rate, i, r.Outcome, r.Err, r.RateLimitWait)
				}
			}
			if got := w.server.MaxTokenRequests(time.Second); got >= most {
				t.Errorf("rate %d: %d token requests in one second, want below %d", rate, got, most)
			}
		})
	}
}

// There is no slot within 5 s: left over, with the slot that the rate limit
// named, and no failure.
func TestBusyHost(t *testing.T) {
	bubble(t, func(w *world) {
		before := w.started(password())
		w.due()
		next := time.Now().Add(7500 * time.Millisecond)
		w.busy(next)
		w.out.fail(always, sendToken)
		report := w.acme()
		w.expect(report, rotateapi.LeftOver, apierr.RateLimited)
		if want := "retry after 8 s"; report.Err.Message != want {
			t.Errorf("message %q, want %q", report.Err.Message, want)
		}
		g := w.grant("acme")
		if got := time.Until(next) - time.Until(g.RetryAt); got.Abs() > 2*time.Millisecond || !g.DueAt.Equal(g.RetryAt) {
			t.Errorf("retry at %v, due at %v, want %v", g.RetryAt, g.DueAt, next)
		}
		if g.Status != before.Status || g.Failures != 0 || g.LastError != apierr.RateLimited {
			t.Errorf("status %s, %d failures, last error %s", g.Status, g.Failures, g.LastError)
		}
		w.heal()
		w.expect(w.atDue(), rotateapi.Renewed, "")
	})
}

// A throttled host is not even dialled, even if an operator forces it.
func TestPausedHostIsNotDialled(t *testing.T) {
	bubble(t, func(w *world) {
		g := w.started(password())
		w.pause(20 * time.Second)
		end := time.Now().Add(20 * time.Second)
		dialled := w.out.count(connect)
		w.expect(w.renew(rotateapi.Request{Connection: "acme", Force: true}), rotateapi.LeftOver, apierr.RateLimited)
		report := rotateapi.Request{Connection: "acme", RejectedFingerprint: g.Fingerprint}
		w.expect(w.renew(report), rotateapi.Unchanged, "")
		if got := w.out.count(connect); got != dialled {
			t.Errorf("%d connections dialled", got-dialled)
		}
		if next := w.grant("acme"); !near(next.RetryAt, end) || next.Failures != 0 || next.Status != grant.StatusOK {
			t.Errorf("retry at %v, %d failures, want %v", next.RetryAt, next.Failures, end)
		}
	})
}

// pause is a 429 that another client got.
func (w *world) pause(d time.Duration) {
	w.t.Helper()
	if _, err := w.table.Throttled(w.t.Context(), host, ratelimit.Throttle{Client: "other", RetryAfter: d, Now: time.Now()}); err != nil {
		w.t.Fatal(err)
	}
}

// The host is paused while a renewal waits for its slot.
func TestPauseDuringTheWait(t *testing.T) {
	for name, c := range map[string]struct {
		wait time.Duration
		want rotateapi.Outcome
	}{
		"a short wait is not looked at again": {80 * time.Millisecond, rotateapi.Renewed},
		"a long wait is":                      {2 * time.Second, rotateapi.LeftOver},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.connect("acme", password())
				w.out.before = func(op string) error {
					if op == countLogin {
						w.busy(time.Now().Add(c.wait))
					}
					return nil
				}
				w.out.after = func(op string) error {
					if op == reserve {
						w.pause(30 * time.Second)
					}
					return nil
				}
				if got := w.acme(); got.Outcome != c.want {
					t.Errorf("outcome %s (%v), want %s", got.Outcome, got.Err, c.want)
				}
				w.heal()
				w.wantAttempts(0)
			})
		})
	}
}

// The rate limit cannot be read again after the wait: nothing is sent.
func TestPauseUnknownAfterTheWait(t *testing.T) {
	bubble(t, func(w *world) {
		w.connect("acme", password())
		w.busy(time.Now().Add(2 * time.Second))
		w.out.before = failSecond(readBudget)
		w.expect(w.acme(), rotateapi.Failed, apierr.StoreUnavailable)
		w.wantRequests(0)
		w.wantAttempts(0)
	})
}

// The host's record fails after a success: the token is stored, and the report says why what
// the record holds against the host stays.
func TestTheHostsRecordFailsAfterASuccess(t *testing.T) {
	for _, op := range []string{readBudget, succeeded} {
		t.Run(op, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.connect("acme", password())
				_, _ = w.table.Refused(t.Context(), host, "other", time.Now())
				if op == readBudget {
					w.out.before = failSecond(readBudget)
				} else {
					w.out.fail(always, op)
				}
				if r := w.acme(); r.Outcome != rotateapi.Renewed || r.HostErr == nil || r.HostErr.Message != errDown.Message {
					t.Errorf("outcome %s, host error %v, want renewed and %v", r.Outcome, r.HostErr, errDown)
				}
			})
		})
	}
}

// A slot missed by more than 50 ms is reserved again, within the same 5 s. Each
// time the rate limit is later than the time before.
func TestMissedSlot(t *testing.T) {
	for name, c := range map[string]struct {
		late     time.Duration
		missed   int
		reserves int
		want     rotateapi.Outcome
	}{
		"by 50 ms":    {50 * time.Millisecond, 1, 1, rotateapi.Renewed},
		"by 60 ms":    {60 * time.Millisecond, 1, 2, rotateapi.Renewed},
		"three times": {200 * time.Millisecond, 3, 4, rotateapi.Renewed},
		"for ever":    {200 * time.Millisecond, 99, 7, rotateapi.LeftOver},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.connect("acme", password())
				missed := 0
				w.out.after = func(op string) error {
					if op == reserve && missed < c.missed {
						missed++
						time.Sleep(time.Duration(missed) * c.late)
					}
					return nil
				}
				if got := w.acme(); got.Outcome != c.want {
					t.Errorf("outcome %s (%v), want %s", got.Outcome, got.Err, c.want)
				}
				if got := w.out.count(reserve); got != c.reserves {
					t.Errorf("%d slots, want %d", got, c.reserves)
				}
			})
		})
	}
}

// A table that takes its time lets renewals through, and wastes few slots.
func TestSlowRateLimitStore(t *testing.T) {
	for _, slow := range []time.Duration{60 * time.Millisecond, 80 * time.Millisecond, 150 * time.Millisecond, 700 * time.Millisecond} {
		for name, busy := range map[string]time.Duration{"idle": 0, "busy": 2 * time.Second} {
			t.Run(fmt.Sprintf("%v, %s", slow, name), func(t *testing.T) {
				bubble(t, func(w *world) {
					w.connect("acme", password())
					var asked time.Time
					w.out.before = func(op string) error {
						switch op {
						case countLogin:
							if busy > 0 {
								w.busy(time.Now().Add(busy))
							}
						case reserve, readBudget:
							time.Sleep(slow)
							asked = time.Now()
						}
						return nil
					}
					w.expect(w.acme(), rotateapi.Renewed, "")
					if got := w.out.count(reserve); got > 2 {
						t.Errorf("%d slots taken for one request", got)
					}
					if got := time.Since(asked); got > ratelimit.PauseSeenAgain {
						t.Errorf("the pause was last seen %v before the request", got)
					}
				})
			})
		}
	}
}

// The caller's context ends during the wait: nothing is sent.
func TestCallerGoneDuringTheWait(t *testing.T) {
	bubble(t, func(w *world) {
		w.connect("acme", password())
		w.busy(time.Now().Add(4 * time.Second))
		w.out.after = func(op string) error {
			if op == countLogin {
				time.Sleep(17 * time.Second)
			}
			return nil
		}
		w.within(18500*time.Millisecond, rotateapi.Request{Connection: "acme"})
		w.heal()
		w.wantRequests(0)
		w.wantAttempts(0)
	})
}

func TestThrottled(t *testing.T) {
	date := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(http.TimeFormat) }
	for name, c := range map[string]struct {
		after       func() string
		pause, wait time.Duration
	}{
		"without Retry-After":  {func() string { return "" }, time.Second, 30 * time.Second},
		"10 seconds":           {func() string { return "10" }, 10 * time.Second, 30 * time.Second},
		"100 seconds":          {func() string { return "100" }, 100 * time.Second, 100 * time.Second},
		"a date":               {func() string { return date(90 * time.Second) }, 90 * time.Second, 90 * time.Second},
		"a date that is past":  {func() string { return date(-time.Hour) }, time.Second, 30 * time.Second},
		"a day":                {func() string { return "86400" }, 5 * time.Minute, 5 * time.Minute},
		"a number out of hand": {func() string { return "99999999999999999999" }, 5 * time.Minute, 5 * time.Minute},
		"garbage":              {func() string { return "soon" }, time.Second, 30 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.connect("acme", password())
				f := reltioauthtest.Fault{Kind: reltioauthtest.FaultStatus, Status: 429, Body: "slow down"}
				if after := c.after(); after != "" {
					f.Header = http.Header{"Retry-After": {after}}
				}
				w.answer(f, reltioauthtest.OpToken)
				report := w.acme()
				w.expect(report, rotateapi.Failed, apierr.RateLimited)
				if report.Throttled != 1 {
					t.Errorf("%d throttled, want 1", report.Throttled)
				}
				g, now := w.status(grant.StatusFailing), time.Now()
				if got := g.RetryAt.Sub(now); (got - c.wait).Abs() > time.Second {
					t.Errorf("retry after %v, want %v", got, c.wait)
				}
				host, err := w.table.Budget(w.t.Context(), host)
				if got := host.PausedUntil.Sub(now); err != nil || (got-c.pause).Abs() > time.Second {
					t.Errorf("host paused for %v (%v), want %v", got, err, c.pause)
				}
				w.wantAttempts(0)
			})
		})
	}
}

// One client's cap never makes the host's pause grow; different clients do.
func TestPauseGrowsWithDifferentClients(t *testing.T) {
	for name, c := range map[string]struct {
		clients int
		want    []int // seconds
	}{
		"one client":    {1, []int{1, 1, 1, 1}},
		"three clients": {3, []int{1, 2, 4, 8, 16, 32, 60, 60}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				names := w.fleet(c.clients)
				w.answer(reltioauthtest.Fault{Kind: reltioauthtest.FaultRateLimit}, reltioauthtest.OpToken)
				for i, want := range c.want {
					w.renew(rotateapi.Request{Connection: names[i%len(names)], Force: true})
					r, err := w.table.Budget(w.t.Context(), host)
					if err != nil || r.Pause != time.Duration(want)*time.Second {
						t.Fatalf("429 number %d: paused for %v (%v), want %d s", i+1, r.Pause, err, want)
					}
					time.Sleep(time.Until(r.PausedUntil))
				}
				w.heal()
				w.expect(w.renew(rotateapi.Request{Connection: names[0], Force: true}), rotateapi.Renewed, "")
				if r, _ := w.table.Budget(w.t.Context(), host); r.Pause != 0 || len(r.Throttled) != 0 {
					t.Errorf("after a success: %v", r)
				}
			})
		})
	}
}

func TestThrottledCannotBeRecorded(t *testing.T) {
	bubble(t, func(w *world) {
		w.connect("acme", password())
		w.answer(reltioauthtest.Fault{Kind: reltioauthtest.FaultRateLimit}, reltioauthtest.OpToken)
		w.out.fail(always, throttled)
		w.expect(w.acme(), rotateapi.Failed, apierr.StoreUnavailable)
		if g := w.status(grant.StatusFailing); !g.RetryAt.After(time.Now()) {
			t.Errorf("retry at %v", g.RetryAt)
		}
	})
}
