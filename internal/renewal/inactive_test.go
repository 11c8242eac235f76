package renewal_test

import (
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// The token was found inactive, and its refresh token is inactive too: until a login has
// given another one it counts as inactive.
func TestReportedTokenIsInactiveAndItsRefreshTokenToo(t *testing.T) {
	bubble(t, func(w *world) {
		g := w.started(password())
		w.server.Kill(g.Fingerprint)
		w.server.Kill(g.RefreshFingerprint)
		time.Sleep(time.Minute)
		began := time.Now()
		w.out.before = func(op string) error {
			if op == sendToken {
				time.Sleep(time.Second)
				if w.grant("acme").CheckVerdict != grant.Inactive {
					t.Error("it does not count as found inactive")
				}
			}
			return nil
		}
		w.expect(w.reject(), rotateapi.Renewed, "")
		w.wantAsked(began, "checkToken", "refresh_token", "password")
	})
}

// Found inactive, and then Reltio is down: after the back-off it is renewed without
// another check.
func TestReportedTokenIsInactiveAndReltioDown(t *testing.T) {
	bubble(t, func(w *world) {
		w.renewer.Rand = func() float64 { return 0.99 }
		g := w.started(password())
		w.server.Kill(g.Fingerprint)
		w.answer(says(503, "server_error"), reltioauthtest.OpToken)
		time.Sleep(time.Minute)
		began := time.Now()
		w.expect(w.reject(), rotateapi.Failed, apierr.ReltioUnavailable)
		w.expect(w.reject(), rotateapi.Unchanged, apierr.ReltioUnavailable) // it counts as ended
		w.wantAsked(began, "checkToken", "refresh_token")
		w.heal()
		next := w.grant("acme")
		if !next.RetryAt.Before(next.CheckedAt.Add(grant.CheckEvery)) {
			t.Fatalf("retry at %v", next.RetryAt)
		}
		time.Sleep(time.Until(next.RetryAt))
		w.expect(w.reject(), rotateapi.Renewed, "")
		w.wantAsked(began, "checkToken", "refresh_token", "refresh_token")
	})
}

// A token that was found inactive and could not be replaced counts as ended, for those
// who report it and for all others: they get the error of the renewal.
func TestInactiveTokenThatCannotBeReplaced(t *testing.T) {
	factor := reltioauthtest.Fault{Kind: reltioauthtest.FaultStatus, Status: 200, Body: `{"state_token":{"token":"t"}}`}
	for name, c := range map[string]struct {
		fields  map[string]any
		fault   reltioauthtest.Fault
		outcome rotateapi.Outcome
		err     apierr.Type
		status  grant.Status
	}{
		"a person is needed":    {authorizationCode(), says(400, "invalid_grant"), rotateapi.Reauthorize, apierr.ReauthorizationRequired, grant.StatusReauthorize},
		"told as invalid_token": {authorizationCode(), says(401, "invalid_token"), rotateapi.Reauthorize, apierr.ReauthorizationRequired, grant.StatusReauthorize},
		"the user is refused":   {password(), says(400, "invalid_grant"), rotateapi.Failed, apierr.CredentialsRejected, grant.StatusFailing},
		"a second factor":       {password(), factor, rotateapi.Failed, apierr.MFARequired, grant.StatusMFARequired},
		"the client is refused": {clientCredentials(), says(401, "invalid_client"), rotateapi.Failed, apierr.CredentialsRejected, grant.StatusFailing},
		"the scope is refused":  {clientCredentials(), says(400, "invalid_scope"), rotateapi.Failed, apierr.InvalidConnection, grant.StatusInvalidConnection},
		"the host is down":      {password(), says(503, "server_error"), rotateapi.Failed, apierr.ReltioUnavailable, grant.StatusFailing},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				g := w.started(c.fields)
				w.server.Kill(g.Fingerprint)
				w.answer(c.fault, reltioauthtest.OpToken)
				time.Sleep(time.Minute)
				w.expect(w.reject(), c.outcome, c.err)
				for range 3 {
					next := w.status(c.status)
					if next.Valid(time.Now()) || next.CheckVerdict != grant.Inactive {
						t.Fatalf("the inactive token is handed out, verdict %q", next.CheckVerdict)
					}
					if e := next.Error(time.Now()); e == nil || e.Type != c.err {
						t.Errorf("callers get %v, want %s", e, c.err)
					}
					again := rotateapi.Unchanged
					if c.err == apierr.ReltioUnavailable {
						time.Sleep(ratelimit.DownProbeEvery) // then the host is asked again
						again = rotateapi.Failed
					}
					w.expect(w.reject(), again, c.err)
					w.expect(w.acme(), rotateapi.Unchanged, c.err)
					time.Sleep(9 * time.Second)
				}
				w.heal()
				if c.status == grant.StatusMFARequired {
					w.connect("acme", with(c.fields, "scope", "s")) // nothing else ends the wait
				}
				time.Sleep(61 * time.Minute)
				w.renewer = w.fresh()
				w.expect(w.acme(), rotateapi.Renewed, "")
				if next := w.status(grant.StatusOK); !w.server.Valid(next.AccessToken) || next.CheckVerdict != grant.Unchecked {
					t.Errorf("verdict %q", next.CheckVerdict)
				}
			})
		})
	}
}
