package renewal_test

import (
	"cmp"
	"fmt"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// verdictCase is one row of the table of answers, seen from a grant that is
// due.
type verdictCase struct {
	fault   reltioauthtest.Fault
	outcome rotateapi.Outcome
	status  grant.Status
	err     apierr.Type
	message string
	shard   grant.Shard
	retry   time.Duration
}

func waitingCase(f reltioauthtest.Fault, s grant.Status, e apierr.Type, message string) verdictCase {
	return verdictCase{f, rotateapi.Failed, s, e, message, grant.ShardWaiting, 5 * time.Minute}
}

func failingCase(f reltioauthtest.Fault, e apierr.Type, message string) verdictCase {
	return verdictCase{f, rotateapi.Failed, grant.StatusFailing, e, message, grant.ShardDue, 30 * time.Second}
}

// anyRequest are the rows that are the same for logins and refreshes.
func anyRequest() map[string]verdictCase {
	f := func(kind reltioauthtest.FaultKind, status int) reltioauthtest.Fault {
		return reltioauthtest.Fault{Kind: kind, Status: status}
	}
	down := func(f reltioauthtest.Fault, why string) verdictCase {
		c := failingCase(f, apierr.ReltioUnavailable, "Reltio gave no token: "+why)
		c.retry = ratelimit.DownProbeEvery
		return c
	}
	wrong := func(f reltioauthtest.Fault, code string) verdictCase {
		return waitingCase(f, grant.StatusInvalidConnection, apierr.InvalidConnection, "server: "+code)
	}
	factor := "the user needs a second factor; use client credentials or the authorization code flow"
	return map[string]verdictCase{
		"invalid_request":        wrong(says(400, "invalid_request"), "invalid_request"),
		"invalid_scope":          wrong(says(400, "invalid_scope"), "invalid_scope"),
		"INVALID_SCOPE":          wrong(says(400, "INVALID_SCOPE"), "invalid_scope"),
		"invalid_scope, gzip":    wrong(body(400, packed(`{"error":"invalid_scope"}`)), "invalid_scope"),
		"unsupported_grant_type": wrong(says(400, "unsupported_grant_type"), "unsupported_grant_type"),
		"401 invalid_request":    wrong(says(401, "invalid_request"), "invalid_request"),
		"state token": waitingCase(body(200, `{"expires_in":599,"state_token":{"token":"t"}}`),
			grant.StatusMFARequired, apierr.MFARequired, factor),
		"state token, a text": waitingCase(body(200, `{"state_token":"t"}`), grant.StatusMFARequired, apierr.MFARequired, factor),
		"429":                 failingCase(f(reltioauthtest.FaultRateLimit, 0), apierr.RateLimited, "retry after 30 s"),
		"429 page":            failingCase(f(reltioauthtest.FaultHTML, 429), apierr.RateLimited, "retry after 30 s"),
		"408":                 down(says(408, "invalid_grant"), "HTTP 408"),
		"500":                 down(f(reltioauthtest.FaultStatus, 500), "HTTP 500"),
		"503":                 down(f(reltioauthtest.FaultStatus, 503), "HTTP 503"),
		"503 invalid_grant":   down(says(503, "invalid_grant"), "HTTP 503"),
		"500 page":            down(f(reltioauthtest.FaultHTML, 500), "HTTP 500"),
		"200 page":            down(f(reltioauthtest.FaultHTML, 200), "a web page with HTTP 200: is auth_url right?"),
		"200 empty":           down(f(reltioauthtest.FaultEmpty, 200), "unreadable answer"),
		"200 without a token": down(body(200, `{"expires_in":3600}`), "unreadable answer"),
		"200 cut off":         down(f(reltioauthtest.FaultTruncate, 0), "connection lost"),
		"no response":         down(f(reltioauthtest.FaultCut, 0), "connection lost"),
		"no response in time": down(reltioauthtest.Fault{Delay: time.Minute}, "no answer in 25 s"),
		"a redirect":          failingCase(body(302, "{}"), apierr.ReltioUnavailable, "Reltio gave no token: HTTP 302"),
	}
}

// neither is what is said of an unclear refusal.
func neither(what, summary string) string {
	return "Reltio neither accepted nor clearly refused the " + what + " (" + summary + ")"
}

func (c verdictCase) check(w *world, got grantReport) {
	w.t.Helper()
	w.expect(got.Report, c.outcome, c.err)
	g := got.Grant
	if got.Err.Message != c.message || g.LastErrorMessage != c.message && c.err != apierr.RateLimited {
		w.t.Errorf("message %q, stored %q, want %q", got.Err.Message, g.LastErrorMessage, c.message)
	}
	if g.Status != c.status || g.LastError != c.err || g.Shard != c.shard || g.Failures != 1 {
		w.t.Errorf("status %s, last error %s, shard %q, %d failures: want %s, %s, %q, 1",
			g.Status, g.LastError, g.Shard, g.Failures, c.status, c.err, c.shard)
	}
	want := time.Now().Add(c.retry)
	due := want
	if g.Valid(time.Now()) && !g.Waiting() { // asked for before its time
		due = g.ExpiresAt.Add(time.Second)
	}
	if !near(g.RetryAt, want) || !near(g.DueAt, due) {
		w.t.Errorf("retry at %v, due at %v, want %v and %v", g.RetryAt, g.DueAt, want, due)
	}
}

func TestResponseToLoginOfAUser(t *testing.T) {
	rows := anyRequest()
	refused := func(f reltioauthtest.Fault, whose, summary string) verdictCase {
		return failingCase(f, apierr.CredentialsRejected, "Reltio refused "+whose+" ("+summary+")")
	}
	both := "the user or the client"
	rows["400 invalid_grant"] = refused(says(400, "invalid_grant"), "the user", "invalid_grant, HTTP 400")
	rows["400 Invalid_Grant"] = refused(says(400, "Invalid_Grant"), "the user", "invalid_grant, HTTP 400")
	rows["400 invalid_client"] = refused(says(400, "invalid_client"), "the client", "invalid_client, HTTP 400")
	rows["400 unauthorized"] = refused(says(400, "unauthorized"), "the client", "unauthorized, HTTP 400")
	rows["400 unauthorized_client"] = refused(says(400, "unauthorized_client"), "the client", "unauthorized_client, HTTP 400")
	rows["400 management"] = refused(body(400, `{"errorCode":400,"errorMessage":"no"}`), both, "no OAuth error, HTTP 400")
	rows["400 page"] = refused(reltioauthtest.Fault{Kind: reltioauthtest.FaultHTML, Status: 400}, both, "no OAuth error, HTTP 400")
	rows["400 empty"] = refused(reltioauthtest.Fault{Kind: reltioauthtest.FaultEmpty, Status: 400}, both, "no OAuth error, HTTP 400")
	unclear := func(f reltioauthtest.Fault, summary string) verdictCase {
		c := failingCase(f, apierr.ReltioUnavailable, neither("login", summary))
		c.retry = 2 * time.Minute
		return c
	}
	rows["401 unauthorized"] = unclear(says(401, "unauthorized"), "unauthorized, HTTP 401")
	rows["401 invalid_client"] = unclear(says(401, "invalid_client"), "invalid_client, HTTP 401")
	rows["401 invalid_grant"] = unclear(says(401, "invalid_grant"), "invalid_grant, HTTP 401")
	rows["401 page"] = unclear(reltioauthtest.Fault{Kind: reltioauthtest.FaultHTML, Status: 401}, "no OAuth error, HTTP 401")
	rows["403 page"] = unclear(reltioauthtest.Fault{Kind: reltioauthtest.FaultHTML, Status: 403}, "no OAuth error, HTTP 403")
	rows["404"] = unclear(says(404, "not_found"), "no OAuth error, HTTP 404")
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

func TestResponseToLoginOfAClient(t *testing.T) {
	rows := anyRequest()
	refused := func(f reltioauthtest.Fault, summary string) verdictCase {
		return failingCase(f, apierr.CredentialsRejected, "Reltio refused the client ("+summary+")")
	}
	for _, code := range []string{"invalid_client", "unauthorized", "unauthorized_client"} {
		rows["401 "+code] = refused(says(401, code), code+", HTTP 401")
		rows["400 "+code] = refused(says(400, code), code+", HTTP 400")
	}
	rows["401 Unauthorized"] = refused(body(401, `{"status":401,"error":"Unauthorized"}`), "unauthorized, HTTP 401")
	rows["401 page"] = refused(reltioauthtest.Fault{Kind: reltioauthtest.FaultHTML, Status: 401}, "no OAuth error, HTTP 401")
	rows["401 empty"] = refused(reltioauthtest.Fault{Kind: reltioauthtest.FaultEmpty, Status: 401}, "no OAuth error, HTTP 401")
	rows["400 invalid_grant"] = failingCase(says(400, "invalid_grant"), apierr.ReltioUnavailable, neither("login", "invalid_grant, HTTP 400"))
	rows["403 page"] = failingCase(reltioauthtest.Fault{Kind: reltioauthtest.FaultHTML, Status: 403},
		apierr.ReltioUnavailable, neither("login", "no OAuth error, HTTP 403"))
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.connect("acme", clientCredentials())
				w.answer(row.fault, reltioauthtest.OpToken)
				row.check(w, grantReport{w.acme(), w.grant("acme")})
				w.wantRequests(1)
				w.heal()
				if row.status == grant.StatusMFARequired {
					return // a client has no second factor
				}
				time.Sleep(61 * time.Minute)
				w.expect(w.acme(), rotateapi.Renewed, "")
				w.status(grant.StatusOK)
			})
		})
	}
}

