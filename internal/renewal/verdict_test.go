package renewal_test

import (
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/fault"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/rotation"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// verdictCase is one row of the table of answers, seen from a grant that is
// due.
type verdictCase struct {
	fault   reltioauthtest.Fault
	outcome rotation.Outcome
	status  grant.Status
	err     fault.Type
	message string
	shard   grant.Shard
	retry   time.Duration
}

func waitingCase(f reltioauthtest.Fault, s grant.Status, e fault.Type, message string) verdictCase {
	return verdictCase{f, rotation.Failed, s, e, message, grant.ShardWaiting, 5 * time.Minute}
}

func failingCase(f reltioauthtest.Fault, e fault.Type, message string) verdictCase {
	return verdictCase{f, rotation.Failed, grant.StatusFailing, e, message, grant.ShardDue, 30 * time.Second}
}

// anyRequest are the rows that are the same for logins and refreshes.
func anyRequest() map[string]verdictCase {
	f := func(kind reltioauthtest.FaultKind, status int) reltioauthtest.Fault {
		return reltioauthtest.Fault{Kind: kind, Status: status}
	}
	down, unusable := "Reltio did not answer", "Reltio's answer has no usable token"
	return map[string]verdictCase{
		"invalid_request":        waitingCase(says(400, "invalid_request"), grant.StatusInvalidConnection, fault.InvalidConnection, "server: invalid_request"),
		"invalid_scope":          waitingCase(says(400, "invalid_scope"), grant.StatusInvalidConnection, fault.InvalidConnection, "server: invalid_scope"),
		"unsupported_grant_type": waitingCase(says(400, "unsupported_grant_type"), grant.StatusInvalidConnection, fault.InvalidConnection, "server: unsupported_grant_type"),
		"state token": waitingCase(reltioauthtest.Fault{
			Kind: reltioauthtest.FaultStatus, Status: 200,
			Body: `{"expires_in":599,"state_token":{"token":"t"}}`,
		}, grant.StatusMFARequired, fault.MFARequired,
			"the user needs a second factor; use client credentials or the authorization code flow"),
		"429":               failingCase(f(reltioauthtest.FaultRateLimit, 0), fault.RateLimited, "retry after 30 s"),
		"500":               failingCase(f(reltioauthtest.FaultStatus, 500), fault.ReltioUnavailable, "Reltio answered with status 500"),
		"503":               failingCase(f(reltioauthtest.FaultStatus, 503), fault.ReltioUnavailable, "Reltio answered with status 503"),
		"503 invalid_grant": failingCase(says(503, "invalid_grant"), fault.ReltioUnavailable, "Reltio answered with status 503"),
		"404":               failingCase(says(404, "not_found"), fault.ReltioUnavailable, "Reltio answered with status 404"),
		"web page":          failingCase(f(reltioauthtest.FaultHTML, 200), fault.ReltioUnavailable, "Reltio answered with status 200"),
		"web page 401":      failingCase(f(reltioauthtest.FaultHTML, 401), fault.ReltioUnavailable, "Reltio answered with status 401"),
		"empty":             failingCase(f(reltioauthtest.FaultEmpty, 200), fault.ReltioUnavailable, unusable),
		"no token":          failingCase(reltioauthtest.Fault{Kind: reltioauthtest.FaultStatus, Status: 200, Body: `{"expires_in":3600}`}, fault.ReltioUnavailable, unusable),
		"cut":               failingCase(f(reltioauthtest.FaultCut, 0), fault.ReltioUnavailable, down),
	}
}

func (c verdictCase) check(w *world, got grantReport) {
	w.t.Helper()
	w.expect(got.Report, c.outcome, c.err)
	g := got.Grant
	if got.Err.Message != c.message || g.LastErrorMessage != c.message && c.err != fault.RateLimited {
		w.t.Errorf("message %q, stored %q, want %q", got.Err.Message, g.LastErrorMessage, c.message)
	}
	if g.Status != c.status || g.LastError != c.err || g.Shard != c.shard || g.Failures != 1 {
		w.t.Errorf("status %s, last error %s, shard %q, %d failures: want %s, %s, %q, 1",
			g.Status, g.LastError, g.Shard, g.Failures, c.status, c.err, c.shard)
	}
	if want := time.Now().Add(c.retry); !near(g.RetryAt, want) || !near(g.DueAt, want) {
		w.t.Errorf("retry at %v, due at %v, want %v", g.RetryAt, g.DueAt, want)
	}
}

func TestAnswerToLogin(t *testing.T) {
	rows := anyRequest()
	refused := "Reltio refused the user or the client"
	for _, code := range []string{"invalid_grant", "invalid_client", "unauthorized", "unauthorized_client"} {
		rows[code] = failingCase(says(400, code), fault.CredentialsRejected, refused)
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.connect("acme", password())
				w.answer(row.fault, reltioauthtest.OpToken)
				row.check(w, grantReport{w.acme(), w.grant("acme")})
				w.wantRequests(1)
			})
		})
	}
}

