package e2e_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// out is an outage of everything.
func out(kind reltioauthtest.FaultKind) reltioauthtest.Outage {
	return reltioauthtest.Outage{Fault: reltioauthtest.Fault{Kind: kind}}
}

// Every errorType that a test can bring about, with its message. (Internal is
// for defects, and none is known.)
func TestEveryError(t *testing.T) {
	t.Parallel()
	w := start(t)
	for _, test := range []struct {
		state, errorType, message string // message: a pattern
		prepare                   func(t *testing.T, s *server) (connection string)
	}{
		{"no secret", "UnknownConnection", `^[a-z ]+$`, func(*testing.T, *server) string { return unknownName() }},
		{"the alias may not", "AccessDenied", `^[a-z ]+$`, func(t *testing.T, s *server) string {
			return w.add(t, s.clientCredentials().with(fields{"aliases": []string{"team-a"}}))
		}},
		{"a malformed secret", "InvalidConnection", `^client_secret: [^;]+; grant_type: [^;]+$`, func(t *testing.T, s *server) string {
			return w.add(t, s.clientCredentials().with(fields{"client_secret": nil, "grant_type": "implicit"}))
		}},
		{"the server knows no such scope", "InvalidConnection", `^server: invalid_scope$`, func(t *testing.T, s *server) string {
			return w.add(t, s.clientCredentials().with(fields{"scope": "everything"}))
		}},
		{"a wrong password", "CredentialsRejected", `.+`, func(t *testing.T, s *server) string {
			return w.add(t, s.password("ann").with(fields{"password": w.canary("wrong password")}))
		}},
		{"a wrong client secret", "CredentialsRejected", `.+`, func(t *testing.T, s *server) string {
			return w.add(t, s.clientCredentials().with(fields{"client_secret": w.canary("wrong secret")}))
		}},
		{"a second factor", "MFARequired", `.+`, func(t *testing.T, s *server) string {
			return w.add(t, s.password("mfa"))
		}},
		{"nobody has logged in", "ReauthorizationRequired", `^[A-Za-z ]+$`, func(t *testing.T, s *server) string {
			return w.add(t, s.authorizationCode())
		}},
		{"too many requests", "RateLimited", `^retry after [1-9]\d* s$`, func(t *testing.T, s *server) string {
			s.Outage(out(reltioauthtest.FaultRateLimit))
			return w.add(t, s.clientCredentials())
		}},
		{"a connection cut", "ReltioUnavailable", `.+`, func(t *testing.T, s *server) string {
			s.Outage(out(reltioauthtest.FaultCut))
			return w.add(t, s.clientCredentials())
		}},
		{"503", "ReltioUnavailable", `503`, func(t *testing.T, s *server) string {
			s.Outage(out(reltioauthtest.FaultStatus))
			return w.add(t, s.clientCredentials())
		}},
		{"a web page with status 200", "ReltioUnavailable", `.+`, func(t *testing.T, s *server) string {
			s.Outage(out(reltioauthtest.FaultHTML))
			return w.add(t, s.clientCredentials())
		}},
		{"no answer body", "ReltioUnavailable", `.+`, func(t *testing.T, s *server) string {
			s.Outage(out(reltioauthtest.FaultEmpty))
			return w.add(t, s.clientCredentials())
		}},
		{"a life of zero", "ReltioUnavailable", `.+`, func(t *testing.T, s *server) string {
			s.Configure(func(c *reltioauthtest.Config) { c.Behaviour.ExpiresInJSON = "0" })
			return w.add(t, s.clientCredentials())
		}},
		{"an item that cannot be read", "StoreUnavailable", `^DynamoDB: .+`, func(t *testing.T, s *server) string {
			name := w.add(t, s.clientCredentials())
			w.set(t, "grant#"+name, "expires_at", "tomorrow")
			return name
		}},
	} {
		t.Run(test.state, func(t *testing.T) {
			t.Parallel()
			a := w.ask(t, test.prepare(t, w.server(t)))
			a.wantFailed(t, test.errorType, test.message)
			if len(a.Body) != 2 {
				t.Errorf("members beyond errorType and errorMessage: %v", a)
			}
			if kinds := w.secrets.found(a.Text); len(kinds) > 0 {
				t.Errorf("the answer holds secrets: %v", kinds)
			}
		})
	}
}

