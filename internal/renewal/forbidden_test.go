package renewal_test

import (
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lockout"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// loggedInBefore counts logins of the user that came to an outcome.
func (w *world) loggedInBefore(times int, o lockout.Outcome) {
	w.t.Helper()
	c := w.parsed("acme")
	try := lockout.Try{
		AccountHash: c.AccountHash(), CredentialsHash: c.CredentialsHash(), Connection: c.Name,
		Limit: lockout.MaxAttempts, Now: time.Now(), Forced: true,
	}
	for range times {
		if _, err := w.table.CountLogin(w.t.Context(), try); err != nil {
			w.t.Fatal(err)
		}
		if err := w.table.SettleLogin(w.t.Context(), try, o); err != nil {
			w.t.Fatal(err)
		}
	}
}

// answerBoth lets refreshes and logins end in a fault each.
func (w *world) answerBoth(refresh, login reltioauthtest.Fault) {
	w.server.Configure(func(cfg *reltioauthtest.Config) {
		cfg.Fault = func(r reltioauthtest.Request) reltioauthtest.Fault {
			switch {
			case r.Op != reltioauthtest.OpToken:
				return reltioauthtest.Fault{}
			case r.GrantType == "refresh_token":
				return refresh
			default:
				return login
			}
		}
	})
}

// A refresh token is refused in unclear words, and the login that is to replace it
// may not be sent, whatever the reason: the refresh is tried again at pauses of
// minutes, or of an hour where a person or an operator is told; the reason that is
// told is the login's; the count of the refresh token's refusals goes on; no login
// is sent beyond the limits; and once the refresh is accepted all is well.
func TestUnclearRefreshWhileTheLoginIsForbidden(t *testing.T) {
	unclear := says(401, "unauthorized")
	factor := reltioauthtest.Fault{Kind: reltioauthtest.FaultStatus, Status: 200, Body: `{"state_token":{"token":"t"}}`}
	for name, c := range map[string]struct {
		times  int             // logins before
		came   lockout.Outcome // what they came to
		login  reltioauthtest.Fault
		err    apierr.Type // of all renewals but the first
		status grant.Status
		counts counts
	}{
		"refused for the last time before":   {2, lockout.Refused, unclear, apierr.CredentialsRejected, grant.StatusCredentialsRejected, counts{2, 0}},
		"refused for the last time now":      {1, lockout.Refused, says(400, "invalid_grant"), apierr.CredentialsRejected, grant.StatusCredentialsRejected, counts{2, 0}},
		"unclear at the day's limit before":  {4, lockout.Unclear, unclear, apierr.ReltioUnavailable, grant.StatusFailing, counts{0, 4}},
		"unclear at the day's limit now":     {3, lockout.Unclear, unclear, apierr.ReltioUnavailable, grant.StatusFailing, counts{0, 4}},
		"unclear, and paused":                {3, lockout.Unclear, unclear, apierr.ReltioUnavailable, grant.StatusFailing, counts{0, 3}},
		"a second factor is asked for":       {0, lockout.Unclear, factor, apierr.ReltioUnavailable, grant.StatusFailing, counts{0, 0}},
		"a second factor after an unclear":   {1, lockout.Unclear, factor, apierr.ReltioUnavailable, grant.StatusFailing, counts{0, 1}},
		"a second factor at the day's limit": {4, lockout.Unclear, factor, apierr.ReltioUnavailable, grant.StatusFailing, counts{0, 4}},
	} {
		for why, prepare := range map[string]func(w *world){
			"the refresh token is refused": func(*world) {},
			"the refresh token is old":     (*world).toRelogin,
		} {
			t.Run(name+", "+why, func(t *testing.T) {
				bubble(t, func(w *world) {
					w.started(halfDay())
					prepare(w)
					w.due()
					w.loggedInBefore(c.times, c.came)
					if c.counts.unclear > c.times { // the next one may be sent
						time.Sleep(time.Hour)
					}
					w.answerBoth(unclear, c.login)
					began, last := time.Now(), w.grant("acme")
					for time.Since(began) < 50*time.Minute {
						w.acme()
						g := w.grant("acme")
						settled := time.Since(began) > 20*time.Minute
						if settled && g.Status != c.status {
							t.Fatalf("status %s after %v, want %s", g.Status, time.Since(began), c.status)
						}
						if settled && c.status == grant.StatusFailing && g.Refusals <= last.Refusals {
							t.Errorf("%d refusals of the refresh token in a row after %d", g.Refusals, last.Refusals)
						}
						if wait := time.Until(g.Due()); wait > 5*time.Minute {
							t.Fatalf("it is not looked at for %v", wait)
						}
						if settled && g.LastError != c.err {
							t.Errorf("%s is told, want %s", g.LastError, c.err)
						}
						last = g
						time.Sleep(time.Until(g.Due()))
					}
					w.wantCounts(c.counts)
					w.answerBoth(reltioauthtest.Fault{}, c.login)
					for !w.grant("acme").Valid(time.Now()) {
						w.atDue()
						if time.Since(began) > 2*time.Hour {
							t.Fatalf("%s, though the refresh is accepted", w.grant("acme").Status)
						}
					}
					if g := w.grant("acme"); g.Refusals != 0 || g.Waiting() || !w.server.Valid(g.AccessToken) {
						t.Errorf("%s with %d refusals", g.Status, g.Refusals)
					}
				})
			})
		}
	}
}
