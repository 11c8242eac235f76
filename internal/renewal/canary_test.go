package renewal_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/renewal"
	"github.com/reltio-tokens/reltio-tokens/internal/rotation"
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

// sing is an answer with secrets in every field.
func sing(status int, code string) reltioauthtest.Fault {
	body := `{"error":"` + code + `","error_description":"` + canary + `","errorMessage":"` + canary + `",` +
		`"access_token":"` + canary + `-a b","refresh_token":"` + canary + `-r","expires_in":"` + canary + `","state_token":"` + canary + `"}`
	return reltioauthtest.Fault{Kind: reltioauthtest.FaultStatus, Status: status, Body: body}
}

// Whatever fails, no secret is in what is handed out: not in the reports, not
// in their errors, not in the grant as it is printed.
func TestNothingSecretComesOut(t *testing.T) {
	faults := map[string]reltioauthtest.Fault{
		"cut":       {Kind: reltioauthtest.FaultCut},
		"truncated": {Kind: reltioauthtest.FaultTruncate},
		"web page":  {Kind: reltioauthtest.FaultHTML},
		"none":      {},
	}
	for _, status := range []int{200, 400, 401, 403, 429, 500, 503} {
		for _, code := range []string{"invalid_grant", "invalid_client", "invalid_scope", "invalid_token", canary} {
			faults[fmt.Sprint(status, code)] = sing(status, code)
		}
	}
	for name, f := range faults {
		for _, op := range []reltioauthtest.Op{reltioauthtest.OpToken, reltioauthtest.OpCheckToken, reltioauthtest.OpRevoke} {
			bubble(t, func(w *world) {
				w.server.Configure(func(c *reltioauthtest.Config) {
					c.Clients[0].Secret = reltioauth.NewSecret(canary + "-client")
					c.Users[0].Password = reltioauth.NewSecret(canary + "-password")
					c.Behaviour.KilledTokens = reltioauthtest.KilledUntilEnd
				})
				w.started(canaries())
				w.putVaultCanary()
				w.server.Kill(w.grant("acme").Fingerprint)
				w.answer(f, op)
				time.Sleep(time.Minute)
				reports := []renewal.Report{w.reject(), w.force()}
				w.due()
				reports = append(reports, w.acme(), w.force())
				w.connectText("acme", `{"grant_type":"`+canary+`","client_secret":"`+canary+`","`+canary+`":1}`)
				reports = append(reports, w.force())
				w.connectText("acme", canary)
				reports = append(reports, w.force())
				w.disconnect("acme")
				reports = append(reports, w.force())
				for _, r := range reports {
					silent(t, name, r, r.Err, error(r.Err))
				}
				silent(t, name, w.grant("acme"), w.vault())
			})
		}
	}
}

// putVaultCanary makes the newest refresh token one that is refused.
func (w *world) putVaultCanary() {
	r := w.vault()
	r.Token, r.Epoch = reltioauth.NewSecret(canary+"-refresh"), r.Epoch+1
	w.putVault(r)
}

// silent looks for secrets in all that values print.
func silent(t *testing.T, when string, values ...any) {
	t.Helper()
	for _, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			if text := fmt.Sprintf(verb, v); strings.Contains(strings.ReplaceAll(text, when, ""), canary) {
				t.Errorf("%s: %s shows a secret: %s", when, verb, text)
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
			report := w.renew(rotation.Request{Connection: "acme"})
			silent(t, fmt.Sprint("operation ", n), fmt.Sprint(report), report.Err)
		})
	}
}
