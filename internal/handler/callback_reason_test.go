package handler_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// echoing is an answer with tokens beside its words, and one in them.
const echoing = `{"error":"invalid_grant","error_description":"Bad code, token kanari-4f1c-9d2e-TOKEN-8b7a",` +
	`"access_token":"kanari-token","refresh_token":"kanari-refresh","kanari":1}`

// oauthError is an answer in RFC 6749's words.
func oauthError(status int, code, description string) reltioauthtest.Fault {
	return reltioauthtest.Fault{
		Kind: reltioauthtest.FaultStatus, Status: status,
		Body: fmt.Sprintf(`{"error":%q,"error_description":%q}`, code, description),
	}
}

// Reltio's refusal of a code is in the line of the request, and in no page.
func TestTheReasonOfARefusalIsInTheLine(t *testing.T) {
	const words = "Words of the server"
	tests := map[string]struct {
		fault       reltioauthtest.Fault
		code        string
		status      float64
		description string
	}{
		"a code that was used": {oauthError(400, "invalid_grant", words), "invalid_grant", 400, words},
		"another redirect URI": {oauthError(400, "invalid_grant", words+": Redirect URI mismatch."), "invalid_grant", 400, words + ": Redirect URI mismatch."},
		"another client":       {oauthError(401, "invalid_client", words), "invalid_client", 401, words},
		"the wrong secret":     {oauthError(401, "unauthorized", words), "unauthorized", 401, words},
		"no grant type":        {oauthError(401, "unauthorized_client", words), "unauthorized_client", 401, words},
		"a scope":              {oauthError(400, "invalid_scope", words), "invalid_scope", 400, words},
		"a description on two lines": {
			oauthError(400, "invalid_request", words+"\r\nand more"), "invalid_request", 400, words + " and more",
		},
		"a token in its words": {
			oauthError(400, "invalid_grant", "Token kanari-4f1c-9d2e-TOKEN-8b7a is invalid: "+words), "invalid_grant", 400,
			"Token [redacted] is invalid: " + words,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			lobby(t, func(f *front) {
				b, address := back(f)
				f.answer(reltioauthtest.OpToken, test.fault)
				code := codeOf(t, address)
				for range 2 { // and after a reload
					a := b.get(address).want(http.StatusBadGateway)
					if strings.Contains(a.Body, "Words") || strings.Contains(a.Body, test.code) {
						t.Errorf("the page holds the server's words: %s", a.Body)
					}
				}
				text := f.log.String()
				lines := of(f.log.take(t), "callback")
				line := lines[len(lines)-2]
				if line["reltio_operation"] != "token" || line["reltio_error"] != test.code || line["reltio_status"] != test.status ||
					line["reltio_description"] != test.description {
					t.Errorf("line %v, want %s, %v, %q", line, test.code, test.status, test.description)
				}
				if strings.Contains(text, "kanari") || strings.Contains(text, code) {
					t.Errorf("something secret is in the log: %s", text)
				}
			})
		})
	}
}

// A description that repeats what was sent is redacted in the line.
func TestADescriptionThatRepeatsTheCode(t *testing.T) {
	lobby(t, func(f *front) {
		b, address := back(f)
		code := codeOf(t, address)
		f.answer(reltioauthtest.OpToken, oauthError(400, "invalid_grant", "Invalid authorization code: "+code+" of "+clientSecret))
		b.get(address).want(http.StatusBadGateway)
		text := f.log.String()
		lines := of(f.log.take(t), "callback")
		got, _ := lines[len(lines)-1]["reltio_description"].(string)
		if !strings.HasPrefix(got, "Invalid authorization code: [redacted]") || strings.Contains(text, code) || strings.Contains(text, clientSecret) {
			t.Errorf("description %q", got)
		}
	})
}

