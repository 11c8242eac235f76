package authcode_test

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/reltio-tokens/reltio-tokens/internal/authcode"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// recorded notes the forms of the token requests that go through a connection.
type recorded struct {
	reltioauth.Transport
	forms *[]url.Values
}

// RoundTrip implements http.RoundTripper.
func (r recorded) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Path == "/oauth/token" {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, err
		}
		*r.forms = append(*r.forms, form)
		req = req.Clone(req.Context())
		req.Body = io.NopCloser(strings.NewReader(string(body)))
	}
	return r.Transport.RoundTrip(req)
}

// What a connection's secret adds to logins is sent with a person's code too.
func TestTheExchangeSendsTheConnectionsParameters(t *testing.T) {
	bubble(t, func(w *world) {
		var forms []url.Values
		connect := w.flow.Connect
		w.flow.Connect = func(ctx context.Context, u *url.URL) (reltioauth.Transport, error) {
			opened, err := connect(ctx, u)
			return recorded{opened, &forms}, err
		}
		w.expect(w.journey(w.invite(), "ann"), authcode.Done)
		w.connect("acme", with(secret(), "token_params", map[string]any{"idp_system": "salesforce", "b2": "a&b"}))
		w.expect(w.journey(w.invite(), "ann"), authcode.Done)
		if len(forms) != 2 {
			t.Fatalf("%d exchanges, want 2", len(forms))
		}
		without, with := forms[0], forms[1]
		if without.Has("idp_system") || without.Has("b2") {
			t.Error("parameters are sent that no secret names")
		}
		if with.Get("idp_system") != "salesforce" || with.Get("b2") != "a&b" || len(with) != len(without)+2 {
			t.Errorf("idp_system %q, b2 %q among %d parameters, want the secret's beside the usual %d",
				with.Get("idp_system"), with.Get("b2"), len(with), len(without))
		}
	})
}