func TestResponseToRefresh(t *testing.T) {
	rows := anyRequest()
	for name, f := range unclearRefreshes() {
		summary := map[string]string{
			"401 invalid_client": "invalid_client, HTTP 401", "401 unauthorized": "unauthorized, HTTP 401",
			"401 invalid_grant": "invalid_grant, HTTP 401", "400 invalid_token": "invalid_token, HTTP 400",
			"400 unauthorized_client": "unauthorized_client, HTTP 400",
		}[name]
		rows[name] = failingCase(f, apierr.ReltioUnavailable, neither("refresh", cmp.Or(summary, "no OAuth error, HTTP "+name[:3])))
	}
	for _, fields := range []map[string]any{password(), authorizationCode()} {
		for name, row := range rows {
			t.Run(fmt.Sprint(name, ", ", fields["grant_type"]), func(t *testing.T) {
				bubble(t, func(w *world) {
					w.started(fields)
					w.answer(row.fault, reltioauthtest.OpToken)
					row.check(w, grantReport{w.force(), w.grant("acme")})
					w.wantRequests(2)
					if g := w.grant("acme"); !g.Valid(time.Now()) {
						t.Error("the valid token is gone")
					}
					// It recovers by itself, except after a second factor.
					w.heal()
					if row.status == grant.StatusMFARequired {
						w.connect("acme", with(fields, "scope", "s"))
					}
					time.Sleep(61 * time.Minute)
					w.expect(w.acme(), rotateapi.Renewed, "")
					if g := w.status(grant.StatusOK); g.Failures != 0 || g.LastError != "" || g.Shard != grant.ShardDue || g.Refusal.Status != 0 {
						t.Errorf("grant %+v, want healthy", g)
					}
				})
			})
		}
	}
}