func TestAnswerToRefresh(t *testing.T) {
	rows := anyRequest()
	for _, code := range []string{"invalid_client", "unauthorized", "unauthorized_client"} {
		rows[code] = failingCase(says(401, code), fault.CredentialsRejected, "Reltio refused the user or the client")
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.started(password())
				w.answer(row.fault, reltioauthtest.OpToken)
				row.check(w, grantReport{w.atDue(), w.grant("acme")})
				w.wantRequests(2)
				if g := w.grant("acme"); !g.Living(time.Now()) {
					t.Error("the living token is gone")
				}
				// It comes back by itself.
				w.heal()
				time.Sleep(61 * time.Minute)
				w.expect(w.acme(), rotation.Renewed, "")
				if g := w.status(grant.StatusOK); g.Failures != 0 || g.LastError != "" || g.Shard != grant.ShardDue {
					t.Errorf("grant %+v, want healthy", g)
				}
			})
		})
	}
}

// A dead refresh token: a login of its own pass, or a person.
func TestDeadRefreshToken(t *testing.T) {
	for name, status := range map[string]int{"invalid_grant": 400, "invalid_token": 401} {
		t.Run(name+", password", func(t *testing.T) {
			bubble(t, func(w *world) {
				g := w.started(password())
				w.server.Kill(g.RefreshFingerprint)
				w.behave(func(b *reltioauthtest.Behaviour) { b.DeadRefreshStatus = status })
				time.Sleep(time.Until(g.ExpiresAt.Add(time.Second)))
				w.expect(w.acme(), rotation.Renewed, "")
				next := w.status(grant.StatusOK)
				if next.RefreshFingerprint == g.RefreshFingerprint || !next.LoggedInAt.After(g.LoggedInAt) {
					t.Errorf("refresh token %s, want a new one", next.RefreshFingerprint)
				}
				w.wantRequests(3)
			})
		})
		t.Run(name+", authorization code", func(t *testing.T) {
			bubble(t, func(w *world) {
				g := w.started(authorizationCode())
				w.answer(says(status, name), reltioauthtest.OpToken)
				w.expect(w.atDue(), rotation.Reauthorize, fault.ReauthorizationRequired)
				w.status(grant.StatusReauthorize)
				w.wantRequests(2)
				// The refresh token is kept and tried hourly.
				time.Sleep(50 * time.Minute)
				w.expect(w.acme(), rotation.Unchanged, fault.ReauthorizationRequired)
				w.wantRequests(2)
				w.heal()
				time.Sleep(11 * time.Minute)
				w.expect(w.acme(), rotation.Renewed, "")
				if next := w.status(grant.StatusOK); next.RefreshFingerprint != g.RefreshFingerprint {
					t.Errorf("refresh token %s, want %s", next.RefreshFingerprint, g.RefreshFingerprint)
				}
			})
		})
	}
}

// The back-off doubles to five minutes, and never lasts longer than a quarter
// of the token's life.
func TestBackOff(t *testing.T) {
	for name, c := range map[string]struct {
		life time.Duration
		want []int // whole seconds
	}{
		"an hour":     {time.Hour, []int{30, 60, 120, 240, 300, 300}},
		"two minutes": {2 * time.Minute, []int{30, 30, 30}},
		"ten seconds": {10 * time.Second, []int{2, 2}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.server.Configure(func(cfg *reltioauthtest.Config) { cfg.Clients[0].AccessTokenTTL = c.life })
				g := w.started(clientCredentials())
				w.server.Outage(reltioauthtest.Outage{Fault: reltioauthtest.Fault{Kind: reltioauthtest.FaultUnreachable}})
				time.Sleep(time.Until(g.ExpiresAt.Add(time.Second)))
				for i, want := range c.want {
					w.expect(w.acme(), rotation.Failed, fault.ReltioUnavailable)
					g := w.grant("acme")
					got := time.Until(g.RetryAt)
					if int(got.Seconds()) != want || g.Failures != i+1 {
						t.Errorf("failure %d: %v, want %d s", g.Failures, got, want)
					}
					time.Sleep(got)
				}
			})
		})
	}
}
