package renewal_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/renewal"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

const canary = "c4n4ry"

// canaries are secrets that can be found again wherever they come out.
func canaries() map[string]any {
	return map[string]any{
		"grant_type": "password", "client_id": "client-1", "client_secret": canary + "-client",
		"username": "ann", "password": canary + "-password",
	}
}

// saying is what a server's description may be found by: operators are to see it,
// callers are not.
const saying = "5aying"

// sing is a response with secrets in every field, and in its description what the
// request sent.
func sing(status int, code string, sent ...string) reltioauthtest.Fault {
	echo := saying + ": " + strings.Join(sent, ", ")
	body := `{"error":"` + code + `","error_description":"` + echo + `","errorMessage":"` + echo + `",` +
		`"access_token":"` + canary + `-a b","refresh_token":"` + canary + `-r","expires_in":"` + canary + `","state_token":"` + canary + `"}`
	return reltioauthtest.Fault{Kind: reltioauthtest.FaultStatus, Status: status, Body: body}
}

// sentBy are the secrets that a request of a canary's connection holds.
func sentBy(r reltioauthtest.Request) []string {
	sent := []string{canary + "-client"}
	if r.GrantType == "password" {
		sent = append(sent, canary+"-password")
	}
	if refresh := canary + "-refresh"; r.Presented == reltioauth.Fingerprint(reltioauth.NewSecret(refresh)) {
		sent = append(sent, refresh)
	}
	return sent
}

// Whatever fails, no secret is in what is handed out: not in the reports, not in
// their errors, not in the grant as it is printed. What the server says for people
// is in the refusal alone, which callers do not get.
func TestNothingSecretComesOut(t *testing.T) {
	plain := func(f reltioauthtest.Fault) func(reltioauthtest.Request) reltioauthtest.Fault {
		return func(reltioauthtest.Request) reltioauthtest.Fault { return f }
	}
	faults := map[string]func(reltioauthtest.Request) reltioauthtest.Fault{
		"cut":       plain(reltioauthtest.Fault{Kind: reltioauthtest.FaultCut}),
		"truncated": plain(reltioauthtest.Fault{Kind: reltioauthtest.FaultTruncate}),
		"web page":  plain(reltioauthtest.Fault{Kind: reltioauthtest.FaultHTML}),
		"none":      plain(reltioauthtest.Fault{}),
	}
	for _, status := range []int{200, 400, 401, 403, 429, 500, 503} {
		for _, code := range []string{"invalid_grant", "invalid_client", "invalid_scope", "invalid_token", canary} {
			faults[fmt.Sprint(status, code)] = func(r reltioauthtest.Request) reltioauthtest.Fault {
				return sing(status, code, sentBy(r)...)
			}
		}
	}
	said := 0
	for name, f := range faults {
		for _, op := range []reltioauthtest.Op{reltioauthtest.OpToken, reltioauthtest.OpCheckToken, reltioauthtest.OpRevoke} {
			bubble(t, func(w *world) { said += w.sung(name, op, f) })
		}
	}
	if said < 100 {
		t.Errorf("the server's words are in %d refusals, want them for operators", said)
	}
}

// sung renews in every way with a fault, and looks at what comes out. It returns how
// many refusals hold the server's words.
func (w *world) sung(name string, op reltioauthtest.Op, f func(reltioauthtest.Request) reltioauthtest.Fault) (said int) {
	w.server.Configure(func(c *reltioauthtest.Config) {
		c.Clients[0].Secret = reltioauth.NewSecret(canary + "-client")
		c.Users[0].Password = reltioauth.NewSecret(canary + "-password")
		c.Behaviour.KilledTokens = reltioauthtest.KilledUntilEnd
	})
	w.started(canaries())
	w.putTokenCanary()
	w.server.Kill(w.grant("acme").Fingerprint)
	w.server.Configure(func(c *reltioauthtest.Config) {
		c.Fault = func(r reltioauthtest.Request) reltioauthtest.Fault {
			if r.Op == op {
				return f(r)
			}
			return reltioauthtest.Fault{}
		}
	})
	time.Sleep(time.Minute)
	look := func(r renewal.Report) {
		g := w.grant("acme")
		silent(w.t, name, canary, r, r.Err, error(r.Err), g, w.refreshToken())
		if strings.Contains(r.Refusal.Description, saying) {
			said++
		}
		r.Refusal.Description, g.Refusal.Description = "", ""
		silent(w.t, name, saying, r, r.Err, error(r.Err), g)
	}
	look(w.reject())
	look(w.force())
	w.due()
	look(w.acme())
	look(w.force())
	time.Sleep(10 * time.Minute)
	look(w.acme())
	w.connectText("acme", `{"grant_type":"`+canary+`","client_secret":"`+canary+`","`+canary+`":1}`)
	look(w.force())
	w.connectText("acme", canary)
	look(w.force())
	w.disconnect("acme")
	look(w.force())
	return said
}

// putTokenCanary makes the newest refresh token one that is refused.
func (w *world) putTokenCanary() {
	r := w.refreshToken()
	r.Token, r.Epoch = reltioauth.NewSecret(canary+"-refresh"), r.Epoch+1
	w.putRefreshToken(r)
}

// silent looks for a text in all that values print.
func silent(t testing.TB, when, text string, values ...any) {
	t.Helper()
	for _, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			if out := fmt.Sprintf(verb, v); strings.Contains(strings.ReplaceAll(out, when, ""), text) {
				t.Errorf("%s: %s shows %s: %s", when, verb, text, out)
			}
		}
	}
}

// Errors of the stores carry their causes inside and show nothing of them.
func TestCausesDoNotComeOut(t *testing.T) {
	for n := 1; n < 20; n++ {
		bubble(t, func(w *world) {
			w.connect("acme", password())
			at := 0
			w.out.before = func(string) error {
				at++
				if at == n {
					return fmt.Errorf("cause: %s", canary)
				}
				return nil
			}
			report := w.renew(rotateapi.Request{Connection: "acme"})
			silent(t, fmt.Sprint("operation ", n), canary, fmt.Sprint(report), report.Err)
		})
	}
}
