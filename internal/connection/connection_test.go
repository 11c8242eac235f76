package connection_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

func parse(t *testing.T, name string, f fields) *connection.Connection {
	t.Helper()
	hosts := connection.Hosts{"auth.reltio.com:443", "auth.example:443", "auth.reltio.com:8443"}
	c, err := connection.Parse(name, secret(f), hosts)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// names are the four hashes of a connection that others remember.
type names struct{ Identity, Account, Credentials, ClientKey string }

func namesOf(c *connection.Connection) names {
	return names{c.IdentityHash(), c.AccountHash(), c.CredentialsHash(), c.ClientKey()}
}

// What changes whose grant it is, what Reltio locks, what is counted as a try of
// new credentials, and who is throttled; and what does not.
func TestNames(t *testing.T) {
	const (
		identity    = "identity"
		account     = "account"
		credentials = "credentials"
		clientKey   = "client key"
	)
	password := minimal(connection.Password)
	client := minimal(connection.ClientCredentials)
	code := minimal(connection.AuthorizationCode)
	for name, test := range map[string]struct {
		from    fields
		field   string
		value   any
		changes string
	}{
		"password, host":                {password, "auth_url", "https://auth.example", "identity account client key"},
		"password, port":                {password, "auth_url", "https://auth.reltio.com:8443", "identity account client key"},
		"password, host written out":    {password, "auth_url", "https://AUTH.reltio.com:443/", ""},
		"password, client":              {password, "client_id", "other", "identity credentials client key"},
		"password, client in capitals":  {password, "client_id", "CLIENT", "identity credentials client key"},
		"password, client secret":       {password, "client_secret", "other", "credentials"},
		"password, user":                {password, "username", "other", "identity account credentials"},
		"password, user in capitals":    {password, "username", "USER", "identity credentials"},
		"password, password":            {password, "password", "other", "credentials"},
		"password, style":               {password, "client_auth", "post", ""},
		"password, scope":               {password, "scope", "a", ""},
		"password, a tenant":            {password, "tenant_id", "other", "identity"},
		"password, authenticator":       {password, "totp_secret", "GEZDGNBVGY3TQOJQ", ""},
		"password, parameters":          {password, "token_params", map[string]string{"idp_system": "x"}, ""},
		"password, API":                 {password, "api_url", "https://prod.reltio.com", ""},
		"client, a tenant":              {client, "tenant_id", "other", "identity"},
		"password, days":                {password, "refresh_token_days", 7, ""},
		"password, aliases":             {password, "aliases", []string{"a"}, ""},
		"password, query":               {password, "token_in_query", true, ""},
		"client, host":                  {client, "auth_url", "https://auth.example", "identity account client key"},
		"client, client":                {client, "client_id", "other", "identity account credentials client key"},
		"client, client secret":         {client, "client_secret", "other", "credentials"},
		"client, scope":                 {client, "scope", "a", ""},
		"authorization code, host":      {code, "auth_url", "https://auth.example", "identity account client key"},
		"authorization code, client":    {code, "client_id", "other", "identity account credentials client key"},
		"authorization code, tenant":    {code, "tenant_id", "other", "identity"},
		"authorization code, user":      {code, "expected_user", "other", ""},
		"authorization code, challenge": {code, "pkce", true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			before, after := namesOf(parse(t, "acme", test.from)), namesOf(parse(t, "acme", with(test.from, test.field, test.value)))
			for what, changed := range map[string]bool{
				identity:    before.Identity != after.Identity,
				account:     before.Account != after.Account,
				credentials: before.Credentials != after.Credentials,
				clientKey:   before.ClientKey != after.ClientKey,
			} {
				if want := strings.Contains(test.changes, what); changed != want {
					t.Errorf("%s changed: %v, want %v", what, changed, want)
				}
			}
		})
	}
}

func TestGrantTypesHaveDifferentIdentities(t *testing.T) {
	seen := map[string]connection.GrantType{}
	for _, grantType := range grantTypes() {
		id := parse(t, "acme", minimal(grantType)).IdentityHash()
		if twin, ok := seen[id]; ok {
			t.Errorf("%s has the identity of %s", grantType, twin)
		}
		seen[id] = grantType
	}
}

