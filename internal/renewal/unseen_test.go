package renewal_test

import (
	"strings"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lockout"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// comesTo lets the next login come to something, and logs in.
func (w *world) comesTo(what string) {
	w.t.Helper()
	crashed := false
	die := func(op string) error {
		if crashed = crashed || op == sendToken; crashed {
			return errKilled
		}
		return nil
	}
	switch what {
	case "killed before it is sent":
		w.out.before = die
	case "killed after it was sent":
		w.out.after = die
		w.out.before = func(string) error {
			if crashed {
				return errKilled
			}
			return nil
		}
	case "refused":
		w.answer(says(400, "invalid_grant"), reltioauthtest.OpToken)
	case "unclear":
		w.answer(says(401, "unauthorized"), reltioauthtest.OpToken)
	case "unavailable":
		w.answer(says(503, "server_error"), reltioauthtest.OpToken)
	}
	w.force()
	w.heal()
	time.Sleep(time.Minute) // a lease that was not given back has ended
}

// A login whose response was not seen may have been refused: it stays counted until a
// success. One such is no reason to stop; two in a row, or one beside a refusal, are,
// and an operator resumes.
func TestLoginsWhoseResponseWasNotSeen(t *testing.T) {
	const before, after, refused, unclear = "killed before it is sent", "killed after it was sent", "refused", "unclear"
	for _, c := range []struct {
		logins []string
		stops  bool
		want   counts // of all that are no success
	}{
		{[]string{before}, false, counts{1, 1}},
		{[]string{after}, false, counts{1, 1}},
		{[]string{refused}, false, counts{1, 0}},
		{[]string{before, "success", before}, false, counts{1, 1}},
		{[]string{before, "unavailable"}, false, counts{1, 1}},
		{[]string{before, unclear}, false, counts{1, 2}},
		{[]string{unclear, before, unclear}, false, counts{1, 3}},
		{[]string{before, before}, true, counts{2, 2}},
		{[]string{before, unclear, before}, true, counts{2, 3}},
		{[]string{before, refused}, true, counts{2, 1}},
		{[]string{refused, before}, true, counts{2, 1}},
		{[]string{refused, refused}, true, counts{2, 0}},
	} {
		t.Run(strings.Join(c.logins, ", "), func(t *testing.T) {
			bubble(t, func(w *world) {
				w.behave(func(b *reltioauthtest.Behaviour) { b.OmitRefreshToken = true })
				w.connect("acme", password())
				for _, what := range c.logins {
					w.comesTo(what)
				}
				w.wantCounts(c.want)
				if !c.stops {
					if report := w.force(); report.Err != nil {
						t.Errorf("%s: %v", report.Outcome, report.Err)
					}
					w.status(grant.StatusOK)
					w.wantCounts(counts{})
					return
				}
				requests := w.requests()
				for range 3 {
					report := w.force()
					w.expect(report, rotateapi.Failed, apierr.CredentialsRejected)
					if !strings.Contains(report.Err.Message, "stopped to prevent a lock-out") {
						t.Errorf("message %q", report.Err.Message)
					}
				}
				w.status(grant.StatusCredentialsRejected)
				w.wantRequests(requests)
				try := lockout.Try{AccountHash: w.parsed("acme").AccountHash(), CredentialsHash: w.parsed("acme").CredentialsHash(), Connection: "acme", Now: time.Now()}
				if err := w.table.SettleLogin(t.Context(), try, lockout.Resumed); err != nil {
					t.Fatal(err)
				}
				w.resume()
				w.expect(w.acme(), rotateapi.Renewed, "")
			})
		})
	}
}

// Four that were unclear or not seen stop for a day, and no operator has to resume.
func TestUnclearAndUnseenLoginsOfADay(t *testing.T) {
	bubble(t, func(w *world) {
		w.connect("acme", password())
		for _, what := range []string{"unclear", "unclear", "killed before it is sent", "unclear"} {
			w.comesTo(what)
		}
		w.wantCounts(counts{1, 4})
		w.expect(w.force(), rotateapi.Failed, apierr.CredentialsRejected)
		for range 25 {
			time.Sleep(time.Hour)
			w.sweep()
		}
		w.status(grant.StatusOK)
		w.wantCounts(counts{})
	})
}

// What is said after crashes alone names no refusal.
func TestStoppedAfterCrashesAlone(t *testing.T) {
	bubble(t, func(w *world) {
		w.connect("acme", password())
		w.comesTo("killed before it is sent")
		w.comesTo("killed before it is sent")
		report := w.force()
		w.expect(report, rotateapi.Failed, apierr.CredentialsRejected)
		if want := "no response to the last logins was seen; stopped to prevent a lock-out"; report.Err.Message != want {
			t.Errorf("message %q, want %q", report.Err.Message, want)
		}
	})
}
