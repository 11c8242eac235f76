package connection_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

func TestParse(t *testing.T) {
	common := plain{
		Name: "acme", Version: "v1", AuthURL: "https://auth.reltio.com", Host: "auth.reltio.com:443",
		ClientID: "client", ClientSecret: "s", ClientAuth: reltioauth.ClientAuthBasic,
	}
	want := func(t connection.GrantType, change func(*plain)) plain {
		p := common
		p.GrantType = t
		change(&p)
		return p
	}
	for name, test := range map[string]struct {
		text string
		want plain
	}{
		"client credentials, minimal": {
			`{"grant_type":"client_credentials","client_id":"client","client_secret":"s"}`,
			want(connection.ClientCredentials, func(*plain) {}),
		},
		"client credentials, maximal": {
			`{"grant_type":"client_credentials","client_id":"client","client_secret":"s","auth_url":"https://auth.reltio.com",
			  "client_auth":"post","scope":"a b","aliases":["b","a"],"token_in_query":true,"tenant_id":"T",
			  "api_url":"https://prod.reltio.com/reltio/api/T","token_params":{"idp_system":"x y","b2":"é"}}`,
			want(connection.ClientCredentials, func(p *plain) {
				p.TenantID, p.APIURL, p.TokenParams = "T", "https://prod.reltio.com/reltio/api/T", map[string]string{"idp_system": "x y", "b2": "é"}
				p.ClientAuth, p.Scope, p.Aliases, p.TokenInQuery = reltioauth.ClientAuthPost, "a b", []string{"a", "b"}, true
			}),
		},
		"password, minimal": {
			`{"grant_type":"password","client_id":"client","client_secret":"s","username":"U","password":"p"}`,
			want(connection.Password, func(p *plain) {
				p.Username, p.Password, p.RefreshTokenLife = "U", "p", 28*day
			}),
		},
		"password, maximal": {
			`{"grant_type":"password","client_id":"client","client_secret":"s","username":"U","password":"p","auth_url":"https://auth.reltio.com",
			  "client_auth":"basic","scope":"a","aliases":["a"],"token_in_query":false,"refresh_token_days":7,"tenant_id":"T",
			  "totp_secret":"gezd gnbv gy3t qojq","api_url":"https://prod.reltio.com","token_params":{"idp_system":"salesforce"}}`,
			want(connection.Password, func(p *plain) {
				p.TenantID, p.TOTPSecret, p.APIURL = "T", "GEZDGNBVGY3TQOJQ", "https://prod.reltio.com"
				p.TokenParams = map[string]string{"idp_system": "salesforce"}
				p.Username, p.Password, p.RefreshTokenLife, p.Scope, p.Aliases = "U", "p", 7*day, "a", []string{"a"}
			}),
		},
		"authorization code, minimal": {
			`{"grant_type":"authorization_code","client_id":"client","client_secret":"s","tenant_id":"t"}`,
			want(connection.AuthorizationCode, func(p *plain) { p.TenantID, p.RefreshTokenLife = "t", 28*day }),
		},
		"authorization code, maximal": {
			`{"grant_type":"authorization_code","client_id":"client","client_secret":"s","tenant_id":"t","auth_url":"https://auth.reltio.com",
			  "client_auth":"post","scope":"a","aliases":["a"],"token_in_query":true,"refresh_token_days":365,"pkce":true,"expected_user":"U",
			  "api_url":"https://prod.reltio.com:8443/a/","token_params":{"a":"b"}}`,
			want(connection.AuthorizationCode, func(p *plain) {
				p.APIURL, p.TokenParams = "https://prod.reltio.com:8443/a/", map[string]string{"a": "b"}
				p.TenantID, p.RefreshTokenLife, p.ExpectedUser, p.PKCE = "t", 365*day, "U", true
				p.ClientAuth, p.Scope, p.Aliases, p.TokenInQuery = reltioauth.ClientAuthPost, "a", []string{"a"}, true
			}),
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := connection.Parse("acme", sourceOf(test.text), reltio())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, reveal(c)); diff != "" {
				t.Errorf("connection (-want +got):\n%s", diff)
			}
			if strings.HasSuffix(name, "maximal") {
				hasAllFields(t, c.GrantType, test.text)
			}
		})
	}
}

// hasAllFields checks that a secret has all fields that the grant type uses, and no
// other.
func hasAllFields(t *testing.T, grantType connection.GrantType, text string) {
	t.Helper()
	var got map[string]any
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{}
	for _, field := range connection.Fields() {
		if field.UsedBy(grantType) {
			want[field.Name] = true
		}
	}
	for name := range got {
		if !want[name] {
			t.Errorf("%s is not in connection.Fields, or not for %s", name, grantType)
		}
	}
	for name := range want {
		if _, ok := got[name]; !ok {
			t.Errorf("the maximal secret of %s has no %s", grantType, name)
		}
	}
	sendsEachOnce(t, got)
}

