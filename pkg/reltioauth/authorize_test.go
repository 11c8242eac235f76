package reltioauth_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// The verifier and challenge of RFC 7636, appendix B.
const (
	verifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

func authorizationRequest() reltioauth.AuthorizationRequest {
	return reltioauth.AuthorizationRequest{
		TenantID:    "acme&tenant",
		RedirectURI: "https://tokens.acme.example/callback?a=b",
		State:       reltioauth.NewSecret("st&te"),
	}
}

func TestAuthorizationURL(t *testing.T) {
	client := &reltioauth.Client{ClientID: "acme"}
	want := url.Values{
		"tenant_id":     {"acme&tenant"},
		"response_type": {"code"},
		"client_id":     {"acme"},
		"redirect_uri":  {"https://tokens.acme.example/callback?a=b"},
		"state":         {"st&te"},
	}
	for _, withPKCE := range []bool{false, true} {
		request := authorizationRequest()
		if withPKCE {
			request.Verifier = reltioauth.NewSecret(verifier)
			want.Set("code_challenge", challenge)
			want.Set("code_challenge_method", "S256")
		}
		got, err := client.AuthorizationURL(request)
		if err != nil {
			t.Fatal(err)
		}
		address, query, _ := strings.Cut(got, "?")
		if want := "https://auth.reltio.com/oauth/sso"; address != want {
			t.Errorf("got %s, want %s", address, want)
		}
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, values); diff != "" {
			t.Errorf("PKCE %t: query (-want +got):\n%s", withPKCE, diff)
		}
	}
}

func TestAuthorizationURLRefuses(t *testing.T) {
	type request = reltioauth.AuthorizationRequest
	for _, test := range []struct {
		name   string
		change func(*request)
		want   string
	}{
		{"no tenant", func(r *request) { r.TenantID = "" }, "tenant_id: empty"},
		{"no redirect URI", func(r *request) { r.RedirectURI = "" }, "redirect_uri: not an absolute URI without a fragment"},
		{"relative", func(r *request) { r.RedirectURI = "/callback" }, "redirect_uri: not an absolute URI without a fragment"},
		{"without a host", func(r *request) { r.RedirectURI = "https:callback" }, "redirect_uri: not an absolute URI without a fragment"},
		{"fragment", func(r *request) { r.RedirectURI += "#a" }, "redirect_uri: not an absolute URI without a fragment"},
		{"empty fragment", func(r *request) { r.RedirectURI += "#" }, "redirect_uri: not an absolute URI without a fragment"},
		{"no URI", func(r *request) { r.RedirectURI = "https://a b/" }, "redirect_uri: not an absolute URI without a fragment"},
		{"no state", func(r *request) { r.State = reltioauth.Secret{} }, "state: blank"},
		{"blank state", func(r *request) { r.State = reltioauth.NewSecret(" \t") }, "state: blank"},
		{"short verifier", func(r *request) { r.Verifier = reltioauth.NewSecret(verifier[1:]) }, "code_verifier: not 43 to 128 unreserved characters"},
		{"long verifier", func(r *request) { r.Verifier = reltioauth.NewSecret(strings.Repeat("a", 129)) }, "code_verifier: not 43 to 128 unreserved characters"},
		{"verifier in base64", func(r *request) { r.Verifier = reltioauth.NewSecret(verifier[1:] + "=") }, "code_verifier: not 43 to 128 unreserved characters"},
		{"verifier with a space", func(r *request) { r.Verifier = reltioauth.NewSecret(verifier + " ") }, "code_verifier: not 43 to 128 unreserved characters"},
	} {
		request := authorizationRequest()
		test.change(&request)
		got, err := (&reltioauth.Client{ClientID: "acme"}).AuthorizationURL(request)
		if want := "reltioauth: authorize: invalid_request: " + test.want; got != "" || err == nil || err.Error() != want {
			t.Errorf("%s: got %q, %v; want %q", test.name, got, err, want)
		}
	}
	_, err := (&reltioauth.Client{}).AuthorizationURL(authorizationRequest())
	if !errors.Is(err, reltioauth.ErrInvalidRequest) {
		t.Errorf("no client: got %v, want %v", err, reltioauth.ErrInvalidRequest)
	}
}
