package renewal_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// body is a response of that status and text.
func body(status int, text string) reltioauthtest.Fault {
	return reltioauthtest.Fault{Kind: reltioauthtest.FaultStatus, Status: status, Body: text}
}

// saysDead are checks that say that a token is invalid. There are no others.
func saysDead() map[string]reltioauthtest.Fault {
	labelled := body(400, `{"error":"invalid_token"}`)
	labelled.Header = http.Header{"Content-Type": {"text/html"}}
	return map[string]reltioauthtest.Fault{
		"400 invalid_token":   says(400, "invalid_token"),
		"401 invalid_token":   says(401, "invalid_token"),
		"400 capitals":        says(400, "INVALID_TOKEN"),
		"400 gzip":            body(400, packed(`{"error":"invalid_token"}`)),
		"400 called a page":   labelled,
		"400 management":      body(400, `{"errorCode":"invalid_token"}`),
		"200 inactive":        body(200, `{"active":false}`),
		"200 inactive, a BOM": body(200, "\xef\xbb\xbf"+`{"active":false}`),
	}
}

// saysNothing are checks that say neither yes nor no.
func saysNothing() map[string]reltioauthtest.Fault {
	return map[string]reltioauthtest.Fault{
		"403 Forbidden":      body(403, `{"timestamp":1,"status":403,"error":"Forbidden","path":"/oauth/check_token"}`),
		"403 invalid_token":  says(403, "invalid_token"),
		"403 page":           {Kind: reltioauthtest.FaultHTML, Status: 403},
		"401 unauthorized":   says(401, "unauthorized"),
		"401 invalid_client": says(401, "invalid_client"),
		"401 page":           {Kind: reltioauthtest.FaultHTML, Status: 401},
		"400 unknown word":   says(400, "server_error"),
		"400 empty":          {Kind: reltioauthtest.FaultEmpty, Status: 400},
		"404 management":     body(404, `{"errorCode":404,"errorMessage":"no"}`),
		"404 page":           {Kind: reltioauthtest.FaultHTML, Status: 404},
		"500":                says(500, "server_error"),
		"503 invalid_token":  says(503, "invalid_token"),
		"200 page":           {Kind: reltioauthtest.FaultHTML},
		"200 empty":          {Kind: reltioauthtest.FaultEmpty},
		"200 contradiction":  body(200, `{"error":"invalid_token"}`),
		"200 unreadable":     body(200, `{"active":"perhaps"}`),
		"200 cut off":        {Kind: reltioauthtest.FaultTruncate},
	}
}

// once are the operations without the repetition of a check in another style.
func once(ops []string) []string {
	return slices.CompactFunc(ops, func(a, b string) bool { return a == "checkToken" && b == a })
}

func TestReportedTokenIsInactive(t *testing.T) {
	for name, f := range saysDead() {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.behave(newTokens)
				g := w.started(password())
				w.answer(f, reltioauthtest.OpCheckToken)
				time.Sleep(time.Minute)
				began := time.Now()
				w.expect(w.reject(), rotateapi.Renewed, "")
				w.wantAsked(began, "checkToken", "refresh_token")
				next := w.status(grant.StatusOK)
				if next.Version != g.Version+1 || !w.server.Valid(next.AccessToken) || next.CheckVerdict != grant.Unchecked {
					t.Errorf("version %d, check verdict %q", next.Version, next.CheckVerdict)
				}
				if next.RefreshMode != grant.AtEnd || !next.EarlyAskedAt.IsZero() {
					t.Errorf("mode %s learned from a reported token", next.RefreshMode)
				}
			})
		})
	}
}

// A check without a verdict: another token is asked for, once in five minutes, and
// nothing is revoked. The same token with life left is a valid one.
func TestCheckWithoutAVerdict(t *testing.T) {
	for name, f := range saysNothing() {
		t.Run(name+", the token lives", func(t *testing.T) {
			bubble(t, func(w *world) {
				g := w.started(clientCredentials())
				w.answer(f, reltioauthtest.OpCheckToken)
				time.Sleep(time.Minute)
				began := time.Now()
				for time.Since(began) < 14*time.Minute {
					w.expect(w.reject(), rotateapi.Unchanged, "")
					if next := w.status(grant.StatusOK); !next.FoundActive(time.Now()) || next.Version != 1 {
						t.Fatalf("verdict %q, version %d", next.CheckVerdict, next.Version)
					}
					time.Sleep(31 * time.Second)
				}
				want := []string{"checkToken", "client_credentials"}
				if got := once(w.asked(began)); !slices.Equal(got, slices.Repeat(want, 3)) {
					t.Errorf("asked %v in 14 minutes, want %v each five", got, want)
				}
				if !w.server.Valid(g.AccessToken) {
					t.Error("the valid token was revoked")
				}
			})
		})
		t.Run(name+", the token is inactive", func(t *testing.T) {
			bubble(t, func(w *world) {
				g := w.started(password())
				w.server.Kill(g.Fingerprint)
				w.answer(f, reltioauthtest.OpCheckToken)
				time.Sleep(time.Minute)
				began := time.Now()
				w.expect(w.reject(), rotateapi.Renewed, "")
				if got := once(w.asked(began)); !slices.Equal(got, []string{"checkToken", "refresh_token"}) {
					t.Errorf("asked %v", got)
				}
				next := w.status(grant.StatusOK)
				if next.Version != 2 || !w.server.Valid(next.AccessToken) || next.RefreshMode != grant.AtEnd {
					t.Errorf("version %d, mode %s", next.Version, next.RefreshMode)
				}
				// Not another one within five minutes, whatever is reported.
				began = time.Now().Add(time.Nanosecond)
				for range 9 {
					time.Sleep(30 * time.Second)
					w.expect(w.reject(), rotateapi.Unchanged, "")
				}
				w.wantAsked(began)
			})
		})
	}
}

