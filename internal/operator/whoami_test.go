package operator_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/operator"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

func TestWhoAmI(t *testing.T) {
	for name, fields := range map[string]map[string]any{"a user": password(), "a client": clientCredentials()} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				w.connect("acme", fields)
				who, err := w.operator.WhoAmI(t.Context(), "acme")
				if err != nil {
					t.Fatal(err)
				}
				if !who.Active || who.ClientID != "client-1" || who.ExpiresAt == nil || time.Until(*who.ExpiresAt) > time.Hour {
					t.Errorf("%+v", who)
				}
				if fields["username"] != nil && who.User != fields["username"] {
					t.Errorf("user %q", who.User)
				}
				if w.requests() != 1 {
					t.Errorf("%d token requests", w.requests())
				}
				text, err := json.Marshal(w.operator.Do(t.Context(), operator.Call{Verb: operator.VerbWhoAmI, Connection: "acme"}))
				if err != nil || strings.Contains(string(text), "null,\"scopes") || strings.Contains(string(text), w.grant().AccessToken.Reveal()) {
					t.Errorf("%v: %s", err, text)
				}
			})
		})
	}
}

// What is not known is said, and what Reltio does not say is not made up.
func TestWhoAmIWithoutAnAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(w *world)
		want    string
	}{
		"no such connection": {func(*world) {}, "UnknownConnection"},
		"a malformed secret": {func(w *world) { w.connect("acme", map[string]any{"grant_type": "password"}) }, "InvalidConnection"},
		"the client may not ask": {func(w *world) {
			w.connect("acme", password())
			w.behave(func(b *reltioauthtest.Behaviour) { b.CheckDenied = true })
		}, "AccessDenied: checkToken: the server refuses the client ("},
		"checkToken is not there": {func(w *world) { w.connect("acme", password()); w.fail(503) }, "ReltioUnavailable: checkToken: HTTP 503"},
		"checkToken is throttled": {func(w *world) { w.connect("acme", password()); w.fail(429) }, "RateLimited: retry after "},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				c.prepare(w)
				_, err := w.operator.WhoAmI(t.Context(), "acme")
				if err == nil || !strings.HasPrefix(apierr.Of(err).Error(), c.want) {
					t.Errorf("%v, want %s", err, c.want)
				}
			})
		})
	}
}

// A token that Reltio ended is called invalid; nothing else is known of it.
func TestWhoAmIOfAnInvalidToken(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.connect("acme", password())
		w.get("acme")
		w.server.Kill(reltioauth.Fingerprint(w.grant().AccessToken))
		who, err := w.operator.WhoAmI(t.Context(), "acme")
		if err != nil || who.Active || who.User != "" || who.ExpiresAt != nil {
			t.Errorf("%+v, %v", who, err)
		}
	})
}

func (w *world) behave(change func(*reltioauthtest.Behaviour)) {
	w.server.Configure(func(c *reltioauthtest.Config) { change(&c.Behaviour) })
}

// fail lets checkToken respond with a status.
func (w *world) fail(status int) {
	w.server.Configure(func(c *reltioauthtest.Config) {
		c.Fault = func(r reltioauthtest.Request) reltioauthtest.Fault {
			if r.Op == reltioauthtest.OpCheckToken {
				return reltioauthtest.Fault{Kind: reltioauthtest.FaultStatus, Status: status}
			}
			return reltioauthtest.Fault{}
		}
	})
}

const canary = "kanari"

// What the issue function says is shown only if it is one of its own errors.
func TestErrorsOfTheIssueFunction(t *testing.T) {
	for payload, want := range map[string]string{
		`{"errorType":"MFARequired","errorMessage":"m"}`:                   "MFARequired: m",
		`{"errorType":"Internal","errorMessage":"request 1"}`:              "Internal: request 1",
		`{"errorType":"Sandbox.Timedout","errorMessage":"` + canary + `"}`: "StoreUnavailable: issue: the function failed",
		`{"errorType":"` + canary + `","errorMessage":"m"}`:                "StoreUnavailable: issue: the function failed",
		canary: "StoreUnavailable: issue: the function failed",
	} {
		if _, err := operator.ReadIssued([]byte(payload), true); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %q", payload, err, want)
		}
	}
	for _, payload := range []string{canary, `{}`, `{"access_token":7}`, `null`, `{"access_token":"` + canary + `","expires_at":7}`} {
		_, err := operator.ReadIssued([]byte(payload), false)
		if err == nil || err.Error() != "StoreUnavailable: issue: the answer is unreadable" {
			t.Errorf("%s: %v", payload, err)
		}
	}
}