// The same user of the same server is one account, whichever connection names it; a client
// without a user has one of its own per connection.
func TestAccountsOfTwoConnections(t *testing.T) {
	for grantType, shared := range map[connection.GrantType]bool{
		connection.Password: true, connection.ClientCredentials: false, connection.AuthorizationCode: false,
	} {
		one, other := parse(t, "acme", minimal(grantType)), parse(t, "acme2", minimal(grantType))
		if got := one.AccountHash() == other.AccountHash(); got != shared {
			t.Errorf("%s: shared account %v, want %v", grantType, got, shared)
		}
		if one.IdentityHash() != other.IdentityHash() {
			t.Errorf("%s: the name is part of the identity", grantType)
		}
	}
	a := parse(t, "acme", with(minimal(connection.Password), "username", "Ann@Example.COM"))
	b := parse(t, "other", with(with(minimal(connection.Password), "username", "ann@example.com"), "client_id", "c2"))
	if a.AccountHash() != b.AccountHash() {
		t.Error("the same user in other letters, through another client, is another account")
	}
}

// A value that moves from one field to the next is another identity.
func TestNamesDoNotRunTogether(t *testing.T) {
	base := minimal(connection.Password)
	one := parse(t, "acme", with(with(base, "username", "ab"), "password", "c"))
	two := parse(t, "acme", with(with(base, "username", "a"), "password", "bc"))
	if one.CredentialsHash() == two.CredentialsHash() {
		t.Error("two pairs of user and password have the same hash")
	}
}

func TestNamesAreExact(t *testing.T) {
	c := parse(t, "acme", with(minimal(connection.Password), "username", "User"))
	want := names{
		Identity:    connection.Hash("auth.reltio.com:443", "client", "password", "User", ""),
		Account:     connection.Hash("auth.reltio.com:443", "user"),
		Credentials: connection.Hash("client", canary+"-client", "User", canary+"-password"),
		ClientKey:   connection.Hash("auth.reltio.com:443", "client"),
	}
	if diff := cmp.Diff(want, namesOf(c)); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	code := parse(t, "acme", minimal(connection.AuthorizationCode))
	if got, want := code.IdentityHash(), connection.Hash("auth.reltio.com:443", "client", "authorization_code", "", "tenant"); got != want {
		t.Errorf("identity %s, want %s", got, want)
	}
}

// The vectors were made by another program: printf '["a","b"]' | sha256sum
func TestHash(t *testing.T) {
	for want, values := range map[string][]string{
		"0473ef2dc0d324ab659d3580c1134e9d812035905c4781fdd6d529b0c6860e13": {"a", "b"},
		"f9ca6d378adafba7c7de88d13d0e9126503bb6d438f4ae7d8197edbc6e6ef300": {"ab"},
		"055539df4a0b804c58caf46c0cd2941af10d64c1395ddd8e50b5f55d945841e6": {""},
		"0a947cd6c75c376121b66d8971701df5116e8be3f79c07c2f274ad53ab66ecfe": {`<&>"é`},
	} {
		if got := connection.Hash(values...); got != want {
			t.Errorf("Hash(%q) = %s, want %s", values, got, want)
		}
	}
}

func TestWhatGrantTypesCan(t *testing.T) {
	type abilities struct{ HasUser, Refreshes, LogsInAlone bool }
	for grantType, want := range map[connection.GrantType]abilities{
		connection.Password:          {true, true, true},
		connection.ClientCredentials: {false, false, true},
		connection.AuthorizationCode: {false, true, false},
	} {
		c := parse(t, "acme", minimal(grantType))
		if diff := cmp.Diff(want, abilities{c.HasUser(), c.Refreshes(), c.LogsInAlone()}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", grantType, diff)
		}
	}
}

func TestLogin(t *testing.T) {
	scoped := func(t connection.GrantType) fields { return with(minimal(t), "scope", "a b") }
	password, ok := parse(t, "acme", scoped(connection.Password)).Login().(reltioauth.PasswordGrant)
	if !ok || password.Username != "user" || password.Password.Reveal() != canary+"-password" || password.Scope != "a b" {
		t.Errorf("password: %+v", password)
	}
	client, ok := parse(t, "acme", scoped(connection.ClientCredentials)).Login().(reltioauth.ClientCredentialsGrant)
	if !ok || client.Scope != "a b" {
		t.Errorf("client credentials: %+v", client)
	}
	for _, grantType := range grantTypes() {
		c := parse(t, "acme", with(minimal(grantType), "token_params", map[string]string{"idp_system": "salesforce"}))
		sent := c.TokenParams // what the exchange of a person's code sends
		switch login := c.Login().(type) {
		case reltioauth.PasswordGrant:
			sent = login.Params
		case reltioauth.ClientCredentialsGrant:
			sent = login.Params
		}
		if len(sent) != 1 || sent["idp_system"].Reveal() != "salesforce" {
			t.Errorf("%s: %d parameters, not those of the secret", grantType, len(sent))
		}
	}
	if got := parse(t, "acme", scoped(connection.AuthorizationCode)).Login(); got != nil {
		t.Errorf("authorization code: %+v, want none", got)
	}
}

