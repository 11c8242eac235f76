package renewal_test

import (
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lockout"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
)

// refused counts the user's refused logins, ever.
func (w *world) refused() int { return w.server.RefusedLogins("ann", time.Time{}, time.Time{}) }

func (w *world) wantRefused(want int) {
	w.t.Helper()
	if got := w.refused(); got != want {
		w.t.Fatalf("%d refused logins, want %d", got, want)
	}
}

// record is what the account's record holds.
func (w *world) record() lockout.Record {
	w.t.Helper()
	r, err := w.table.Account(w.t.Context(), w.parsed("acme").AccountHash())
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// attempts are the logins with the present credentials that stay counted.
func (w *world) attempts() int {
	w.t.Helper()
	r := w.record()
	if r.CredentialsHash != w.parsed("acme").CredentialsHash() {
		return 0
	}
	return r.Attempts
}

func (w *world) wantAttempts(want int) {
	w.t.Helper()
	if got := w.attempts(); got != want {
		w.t.Fatalf("%d attempts counted, want %d", got, want)
	}
}

func wrongPassword() map[string]any { return with(password(), "password", "wrong-password") }

func TestWrongPasswordIsTriedTwiceWhateverIsForced(t *testing.T) {
	bubble(t, func(w *world) {
		w.connect("acme", wrongPassword())
		w.expect(w.acme(), rotateapi.Failed, apierr.CredentialsRejected)
		g := w.status(grant.StatusFailing)
		if want := time.Now().Add(30 * time.Second); !near(g.RetryAt, want) || g.Shard != grant.ShardDue {
			t.Errorf("retry at %v in %q, want %v in due", g.RetryAt, g.Shard, want)
		}
		report := w.force()
		w.expect(report, rotateapi.Failed, apierr.CredentialsRejected)
		if want := "Reltio refused the user; stopped to prevent a lock-out (invalid_grant, HTTP 400)"; report.Err.Message != want {
			t.Errorf("message %q, want %q", report.Err.Message, want)
		}
		g = w.status(grant.StatusCredentialsRejected)
		if want := time.Now().Add(5 * time.Minute); !near(g.RetryAt, want) || g.Shard != grant.ShardWaiting {
			t.Errorf("retry at %v in %q, want %v in waiting", g.RetryAt, g.Shard, want)
		}
		for i := range 20 {
			time.Sleep(time.Duration(i) * 20 * time.Minute)
			w.expect(w.force(), rotateapi.Failed, apierr.CredentialsRejected)
		}
		w.wantRefused(2)
		if w.server.Locked("ann") {
			t.Error("the user is locked")
		}
	})
}

// Without a forced renewal sweeps for two days leave it at two as well.
func TestWrongPasswordIsTriedTwiceByTheSchedule(t *testing.T) {
	bubble(t, func(w *world) {
		w.connect("acme", wrongPassword())
		w.acme()
		for range 2 * 24 * 60 {
			time.Sleep(time.Minute)
			w.sweep()
		}
		w.wantRefused(2)
		w.status(grant.StatusCredentialsRejected)
	})
}

func TestOneLoginAttemptIfSo(t *testing.T) {
	bubble(t, func(w *world) {
		w.renewer.LoginAttempts = 1
		w.connect("acme", wrongPassword())
		w.expect(w.acme(), rotateapi.Failed, apierr.CredentialsRejected)
		w.status(grant.StatusCredentialsRejected)
		w.force()
		w.wantRefused(1)
	})
}

func TestNewCredentialsAreTriedAgain(t *testing.T) {
	bubble(t, func(w *world) {
		w.connect("acme", wrongPassword())
		w.force()
		w.force()
		w.status(grant.StatusCredentialsRejected)
		w.connect("acme", password())
		w.expect(w.acme(), rotateapi.Unchanged, apierr.CredentialsRejected) // not looked at yet
		w.expect(w.atDue(), rotateapi.Renewed, "")
		w.status(grant.StatusOK)
		w.wantAttempts(0)
		w.wantRefused(2)
	})
}

// A login that is counted and then not sent is taken off again.
func TestLoginNotSentIsNotCounted(t *testing.T) {
	for name, hinder := range map[string]func(w *world){
		"connection lost before a byte left": func(w *world) {
			w.out.fail(always, sendToken)
		},
		"no slot": func(w *world) {
			w.out.before = func(op string) error {
				if op == countLogin {
					w.busy(time.Now().Add(9 * time.Second))
				}
				return nil
			}
		},
		"the rate limit cannot be read": func(w *world) {
			w.out.fail(always, reserve)
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.connect("acme", password())
				hinder(w)
				w.acme()
				w.heal()
				w.wantRequests(0)
				w.wantAttempts(0)
			})
		})
	}
}

