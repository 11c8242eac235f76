package renewal_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/fault"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/rotation"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// A client locks nobody: two, then one an hour.
func TestRefusedClientIsTriedHourly(t *testing.T) {
	for _, attempts := range []int{1, 2} {
		t.Run(fmt.Sprintf("LOGIN_ATTEMPTS %d", attempts), func(t *testing.T) {
			bubble(t, func(w *world) {
				w.renewer.LoginAttempts = attempts
				w.connect("acme", clientCredentials())
				w.answer(says(401, "invalid_client"), reltioauthtest.OpToken)
				w.force()
				w.force()
				w.force()
				w.wantRequests(2)
				w.status(grant.StatusCredentialsRejected)
				for range 5 * 60 {
					time.Sleep(time.Minute)
					w.sweep()
				}
				if got := w.requests(); got < 2+4 || got > 2+5 {
					t.Errorf("%d token requests after 5 h, want one an hour after two", got)
				}
				w.heal()
				time.Sleep(65 * time.Minute)
				w.sweep()
				w.status(grant.StatusOK)
			})
		})
	}
}

// An outage in which no answer is heard is no refusal: a client comes back as
// soon as its server does.
func TestUnheardClientIsNotRefused(t *testing.T) {
	bubble(t, func(w *world) {
		w.connect("acme", clientCredentials())
		w.answer(reltioauthtest.Fault{Kind: reltioauthtest.FaultCut}, reltioauthtest.OpToken)
		w.force()
		for range 60 {
			time.Sleep(time.Minute)
			w.sweep()
		}
		w.status(grant.StatusFailing)
		w.heal()
		time.Sleep(6 * time.Minute)
		w.sweep()
		w.status(grant.StatusOK)
	})
}

// A refused client on a refresh is no dead refresh token: no login follows.
func TestRefusedClientOnRefresh(t *testing.T) {
	for _, fields := range []map[string]any{password(), authorizationCode()} {
		t.Run(fmt.Sprint(fields["grant_type"]), func(t *testing.T) {
			bubble(t, func(w *world) {
				w.started(fields)
				w.answer(says(401, "invalid_client"), reltioauthtest.OpToken)
				before := w.requests()
				w.expect(w.atDue(), rotation.Failed, fault.CredentialsRejected)
				w.status(grant.StatusFailing)
				w.expect(w.atDue(), rotation.Failed, fault.CredentialsRejected)
				w.status(grant.StatusCredentialsRejected)
				w.wantRequests(before + 2)
				time.Sleep(55 * time.Minute)
				w.expect(w.acme(), rotation.Unchanged, fault.CredentialsRejected)
				w.wantRequests(before + 2)
				time.Sleep(6 * time.Minute)
				w.expect(w.acme(), rotation.Failed, fault.CredentialsRejected)
				w.wantRequests(before + 3)
				w.heal()
				time.Sleep(61 * time.Minute)
				w.expect(w.acme(), rotation.Renewed, "")
				for _, r := range w.server.Requests()[before:] {
					if r.GrantType != "refresh_token" {
						t.Errorf("asked with %s", r.GrantType)
					}
				}
			})
		})
	}
}