func TestClient(t *testing.T) {
	f := with(with(with(minimal(connection.Password), "client_auth", "post"), "token_in_query", true), "auth_url", "https://auth.example")
	got := parse(t, "acme", f).Client()
	if got.AuthURL != "https://auth.example" || got.ClientID != "client" || got.ClientSecret.Reveal() != canary+"-client" ||
		got.ClientAuth != reltioauth.ClientAuthPost || !got.TokenInQuery {
		t.Errorf("client %+v is not the connection's", got)
	}
}

func TestConnectionPrintsNoSecret(t *testing.T) {
	for _, grantType := range grantTypes() {
		f := with(minimal(grantType), "token_params", map[string]string{"a": canary})
		if grantType == connection.Password {
			f["totp_secret"] = canarySecret
		}
		c := parse(t, "acme", f)
		got := fmt.Sprintf("%v %+v %#v %+v %+v", c, *c, *c, c.Client(), c.Login())
		if strings.Contains(got, canary) || strings.Contains(got, canarySecret) {
			t.Errorf("%s: %s", grantType, got)
		}
	}
	source := secret(minimal(connection.Password))
	if got := fmt.Sprintf("%v %+v %#v", source, source, source); strings.Contains(got, canary) {
		t.Errorf("source: %s", got)
	}
}

func TestValidName(t *testing.T) {
	for name, want := range map[string]bool{
		"a": true, "0": true, "acme-prod": true, "a.b_c-d": true, "a..": true, strings.Repeat("a", 64): true,
		"": false, "A": false, "-a": false, ".a": false, "_a": false, "a/b": false, "a b": false, "é": false,
		"a\n": false, "a\x00": false, "a:b": false, strings.Repeat("a", 65): false,
	} {
		if got := connection.ValidName(name); got != want {
			t.Errorf("ValidName(%q) = %v, want %v", name, got, want)
		}
	}
}

// problem is what each part of a message looks like: made of our own words.
var problem = regexp.MustCompile(`^([a-z_]{1,32}|a field): [a-z0-9_ ,:()A-Z-]+$`)

// Whatever a secret holds, Parse gives a connection that can be used or says
// what is wrong in words of its own.
func FuzzParse(f *testing.F) {
	for _, grantType := range grantTypes() {
		f.Add(secret(minimal(grantType)).Value.Reveal())
		f.Add(raw(grantType, `"auth_url":"http://[::1]:3002/","aliases":["a"],"refresh_token_days":0.5,"scope":"a"`).Value.Reveal())
		f.Add(raw(grantType, `"refresh_token_days":1e-15`).Value.Reveal())
		f.Add(raw(grantType, `"api_url":"https://a/b?c","token_params":{"a":"b","B":1},"totp_secret":"gezd gnbv gy3t qojq"`).Value.Reveal())
		f.Add("\ufeff" + raw(grantType, `“a”:'b',"c":"d\e",`).Value.Reveal())
		f.Add(raw(grantType, `"client_id":null,"pkce":1,"`+canary+`":"`+canary+`"`).Value.Reveal())
	}
	hosts := connection.Hosts{"auth.reltio.com:443", "[::1]:3002", "localhost:80"}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := connection.Parse("acme", sourceOf(text), hosts)
		if err != nil {
			message := strings.TrimPrefix(err.Error(), "InvalidConnection: ")
			for part := range strings.SplitSeq(message, "; ") {
				if !problem.MatchString(part) {
					t.Errorf("problem %q", part)
				}
			}
			return
		}
		if !hosts.Allow(c.Host()) || c.ClientID == "" || c.ClientSecret.IsZero() {
			t.Errorf("a connection that cannot be used: %+v", c)
		}
		if c.HasUser() == (c.Username == "") || c.HasUser() == c.Password.IsZero() || c.LogsInAlone() == (c.Login() == nil) {
			t.Errorf("a connection without what its grant type needs: %+v", c)
		}
		if text := c.ClientID + c.Username + c.ExpectedUser; strings.TrimSpace(text) != text || strings.ContainsAny(text, "\ufeff\u200b\u00a0") {
			t.Errorf("a name that is not what it looks like: %q", text)
		}
		if c.Refreshes() != (c.RefreshTokenLife > 0) || c.RefreshTokenLife > 365*day {
			t.Errorf("a refresh token lives %v", c.RefreshTokenLife)
		}
	})
}