func TestLoginCannotBeCountedSoNothingIsSent(t *testing.T) {
	bubble(t, func(w *world) {
		w.connect("acme", password())
		w.out.fail(always, countLogin)
		w.expect(w.acme(), rotateapi.Failed, apierr.StoreUnavailable)
		w.status(grant.StatusFailing)
		w.wantRequests(0)
	})
}

func TestAccountBelongsToOneConnection(t *testing.T) {
	bubble(t, func(w *world) {
		w.started(password())
		for _, name := range []string{"second", "third"} {
			w.connect(name, with(password(), "username", "ANN"))
			report := w.renew(rotateapi.Request{Connection: name})
			w.expect(report, rotateapi.Failed, apierr.InvalidConnection)
			if want := "username: its account belongs to connection acme"; report.Err.Message != want {
				t.Errorf("message %q, want %q", report.Err.Message, want)
			}
			if g := w.grant(name); g.Status != grant.StatusInvalidConnection || g.Shard != grant.ShardWaiting {
				t.Errorf("status %s in %q", g.Status, g.Shard)
			}
		}
		w.wantRequests(1)
	})
}

func TestAccountMovesOn(t *testing.T) {
	for name, c := range map[string]struct {
		change func(w *world)
		want   rotateapi.Outcome
	}{
		"the owner's secret is gone":             {func(w *world) { w.disconnect("acme") }, rotateapi.Renewed},
		"the owner's secret names another user":  {func(w *world) { w.connect("acme", with(password(), "username", "ben")) }, rotateapi.Renewed},
		"the owner's secret names another host":  {func(w *world) { w.connect("acme", with(password(), "auth_url", otherURL)) }, rotateapi.Renewed},
		"the owner has another grant type":       {func(w *world) { w.connect("acme", clientCredentials()) }, rotateapi.Renewed},
		"the owner's secret cannot be read":      {func(w *world) { w.connectText("acme", "{") }, rotateapi.Failed},
		"the owner still names it":               {func(*world) {}, rotateapi.Failed},
		"the store is out of order at that time": {func(w *world) { w.out.before = failSecond(readSecret) }, rotateapi.Failed},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.started(password())
				c.change(w)
				w.connect("second", password())
				report := w.renew(rotateapi.Request{Connection: "second"})
				if report.Outcome != c.want {
					t.Errorf("outcome %s (%v), want %s", report.Outcome, report.Err, c.want)
				}
			})
		})
	}
}

// failSecond fails the second call of an operation.
func failSecond(second string) func(op string) error {
	n := 0
	return func(op string) error {
		if op == second {
			n++
			if n == 2 {
				return errDown
			}
		}
		return nil
	}
}

// Another connection is faster in taking over a claim.
func TestAccountMovesOnToAnother(t *testing.T) {
	bubble(t, func(w *world) {
		w.started(password())
		w.disconnect("acme")
		w.connect("second", password())
		w.connect("third", password())
		w.out.before = func(op string) error {
			if op == moveClaim {
				return w.table.MoveClaim(w.t.Context(), w.parsed("second").AccountHash(), "acme", "third")
			}
			return nil
		}
		report := w.renew(rotateapi.Request{Connection: "second"})
		w.expect(report, rotateapi.Failed, apierr.InvalidConnection)
	})
}

// The count belongs to the credentials, whichever connection owns the account.
func TestAccountMovesOnWithItsCount(t *testing.T) {
	bubble(t, func(w *world) {
		w.connect("acme", wrongPassword())
		w.force()
		w.force()
		w.disconnect("acme")
		w.connect("second", wrongPassword())
		w.expect(w.renew(rotateapi.Request{Connection: "second"}), rotateapi.Failed, apierr.CredentialsRejected)
		w.wantRefused(2)
	})
}
