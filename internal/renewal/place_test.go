package renewal_test

import (
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
)

// Callers are told where the token is used: what the connection's secret says at
// the renewal, also when it no longer says it.
func TestTheGrantSaysWhereTheTokenIsUsed(t *testing.T) {
	for name, fields := range kinds() {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				const api = "https://prod.reltio.com/reltio/api/tenant-1"
				w.started(with(with(fields, "api_url", api), "tenant_id", "tenant-1"))
				w.due()
				w.expect(w.acme(), rotateapi.Renewed, "")
				if g := w.grant("acme"); g.APIURL != api || g.TenantID != "tenant-1" {
					t.Errorf("%q, %q", g.APIURL, g.TenantID)
				}
				if name == "authorization_code" {
					w.connect("acme", fields) // its tenant is part of who it is
				} else {
					w.connect("acme", with(fields, "api_url", api+"/other"))
				}
				w.due()
				time.Sleep(time.Minute)
				w.expect(w.acme(), rotateapi.Renewed, "")
				if g := w.grant("acme"); g.APIURL == api || name != "authorization_code" && g.APIURL != api+"/other" {
					t.Errorf("%q, %q", g.APIURL, g.TenantID)
				}
			})
		})
	}
}