// wantFailed checks a function error as Lambda shows it; message is a pattern.
func (a answer) wantFailed(t *testing.T, errorType, message string) {
	t.Helper()
	wantError(t, a, errorType)
	if a.Status != 200 || a.FunctionError != "Unhandled" {
		t.Errorf("status %d, X-Amz-Function-Error %q", a.Status, a.FunctionError)
	}
	if !regexp.MustCompile(message).MatchString(a.text("errorMessage")) {
		t.Errorf("message %q, want %s", a.text("errorMessage"), message)
	}
}

// A failure is remembered: until its back-off is over no request is sent.
func TestAFailureIsAnsweredFromTheTable(t *testing.T) {
	t.Parallel()
	w := start(t)
	for kind, want := range map[reltioauthtest.FaultKind]string{
		reltioauthtest.FaultRateLimit: "RateLimited", reltioauthtest.FaultCut: "ReltioUnavailable",
	} {
		s := w.server(t)
		s.Outage(out(kind))
		name := w.add(t, s.clientCredentials())
		for range 5 {
			wantError(t, w.ask(t, name), want)
		}
		if got := s.TokenRequests(time.Time{}, time.Time{}); got != 1 {
			t.Errorf("%s: %d token requests, want 1", want, got)
		}
		w.linesOf(t, name, "rotate", 1)
	}
}

// Two refused logins, and no more, whatever is asked: five would lock the user.
// New credentials work at once with force.
func TestTwoRefusedLogins(t *testing.T) {
	t.Parallel()
	w := start(t)
	s := w.server(t)
	wrong := s.password("ann").with(fields{"password": w.canary("wrong password")})
	name := w.add(t, wrong)
	for range 2 {
		a := w.rotate(t, fields{"connection": name, "force": true})
		if a.text("outcome") != "failed" {
			t.Errorf("got %v", a)
		}
	}
	if got := str(w.item(t, "grant#"+name)["status"]); got != "credentials_rejected" {
		t.Errorf("status %q", got)
	}
	for range 3 {
		w.rotate(t, fields{"connection": name, "force": true})
		wantError(t, w.ask(t, name), "CredentialsRejected")
	}
	if got := s.RefusedLogins("ann", time.Time{}, time.Time{}); got != 2 {
		t.Errorf("%d refused logins, want 2", got)
	}
	w.write(t, name, s.password("ann"))
	if a := w.rotate(t, fields{"connection": name, "force": true}); a.text("outcome") != "renewed" {
		t.Fatalf("with the right password: %v", a)
	}
	wantToken(t, w.ask(t, name))
}

// An account belongs to one connection.
func TestTwoConnectionsForOneAccount(t *testing.T) {
	t.Parallel()
	w := start(t)
	s := w.server(t)
	first := w.add(t, s.password("ann"))
	wantToken(t, w.ask(t, first))
	second := w.add(t, s.password("ANN").with(fields{"password": s.password("ann")["password"]}))
	a := w.ask(t, second)
	wantError(t, a, "InvalidConnection")
	if !strings.HasPrefix(a.text("errorMessage"), "username: ") {
		t.Errorf("message %q", a.text("errorMessage"))
	}
}