// A server that gives an inactive token again, and may not be asked about it: no check
// shows that it is inactive, so it is not revoked.
func TestInactiveTokenGivenAgainWithoutAVerdict(t *testing.T) {
	bubble(t, func(w *world) {
		w.behave(func(b *reltioauthtest.Behaviour) { b.KilledTokens = reltioauthtest.KilledUntilRevoked })
		w.server.Kill(w.started(clientCredentials()).Fingerprint)
		w.answer(says(403, "Forbidden"), reltioauthtest.OpCheckToken)
		time.Sleep(time.Minute)
		began := time.Now()
		for range 10 {
			w.expect(w.reject(), rotateapi.Unchanged, "")
			time.Sleep(20 * time.Second)
		}
		w.wantAsked(began, "checkToken", "client_credentials")
	})
}

// A check without a verdict, and the renewal after it fails: the token is handed
// out on, because the server has not called it invalid.
func TestCheckWithoutAVerdictAndTheRenewalFails(t *testing.T) {
	bubble(t, func(w *world) {
		w.started(clientCredentials())
		w.server.Configure(func(cfg *reltioauthtest.Config) {
			cfg.Fault = func(r reltioauthtest.Request) reltioauthtest.Fault {
				if r.Op == reltioauthtest.OpCheckToken {
					return says(403, "Forbidden")
				}
				return says(503, "server_error")
			}
		})
		time.Sleep(time.Minute)
		w.expect(w.reject(), rotateapi.Failed, apierr.ReltioUnavailable)
		if g := w.status(grant.StatusFailing); !g.Valid(time.Now()) || g.CheckVerdict != grant.Unclear {
			t.Errorf("valid %t, verdict %q", g.Valid(time.Now()), g.CheckVerdict)
		}
	})
}

// The server is not heard: nothing is asked for, and no check for a while.
func TestCheckThatIsNotHeard(t *testing.T) {
	for name, f := range map[string]reltioauthtest.Fault{
		"429":      says(429, "slow_down"),
		"cut":      {Kind: reltioauthtest.FaultCut},
		"too late": {Delay: 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				g := w.started(password())
				w.server.Kill(g.Fingerprint)
				w.answer(f, reltioauthtest.OpCheckToken)
				time.Sleep(time.Minute)
				began := time.Now()
				w.expect(w.reject(), rotateapi.Failed, apierr.ReltioUnavailable)
				for range 5 {
					time.Sleep(5 * time.Second)
					w.expect(w.reject(), rotateapi.Unchanged, "")
				}
				w.wantAsked(began, "checkToken")
				next := w.status(grant.StatusOK) // no renewal has failed
				if next.Fingerprint != g.Fingerprint || !next.Valid(time.Now()) {
					t.Error("the token is gone")
				}
				if next.Failures != 0 || next.LastError != apierr.ReltioUnavailable || !near(next.RetryAt, next.CheckedAt.Add(30*time.Second)) {
					t.Errorf("%d failures, last error %s, retry at %v", next.Failures, next.LastError, next.RetryAt)
				}
				if !strings.HasPrefix(next.LastErrorMessage, "checkToken: Reltio") {
					t.Errorf("message %q, want what it was that failed", next.LastErrorMessage)
				}
				w.heal()
				time.Sleep(10 * time.Second)
				w.expect(w.reject(), rotateapi.Renewed, "")
			})
		})
	}
}

// What came of a check is no news of the renewals: their failures are counted
// and said as before, and what was said of a check ends with the next one.
func TestCheckWithoutADefiniteAnswerAndTheRenewals(t *testing.T) {
	bubble(t, func(w *world) {
		w.started(clientCredentials())
		unheard := reltioauthtest.Fault{Kind: reltioauthtest.FaultCut}
		w.answer(unheard, reltioauthtest.OpCheckToken)
		w.expect(w.reject(), rotateapi.Failed, apierr.ReltioUnavailable)
		w.heal()
		time.Sleep(31 * time.Second)
		w.expect(w.reject(), rotateapi.Unchanged, "")
		if g := w.status(grant.StatusOK); g.LastError != "" || g.LastErrorMessage != "" {
			t.Errorf("last error %s (%s) of a token that was found active", g.LastError, g.LastErrorMessage)
		}
		w.answer(says(503, "server_error"), reltioauthtest.OpToken)
		w.expect(w.atDue(), rotateapi.Failed, apierr.ReltioUnavailable)
		failed := w.status(grant.StatusFailing)
		w.answer(unheard, reltioauthtest.OpCheckToken)
		time.Sleep(time.Until(failed.RetryAt))
		w.expect(w.reject(), rotateapi.Failed, apierr.ReltioUnavailable)
		g := w.status(grant.StatusFailing)
		if g.Failures != 1 || g.LastErrorMessage != failed.LastErrorMessage {
			t.Errorf("%d failures, %q, want those of the renewal", g.Failures, g.LastErrorMessage)
		}
	})
}
