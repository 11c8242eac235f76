package renewal_test

import (
	"strings"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/account"
	"github.com/reltio-tokens/reltio-tokens/internal/fault"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/rotation"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// refused counts the user's refused logins, ever.
func (w *world) refused() int { return w.server.RefusedLogins("ann", time.Time{}, time.Time{}) }

func (w *world) wantRefused(want int) {
	w.t.Helper()
	if got := w.refused(); got != want {
		w.t.Fatalf("%d refused logins, want %d", got, want)
	}
}

// attempts is what the account's record has left for the present credentials:
// how often a login may still be counted.
func (w *world) attempts() int {
	w.t.Helper()
	c, n := w.parsed("acme"), 0
	try := account.Try{
		Account: c.Account(), Credentials: c.Credentials(), Connection: c.Name,
		Limit: account.MaxAttempts, Now: time.Now(), Hourly: !c.HasUser(),
	}
	for {
		if _, err := w.table.CountLogin(w.t.Context(), try); err != nil {
			break
		}
		n++
	}
	for range n {
		if err := w.table.UncountLogin(w.t.Context(), try); err != nil {
			w.t.Fatal(err)
		}
	}
	return account.MaxAttempts - n
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
		w.expect(w.acme(), rotation.Failed, fault.CredentialsRejected)
		g := w.status(grant.StatusFailing)
		if want := time.Now().Add(30 * time.Second); !near(g.RetryAt, want) || g.Shard != grant.ShardDue {
			t.Errorf("retry at %v in %q, want %v in due", g.RetryAt, g.Shard, want)
		}
		report := w.force()
		w.expect(report, rotation.Failed, fault.CredentialsRejected)
		if !strings.HasSuffix(report.Err.Message, "stopped to prevent a lock-out") {
			t.Errorf("message %q", report.Err.Message)
		}
		g = w.status(grant.StatusCredentialsRejected)
		if want := time.Now().Add(5 * time.Minute); !near(g.RetryAt, want) || g.Shard != grant.ShardWaiting {
			t.Errorf("retry at %v in %q, want %v in waiting", g.RetryAt, g.Shard, want)
		}
		for i := range 20 {
			time.Sleep(time.Duration(i) * 20 * time.Minute)
			w.expect(w.force(), rotation.Failed, fault.CredentialsRejected)
		}
		w.wantRefused(2)
		if w.server.Locked("ann") {
			t.Error("the user is locked")
		}
	})
}

// A refresh whose client is refused is sent twice, then once an hour, whatever is
// forced; what comes between two refusals and says nothing does not count.
func TestRefusedClientRefreshesTwiceWhateverIsForced(t *testing.T) {
	for name, fields := range map[string]map[string]any{"user": password(), "person": authorizationCode()} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.started(fields)
				w.due()
				began := time.Now()
				sent := func(want int) {
					t.Helper()
					if got := len(w.asked(began)); got != want {
						t.Fatalf("%d requests, want %d", got, want)
					}
				}
				w.refuseAll()
				w.expect(w.acme(), rotation.Failed, fault.CredentialsRejected)
				w.busy(time.Now().Add(8 * time.Second))
				w.expect(w.force(), rotation.LeftOver, fault.RateLimited)
				w.status(grant.StatusFailing)
				time.Sleep(10 * time.Second)
				w.out.fail(always, vaultCurrent)
				for range 2 {
					w.expect(w.force(), rotation.Failed, fault.StoreUnavailable)
				}
				w.heal()
				w.refuseAll()
				for range 10 {
					w.expect(w.force(), rotation.Failed, fault.CredentialsRejected)
				}
				w.status(grant.StatusCredentialsRejected)
				sent(2)
				time.Sleep(59 * time.Minute)
				w.force()
				sent(2)
				time.Sleep(time.Minute)
				w.force()
				w.force()
				sent(3)
				w.heal()
				w.connect("acme", with(fields, "scope", "entities_api")) // a new version
				w.expect(w.force(), rotation.Renewed, "")
				w.status(grant.StatusOK)
			})
		})
	}
}

// A success between two refusals, though it be of no use, ends the row.
func TestRefusalsOfRefreshesWithASuccessBetweenThem(t *testing.T) {
	bubble(t, func(w *world) {
		w.started(password())
		w.due()
		for _, f := range []reltioauthtest.FaultKind{
			reltioauthtest.FaultInvalidClient, reltioauthtest.FaultTruncate, reltioauthtest.FaultInvalidClient,
		} {
			w.answer(reltioauthtest.Fault{Kind: f}, reltioauthtest.OpToken)
			w.force()
			w.status(grant.StatusFailing)
		}
		w.force()
		w.status(grant.StatusCredentialsRejected)
	})
}

// Nobody forces anything: sweeps for two days leave it at two as well.
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
		w.expect(w.acme(), rotation.Failed, fault.CredentialsRejected)
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
		w.expect(w.acme(), rotation.Unchanged, fault.CredentialsRejected) // not looked at yet
		w.expect(w.atDue(), rotation.Renewed, "")
		w.status(grant.StatusOK)
		w.wantAttempts(0)
		w.wantRefused(2)
	})
}

