package operator_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/operator"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

const passwordSecret = `{"grant_type":"password","client_id":"client-1","client_secret":"client-secret-1","username":"ann","password":"password-1"}`

func TestWhatIsAddedCanBeUsed(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		added, err := w.operator.Add(t.Context(), operator.AddRequest{Connection: "acme", Secret: reltioauth.NewSecret(passwordSecret)})
		if err != nil {
			t.Fatal(err)
		}
		if added.GrantType != connection.Password || added.Host != "auth.reltio.com:443" || added.Replaced || len(added.Problems) != 0 {
			t.Errorf("added %+v", added)
		}
		if r := w.rotate(false); *r.Outcome != rotateapi.Renewed {
			t.Errorf("renewal: %s, %v", *r.Outcome, r.Error)
		}
	})
}

func TestAddOverwritesByForceAlone(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.connect("acme", clientCredentials())
		request := operator.AddRequest{Connection: "acme", Secret: reltioauth.NewSecret(passwordSecret)}
		_, err := w.operator.Add(t.Context(), request)
		w.wantError(err, apierr.InvalidRequest)
		if c, err := w.operator.Check(t.Context(), "acme"); err != nil || c.GrantType != connection.ClientCredentials {
			t.Errorf("%s, %v; want the old secret", c.GrantType, err)
		}
		request.Force = true
		if added, err := w.operator.Add(t.Context(), request); err != nil || !added.Replaced {
			t.Errorf("%+v, %v", added, err)
		}
		if c, err := w.operator.Check(t.Context(), "acme"); err != nil || c.GrantType != connection.Password {
			t.Errorf("%s, %v; want the new secret", c.GrantType, err)
		}
	})
}

func TestAMalformedSecretIsNotWritten(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		for name, text := range map[string]string{
			"no JSON":      "c4n4ry",
			"nothing":      "",
			"a field less": `{"grant_type":"password","client_id":"c4n4ry"}`,
			"another host": `{"grant_type":"client_credentials","client_id":"a","client_secret":"c4n4ry","auth_url":"https://c4n4ry.example.com"}`,
			"twice":        `{"grant_type":"client_credentials","client_id":"a","client_secret":"c4n4ry","client_secret":"c4n4ry"}`,
		} {
			_, err := w.operator.Add(t.Context(), operator.AddRequest{Connection: "acme", Secret: reltioauth.NewSecret(text), Force: true})
			w.wantError(err, apierr.InvalidConnection)
			if err != nil && strings.Contains(err.Error(), "c4n4ry") {
				t.Errorf("%s: the error holds a value", name)
			}
		}
		_, err := w.operator.Add(t.Context(), operator.AddRequest{Connection: "No", Secret: reltioauth.NewSecret(passwordSecret)})
		w.wantError(err, apierr.InvalidRequest)
		if _, err := w.secrets.Connection(t.Context(), "acme"); !errors.Is(err, connection.ErrNotFound) {
			t.Errorf("something was written: %v", err)
		}
	})
}

// An account that is another connection's is no reason not to write the secret:
// the other one may be about to go.
func TestAddSaysWhoHasTheAccount(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.connect("owner", password())
		if _, err := w.operator.Rotate(t.Context(), "owner", false); err != nil {
			t.Fatal(err)
		}
		added, err := w.operator.Add(t.Context(), operator.AddRequest{Connection: "acme", Secret: reltioauth.NewSecret(passwordSecret)})
		if want := []string{"username: its account belongs to connection owner"}; err != nil || !slices.Equal(added.Problems, want) {
			t.Errorf("%v, %v; want %v", added.Problems, err, want)
		}
	})
}
