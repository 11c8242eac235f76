package reltioauthtest_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

const verifier = "0123456789-0123456789-0123456789-0123456789"

func authorization() reltioauth.AuthorizationRequest {
	return reltioauth.AuthorizationRequest{TenantID: "t1", RedirectURI: redirectURI, State: secret("state-of-the-browser")}
}

// authorize sends ann through the login page and returns the query that the
// client gets.
func (f *fixture) authorize(r reltioauth.AuthorizationRequest) url.Values {
	f.t.Helper()
	target, err := f.AuthorizationURL(r)
	if err != nil {
		f.t.Fatal(err)
	}
	back, err := f.Authorize(ctx(), target, "ann")
	if err != nil {
		f.t.Fatal(err)
	}
	u, err := url.Parse(back)
	if err != nil || !strings.HasPrefix(back, redirectURI+"?") {
		f.t.Fatalf("sent back to the wrong place (%v)", err)
	}
	return u.Query()
}

func (f *fixture) codeOf(r reltioauth.AuthorizationRequest) reltioauth.AuthorizationCodeGrant {
	f.t.Helper()
	text := f.authorize(r).Get("code")
	if text == "" {
		f.t.Fatal("no code")
	}
	return reltioauth.AuthorizationCodeGrant{Code: secret(text), RedirectURI: redirectURI, Verifier: r.Verifier}
}

// code goes through the whole authorization code flow.
func (f *fixture) code() *reltioauth.Token {
	f.t.Helper()
	return f.must(f.codeOf(authorization()))
}

func TestAuthorize(t *testing.T) {
	f := like(t, reltioauthtest.Behaviour{})
	got := f.authorize(authorization())
	equal(t, "state", got.Get("state"), "state-of-the-browser")
	equal(t, "code", got.Has("code"), true)
	equal(t, "issuer", got.Has("iss"), false)
	f.Configure(func(cfg *reltioauthtest.Config) { cfg.Behaviour.Issuer = "https://auth.example" })
	equal(t, "issuer", f.authorize(authorization()).Get("iss"), "https://auth.example")

	token := f.code()
	equal(t, "scope", token.Scope, "read write")
	f.refresh(token)
}

func TestAuthorizeThatFails(t *testing.T) {
	f := like(t, reltioauthtest.Behaviour{})
	good, err := f.AuthorizationURL(authorization())
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ target, user string }{
		"not the login page": {"https://auth.example/oauth/token", "ann"},
		"not a URL":          {"::", "ann"},
		"unknown user":       {good, "nobody"},
		"unknown client":     {strings.Replace(good, "client_id=acme", "client_id=x", 1), "ann"},
	} {
		t.Run(name, func(t *testing.T) {
			if back, err := f.Authorize(ctx(), test.target, test.user); err == nil {
				t.Errorf("got %q, want an error", back)
			}
		})
	}
}

// pageForm is the authorization request as the login page's fields.
func (f *fixture) pageForm(more ...string) url.Values {
	f.t.Helper()
	target, err := f.AuthorizationURL(authorization())
	if err != nil {
		f.t.Fatal(err)
	}
	u, err := url.Parse(target)
	if err != nil {
		f.t.Fatal(err)
	}
	values := u.Query()
	for key, value := range form(more...) {
		values[key] = value
	}
	return values
}

func TestLoginPage(t *testing.T) {
	f := like(t, reltioauthtest.Behaviour{})
	query := f.pageForm("state", `"><script>`)
	got := f.send(http.MethodGet, "/oauth/sso?"+query.Encode(), nil, http.Header{})
	equal(t, "status", got.status, 200)
	for _, want := range []string{
		`action="/oauth/sso/login"`, `name="username"`, `name="password"`, `value="cancel"`,
		`name="state" value="&#34;&gt;&lt;script&gt;"`, `name="client_id" value="acme"`,
	} {
		if !strings.Contains(got.body, want) {
			t.Errorf("page: no %s", want)
		}
	}
	if strings.Contains(got.body, "<script") {
		t.Error("page: has a script")
	}
	if csp := got.header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'") || strings.Contains(csp, "form-action") {
		t.Errorf("policy: got %q", csp)
	}
}

