package reltioauthtest_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// said is how a request is refused. Code is error, or the word of Spring Boot's
// error object.
type said struct {
	status     int
	code, text string
	challenge  string
}

func (r reply) said(t *testing.T) said {
	t.Helper()
	fields := r.json(t)
	code, _ := fields["error"].(string)
	text, _ := fields["error_description"].(string)
	return said{r.status, code, text, r.header.Get("Www-Authenticate")}
}

func bad(code, text string) said { return said{400, code, text, ""} }

// refused401 is a 401 with the scheme's challenge in it.
func refused401(scheme, code, text string) said {
	realm := `realm="oauth2/client", `
	if scheme == "Bearer" {
		realm = ""
	}
	return said{401, code, text, scheme + " " + realm + `error="` + code + `", error_description="` + text + `"`}
}

const fullAuthentication = "Full authentication is required to access this resource"

// refusedRequest is one row: a request that the framework refuses.
type refusedRequest struct {
	with   func(*reltioauthtest.Config)
	before func(*fixture) // what happens first
	path   string         // empty: the token endpoint
	method string         // empty: POST
	form   func(*fixture) url.Values
	header http.Header // nil: acme's Basic header
	want   said
}

// sending is a form that does not depend on the fixture.
func sending(pairs ...string) func(*fixture) url.Values {
	return func(*fixture) url.Values { return form(pairs...) }
}

func (r refusedRequest) check(t *testing.T) {
	t.Helper()
	f := framework(t, r.with)
	if r.before != nil {
		r.before(f)
	}
	method, path := r.method, r.path
	if method == "" {
		method = http.MethodPost
	}
	if path == "" {
		path = "/oauth/token"
	}
	sent := r.form
	if sent == nil {
		sent = func(*fixture) url.Values { return passwordForm() }
	}
	values := sent(f)
	got := f.send(method, path, values, r.header.Clone())
	if got := got.said(t); got != r.want {
		t.Errorf("got  %+v\nwant %+v", got, r.want)
	}
	if boot := r.want.code == "Unauthorized" || r.want.code == "Forbidden" || r.want.code == "Bad Request" || r.want.code == "Method Not Allowed"; boot {
		fields := got.json(t)
		equal(t, "status in the body", fields["status"], any(float64(r.want.status)))
		equal(t, "path in the body", fields["path"], any(path))
		equal(t, "timestamp in the body", fields["timestamp"], any("2026-03-01T10:00:00.000+00:00"))
	}
	equal(t, "content type", got.header.Get("Content-Type"), "application/json")
	equal(t, "caching", got.header.Get("Cache-Control"), "no-store")
}

func TestFrameworkRefusesUsers(t *testing.T) {
	state := func(state reltioauthtest.UserState) func(*fixture) {
		return func(f *fixture) { f.SetUserState("ann", state) }
	}
	outage := func(f *fixture) {
		f.Outage(reltioauthtest.Outage{Fault: reltioauthtest.Fault{Kind: reltioauthtest.FaultUserStore, Body: "connection refused"}})
	}
	wrong := sending("grant_type", "password", "username", "ann", "password", "wrong")
	for name, row := range map[string]refusedRequest{
		"wrong password": {form: wrong, want: bad("invalid_grant", "Bad credentials")},
		"unknown user": {
			form: sending("grant_type", "password", "username", "nobody", "password", "x"),
			want: bad("invalid_grant", "Bad credentials"),
		},
		"no user":  {form: sending("grant_type", "password"), want: bad("invalid_grant", "Bad credentials")},
		"locked":   {before: state(reltioauthtest.UserLocked), want: bad("invalid_grant", "User account is locked")},
		"disabled": {before: state(reltioauthtest.UserDisabled), want: bad("invalid_grant", "User is disabled")},
		"expired":  {before: state(reltioauthtest.UserExpired), want: bad("invalid_grant", "User account has expired")},
		"a password that has expired": {
			before: state(reltioauthtest.UserCredentialsExpired), want: bad("invalid_grant", "User credentials have expired"),
		},
		"locked, wrong password": {
			before: state(reltioauthtest.UserLocked), form: wrong, want: bad("invalid_grant", "User account is locked"),
		},
		"wrong password, which has expired": {
			before: state(reltioauthtest.UserCredentialsExpired), form: wrong, want: bad("invalid_grant", "Bad credentials"),
		},
		"user store down": {before: outage, want: refused401("Bearer", "unauthorized", "connection refused")},
	} {
		t.Run(name, row.check)
	}
}

