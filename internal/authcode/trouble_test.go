package authcode_test

import (
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/authcode"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// A code that Reltio has accepted clears the marks of its host.
func TestASuccessClearsTheHostsTrouble(t *testing.T) {
	bubble(t, func(w *world) {
		_, _ = w.table.Refused(t.Context(), host, "other", time.Now())
		w.expect(w.journey(w.invite(), "ann"), authcode.Done)
		w.wantUntroubled()
	})
	bubble(t, func(w *world) { // though it be another's
		_, _ = w.table.Refused(t.Context(), host, "other", time.Now())
		w.connect("acme", with(secret(), "expected_user", "ben"))
		w.expect(w.journey(w.invite(), "ann"), authcode.WrongUser)
		w.wantUntroubled()
	})
	bubble(t, func(w *world) { // though the reservation take so long that the pause is not read again
		_, _ = w.table.Refused(t.Context(), host, "other", time.Now())
		cb := w.login(w.begin(w.invite()), "ann")
		w.out.before = sleeping("Reserve", 200*time.Millisecond)
		w.answer(reltioauthtest.OpCheckToken, says(500, "server_error"))
		w.expect(w.complete(cb), authcode.Done)
		w.wantUntroubled()
	})
	bubble(t, func(w *world) { // even if a request is refused while the code is sent
		cb := w.login(w.begin(w.invite()), "ann")
		w.answer(reltioauthtest.OpToken, reltioauthtest.Fault{Hold: 2 * time.Second})
		w.out.after = waiting(func() {
			if w.exchanges() == 0 {
				_, _ = w.table.Refused(t.Context(), host, "other", time.Now())
			}
		})
		w.expect(w.complete(cb), authcode.Done)
		w.wantUntroubled()
	})
}

// The host's record fails: the login is done, and the result says why what the record holds
// against the host stays.
func TestTheHostsRecordFails(t *testing.T) {
	for _, failed := range []string{"Budget", "Succeeded"} {
		t.Run(failed, func(t *testing.T) {
			bubble(t, func(w *world) {
				_, _ = w.table.Refused(t.Context(), host, "other", time.Now())
				cb := w.login(w.begin(w.invite()), "ann")
				exchanged := false
				w.out.before = func(op string) error {
					exchanged = exchanged || w.exchanges() > 0
					if exchanged && op == failed {
						return errDown()
					}
					return nil
				}
				if a := w.complete(cb); a.Outcome != authcode.Done || a.HostErr == nil {
					t.Errorf("outcome %s, host error %v, want done and an error", a.Outcome, a.HostErr)
				}
			})
		})
	}
}

func (w *world) wantUntroubled() {
	w.t.Helper()
	if r, err := w.table.Budget(w.t.Context(), host); err != nil || r.Troubled() {
		w.t.Errorf("record %s, %v", r, err)
	}
}
