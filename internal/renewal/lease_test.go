package renewal_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
)

// handed takes a lease as issue does and hands it over.
func (w *world) handed(term time.Duration) rotateapi.Request {
	w.t.Helper()
	l, err := w.table.TakeLease(w.t.Context(), lease.Request{
		Connection: "acme", Owner: lease.NewOwner(), Now: time.Now(), Until: time.Now().Add(term),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return rotateapi.Request{Connection: "acme", Lease: &rotateapi.Lease{Owner: l.Owner, Epoch: l.Epoch}}
}

// seize is what an operator or callback does: the lease over anyone's head.
func (w *world) seize() lease.Lease {
	w.t.Helper()
	l, err := w.table.SeizeLease(w.t.Context(), lease.Request{
		Connection: "acme", Owner: lease.NewOwner(), Now: time.Now(), Until: time.Now().Add(lease.Term),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return l
}

// free reports whether the lease is free.
func (w *world) free() bool {
	_, err := w.table.TakeLease(w.t.Context(), lease.Request{
		Connection: "acme", Owner: lease.NewOwner(), Now: time.Now(), Until: time.Now(),
	})
	return err == nil
}

func (w *world) wantGrant(want grant.Grant) {
	w.t.Helper()
	if diff := cmp.Diff(want, w.grant("acme")); diff != "" {
		w.t.Fatalf("the grant changed (-before +after):\n%s", diff)
	}
}

func TestLeaseAdopted(t *testing.T) {
	bubble(t, func(w *world) {
		w.connect("acme", password())
		request := w.handed(lease.SyncTerm)
		time.Sleep(lease.SyncTerm + time.Second) // adoption needs only owner and epoch
		w.expect(w.renew(request), rotateapi.Renewed, "")
		if got := w.grant("acme").Epoch; got != request.Lease.Epoch+1 {
			t.Errorf("epoch %d, want %d", got, request.Lease.Epoch+1)
		}
		if !w.free() {
			t.Error("the lease is still held")
		}
		// The event comes again, at once and much later.
		before := w.grant("acme")
		w.expect(w.renew(request), rotateapi.Contended, "")
		time.Sleep(2 * time.Hour)
		w.expect(w.renew(request), rotateapi.Contended, "")
		w.wantRequests(1)
		w.wantGrant(before)
	})
}

func TestLeaseHeldByAnother(t *testing.T) {
	bubble(t, func(w *world) {
		w.connect("acme", password())
		w.handed(lease.AsyncTerm)
		w.expect(w.acme(), rotateapi.Contended, "")
		w.expect(w.force(), rotateapi.Contended, "")
		w.wantRequests(0)
		time.Sleep(lease.AsyncTerm)
		w.expect(w.acme(), rotateapi.Renewed, "")
	})
}

func TestLeaseGoneWithAGrantOfHighEpoch(t *testing.T) {
	bubble(t, func(w *world) {
		w.behave(newTokens)
		g := w.started(password())
		held := lease.Lease{Connection: "acme", Owner: "another", Epoch: 41}
		if err := w.table.PutGrant(w.t.Context(), held, g); err != nil {
			t.Fatal(err)
		}
		w.expect(w.force(), rotateapi.Renewed, "")
		if got := w.grant("acme").Epoch; got != 42 {
			t.Errorf("epoch %d, want 42", got)
		}
		w.expect(w.force(), rotateapi.Renewed, "")
		if got := w.grant("acme").Epoch; got != 43 {
			t.Errorf("epoch %d, want 43", got)
		}
	})
}

// 'unchanged' after an adoption keeps the lease while the token lives, so that
// callers in the early window do not come again; all else gives it back.
func TestLeaseKeptOnlyWhereThereWasNothingToDo(t *testing.T) {
	for name, c := range map[string]struct {
		arrange func(w *world)
		request rotateapi.Request
		adopt   bool
		want    rotateapi.Outcome
		free    bool
	}{
		"adopted, a valid token":         {nil, rotateapi.Request{}, true, rotateapi.Unchanged, false},
		"taken, a valid token":           {nil, rotateapi.Request{}, false, rotateapi.Unchanged, true},
		"adopted, renewed":               {nil, rotateapi.Request{Force: true}, true, rotateapi.Renewed, true},
		"adopted, failed":                {func(w *world) { w.out.fail(always, connect) }, rotateapi.Request{Force: true}, true, rotateapi.Failed, true},
		"adopted, left over":             {func(w *world) { w.busy(time.Now().Add(9 * time.Second)) }, rotateapi.Request{Force: true}, true, rotateapi.LeftOver, true},
		"adopted, no valid token, error": {func(w *world) { w.noToken() }, rotateapi.Request{}, true, rotateapi.Unchanged, true},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.behave(newTokens)
				w.started(password())
				if c.arrange != nil {
					c.arrange(w)
				}
				request := c.request
				request.Connection = "acme"
				if c.adopt {
					request.Lease = w.handed(lease.AsyncTerm).Lease
				}
				if got := w.renew(request); got.Outcome != c.want {
					t.Errorf("outcome %s (%v), want %s", got.Outcome, got.Err, c.want)
				}
				if got := w.free(); got != c.free {
					t.Errorf("the lease is free: %t, want %t", got, c.free)
				}
			})
		})
	}
}

// noToken lets the token end and a renewal fail.
func (w *world) noToken() {
	w.t.Helper()
	w.answer(says(403, "access_denied"), "token")
	time.Sleep(time.Until(w.grant("acme").ExpiresAt))
	w.expect(w.force(), rotateapi.Failed, apierr.ReltioUnavailable)
}