// What an answer leaves counted of a login.
func TestLoginCount(t *testing.T) {
	f := func(kind reltioauthtest.FaultKind) reltioauthtest.Fault { return reltioauthtest.Fault{Kind: kind} }
	for name, c := range map[string]struct {
		fault reltioauthtest.Fault
		want  int
	}{
		"success":              {f(reltioauthtest.FaultNone), 0},
		"refused":              {says(400, "invalid_grant"), 1},
		"refused client":       {says(401, "invalid_client"), 1},
		"unauthorized":         {says(401, "unauthorized"), 1},
		"unauthorized client":  {says(400, "unauthorized_client"), 1},
		"cut after it arrived": {f(reltioauthtest.FaultCut), 1},
		"cut after acting":     {reltioauthtest.Fault{Kind: reltioauthtest.FaultCut, Acted: true}, 1},
		"success, cut off":     {f(reltioauthtest.FaultTruncate), 0},
		"no answer in time":    {reltioauthtest.Fault{Delay: time.Minute}, 1},
		"500":                  {reltioauthtest.Fault{Kind: reltioauthtest.FaultStatus, Status: 500}, 0},
		"503":                  {f(reltioauthtest.FaultStatus), 0},
		"web page":             {f(reltioauthtest.FaultHTML), 0},
		"web page with 400":    {reltioauthtest.Fault{Kind: reltioauthtest.FaultHTML, Status: 400}, 0},
		"empty":                {f(reltioauthtest.FaultEmpty), 0},
		"429":                  {f(reltioauthtest.FaultRateLimit), 0},
		"invalid scope":        {says(400, "invalid_scope"), 0},
		"unknown word":         {says(400, "server_error"), 0},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.connect("acme", password())
				w.answer(c.fault, reltioauthtest.OpToken)
				w.acme()
				w.wantRequests(1)
				w.wantAttempts(c.want)
			})
		})
	}
}

// A refusal that breaks off may have been one of the user: nobody saw that it
// was not.
func TestRefusalCutOffStaysCounted(t *testing.T) {
	bubble(t, func(w *world) {
		w.connect("acme", wrongPassword())
		w.answer(reltioauthtest.Fault{Kind: reltioauthtest.FaultTruncate}, reltioauthtest.OpToken)
		w.expect(w.acme(), rotation.Failed, fault.ReltioUnavailable)
		w.wantAttempts(1)
		for range 5 {
			w.force()
		}
		w.wantRefused(2)
		w.status(grant.StatusCredentialsRejected)
	})
}

// A login that is counted and then not sent is taken off again.
func TestLoginNotSentIsNotCounted(t *testing.T) {
	for name, hinder := range map[string]func(w *world){
		"connection lost before a byte left": func(w *world) {
			w.out.fail(always, sendToken)
		},
		"no instant": func(w *world) {
			w.out.before = func(op string) error {
				if op == countLogin {
					w.busy(time.Now().Add(30 * time.Second))
				}
				return nil
			}
		},
		"the budget is out of order": func(w *world) {
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
		w.expect(w.acme(), rotation.Failed, fault.StoreUnavailable)
		w.status(grant.StatusFailing)
		w.wantRequests(0)
	})
}

func TestAccountBelongsToOneConnection(t *testing.T) {
	bubble(t, func(w *world) {
		w.started(password())
		for _, name := range []string{"second", "third"} {
			w.connect(name, with(password(), "username", "ANN"))
			report := w.renew(rotation.Request{Connection: name})
			w.expect(report, rotation.Failed, fault.InvalidConnection)
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
		want   rotation.Outcome
	}{
		"the owner's secret is gone":             {func(w *world) { w.disconnect("acme") }, rotation.Renewed},
		"the owner's secret names another user":  {func(w *world) { w.connect("acme", with(password(), "username", "ben")) }, rotation.Renewed},
		"the owner's secret names another host":  {func(w *world) { w.connect("acme", with(password(), "auth_url", otherURL)) }, rotation.Renewed},
		"the owner has another grant type":       {func(w *world) { w.connect("acme", clientCredentials()) }, rotation.Renewed},
		"the owner's secret cannot be read":      {func(w *world) { w.connectText("acme", "{") }, rotation.Failed},
		"the owner still names it":               {func(*world) {}, rotation.Failed},
		"the store is out of order at that time": {func(w *world) { w.out.before = failSecond(readSecret) }, rotation.Failed},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.started(password())
				c.change(w)
				w.connect("second", password())
				report := w.renew(rotation.Request{Connection: "second"})
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

// Somebody else is faster in taking over a claim.
func TestAccountMovesOnToAnother(t *testing.T) {
	bubble(t, func(w *world) {
		w.started(password())
		w.disconnect("acme")
		w.connect("second", password())
		w.connect("third", password())
		w.out.before = func(op string) error {
			if op == moveClaim {
				return w.table.MoveClaim(w.t.Context(), w.parsed("second").Account(), "acme", "third")
			}
			return nil
		}
		report := w.renew(rotation.Request{Connection: "second"})
		w.expect(report, rotation.Failed, fault.InvalidConnection)
	})
}

// The count belongs to the credentials, whoever owns the account.
func TestAccountMovesOnWithItsCount(t *testing.T) {
	bubble(t, func(w *world) {
		w.connect("acme", wrongPassword())
		w.force()
		w.force()
		w.disconnect("acme")
		w.connect("second", wrongPassword())
		w.expect(w.renew(rotation.Request{Connection: "second"}), rotation.Failed, fault.CredentialsRejected)
		w.wantRefused(2)
	})
}

func TestSecondFactor(t *testing.T) {
	bubble(t, func(w *world) {
		w.server.Configure(func(c *reltioauthtest.Config) { c.Users[0].TOTP = reltioauth.NewSecret("123456") })
		w.connect("acme", password())
		w.expect(w.acme(), rotation.Failed, fault.MFARequired)
		if g := w.status(grant.StatusMFARequired); g.Shard != grant.ShardWaiting || !near(g.RetryAt, time.Now().Add(5*time.Minute)) {
			t.Errorf("retry at %v in %q", g.RetryAt, g.Shard)
		}
		w.wantAttempts(0)
	})
}
