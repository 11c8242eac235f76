package renewal_test

import (
	"testing"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
)

// An operator who repairs a refused connection by giving it another user is told
// that it has recovered, although it is another grant from then on.
func TestRecoveredWithAnotherIdentity(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.listen()
		w.connect("acme", wrongPassword())
		for range 2 {
			w.force()
		}
		w.status(grant.StatusCredentialsRejected)
		w.connect("acme", with(with(password(), "username", "ben"), "password", "password-2"))
		w.expect(w.force(), rotateapi.Renewed, "")
		p.want(w, grant.CredentialsRejected, grant.Recovered)
	})
}