// Another holder takes the lease over before anything is sent.
func TestLeaseLostBeforeSending(t *testing.T) {
	for _, at := range []string{readSecret, readBudget, tokenCurrent, connect} {
		t.Run("at "+at, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.started(password())
				before := w.grant("acme")
				requests := w.requests()
				w.out.before = func(op string) error {
					if op == at {
						w.seize()
					}
					return nil
				}
				w.expect(w.force(), rotateapi.Contended, "")
				w.wantRequests(requests)
				w.wantGrant(before)
			})
		})
	}
}

// A writer that stalled changes nothing in the table once a higher epoch has
// stored: not with its answer, and not with its failure.
func TestStalledWriterChangesNothing(t *testing.T) {
	for name, answer := range map[string]func(w *world){
		"token":            func(*world) {},
		"refused":          func(w *world) { w.answer(says(401, "invalid_client"), "token") },
		"inactive refresh": func(w *world) { w.answer(says(400, "invalid_grant"), "token") },
		"unavailable":      func(w *world) { w.answer(says(503, "server_error"), "token") },
		"429":              func(w *world) { w.answer(says(429, "slow_down"), "token") },
		"misconfigured":    func(w *world) { w.answer(says(400, "invalid_scope"), "token") },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				before := w.started(password())
				answer(w)
				w.out.after = func(op string) error {
					if op != sendToken {
						return nil
					}
					// Meanwhile another holder has taken over and stored.
					l := w.seize()
					before.User = "another"
					if err := w.table.PutGrant(w.t.Context(), l, before); err != nil {
						t.Error(err)
					}
					before = w.grant("acme")
					return nil
				}
				requests := w.requests()
				w.expect(w.force(), rotateapi.Contended, "")
				w.wantGrant(before)
				w.wantRequests(requests + 1)
				if w.free() {
					t.Error("the other's lease was released")
				}
			})
		})
	}
}

// A lease that was taken over while the grant was written by no other holder
// fences the store all the same, once it writes.
func TestStalledWriterDoesNotRaiseItself(t *testing.T) {
	bubble(t, func(w *world) {
		before := w.started(password())
		w.server.Kill(before.RefreshFingerprint) // two passes: refresh, login
		passes := 0
		w.out.before = func(op string) error {
			if op == readGrant {
				passes++
				if passes == 2 {
					before.User = "another"
					if err := w.table.PutGrant(w.t.Context(), w.seize(), before); err != nil {
						t.Error(err)
					}
					before = w.grant("acme")
				}
			}
			return nil
		}
		w.expect(w.force(), rotateapi.Contended, "")
		w.wantGrant(before)
		w.wantRequests(2)
	})
}

// Nothing is sent unless lease and invocation cover request, store and skew.
func TestNothingIsSentWithoutTime(t *testing.T) {
	for name, c := range map[string]struct {
		time time.Duration
		want rotateapi.Outcome
	}{
		"enough":                {18100 * time.Millisecond, rotateapi.Renewed},
		"not for wait and work": {17900 * time.Millisecond, rotateapi.LeftOver},
		"a second":              {time.Second, rotateapi.LeftOver},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.connect("acme", password())
				report := w.within(c.time, rotateapi.Request{Connection: "acme"})
				w.expect(report, c.want, "")
				w.wantAttempts(0)
				if c.want == rotateapi.LeftOver {
					w.wantRequests(0)
				}
				if !w.free() {
					t.Error("the lease is still held")
				}
			})
		})
	}
}

// A store that takes its time eats up the lease; then nothing is sent, and the
// login is taken off.
func TestNothingIsSentUnderALeaseThatEnds(t *testing.T) {
	bubble(t, func(w *world) {
		w.connect("acme", password())
		w.out.before = func(op string) error {
			if op == countLogin {
				time.Sleep(13 * time.Second)
			}
			return nil
		}
		w.expect(w.acme(), rotateapi.LeftOver, "")
		w.heal()
		w.wantRequests(0)
		w.wantAttempts(0)
	})
}

// The caller goes away after Reltio has answered: that is stored all the same.
func TestAnswerIsStoredThoughTheCallerIsGone(t *testing.T) {
	bubble(t, func(w *world) {
		w.connect("acme", password())
		ctx, cancel := context.WithCancel(w.t.Context())
		w.out.after = func(op string) error {
			if op == sendToken {
				cancel()
			}
			return nil
		}
		w.renewer.Renew(ctx, rotateapi.Request{Connection: "acme"})
		w.heal()
		g := w.status(grant.StatusOK)
		if !g.Valid(time.Now()) || w.refreshToken().Fingerprint() != g.RefreshFingerprint {
			t.Errorf("grant %+v, want a valid token", g)
		}
		if !w.free() {
			t.Error("the lease is still held")
		}
	})
}

// A process that froze while it took the lease does nothing with it: what it
// took may be another's that only looked ended.
func TestFrozenWhileTakingTheLease(t *testing.T) {
	bubble(t, func(w *world) {
		w.connect("acme", clientCredentials())
		w.renewer.Leases = frozenLeases{w.renewer.Leases}
		w.expect(w.acme(), rotateapi.Contended, "")
		w.wantRequests(0)
	})
}

// frozenLeases answers after a minute.
type frozenLeases struct{ lease.Store }

func (f frozenLeases) TakeLease(ctx context.Context, r lease.Request) (lease.Lease, error) {
	l, err := f.Store.TakeLease(ctx, r)
	time.Sleep(time.Minute)
	return l, err
}