func TestLoginPageSent(t *testing.T) {
	tests := map[string]struct {
		typed    []string
		status   int
		redirect url.Values
		outcome  reltioauthtest.Outcome
	}{
		"right": {
			[]string{"username", "Ann", "password", "ann-password"},
			303,
			form("state", "state-of-the-browser"), reltioauthtest.OutcomeOK,
		},
		"wrong": {[]string{"username", "ann", "password", "wrong"}, 401, nil, "invalid_grant"},
		"cancelled": {
			[]string{"action", "cancel"},
			303,
			form("state", "state-of-the-browser", "error", "access_denied"), "access_denied",
		},
		"nothing typed": {nil, 401, nil, "invalid_grant"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := like(t, reltioauthtest.Behaviour{})
			got := f.send(http.MethodPost, "/oauth/sso/login", f.pageForm(test.typed...), http.Header{})
			equal(t, "status", got.status, test.status)
			equal(t, "outcome", f.last().Outcome, test.outcome)
			equal(t, "message on the page", strings.Contains(got.body, "Invalid Username or Password"), test.status == 401)
			location, err := url.Parse(got.header.Get("Location"))
			if err != nil {
				t.Fatal(err)
			}
			for key := range test.redirect {
				equal(t, key, location.Query().Get(key), test.redirect.Get(key))
			}
			equal(t, "code", location.Query().Has("code"), name == "right")
		})
	}
}

func TestLoginPageLocks(t *testing.T) {
	f := like(t, reltioauthtest.Behaviour{})
	for range 5 {
		f.send(http.MethodPost, "/oauth/sso/login", f.pageForm("username", "ann", "password", "x"), http.Header{})
	}
	equal(t, "locked", f.Locked("ann"), true)
	equal(t, "refused logins are those at the token endpoint", f.RefusedLogins("ann", epoch, time.Time{}), 0)
	f.refused(annPassword(), reltioauth.ErrInvalidGrant)
}

func TestAuthorizationRequestRefused(t *testing.T) {
	tests := map[string]struct {
		change   []string
		status   int
		redirect string // its error
	}{
		"unknown client":          {[]string{"client_id", "x"}, 400, ""},
		"no redirect URI":         {[]string{"redirect_uri", ""}, 400, ""},
		"unregistered URI":        {[]string{"redirect_uri", redirectURI + "/x"}, 400, ""},
		"blank state":             {[]string{"state", "  "}, 400, ""},
		"other response type":     {[]string{"response_type", "token"}, 302, "unsupported_response_type"},
		"no tenant":               {[]string{"tenant_id", ""}, 302, "invalid_request"},
		"plain challenge":         {[]string{"code_challenge", "x", "code_challenge_method", "plain"}, 302, "invalid_request"},
		"no challenge, but asked": {[]string{}, 302, "invalid_request"},
		"grant type not allowed":  {[]string{}, 302, "unauthorized_client"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := setup(t, func(cfg *reltioauthtest.Config) {
				cfg.Clients[0].RequirePKCE = name == "no challenge, but asked"
				if name == "grant type not allowed" {
					cfg.Clients[0].GrantTypes = []string{"password"}
				}
			})
			got := f.send(http.MethodGet, "/oauth/sso?"+f.pageForm(test.change...).Encode(), nil, http.Header{})
			equal(t, "status", got.status, test.status)
			location, err := url.Parse(got.header.Get("Location"))
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "error told to the client", location.Query().Get("error"), test.redirect)
			posted := f.send(http.MethodPost, "/oauth/sso/login", f.pageForm(test.change...), http.Header{})
			equal(t, "the form is checked again", posted.header.Get("Location"), got.header.Get("Location"))
		})
	}
}

