package renewal_test

import (
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
)

// A process whose clock is ahead renews before anybody else would, and dates what
// comes of it by that clock. The index leads the next sweep there at the moment at
// which the grant is due, whatever came of it.
func TestSweepSeesWhatAWrongClockHasRenewed(t *testing.T) {
	dead := func(g grant.Grant) grant.Grant { return g.CheckedAs(grant.Inactive, time.Now()).Indexed(time.Now()) }
	for name, test := range map[string]struct {
		before  func(w *world)
		outcome rotateapi.Outcome
	}{
		"a new token":            {func(*world) {}, rotateapi.Renewed},
		"a store fails":          {func(w *world) { w.out.fail(always, readSecret) }, rotateapi.Failed},
		"a token was found dead": {func(w *world) { w.put(dead(w.grant("acme"))); w.out.fail(always, readSecret) }, rotateapi.Failed},
	} {
		for _, ahead := range []time.Duration{3 * time.Hour, 24 * time.Hour} {
			t.Run(name+" "+ahead.String(), func(t *testing.T) {
				bubble(t, func(w *world) {
					due := w.started(password()).Due()
					test.before(w)
					wrong := w.fresh()
					wrong.Now = func() time.Time { return time.Now().Add(ahead) }
					if got := wrong.Renew(w.t.Context(), rotateapi.Request{Connection: "acme"}); got.Outcome != test.outcome {
						w.t.Fatalf("%s, want %s", got.Outcome, test.outcome)
					}
					w.heal()
					time.Sleep(time.Until(due.Add(time.Minute)))
					w.sweep()
					if g := w.grant("acme"); !g.Valid(time.Now()) || g.Believed(time.Now()).Doubted || g.DueAt.Before(time.Now()) {
						w.t.Errorf("%s until %s, indexed at %s, want it renewed", g.Status, g.RetryAt, g.DueAt)
					}
				})
			})
		}
	}
}

// put writes a grant as an operator would.
func (w *world) put(g grant.Grant) {
	w.t.Helper()
	held := w.seize()
	if err := w.table.PutGrant(w.t.Context(), held, g); err != nil {
		w.t.Fatal(err)
	}
	if err := w.table.ReleaseLease(w.t.Context(), held); err != nil {
		w.t.Fatal(err)
	}
}