// An inactive refresh token: a login of its own pass, or a person.
func TestInactiveRefreshToken(t *testing.T) {
	for name, status := range map[string]int{"invalid_grant": 400, "INVALID_GRANT": 400, "invalid_token": 401} {
		t.Run(name+", password", func(t *testing.T) {
			bubble(t, func(w *world) {
				g := w.started(password())
				w.server.Kill(g.RefreshFingerprint)
				w.behave(func(b *reltioauthtest.Behaviour) { b.DeadRefreshStatus = status })
				time.Sleep(time.Until(g.ExpiresAt.Add(time.Second)))
				w.expect(w.acme(), rotateapi.Renewed, "")
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
				w.expect(w.atDue(), rotateapi.Reauthorize, apierr.ReauthorizationRequired)
				w.status(grant.StatusReauthorize)
				w.wantRequests(2)
				// The refresh token is kept and tried hourly.
				time.Sleep(50 * time.Minute)
				w.expect(w.acme(), rotateapi.Unchanged, apierr.ReauthorizationRequired)
				w.wantRequests(2)
				w.heal()
				time.Sleep(11 * time.Minute)
				w.expect(w.acme(), rotateapi.Renewed, "")
				if next := w.status(grant.StatusOK); next.RefreshFingerprint != g.RefreshFingerprint {
					t.Errorf("refresh token %s, want %s", next.RefreshFingerprint, g.RefreshFingerprint)
				}
			})
		})
	}
}