// sendsEachOnce checks that token_params may not have what another field sends.
func sendsEachOnce(t *testing.T, maximal fields) {
	t.Helper()
	c, err := connection.Parse("acme", secret(without(maximal, "token_params")), reltio())
	if err != nil {
		t.Fatal(err)
	}
	for name := range c.LoginParams() {
		_, err := connection.Parse("acme", secret(with(maximal, "token_params", map[string]any{name: "x"})), reltio())
		wantProblems(t, err, "token_params: must not have "+name+", which this service sends itself")
	}
}

func TestParseNamesWhatIsMissing(t *testing.T) {
	for _, grantType := range grantTypes() {
		for field := range minimal(grantType) {
			t.Run(string(grantType)+" without "+field, func(t *testing.T) {
				_, err := connection.Parse("acme", secret(without(minimal(grantType), field)), reltio())
				wantProblems(t, err, field+": is required")
			})
		}
	}
}

func TestParseRefusesOtherGrantTypes(t *testing.T) {
	for name, value := range map[string]any{
		"empty": "", "upper case": "PASSWORD", "refresh": "refresh_token", "unknown": canary, "a space": "password ", "control": "pass\nword",
	} {
		t.Run(name, func(t *testing.T) {
			f := with(minimal(connection.Password), "grant_type", value)
			_, err := connection.Parse("acme", secret(f), reltio())
			want := "grant_type: must be password, client_credentials or authorization_code"
			switch name {
			case "empty":
				want = "grant_type: must be a text that is not empty"
			case "control":
				want = "grant_type: must not have control characters"
			}
			// What only some grant types use is not held against it.
			wantProblems(t, err, want)
		})
	}
}

func TestParseRefusesFieldsOfOtherGrantTypes(t *testing.T) {
	values := fields{
		"username": canary, "password": canary, "totp_secret": "GEZDGNBVGY3TQOJQ",
		"refresh_token_days": 28, "pkce": true, "expected_user": canary,
	}
	uses := map[connection.GrantType]string{
		connection.Password:          "username password totp_secret refresh_token_days",
		connection.ClientCredentials: "",
		connection.AuthorizationCode: "refresh_token_days pkce expected_user",
	}
	for grantType, used := range uses {
		for field, value := range values {
			for _, v := range []any{value, nil} { // a null is there as well
				t.Run(fmt.Sprintf("%s with %s %v", grantType, field, v), func(t *testing.T) {
					_, err := connection.Parse("acme", secret(with(minimal(grantType), field, v)), reltio())
					switch isUsed := strings.Contains(" "+used+" ", " "+field+" "); {
					case !isUsed:
						wantProblems(t, err, field+": is not used by "+string(grantType))
					case v != nil && err != nil:
						t.Errorf("error %v, want none", err)
					}
				})
			}
		}
	}
}

func TestParseRefusesUnknownFields(t *testing.T) {
	for name, test := range map[string]struct{ member, want string }{
		"unknown":               {`"note":"` + canary + `"`, "note: is not known here"},
		"unknown and null":      {`"note":null`, "note: is not known here"},
		"other letters":         {`"Client_ID":"x"`, "a field: is not known here"},
		"upper case":            {`"SCOPE":"x"`, "a field: is not known here"},
		"a secret as name":      {`"` + canary + ` 4711":"x"`, "a field: is not known here"},
		"an empty name":         {`"":"x"`, "a field: is not known here"},
		"digits in the name":    {`"scope2":"x"`, "a field: is not known here"},
		"the longest name":      {`"` + strings.Repeat("a", 32) + `":1`, strings.Repeat("a", 32) + ": is not known here"},
		"longer than any":       {`"` + strings.Repeat("a", 33) + `":1`, "a field: is not known here"},
		"a look-alike":          {`"scоpe":"x"`, "a field: is not known here"},
		"repeated":              {`"client_secret":"` + canary + `"`, "client_secret: is repeated"},
		"repeated, escaped":     {`"client\u005fid":"x"`, "client_id: is repeated"},
		"repeated and unknown":  {`"note":1,"note":2`, "note: is repeated"},
		"a field of a grant":    {`"refresh_token":"` + canary + `"`, "refresh_token: is not known here"},
		"several, one nameless": {`"x":1,"B":2,"a":3`, "a: is not known here; x: is not known here; a field: is not known here"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := connection.Parse("acme", raw(connection.ClientCredentials, test.member), reltio())
			wantProblems(t, err, test.want)
		})
	}
}

func TestParseSaysEverythingAtOnce(t *testing.T) {
	_, err := connection.Parse("acme", sourceOf(`{"grant_type":"password","client_id":"a:b","username":"","auth_url":"http://x",
		"aliases":[],"client_auth":"basic","refresh_token_days":0,"pkce":true,"tenant_id":" t","scope":1,"other":1,"`+canary+`":1}`), reltio())
	wantProblems(t, err,
		"aliases: must name 1 to 100 aliases of the issue function",
		"auth_url: must be https (http is for loopback alone)",
		"client_id: must not have a colon with client_auth basic",
		"client_secret: is required",
		"other: is not known here",
		"password: is required",
		"pkce: is not used by password",
		"refresh_token_days: must be a number above 0 and at most 365",
		"scope: must be a string",
		"tenant_id: must not begin or end with a blank",
		"username: must be a text that is not empty",
		"a field: is not known here",
	)
}
