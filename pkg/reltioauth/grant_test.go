package reltioauth_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// loginsWith are the grants that take parameters of the caller's own.
func loginsWith(values map[string]string) []reltioauth.Grant {
	var params map[string]reltioauth.Secret
	for name, value := range values {
		if params == nil {
			params = map[string]reltioauth.Secret{}
		}
		params[name] = reltioauth.NewSecret(value)
	}
	return []reltioauth.Grant{
		reltioauth.PasswordGrant{Username: "jane", Password: reltioauth.NewSecret("p"), Params: params},
		reltioauth.ClientCredentialsGrant{Params: params},
		reltioauth.AuthorizationCodeGrant{Code: reltioauth.NewSecret("c"), RedirectURI: "https://a.example", Params: params},
	}
}

func TestParamsAreSentInTheForm(t *testing.T) {
	for _, style := range []reltioauth.ClientAuth{reltioauth.ClientAuthBasic, reltioauth.ClientAuthPost} {
		var got []url.Values
		client := serve(t, func(w http.ResponseWriter, r *http.Request) {
			_ = r.ParseForm()
			if r.URL.RawQuery != "" {
				t.Errorf("query: got %q, want none", r.URL.RawQuery)
			}
			got = append(got, r.PostForm)
			writeJSON(w, 200, goodAnswer)
		})
		client.ClientAuth = style
		params := map[string]string{"idp_system": "salesforce", "audience": "a&b=c ä"}
		for i, grant := range loginsWith(params) {
			if _, err := client.Token(t.Context(), grant); err != nil {
				t.Fatal(err)
			}
			if _, err := client.Token(t.Context(), loginsWith(nil)[i]); err != nil {
				t.Fatal(err)
			}
			with, without := got[2*i], got[2*i+1]
			for name, value := range params {
				without.Set(name, value)
			}
			if diff := cmp.Diff(without, with); diff != "" {
				t.Errorf("%s: form (-want +got):\n%s", grant.GrantType(), diff)
			}
		}
	}
}

func TestParamsReplaceNothing(t *testing.T) {
	client := answering(reply{})
	client.Connect = transport(func(*http.Request) (*http.Response, error) {
		t.Error("a request was sent")
		return nil, io.ErrUnexpectedEOF
	}).connect
	for _, name := range []string{
		"grant_type", "client_id", "client_secret", "scope", "username", "password", "refresh_token",
		"code", "redirect_uri", "code_verifier", "state_token", "totp", "",
	} {
		for _, grant := range loginsWith(map[string]string{name: "canary", "idp_system": "x"}) {
			_, err := client.Token(t.Context(), grant)
			e := asError(t, err)
			if !errors.Is(err, reltioauth.ErrInvalidRequest) || e.Sent || e.Answered() || !strings.Contains(e.Error(), name) {
				t.Errorf("%s, %q: got %v", grant.GrantType(), name, err)
			}
			if strings.Contains(e.Error(), "canary") {
				t.Errorf("a value is in %q", e)
			}
		}
	}
}

func TestNoVerbPrintsAGrantsParams(t *testing.T) {
	for _, grant := range loginsWith(map[string]string{"idp_system": "canary"}) {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			text := fmt.Sprintf(verb, grant) + fmt.Sprintf(verb, &grant) + fmt.Sprintf(verb, []any{grant})
			for _, spelling := range []string{"canary", "63616e617279", "63616E617279"} {
				if strings.Contains(text, spelling) {
					t.Errorf("%s, %s: %s", grant.GrantType(), verb, text)
				}
			}
		}
		if text, err := json.Marshal(grant); err != nil || strings.Contains(string(text), "canary") {
			t.Errorf("%s, as JSON: %s, %v", grant.GrantType(), text, err)
		}
	}
}

func TestParamsAreRedacted(t *testing.T) {
	body := `{"error":"invalid_grant","error_description":"no user at Salesforce"}`
	for _, grant := range loginsWith(map[string]string{"idp_system": "salesforce"}) {
		_, err := answering(reply{status: 400, body: body}).Token(t.Context(), grant)
		if got := asError(t, err).Description; strings.Contains(strings.ToLower(got), "salesforce") {
			t.Errorf("%s: got %q", grant.GrantType(), got)
		}
	}
}