func TestFrameworkRefusesClients(t *testing.T) {
	credentials := sending("grant_type", "client_credentials")
	posted := func(id, value string) func(*fixture) url.Values {
		return sending("grant_type", "client_credentials", "client_id", id, "client_secret", value, "token", "x")
	}
	forms := func(cfg *reltioauthtest.Config) {
		cfg.Clients[0].ClientAuth = []reltioauth.ClientAuth{reltioauth.ClientAuthBasic, reltioauth.ClientAuthPost}
	}
	noEntryPoint := func(cfg *reltioauthtest.Config) { cfg.Behaviour.NoEntryPoint = true }
	down := func(f *fixture) {
		f.Outage(reltioauthtest.Outage{Fault: reltioauthtest.Fault{Kind: reltioauthtest.FaultClientStore}})
	}
	anonymous := http.Header{}
	boot := said{401, "Unauthorized", "", `Basic realm="oauth2/client"`}
	badBasic := refused401("Basic", "unauthorized", "Bad credentials")
	full := refused401("Basic", "unauthorized", fullAuthentication)
	storeDown := refused401("Basic", "unauthorized", "client store is down")
	for name, row := range map[string]refusedRequest{
		"wrong secret":         {header: basic("acme", "wrong"), form: credentials, want: badBasic},
		"unknown client":       {header: basic("nobody", "x"), form: credentials, want: badBasic},
		"none":                 {header: anonymous, form: credentials, want: full},
		"another scheme":       {header: http.Header{"Authorization": {"Bearer x"}}, form: credentials, want: full},
		"form, not allowed":    {header: anonymous, form: posted("acme", "acme-secret"), want: full},
		"form, wrong secret":   {with: forms, header: anonymous, form: posted("acme", "wrong"), want: refused401("Form", "invalid_client", "Bad client credentials")},
		"form, unknown client": {with: forms, header: anonymous, form: posted("nobody", "x"), want: refused401("Form", "invalid_client", "Bad client credentials")},
		"form at checkToken":   {with: forms, header: anonymous, path: "/oauth/checkToken", form: posted("acme", "acme-secret"), want: full},
		"form at revoke":       {with: forms, header: anonymous, path: "/oauth/revoke", form: posted("acme", "acme-secret"), want: full},
		"wrong secret at checkToken": {
			header: basic("acme", "wrong"), path: "/oauth/checkToken", form: sending("token", "x"), want: badBasic,
		},
		"wrong secret at revoke":   {header: basic("acme", "wrong"), path: "/oauth/revoke", form: sending("token", "x"), want: badBasic},
		"no entry point, wrong":    {with: noEntryPoint, header: basic("acme", "wrong"), form: credentials, want: boot},
		"no entry point, none":     {with: noEntryPoint, header: anonymous, form: credentials, want: boot},
		"no entry point, check":    {with: noEntryPoint, header: basic("acme", "wrong"), path: "/oauth/checkToken", form: sending("token", "x"), want: boot},
		"another client_id":        {form: sending("grant_type", "client_credentials", "client_id", "other"), want: refused401("Bearer", "invalid_client", "Given client ID does not match authenticated client")},
		"client store down":        {before: down, form: credentials, want: storeDown},
		"client store down, login": {before: down, want: storeDown},
		"client store down, check": {before: down, path: "/oauth/checkToken", form: sending("token", "x"), want: storeDown},
		"client store down, form":  {with: forms, before: down, header: anonymous, form: posted("acme", "acme-secret"), want: refused401("Form", "unauthorized", "client store is down")},
	} {
		t.Run(name, row.check)
	}
	f := framework(t, forms)
	equal(t, "form where it is allowed", f.send(http.MethodPost, "/oauth/token", posted("acme", "acme-secret")(f), http.Header{}).status, 200)
	equal(t, "the header all the same", f.post("/oauth/token", credentials(f)).status, 200)
}