func TestAnyRedirectURI(t *testing.T) {
	f := setup(t, func(cfg *reltioauthtest.Config) { cfg.Clients[0].RedirectURIs = nil })
	for uri, status := range map[string]int{
		"https://elsewhere.example/back?from=reltio": 303, "/relative": 400, "https://x.example/#fragment": 400, "": 400,
	} {
		values := f.pageForm("redirect_uri", uri, "username", "ann", "password", "ann-password")
		got := f.send(http.MethodPost, "/oauth/sso/login", values, http.Header{})
		equal(t, uri, got.status, status)
		if status == 303 && !strings.HasPrefix(got.header.Get("Location"), uri+"&") {
			t.Error("the query of the redirect URI is lost")
		}
	}
}

func TestCodeExchange(t *testing.T) {
	withVerifier := authorization()
	withVerifier.Verifier = secret(verifier)
	tests := map[string]struct {
		request reltioauth.AuthorizationRequest
		change  func(*fixture, *reltioauth.AuthorizationCodeGrant)
		want    reltioauth.ErrorCode
	}{
		"good":                  {authorization(), nil, ""},
		"good, with PKCE":       {withVerifier, nil, ""},
		"used before":           {authorization(), func(f *fixture, g *reltioauth.AuthorizationCodeGrant) { f.must(*g) }, reltioauth.ErrInvalidGrant},
		"in its last second":    {authorization(), func(f *fixture, _ *reltioauth.AuthorizationCodeGrant) { f.clock.Advance(59 * time.Second) }, ""},
		"ended":                 {authorization(), func(f *fixture, _ *reltioauth.AuthorizationCodeGrant) { f.clock.Advance(time.Minute) }, reltioauth.ErrInvalidGrant},
		"unknown":               {authorization(), func(_ *fixture, g *reltioauth.AuthorizationCodeGrant) { g.Code = secret("x") }, reltioauth.ErrInvalidGrant},
		"another client's":      {authorization(), func(f *fixture, _ *reltioauth.AuthorizationCodeGrant) { f.Client = f.Server.Client("other") }, reltioauth.ErrInvalidGrant},
		"another redirect URI":  {authorization(), func(_ *fixture, g *reltioauth.AuthorizationCodeGrant) { g.RedirectURI += "/x" }, reltioauth.ErrInvalidGrant},
		"no verifier":           {withVerifier, func(_ *fixture, g *reltioauth.AuthorizationCodeGrant) { g.Verifier = secret("") }, reltioauth.ErrInvalidGrant},
		"wrong verifier":        {withVerifier, func(_ *fixture, g *reltioauth.AuthorizationCodeGrant) { g.Verifier = secret(verifier + "x") }, reltioauth.ErrInvalidGrant},
		"verifier out of place": {authorization(), func(_ *fixture, g *reltioauth.AuthorizationCodeGrant) { g.Verifier = secret(verifier) }, reltioauth.ErrInvalidGrant},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := like(t, reltioauthtest.Behaviour{})
			grant := f.codeOf(test.request)
			if test.change != nil {
				test.change(f, &grant)
			}
			_, err := f.Token(ctx(), grant)
			equal(t, "error", code(err), test.want)
		})
	}
}

func TestWrongAttemptUsesTheCodeUp(t *testing.T) {
	f := like(t, reltioauthtest.Behaviour{})
	grant := f.codeOf(authorization())
	wrong := grant
	wrong.RedirectURI += "/x"
	f.refused(wrong, reltioauth.ErrInvalidGrant)
	f.refused(grant, reltioauth.ErrInvalidGrant)
}

