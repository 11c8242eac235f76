package connection_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/reltio-tokens/reltio-tokens/internal/connection"
)

// The canary as the key of an authenticator.
const canarySecret = "MM2G4NDSPFRTI3RU"

// params are n parameters.
func params(n int) fields {
	f := fields{}
	for i := range n {
		f[fmt.Sprintf("p%d", i)] = canary
	}
	return f
}

func TestOptionalFields(t *testing.T) {
	const (
		text     = "must be a string"
		empty    = "must be a text that is not empty"
		long     = "must have at most 4096 bytes"
		control  = "must not have control characters"
		address  = "must be an https address"
		query    = "must not have a query or a fragment"
		user     = "must not have a user or a password in it"
		object   = "must be an object"
		count    = "must have 1 to 8 parameters"
		each     = "must have each name once, with a text"
		named    = "must have names of small letters, digits and underscores, at most 32, a letter first"
		secrets  = "must be the authenticator's secret in base32: at least 16 letters A to Z and digits 2 to 7"
		provider = "must be the secret in the otpauth address, not the address"
	)
	type value struct {
		value any
		want  string // empty: accepted
	}
	own := func(name string) value {
		return value{fields{name: canary}, "must not have " + name + ", which this service sends itself"}
	}
	for field, test := range map[string]struct {
		of     []connection.GrantType
		values []value
	}{
		"api_url": {grantTypes(), []value{
			{"https://prod.reltio.com", ""},
			{"https://prod.reltio.com/", ""},
			{"https://prod.reltio.com:8443/reltio/api/T%20x", ""},
			{"https://[::1]:8443/a", ""},
			{"https://prod.reltio.com/~acme", ""},
			{nil, text},
			{1, text},
			{"", empty},
			{"https://a\n", control},
			{"https://" + strings.Repeat("a", 4096), long},
			{"http://prod.reltio.com", address},
			{"HTTPS", address},
			{"prod.reltio.com/reltio/api", address},
			{"//prod.reltio.com", address},
			{"https:prod.reltio.com", address},
			{"https://", address},
			{"https:///a", address},
			{"https://:443/a", address},
			{"https://a:/b", address},
			{"https://a:0/b", address},
			{"https://a:65536/b", address},
			{"https://a_b/c", address},
			{"https://prod.reltio.com/a b", address},
			{" https://prod.reltio.com", address},
			{"https://prod.reltio.com ", address},
			{"https://prod.reltio.com/\u200b", address},
			{"https://prod.reltio.com/ä", address},
			{"https://a/%zz", address},
			{"https://a/b?c=" + canary, query},
			{"https://a/b?", query},
			{"https://a/b#" + canary, query},
			{"https://a/b#", query},
			{"https://" + canary + "@a/b", user},
			{"https://" + canary + ":" + canary + "@a/b", user},
		}},
		"token_params": {grantTypes(), []value{
			{fields{"idp_system": "salesforce"}, ""},
			{fields{"tenant_id": "T", "a": " x ", "a_2": "é"}, ""},
			{fields{strings.Repeat("a", 32): "x"}, ""},
			{params(8), ""},
			{fields{"a": strings.Repeat("x", 4096)}, ""},
			{params(9), count},
			{fields{}, count},
			{nil, object},
			{canary, object},
			{[]string{canary}, object},
			{7, object},
			{fields{"a": 7}, each},
			{fields{"a": nil}, each},
			{fields{"a2": fields{canary: canary}}, each},
			{fields{"a": []string{canary}}, each},
			{json.RawMessage(`{"a":"` + canary + `","a":"b"}`), each},
			{json.RawMessage(`{"a2":"` + canary + `","a2":"b"}`), each},
			{fields{"a": ""}, empty},
			{fields{"a": strings.Repeat("x", 4097)}, long},
			{fields{"a": canary + "\r\nb"}, control},
			{fields{"": canary}, named},
			{fields{"A": canary}, named},
			{fields{"_a": canary}, named},
			{fields{"1a": canary}, named},
			{fields{"a-b": canary}, named},
			{fields{"a.b": canary}, named},
			{fields{"a ": canary}, named},
			{fields{"é": canary}, named},
			{fields{canary + " 4711": "x"}, named},
			{fields{strings.Repeat("a", 33): "x"}, named},
			own("grant_type"),
			own("client_id"),
			own("client_secret"),
			own("username"),
			own("password"),
			own("scope"),
			own("refresh_token"),
			own("code"),
			own("redirect_uri"),
			own("code_verifier"),
			own("state_token"),
			own("totp"),
			own("token"),
			own("token_type_hint"),
		}},
		"totp_secret": {[]connection.GrantType{connection.Password}, []value{
			{canarySecret, ""},
			{"gezd gnbv gy3t qojq", ""},
			{"GEZDGNBVGY3TQOJQGE======", ""},
			{strings.Repeat("A", 32), ""},
			{strings.Repeat("A", 205), ""}, // 128 bytes
			{nil, text},
			{123456, text},
			{"", empty},
			{"123456", secrets},
			{canary, secrets},
			{canarySecret[:15], secrets},
			{canarySecret + "=1", secrets},
			{canarySecret + "\n", secrets},
			{canarySecret + "\u00a0", secrets},
			{strings.Repeat("A", 208), secrets},
			{"0" + canarySecret[1:], secrets},
			{"otpauth://totp/ann?secret=" + canarySecret, provider},
			{"OTPAUTH://totp/ann?secret=" + canarySecret, provider},
		}},
	} {
		for _, grantType := range test.of {
			for _, v := range test.values {
				t.Run(fmt.Sprintf("%s of %s %.40v", field, grantType, v.value), func(t *testing.T) {
					_, err := connection.Parse("acme", secret(with(minimal(grantType), field, v.value)), reltio())
					switch {
					case v.want != "":
						wantProblems(t, err, field+": "+v.want)
					case err != nil:
						t.Errorf("error %v, want none", err)
					}
					if err != nil && strings.Contains(err.Error(), canarySecret) {
						t.Error("the error holds a value")
					}
				})
			}
		}
	}
}

// The key of an authenticator is kept in one form, however it was shown.
func TestTOTPSecretForms(t *testing.T) {
	for _, text := range []string{canarySecret, strings.ToLower(canarySecret), "mm2g 4nds pfrt i3ru", " " + canarySecret + " ", canarySecret + "="} {
		c := parse(t, "acme", with(minimal(connection.Password), "totp_secret", text))
		if got := c.TOTPSecret.Reveal(); got != canarySecret {
			t.Errorf("another form of %d characters gives another key", len(text))
		}
	}
}