func TestFrameworkRefusesRequests(t *testing.T) {
	only := func(cfg *reltioauthtest.Config) { cfg.Clients[0].GrantTypes = []string{"refresh_token"} }
	for name, row := range map[string]refusedRequest{
		"no grant type":      {form: sending(), want: bad("invalid_request", "Missing grant type")},
		"unknown grant type": {form: sending("grant_type", "magic"), want: bad("unsupported_grant_type", "Unsupported grant type")},
		"scope": {
			form: sending("grant_type", "client_credentials", "scope", "read admin"), want: bad("invalid_scope", "Invalid scope"),
		},
		"password is not allowed":    {with: only, want: refused401("Bearer", "invalid_client", "Unauthorized grant type")},
		"credentials are not":        {with: only, form: sending("grant_type", "client_credentials"), want: refused401("Bearer", "invalid_client", "Unauthorized grant type")},
		"GET":                        {method: http.MethodGet, form: sending(), want: said{405, "method_not_allowed", "Request method 'GET' not supported", ""}},
		"GET at checkToken":          {method: http.MethodGet, path: "/oauth/checkToken", form: sending(), want: said{405, "Method Not Allowed", "", ""}},
		"no token at checkToken":     {path: "/oauth/checkToken", form: sending(), want: said{400, "Bad Request", "", ""}},
		"checkToken, not recognised": {path: "/oauth/checkToken", form: sending("token", "x"), want: bad("invalid_token", "Token was not recognised")},
		"checkToken, a refresh token": {
			path: "/oauth/checkToken", form: func(f *fixture) url.Values { return form("token", f.login().RefreshToken.Reveal()) },
			want: bad("invalid_token", "Token was not recognised"),
		},
		"checkToken, killed": {
			path: "/oauth/checkToken", want: bad("invalid_token", "Token was not recognised"),
			form: func(f *fixture) url.Values {
				token := f.login()
				f.Kill(token.Fingerprint())
				return form("token", token.AccessToken.Reveal())
			},
		},
		"checkToken, nobody may": {
			with: func(cfg *reltioauthtest.Config) { cfg.Behaviour.CheckDenied = true },
			path: "/oauth/checkToken", form: func(f *fixture) url.Values { return form("token", f.login().AccessToken.Reveal()) },
			want: said{403, "Forbidden", "", ""},
		},
		"checkToken, nobody may, and no client": {
			with: func(cfg *reltioauthtest.Config) { cfg.Behaviour.CheckDenied = true }, header: http.Header{},
			path: "/oauth/checkToken", form: sending("token", "x"), want: refused401("Basic", "unauthorized", fullAuthentication),
		},
		"code, unknown": {
			form: sending("grant_type", "authorization_code", "code", "x", "redirect_uri", redirectURI),
			want: bad("invalid_grant", "Invalid authorization code"),
		},
		"code, no redirect_uri": {
			form: func(f *fixture) url.Values {
				return form("grant_type", "authorization_code", "code", f.codeOf(authorization()).Code.Reveal())
			},
			want: bad("invalid_grant", "Redirect URI mismatch."),
		},
		"code of another client": {
			header: basic("other", "other-secret"), want: refused401("Bearer", "invalid_client", "Client ID mismatch"),
			form: func(f *fixture) url.Values {
				return form("grant_type", "authorization_code", "code", f.codeOf(authorization()).Code.Reveal(), "redirect_uri", redirectURI)
			},
		},
	} {
		t.Run(name, row.check)
	}
	f := framework(t, nil)
	got := f.post("/oauth/token", form("grant_type", "client_credentials", "scope", "admin")).json(t)
	equal(t, "the client's scopes", got["scope"], any("read write"))
}

func TestFrameworkCheckTokenAfterItsEnd(t *testing.T) {
	f := framework(t, nil)
	token := f.login().AccessToken.Reveal()
	f.clock.Advance(time.Hour)
	equal(t, "says", f.post("/oauth/checkToken", form("token", token)).said(t), bad("invalid_token", "Token has expired"))
}

func TestFrameworkRefusesRefreshes(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*reltioauthtest.Config)
		act    func(*fixture)
		header http.Header
		want   said
	}{
		"of another client": {nil, nil, basic("other", "other-secret"), bad("invalid_grant", "Wrong client for this refresh token")},
		"expired":           {nil, func(f *fixture) { f.clock.Advance(28 * 24 * time.Hour) }, nil, refused401("Bearer", "invalid_token", "Invalid refresh token (expired)")},
		"locked":            {nil, func(f *fixture) { f.LockUser("ann") }, nil, bad("invalid_grant", "User account is locked")},
		"disabled":          {nil, func(f *fixture) { f.SetUserState("ann", reltioauthtest.UserDisabled) }, nil, bad("invalid_grant", "User is disabled")},
		"password expired": {
			nil, func(f *fixture) { f.SetUserState("ann", reltioauthtest.UserCredentialsExpired) }, nil,
			bad("invalid_grant", "User credentials have expired"),
		},
		"user is gone": {
			nil, func(f *fixture) { f.Configure(func(cfg *reltioauthtest.Config) { cfg.Users = nil }) }, nil,
			refused401("Bearer", "unauthorized", "User not found"),
		},
		"locked, 2.3": {
			func(cfg *reltioauthtest.Config) { cfg.Behaviour.Errors = reltioauthtest.Framework23Errors },
			func(f *fixture) { f.LockUser("ann") }, nil, refused401("Bearer", "unauthorized", "User account is locked"),
		},
		"user store down": {nil, userStoreDown, nil, refused401("Bearer", "unauthorized", "user store is down: connection refused")},
		"user store down, another exception": {
			func(cfg *reltioauthtest.Config) { cfg.Behaviour.ServerErrorAtRefresh = true }, userStoreDown, nil,
			said{500, "server_error", "Internal Server Error", ""},
		},
		"server restarted": {nil, func(f *fixture) { f.Restart() }, nil, bad("invalid_grant", "Invalid refresh token")},
	} {
		t.Run(name, func(t *testing.T) {
			f := framework(t, test.change)
			token := f.login()
			if test.act != nil {
				test.act(f)
			}
			refresh := form("grant_type", "refresh_token", "refresh_token", token.RefreshToken.Reveal())
			equal(t, "says", f.send(http.MethodPost, "/oauth/token", refresh, test.header.Clone()).said(t), test.want)
			if name == "expired" {
				equal(t, "again", f.post("/oauth/token", refresh).said(t), bad("invalid_grant", "Invalid refresh token"))
			}
		})
	}
}