// Only the cap of Multi Token Support refuses one client while others succeed.
func TestTokenLimitReached(t *testing.T) {
	t.Parallel()
	w := start(t)
	s := w.server(t)
	holder := w.add(t, s.clientCredentials().with(s.client("capped")))
	wantToken(t, w.ask(t, holder))
	name, other := w.add(t, s.clientCredentials().with(s.client("capped"))), w.add(t, s.clientCredentials())
	s.Configure(newTokens)
	eventually(t, "TokenLimitReached", func() bool {
		w.rotate(t, fields{"connection": other, "force": true})
		a := w.rotate(t, fields{"connection": name, "force": true})
		e, _ := a.Body["error"].(map[string]any)
		return e["type"] == "TokenLimitReached"
	})
	wantError(t, w.ask(t, name), "TokenLimitReached")
	if got := str(w.item(t, "grant#"+name)["status"]); got != "token_limit" {
		t.Errorf("status %q", got)
	}
}

// What is wrong with a secret is said field by field, and never with a value.
func TestWhatIsWrongWithASecret(t *testing.T) {
	t.Parallel()
	w := start(t)
	s := w.server(t)
	good, value := s.clientCredentials(), w.canary("value of a wrong field")
	for state, test := range map[string]struct {
		secret any // fields, or text
		fields []string
	}{
		"no JSON":                        {value, []string{"secret"}},
		"a list":                         {`["` + value + `"]`, []string{"secret"}},
		"more than an object":            {`{}` + value, []string{"secret"}},
		"nothing":                        {`{}`, []string{"client_id", "client_secret", "grant_type"}},
		"a repeated field":               {`{"grant_type":"client_credentials","client_id":"a","client_id":"` + value + `","client_secret":"b"}`, []string{"client_id"}},
		"null":                           {good.with(fields{"client_id": nilJSON{}}), []string{"client_id"}},
		"an unknown field":               {good.with(fields{"colour": value}), []string{"colour"}},
		"an unknown field with a secret": {good.with(fields{value: "x"}), []string{"a field"}},
		"an unknown field in capitals":   {good.with(fields{"SECRET": "x"}), []string{"a field"}},
		"a grant type that is none":      {good.with(fields{"grant_type": value}), []string{"grant_type"}},
		"another case":                   {good.with(fields{"grant_type": "Client_Credentials"}), []string{"grant_type"}},
		"a password it does not use":     {good.with(fields{"password": value}), []string{"password"}},
		"a user it does not use":         {good.with(fields{"username": value}), []string{"username"}},
		"a factor it does not use":       {good.with(fields{"totp_secret": "JBSWY3DPEHPK3PXP"}), []string{"totp_secret"}},
		"parameters of its own":          {good.with(fields{"token_params": fields{"scope": value}}), []string{"token_params"}},
		"a plain address of the API":     {good.with(fields{"api_url": "http://example.com/" + value}), []string{"api_url"}},
		"pkce it does not use":           {good.with(fields{"pkce": true}), []string{"pkce"}},
		"days it does not use":           {good.with(fields{"refresh_token_days": 5}), []string{"refresh_token_days"}},
		"a user it does not expect":      {s.password("bob").with(fields{"expected_user": value}), []string{"expected_user"}},
		"no user and no password":        {s.password("bob").with(fields{"username": nil, "password": nil}), []string{"password", "username"}},
		"no tenant":                      {s.authorizationCode().with(fields{"tenant_id": nil}), []string{"tenant_id"}},
		"days of zero":                   {s.password("bob").with(fields{"refresh_token_days": 0}), []string{"refresh_token_days"}},
		"days above a year":              {s.password("bob").with(fields{"refresh_token_days": 365.5}), []string{"refresh_token_days"}},
		"days as text":                   {s.password("bob").with(fields{"refresh_token_days": "28"}), []string{"refresh_token_days"}},
		"pkce as text":                   {s.authorizationCode().with(fields{"pkce": "yes"}), []string{"pkce"}},
		"a client style that is none":    {good.with(fields{"client_auth": value}), []string{"client_auth"}},
		"a host that is not allowed":     {good.with(fields{"auth_url": "https://example.com"}), []string{"auth_url"}},
		"plain http to a strange host":   {good.with(fields{"auth_url": "http://auth.reltio.com"}), []string{"auth_url"}},
		"a path":                         {good.with(fields{"auth_url": s.url + "/" + value}), []string{"auth_url"}},
		"a user in the address":          {good.with(fields{"auth_url": "https://u:" + value + "@auth.reltio.com"}), []string{"auth_url"}},
		"no alias":                       {good.with(fields{"aliases": []string{}}), []string{"aliases"}},
		"an alias with a colon":          {good.with(fields{"aliases": []string{"a:b"}}), []string{"aliases"}},
		"an alias that is no text":       {good.with(fields{"aliases": []any{1}}), []string{"aliases"}},
		"token_in_query as text":         {good.with(fields{"token_in_query": "true"}), []string{"token_in_query"}},
		"several faults":                 {good.with(fields{"client_id": "", "scope": 7, "x": 1}), []string{"client_id", "scope", "x"}},
	} {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			var name string
			switch secret := test.secret.(type) {
			case string:
				name = w.add(t, fields{})
				w.writeText(t, name, secret)
			case fields:
				name = w.add(t, secret)
			}
			a := w.ask(t, name)
			wantError(t, a, "InvalidConnection")
			wantFields(t, a.text("errorMessage"), test.fields)
			if kinds := w.secrets.found(a.Text); len(kinds) > 0 {
				t.Errorf("the answer holds %v", kinds)
			}
		})
	}
	if got := s.TokenRequests(time.Time{}, time.Time{}); got != 0 {
		t.Errorf("%d token requests, want none", got)
	}
}

