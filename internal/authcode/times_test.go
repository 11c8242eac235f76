package authcode_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/authcode"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// sleeping makes calls of one operation slow.
func sleeping(op string, d time.Duration) func(string) error {
	return func(called string) error {
		if called == op {
			time.Sleep(d)
		}
		return nil
	}
}

// A code is not sent if what follows it may not be stored in time: the process
// would be stopped with the tokens in its hands.
func TestTooLittleTimeKeepsTheLogin(t *testing.T) {
	tests := map[string]struct {
		time   time.Duration // the invocation's
		hinder func(w *world)
	}{
		"the invocation ends soon":                {4 * time.Second, func(*world) {}},
		"the invocation does not cover the store": {24 * time.Second, func(*world) {}},
		"the lease comes late":                    {time.Hour, func(w *world) { w.out.before = sleeping("SeizeLease", 12*time.Second) }},
		"its answer comes late":                   {time.Hour, func(w *world) { w.out.after = sleeping("SeizeLease", 12*time.Second) }},
		"the process is frozen while it waits":    {time.Hour, func(w *world) { w.out.after = sleeping("UseInvitation", 6*time.Second) }},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				cb := w.login(w.begin(w.invite()), "ann")
				test.hinder(w)
				w.answer(reltioauthtest.OpToken, reltioauthtest.Fault{Hold: 5 * time.Second})
				ctx, cancel := context.WithTimeout(w.t.Context(), test.time)
				defer cancel()
				a := w.flow.Complete(ctx, cb)
				w.expect(a, authcode.Busy)
				if a.RetryAfter != time.Second || a.Err == nil {
					t.Errorf("retry after %s, error %v", a.RetryAfter, a.Err)
				}
				w.wantExchanges(0)
				w.heal()
				w.expect(w.complete(cb), authcode.Done)
				w.wantExchanges(1)
			})
		})
	}
}

// Whatever hangs, a person gets a response before the function is stopped.
func TestAStoreThatHangs(t *testing.T) {
	ops := callsOf(t, func(*world) {}, "ann")
	for _, op := range slices.Compact(slices.Sorted(slices.Values(ops))) {
		for _, before := range []bool{true, false} { // the exchange
			name := op + " from the start"
			if !before {
				name = op + " after the exchange"
			}
			t.Run(name, func(t *testing.T) {
				bubble(t, func(w *world) {
					link := w.invite()
					cb := w.login(w.begin(link), "ann")
					w.answer(reltioauthtest.OpToken, reltioauthtest.Fault{Hold: 7 * time.Second, Kind: reltioauthtest.FaultNone})
					w.out.hangs = func(called string) bool { return called == op && (before || w.exchanges() > 0) }
					began := time.Now()
					a := w.complete(cb)
					longest := 29 * time.Second
					if w.exchanges() == 0 {
						longest = 12 * time.Second // why wait on if nothing is sent?
					}
					if took := time.Since(began); took >= longest {
						t.Errorf("it took %s", took)
					}
					w.out.hangs = nil
					w.heal()
					if a.Outcome != authcode.Done && w.exchanges() > 0 {
						w.wantValid(0, 0) // revoked, though the store hangs
					}
					if a.Outcome != authcode.Done {
						w.goesOn(link, cb)
					}
				})
			})
		}
	}
}

// Preparations that take too long are no defect, whichever of them was slow:
// the person may come again.
func TestSlowPreparations(t *testing.T) {
	for _, op := range []string{"Request", "Connection", "Grant", "Current", "Parked", "SeizeLease"} {
		t.Run(op, func(t *testing.T) {
			bubble(t, func(w *world) {
				cb := w.login(w.begin(w.invite()), "ann")
				w.out.hangs = func(called string) bool { return called == op }
				a := w.complete(cb)
				w.expect(a, authcode.Busy)
				if a.RetryAfter != time.Second {
					t.Errorf("retry after %s", a.RetryAfter)
				}
				w.wantExchanges(0)
				w.heal()
				w.expect(w.complete(cb), authcode.Done)
			})
		})
	}
}

// Each step takes as long as it may, and then the stores hang: the response is in
// time, and tokens that were not stored are revoked. If only Secrets Manager
// hangs, the login succeeds.
func TestEverythingIsSlow(t *testing.T) {
	for op, want := range map[string]authcode.Outcome{
		"Put": authcode.Done, "PutGrant": authcode.Unstored, "all": authcode.Unstored,
	} {
		t.Run(op, func(t *testing.T) {
			bubble(t, func(w *world) {
				cb := w.login(w.begin(w.invite()), "ann")
				w.server.Configure(func(c *reltioauthtest.Config) {
					c.Fault = func(r reltioauthtest.Request) reltioauthtest.Fault {
						switch r.Op {
						case reltioauthtest.OpToken:
							return reltioauthtest.Fault{Hold: 7900 * time.Millisecond}
						default:
							return reltioauthtest.Fault{Hold: 2900 * time.Millisecond}
						}
					}
				})
				asked := false
				w.out.before = func(called string) error {
					switch called {
					case "Request":
						time.Sleep(3500 * time.Millisecond)
						at := time.Now().Add(4800 * time.Millisecond)
						_, _ = w.table.Reserve(t.Context(), host, ratelimit.Window{Now: time.Now(), Earliest: at, Latest: at, Interval: 125 * time.Millisecond})
					case "Current":
						asked = w.exchanges() > 0
					}
					return nil
				}
				w.out.hangs = func(called string) bool { return asked && (op == "all" || called == op) }
				began := time.Now()
				w.expect(w.complete(cb), want)
				if took := time.Since(began); took < 20*time.Second || took >= 29*time.Second {
					t.Errorf("it took %s", took)
				}
				w.heal()
				if _, refresh := w.server.Tokens(); refresh != 0 && op == "PutGrant" {
					t.Error("the refresh token is alive")
				}
			})
		})
	}
}