// The line of a login that failed because the user is unknown says why.
func TestTheReasonOfAnUnknownUserIsInTheLine(t *testing.T) {
	lobby(t, func(f *front) {
		f.connect("acme", strings.Replace(byCode, `{`, `{"expected_user":"ann",`, 1))
		b, address := back(f)
		f.answer(reltioauthtest.OpCheckToken, oauthError(401, "unauthorized", "Full authentication is required"))
		b.get(address).want(http.StatusBadGateway)
		lines := of(f.log.take(t), "callback")
		line := lines[len(lines)-1]
		if line["outcome"] != "user_unknown" || line["reltio_operation"] != "checkToken" || line["reltio_status"] != 401.0 ||
			line["reltio_description"] != "Full authentication is required" {
			t.Errorf("line %v", line)
		}
	})
}

// Why Reltio gave no usable response is in the line, in words of ours.
func TestTheReasonOfNoResponseIsInTheLine(t *testing.T) {
	page := reltioauthtest.Fault{Kind: reltioauthtest.FaultStatus, Status: 200, Body: "<html><b>kanari</b></html>"}
	for name, test := range map[string]struct {
		fault  reltioauthtest.Fault
		status int
		reason string
	}{
		"a page":       {page, 502, "a web page with HTTP 200: is auth_url right?"},
		"503":          {reltioauthtest.Fault{Kind: reltioauthtest.FaultStatus, Status: 503}, 502, "HTTP 503"},
		"silence":      {reltioauthtest.Fault{Hold: time.Minute}, 502, "no answer in 8 s"},
		"nobody there": {reltioauthtest.Fault{Kind: reltioauthtest.FaultUnreachable}, 503, "connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			lobby(t, func(f *front) {
				b, address := back(f)
				if test.status == 503 {
					f.server.Outage(reltioauthtest.Outage{Fault: test.fault})
				} else {
					f.answer(reltioauthtest.OpToken, test.fault)
				}
				b.get(address).want(test.status)
				text := f.log.String()
				lines := of(f.log.take(t), "callback")
				last := lines[len(lines)-1]
				if cause, _ := last["reltio_cause"].(string); test.status == 503 && !strings.Contains(cause, "connect: connection refused") {
					t.Errorf("cause %q", cause)
				}
				got, _ := last["reltio_reason"].(string)
				if got != test.reason || strings.Contains(text, "kanari") {
					t.Errorf("reason %q, want %q: %s", got, test.reason, text)
				}
			})
		})
	}
}

// A store that fails before the code is spent: 503, the same address works again,
// and an operator is told which store and why.
func TestAFailingStoreKeepsTheLogin(t *testing.T) {
	lobby(t, func(f *front) {
		b, address := back(f)
		f.stores.before = "Request"
		a := b.get(address).want(http.StatusServiceUnavailable)
		if got := a.Headers["Retry-After"]; got != "10" {
			t.Errorf("Retry-After %q, want 10", got)
		}
		lines := of(f.log.take(t), "callback")
		if line := lines[len(lines)-1]; line["level"] != "ERROR" || line["error"] != "StoreUnavailable" || line["error_message"] == "" {
			t.Errorf("line %v", line)
		}
		f.stores.before = ""
		time.Sleep(10 * time.Second)
		b.get(address).want(http.StatusSeeOther)
	})
}

// answer lets requests of an operation be answered so.
func (f *front) answer(op reltioauthtest.Op, fault reltioauthtest.Fault) {
	f.server.Configure(func(c *reltioauthtest.Config) {
		c.Fault = func(r reltioauthtest.Request) reltioauthtest.Fault {
			if r.Op == op {
				return fault
			}
			return reltioauthtest.Fault{}
		}
	})
}

// codeOf is the code of an address.
func codeOf(t *testing.T, address string) string {
	t.Helper()
	_, after, _ := strings.Cut(address, "code=")
	code, _, _ := strings.Cut(after, "&")
	if len(code) < 6 {
		t.Fatal("the address has no code")
	}
	return code
}
