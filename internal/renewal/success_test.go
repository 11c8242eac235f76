package renewal_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// dressed are the ways in which a success may be wrapped, labelled and filled.
func dressed() map[string]reltioauthtest.Fault {
	const text = `{"access_token":"a2","token_type":"bearer","refresh_token":"r2","expires_in":3599,"scope":"s"}`
	labelled := func(f reltioauthtest.Fault, header, value string) reltioauthtest.Fault {
		f.Header = http.Header{header: {value}}
		return f
	}
	instead := func(old, replacement string) reltioauthtest.Fault {
		return body(200, strings.Replace(text, old, replacement, 1))
	}
	return map[string]reltioauthtest.Fault{
		"plain":                body(200, text),
		"gzip":                 labelled(body(200, packed(text)), "Content-Encoding", "gzip"),
		"gzip, not said":       body(200, packed(text)),
		"said to be gzip":      labelled(body(200, text), "Content-Encoding", "gzip"),
		"byte order mark":      body(200, "\xef\xbb\xbf"+text),
		"called a page":        labelled(body(200, text), "Content-Type", "text/html"),
		"gzip, called a page":  labelled(body(200, packed(text)), "Content-Type", "text/html"),
		"without a type":       labelled(body(200, text), "Content-Type", ""),
		"another status":       body(201, text),
		"scope a list":         instead(`"s"`, `["a","b"]`),
		"scope a number":       instead(`"s"`, `7`),
		"token type a number":  instead(`"bearer"`, `1`),
		"token type a list":    instead(`"bearer"`, `["bearer"]`),
		"Latin-1 elsewhere":    instead(`{`, "{\"note\":\"M\xfcller\","),
		"Latin-1 in the scope": instead(`"s"`, "\"M\xfcller\""),
		"control characters":   instead(`{`, "{\"note\":\"a\x01b\","),
		"unread fields":        instead(`{`, `{"error":7,"state_token":{},"entityURI":null,`),
		"expires_in a text":    instead(`3599`, `"3599"`),
	}
}

// A success is stored with the refresh token in it, however it is dressed: the next
// renewal sends that one.
func TestSuccessHoweverItIsDressed(t *testing.T) {
	for name, f := range dressed() {
		for _, kind := range []string{"login", "refresh", "a person's refresh"} {
			t.Run(name+", "+kind, func(t *testing.T) {
				bubble(t, func(w *world) {
					switch kind {
					case "login":
						w.connect("acme", password())
					case "refresh":
						w.started(password())
						w.due()
					default:
						w.started(authorizationCode())
						w.due()
					}
					w.answer(f, reltioauthtest.OpToken)
					w.expect(w.acme(), rotateapi.Renewed, "")
					g, refreshed := w.status(grant.StatusOK), reltioauth.Fingerprint(reltioauth.NewSecret("r2"))
					if g.AccessToken.Reveal() != "a2" || g.Life() != 3599*time.Second || !g.Valid(time.Now()) {
						t.Errorf("life %v, want the token of the response", g.Life())
					}
					if g.RefreshFingerprint != refreshed || w.refreshToken().Fingerprint() != refreshed {
						t.Error("the refresh token of the response is not stored")
					}
					w.heal()
					w.due()
					w.acme()
					if !presented(w.server, refreshed) {
						t.Error("the next renewal did not send it")
					}
				})
			})
		}
	}
}

// A first response may be the last second of a token that another asked for: the
// caller has a token within three seconds all the same.
func TestFirstTokenInItsLastSecond(t *testing.T) {
	for _, left := range []string{"0", `"0"`, "0.7", "0.0"} {
		for _, how := range []reltioauthtest.Renewal{reltioauthtest.SameToken, reltioauthtest.NewToken, reltioauthtest.NewTokenOldDies} {
			for _, fields := range []map[string]any{clientCredentials(), password()} {
				t.Run(fmt.Sprint(left, ", ", how, ", ", fields["grant_type"]), func(t *testing.T) {
					bubble(t, func(w *world) {
						w.behave(func(b *reltioauthtest.Behaviour) { b.ExpiresInJSON, b.Login, b.Refresh = left, how, how })
						w.connect("acme", fields)
						w.out.after = func(op string) error {
							if op == sendToken {
								w.behave(func(b *reltioauthtest.Behaviour) { b.ExpiresInJSON = "" })
							}
							return nil
						}
						began := time.Now()
						report := w.acme()
						if report.Err != nil || time.Since(began) > 3*time.Second {
							t.Errorf("%v after %v", report.Err, time.Since(began))
						}
						g := w.status(grant.StatusOK)
						if !g.Valid(time.Now()) || !w.server.Valid(g.AccessToken) {
							t.Error("no token")
						}
						w.wantRequests(2)
					})
				})
			}
		}
	}
}

// In a sweep it is asked for again by the next one.
func TestFirstTokenInItsLastSecondOfASweep(t *testing.T) {
	bubble(t, func(w *world) {
		w.started(clientCredentials())
		w.due()
		w.behave(func(b *reltioauthtest.Behaviour) { b.Login, b.ExpiresInJSON = reltioauthtest.NewToken, "0" })
		w.sweep()
		w.behave(func(b *reltioauthtest.Behaviour) { b.ExpiresInJSON = "" })
		if g := w.status(grant.StatusOK); !near(g.Due(), g.ExpiresAt.Add(2*time.Second)) {
			t.Errorf("due %v, want 2 s after %v", g.Due(), g.ExpiresAt)
		}
		time.Sleep(time.Minute)
		w.sweep()
		if !w.valid() {
			t.Error("no token")
		}
	})
}