// If reads hang as well, it is unknown what was stored; the response is in time.
func TestATableThatHangs(t *testing.T) {
	bubble(t, func(w *world) {
		cb := w.login(w.begin(w.invite()), "ann")
		w.answer(reltioauthtest.OpToken, reltioauthtest.Fault{Hold: 7 * time.Second})
		w.out.hangs = func(op string) bool { return op != "Put" && op != "Current" && w.exchanges() > 0 }
		began := time.Now()
		w.expect(w.complete(cb), authcode.Unstored)
		if took := time.Since(began); took >= 29*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}

// Secrets Manager and the table hang: tokens that were never stored are revoked.
func TestTheRevocationHasATimeOfItsOwn(t *testing.T) {
	bubble(t, func(w *world) {
		cb := w.login(w.begin(w.invite()), "ann")
		w.out.hangs = func(string) bool { return w.exchanges() > 0 }
		w.expect(w.complete(cb), authcode.Unstored)
		w.wantValid(0, 0)
	})
}

// However slow the table is, within reason, a login is possible, and takes at
// most two slots of the rate limit.
func TestASlowTable(t *testing.T) {
	for _, takes := range []time.Duration{10 * time.Millisecond, 45 * time.Millisecond, 70 * time.Millisecond, 150 * time.Millisecond, 300 * time.Millisecond} {
		t.Run(takes.String(), func(t *testing.T) {
			bubble(t, func(w *world) {
				cb := w.login(w.begin(w.invite()), "ann")
				instants := 0
				w.out.before = func(op string) error {
					time.Sleep(takes)
					if op == "Reserve" {
						instants++
					}
					return nil
				}
				w.expect(w.complete(cb), authcode.Done)
				if instants > 2 {
					t.Errorf("%d instants, want at most 2", instants)
				}
			})
		})
	}
}

// The host is throttled while a login waits for its slot.
func TestAPauseDuringTheWait(t *testing.T) {
	bubble(t, func(w *world) {
		w.server.Configure(func(c *reltioauthtest.Config) { c.CodeTTL = time.Hour })
		at := time.Now().Add(3 * time.Second)
		if _, err := w.table.Reserve(t.Context(), host, ratelimit.Window{Now: time.Now(), Earliest: at, Latest: at, Interval: time.Second}); err != nil {
			t.Fatal(err)
		}
		cb := w.login(w.begin(w.invite()), "ann")
		time.AfterFunc(time.Second, func() {
			_, _ = w.table.Throttled(t.Context(), host, ratelimit.Throttle{Client: "c", RetryAfter: time.Minute, Now: time.Now()})
		})
		a := w.complete(cb)
		w.expect(a, authcode.Busy)
		if a.RetryAfter < 50*time.Second {
			t.Errorf("retry after %s, want the pause", a.RetryAfter)
		}
		w.wantExchanges(0)
		time.Sleep(a.RetryAfter)
		w.expect(w.complete(cb), authcode.Done)
	})
}

// pausing throttles the host once the code was exchanged.
func (w *world) pausing(d time.Duration) {
	w.out.after = waiting(func() {
		if w.exchanges() == 0 {
			_, _ = w.table.Throttled(w.t.Context(), host, ratelimit.Throttle{Client: "c", RetryAfter: d, Now: time.Now()})
		}
	})
}

// An introspection and a revocation wait while the host is throttled. If that
// lasts longer than they may wait, there is no definite response.
func TestAPauseAfterTheExchange(t *testing.T) {
	tests := map[string]struct {
		pause    time.Duration
		expected string
		want     authcode.Outcome
		checks   int
		valid    int
	}{
		"a short one":                      {2 * time.Second, "ann", authcode.Done, 1, 1},
		"a short one, the wrong user":      {2 * time.Second, "ben", authcode.WrongUser, 1, 0},
		"a long one":                       {time.Minute, "", authcode.Done, 0, 1},
		"a long one, somebody is expected": {time.Minute, "ann", authcode.UserUnknown, 0, 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				if test.expected != "" {
					w.connect("acme", with(secret(), "expected_user", test.expected))
				}
				cb := w.login(w.begin(w.invite()), "ann")
				w.pausing(test.pause)
				began := time.Now()
				w.expect(w.complete(cb), test.want)
				if test.pause < time.Minute && time.Since(began) < test.pause {
					t.Errorf("it took %s, within the pause", time.Since(began))
				}
				checks := 0
				for _, r := range w.server.Requests() {
					if r.Op == reltioauthtest.OpCheckToken {
						checks++
					}
				}
				if checks != test.checks {
					t.Errorf("%d checks, want %d", checks, test.checks)
				}
				w.wantValid(test.valid, test.valid)
			})
		})
	}
}