// Whether a code can be used more than once is not documented.
func TestOtherKindsOfCode(t *testing.T) {
	for name, test := range map[string]struct {
		how                 reltioauthtest.Behaviour
		afterWrong, another reltioauth.ErrorCode
	}{
		"can be used again":         {reltioauthtest.Behaviour{CodeReusable: true}, "", ""},
		"survives a failed attempt": {reltioauthtest.Behaviour{CodeSurvivesFailure: true}, "", reltioauth.ErrInvalidGrant},
		"works once":                {reltioauthtest.Behaviour{}, reltioauth.ErrInvalidGrant, reltioauth.ErrInvalidGrant},
	} {
		t.Run(name, func(t *testing.T) {
			f := like(t, test.how)
			grant := f.codeOf(authorization())
			wrong := grant
			wrong.RedirectURI += "/x"
			f.refused(wrong, reltioauth.ErrInvalidGrant)
			_, err := f.Token(ctx(), grant)
			equal(t, "after a wrong attempt", code(err), test.afterWrong)
			grant = f.codeOf(authorization())
			f.must(grant)
			_, err = f.Token(ctx(), grant)
			equal(t, "the second time", code(err), test.another)
			f.clock.Advance(time.Minute)
			f.refused(grant, reltioauth.ErrInvalidGrant) // it ends all the same
		})
	}
}

func TestCodeWithAScope(t *testing.T) {
	f := like(t, reltioauthtest.Behaviour{})
	request := authorization()
	request.Scope = "read"
	equal(t, "scope", f.must(f.codeOf(request)).Scope, "read")
	page := f.send(http.MethodGet, "/oauth/sso?"+f.pageForm("scope", "read").Encode(), nil, http.Header{})
	equal(t, "the page carries it", strings.Contains(page.body, `name="scope" value="read"`), true)
	request.Scope = "read admin"
	equal(t, "another's", f.authorize(request).Get("error"), "invalid_scope")
}

func TestIgnoredPKCE(t *testing.T) {
	f := setup(t, func(cfg *reltioauthtest.Config) { cfg.Behaviour.HonourPKCE = false })
	request := authorization()
	request.Verifier = secret(verifier)
	grant := f.codeOf(request)
	grant.Verifier = secret("")
	f.must(grant)
}

func TestCodeUsedAgain(t *testing.T) {
	for name, revokes := range map[string]bool{"is refused": false, "ends what it brought": true} {
		t.Run(name, func(t *testing.T) {
			f := like(t, reltioauthtest.Behaviour{CodeReuseRevokes: revokes})
			grant := f.codeOf(authorization())
			token := f.must(grant)
			f.refused(grant, reltioauth.ErrInvalidGrant)
			f.valid("access token", token.AccessToken, !revokes)
			f.valid("refresh token", token.RefreshToken, !revokes)
		})
	}
}

func TestCodeWithoutRandomNumbers(t *testing.T) {
	f := setup(t, func(cfg *reltioauthtest.Config) { cfg.Rand = &dry{} })
	got := f.send(http.MethodPost, "/oauth/sso/login", f.pageForm("username", "ann", "password", "ann-password"), http.Header{})
	equal(t, "status", got.status, 500)
}

func TestSingleSignOn(t *testing.T) {
	f := like(t, reltioauthtest.Behaviour{SingleSignOn: true})
	target, err := f.AuthorizationURL(authorization())
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	open := func(method, path, body string, cookies ...*http.Cookie) *http.Response {
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		for _, c := range cookies {
			r.AddCookie(c)
		}
		w := httptest.NewRecorder()
		f.ServeHTTP(w, r)
		return w.Result()
	}
	page := "/oauth/sso?" + u.RawQuery
	equal(t, "nobody is logged in", open(http.MethodGet, page, "").StatusCode, http.StatusOK)
	in := open(http.MethodPost, "/oauth/sso/login", u.RawQuery+"&username=ann&password=ann-password")
	equal(t, "logged in", in.StatusCode, http.StatusSeeOther)
	again := open(http.MethodGet, page, "", in.Cookies()...)
	equal(t, "not asked again", again.StatusCode, http.StatusFound)
	back, err := again.Location()
	if err != nil || !back.Query().Has("code") {
		t.Errorf("no code comes back: %v", err)
	}
	other := open(http.MethodGet, page, "", &http.Cookie{Name: in.Cookies()[0].Name, Value: "another"})
	equal(t, "another browser", other.StatusCode, http.StatusOK)
}