// wantFields checks which fields a message names.
func wantFields(t *testing.T, message string, want []string) {
	t.Helper()
	var named []string
	for part := range strings.SplitSeq(message, "; ") {
		field, what, found := strings.Cut(part, ": ")
		if !found || what == "" {
			t.Errorf("%q is no <field>: <what>", part)
		}
		named = append(named, field)
	}
	if diff := cmp.Diff(want, named); diff != "" {
		t.Errorf("fields (-want +got):\n%s%s", diff, message)
	}
}

// nilJSON is null; a field that is nil is left out.
type nilJSON struct{}

// MarshalJSON implements json.Marshaler.
func (nilJSON) MarshalJSON() ([]byte, error) { return []byte("null"), nil }

// All fields that a secret may have, in one secret each.
func TestSecretsWithAllFields(t *testing.T) {
	t.Parallel()
	w := start(t)
	s := w.server(t)
	s.Configure(func(c *reltioauthtest.Config) {
		c.Clients[0].ClientAuth = append(c.Clients[0].ClientAuth, reltioauth.ClientAuthBasic, reltioauth.ClientAuthPost)
		c.Behaviour.TokenPlace = reltioauthtest.QueryOnly
	})
	name := w.add(t, s.password("ann").with(fields{
		"client_auth": "post", "refresh_token_days": 0.5, "scope": "entities_api", "aliases": []string{"live"},
		"token_in_query": true, "tenant_id": "TENANT", "api_url": "https://prod.reltio.com/reltio/api/TENANT",
		"token_params": fields{"idp_system": "salesforce"},
	}))
	a := w.ask(t, name)
	wantToken(t, a)
	if a.text("scope") != "entities_api" {
		t.Errorf("scope %q", a.text("scope"))
	}
	item := w.item(t, "grant#"+name)
	if life := number(item["refresh_expires_at"]) - number(item["logged_in_at"]); life != 12*time.Hour.Milliseconds() {
		t.Errorf("the refresh token lives %d ms, want half a day", life)
	}
	s.Kill(a.text("fingerprint"))
	if a = w.ask(t, name, reporting(a)); a.Body["version"] != 2.0 {
		t.Errorf("checkToken with the token in the query: %v", a)
	}
	wantError(t, w.ask(t, w.add(t, s.authorizationCode().with(fields{
		"pkce": true, "expected_user": "ann", "refresh_token_days": 365, "client_auth": "basic",
	}))), "ReauthorizationRequired")
}