func userStoreDown(f *fixture) {
	f.Outage(reltioauthtest.Outage{Fault: reltioauthtest.Fault{Kind: reltioauthtest.FaultUserStore}})
}

// While the users cannot be read, what needs none of them works.
func TestFrameworkUserStoreDown(t *testing.T) {
	f := framework(t, nil)
	grant := f.codeOf(authorization())
	userStoreDown(f)
	for range 9 {
		f.refused(annPassword(), reltioauth.ErrUnauthorized)
	}
	f.clientCredentials()
	f.must(grant)
	equal(t, "locked", f.Locked("ann"), false)
	equal(t, "refused logins", f.RefusedLogins("ann", time.Time{}, time.Time{}), 0)
	equal(t, "unclear logins", f.UnclearLogins("ann", time.Time{}, time.Time{}), 9)
	equal(t, "refused clients", f.RefusedClients("acme", time.Time{}, time.Time{}), 0)
	f.Outage(reltioauthtest.Outage{})
	f.login()
}

func TestFrameworkErrorsIn23(t *testing.T) {
	f := framework(t, func(cfg *reltioauthtest.Config) { cfg.Behaviour.Errors = reltioauthtest.Framework23Errors })
	for name, sent := range map[string]url.Values{
		"Invalid refresh token: x":      form("grant_type", "refresh_token", "refresh_token", "x"),
		"Invalid authorization code: x": form("grant_type", "authorization_code", "code", "x"),
	} {
		equal(t, "says", f.post("/oauth/token", sent).said(t), bad("invalid_grant", name))
	}
	got := f.post("/oauth/token", form("grant_type", "magic")).said(t)
	equal(t, "says", got, bad("unsupported_grant_type", "Unsupported grant type: magic"))
}

func TestFrameworkErrorsInXML(t *testing.T) {
	f := framework(t, nil)
	wrong := form("grant_type", "password", "username", "ann", "password", "wrong")
	for accept, xml := range map[string]bool{"": false, "*/*": false, "application/json": false, "application/xml": true} {
		header := basic("acme", "acme-secret")
		header.Set("Accept", accept)
		got := f.send(http.MethodPost, "/oauth/token", wrong, header)
		equal(t, "status", got.status, 400)
		equal(t, "XML for "+accept, strings.HasPrefix(got.body, "<"), xml)
		equal(t, "label for "+accept, got.header.Get("Content-Type") == "application/xml", xml)
		if xml && !strings.Contains(got.body, "<error_description>Bad credentials</error_description><error>invalid_grant</error>") {
			t.Errorf("got %s", got.body)
		}
	}
}

func TestFrameworkLocksAUserAfterFive400s(t *testing.T) {
	f := framework(t, nil)
	wrong := reltioauth.PasswordGrant{Username: "ann", Password: secret("wrong")}
	f.ClientSecret = secret("wrong")
	for range 9 {
		f.refused(wrong, reltioauth.ErrUnauthorized)
	}
	f.ClientSecret = secret("acme-secret")
	for range 4 {
		f.refused(wrong, reltioauth.ErrInvalidGrant)
	}
	equal(t, "after four", f.Locked("ann"), false)
	f.refused(wrong, reltioauth.ErrInvalidGrant)
	equal(t, "after five", f.Locked("ann"), true)
}
