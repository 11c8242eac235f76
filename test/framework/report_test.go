package framework

import (
	"net/http"
	"slices"
	"testing"
	"time"
)

// issued starts a server with one connection that has a token.
func issued(t *testing.T, grant string, change func(*settings), more fields) (*wired, string, answer) {
	t.Helper()
	w := newServer(t, change)
	name := w.granted(t, grant, more)
	a := w.wantIssued(t, w.ask(t, name))
	w.forgetCalls()
	return w, name, a
}

// granted adds a connection, and logs a person in if it needs one.
func (w *wired) granted(t *testing.T, grant string, more fields) (name string) {
	t.Helper()
	name = w.add(t, grant, more)
	if grant == authorizationCode {
		wantError(t, w.ask(t, name), "ReauthorizationRequired", "")
		if p := w.person(t, name, "ann"); p.status != http.StatusOK {
			t.Fatalf("the person saw HTTP %d", p.status)
		}
	}
	return name
}

// grants are the grant types of connections.
func grants() []string { return []string{clientCredentials, password, authorizationCode} }

// checking are the ways in which checkToken can be reached: with Basic, by a
// connection that authenticates itself by form, and not at all.
func checking() map[string]struct {
	row    string
	change func(*settings)
	more   fields
	denied bool
} {
	return map[string]struct {
		row    string
		change func(*settings)
		more   fields
		denied bool
	}{
		"permitted": {row: "dead"},
		"denied":    {row: "denied", change: func(s *settings) { s.CheckToken = false }, denied: true},
		"by form":   {row: "form", change: func(s *settings) { s.FormAuthentication = true }, more: fields{"client_auth": "post"}},
	}
}

// A token that was revoked before its end, and is reported, is replaced, whether a client
// may call checkToken or not.
func TestInactiveTokensAreReplaced(t *testing.T) {
	t.Parallel()
	for state, c := range checking() {
		for _, grant := range grants() {
			t.Run(state+", "+grant, func(t *testing.T) {
				quick(t)
				w, name, old := issued(t, grant, c.change, c.more)
				w.direct.kill(t, old.AccessToken)
				next := w.report(t, name, old)
				if next.AccessToken == "" || next.Fingerprint == old.Fingerprint {
					t.Fatalf("got %v", next)
				}
				w.wantIssued(t, next)
				w.wantChecks(t, c.denied, c.more != nil, http.StatusBadRequest)
				if n := len(w.calls("revoke")); n > 0 {
					t.Errorf("%d revocations", n)
				}
				did(t, c.row, "dead: replaced within the call that reports it")
			})
		}
	}
}

// A valid token that is reported stays what it is.
func TestValidTokensAreKept(t *testing.T) {
	t.Parallel()
	for state, c := range checking() {
		t.Run(state, func(t *testing.T) {
			quick(t)
			w, name, old := issued(t, clientCredentials, c.change, c.more)
			next := w.report(t, name, old)
			if next.Fingerprint != old.Fingerprint || !slices.Contains(next.Warnings, "rejected_token_is_alive") {
				t.Errorf("got %v, another token: %v", next, next.Fingerprint != old.Fingerprint)
			}
			w.wantChecks(t, c.denied, c.more != nil, http.StatusOK)
			if again := send(t, w.direct, token(clientCredentials)); again.member("access_token") != old.AccessToken {
				t.Error("the token was ended at the server")
			}
			if n := len(w.calls("revoke")); n > 0 {
				t.Errorf("%d revocations", n)
			}
			did(t, c.row, "valid: kept, `rejected_token_is_alive`, no revocation")
		})
	}
	for state, boot := range map[string]bool{"its client is refused now": false, "the same, without an entry point": true} {
		t.Run(state, func(t *testing.T) {
			quick(t)
			w, name, old := issued(t, clientCredentials, func(s *settings) { s.BootEntryPoint = boot }, nil)
			w.direct.change(t, func(s *settings) { s.changeClient("app", func(c *client) { c.Secret = "another" }) })
			if next := w.report(t, name, old); next.Fingerprint != old.Fingerprint {
				t.Errorf("got %v", next)
			}
			if n := len(w.calls("revoke")); n > 0 {
				t.Errorf("%d revocations", n)
			}
			did(t, "secret", "checkToken refused with 401: no verdict, the token is kept")
		})
	}
}

// wantChecks looks at the calls of checkToken: one, with Basic, answered with the
// status; or refused.
func (w *wired) wantChecks(t *testing.T, denied, form bool, status int) {
	t.Helper()
	if denied {
		status = http.StatusForbidden
	}
	calls := w.calls("checkToken")
	if len(calls) != 1 || calls[0].status != status || !calls[0].basic {
		t.Errorf("checkToken: %s, want %d with Basic", story(calls), status)
	}
	for _, c := range w.tokens() {
		if c.form != form || c.basic == form {
			t.Errorf("%s: by Basic %v, by form %v", c.what, c.basic, c.form)
		}
	}
}

// remembered is longer than an execution environment of issue remembers a token.
const remembered = 40 * time.Second

// A server restarts and has lost all tokens.
func TestRestart(t *testing.T) {
	t.Parallel()
	for _, grant := range grants() {
		t.Run(grant, func(t *testing.T) {
			t.Parallel()
			w, name, old := issued(t, grant, nil, nil)
			w.direct.forget(t)
			next := w.report(t, name, old)
			if grant != authorizationCode {
				w.wantIssued(t, next)
				did(t, "lost", "`client_credentials`, `password`: replaced within the call that reports it")
				return
			}
			wantError(t, next, "ReauthorizationRequired", "")
			// Other execution environments of issue have the token in memory.
			last := next
			w.poll(t, name, remembered, func(a answer) bool {
				last = a
				return a.ErrorType != ""
			})
			wantError(t, last, "ReauthorizationRequired", "")
			if p := w.person(t, name, "ann"); p.status != http.StatusOK {
				t.Errorf("the person saw HTTP %d", p.status)
			}
			w.untilIssued(t, name, remembered)
			did(t, "lost", "`authorization_code`: `ReauthorizationRequired` at once; well after the person's login")
		})
	}
}
