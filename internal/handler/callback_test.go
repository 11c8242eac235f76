package handler_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/authrequest"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

func TestAPersonConnects(t *testing.T) {
	tests := map[string]struct{ stage, baseURL, redirect, done string }{
		"the default stage": {"$default", "", "https://" + domain + "/callback", "/done"},
		"a stage":           {"prod", "", "https://" + domain + "/prod/callback", "/prod/done"},
		"a base URL":        {"prod", "https://" + domain, "https://" + domain + "/callback", "/done"},
		"a base URL's path": {"$default", "https://" + domain + "/reltio", "https://" + domain + "/reltio/callback", "/reltio/done"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			lobby(t, func(f *front) {
				f.stage, f.callback.BaseURL = test.stage, test.baseURL
				b := f.browser()
				at := b.leave(f.link())
				u, err := url.Parse(at)
				if err != nil || u.Host != "auth.reltio.com" || u.Path != "/oauth/sso" {
					t.Fatalf("sent to %q: %v", at, err)
				}
				if got := u.Query().Get("redirect_uri"); got != test.redirect {
					t.Errorf("redirect_uri %q, want %q", got, test.redirect)
				}
				a := b.get(b.login(at, "ann")).want(http.StatusSeeOther)
				if a.location() != test.done {
					t.Errorf("sent to %q, want %q", a.location(), test.done)
				}
				b.get(a.location()).want(http.StatusOK)
				g, err := f.table.Grant(t.Context(), "acme", grant.Strong)
				if err != nil || !g.Valid(time.Now()) {
					t.Errorf("no token is stored: %v", err)
				}
			})
		})
	}
}

func TestTheCookie(t *testing.T) {
	lobby(t, func(f *front) {
		b := f.browser()
		link := f.link()
		a := b.get(strings.Replace(link, "/authorize?", "/authorize/go?", 1)).want(http.StatusFound)
		state := stateOf(t, a.location())
		name := "__Host-reltio-" + authrequest.HashOf(reltioauth.NewSecret(state))[:16]
		want := regexp.MustCompile(`^` + name + `=[A-Za-z0-9_-]{43}; Path=/; Max-Age=600; HttpOnly; Secure; SameSite=Lax$`)
		if len(a.Cookies) != 1 || !want.MatchString(a.Cookies[0]) {
			t.Errorf("cookies %q, want one like %s", a.Cookies, want)
		}
		if len(state) != 43 {
			t.Errorf("a state of %d characters", len(state))
		}
	})
}

func TestAtMostFiveCookies(t *testing.T) {
	lobby(t, func(f *front) {
		b := f.browser()
		link := f.link()
		b.cookies = append(b.cookies, &http.Cookie{Name: "other", Value: "1"}, &http.Cookie{Name: "__Host-reltio-other", Value: "1"})
		first := b.leave(link)
		var last string
		for range 7 {
			last = b.leave(link)
		}
		if got := len(b.cookies) - 2; got != 5 {
			t.Errorf("%d cookies, want 5", got)
		}
		b.get(b.login(first, "ann")).want(http.StatusBadRequest) // its cookie was dropped
		b.get(b.login(last, "ann")).want(http.StatusSeeOther)
	})
}

func TestEveryAnswerHasTheHeaders(t *testing.T) {
	want := map[string]string{
		"Cache-Control":              "no-store",
		"Referrer-Policy":            "no-referrer",
		"X-Content-Type-Options":     "nosniff",
		"Strict-Transport-Security":  "max-age=63072000",
		"Cross-Origin-Opener-Policy": "same-origin",
		"X-Robots-Tag":               "noindex, nofollow",
	}
	for name, row := range hostile() {
		t.Run(name, func(t *testing.T) {
			lobby(t, func(f *front) {
				a := row.request(f)
				for header, value := range want {
					if a.Headers[header] != value {
						t.Errorf("%s is %q, want %q", header, a.Headers[header], value)
					}
				}
				wantPolicy(t, a)
			})
		})
	}
}

var style = regexp.MustCompile(`(?s)<style>(.*)</style>`)

// wantPolicy compares the policy with the page.
func wantPolicy(t *testing.T, a answer) {
	t.Helper()
	policy := a.Headers["Content-Security-Policy"]
	if !regexp.MustCompile(`^default-src 'none'; style-src 'sha256-[A-Za-z0-9+/=]{44}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'$`).MatchString(policy) {
		t.Errorf("policy %q", policy)
	}
	if a.Body == "" {
		return
	}
	found := style.FindStringSubmatch(a.Body)
	if found == nil {
		t.Fatal("the page has no stylesheet")
	}
	sum := sha256.Sum256([]byte(found[1]))
	if !strings.Contains(policy, base64.StdEncoding.EncodeToString(sum[:])) {
		t.Error("the stylesheet is not the one in the policy")
	}
	if a.Headers["Content-Type"] != "text/html; charset=utf-8" || strings.Contains(a.Body, "<script") {
		t.Errorf("type %q, or a script", a.Headers["Content-Type"])
	}
}

// row is one hostile request: its last status, and how many token requests there
// may be in all.
type row struct {
	request   func(f *front) answer
	status    int
	outcome   string
	exchanges int
}

// back is a browser that has logged in, and the address of its callback.
func back(f *front) (*browser, string) {
	b := f.browser()
	address := b.login(b.leave(f.link()), "ann")
	return b, address
}

// returning is a callback whose address is changed.
func returning(change func(address string) string) func(*front) answer {
	return func(f *front) answer {
		b, address := back(f)
		return b.get(change(address))
	}
}

func replace(pattern, with string) func(string) string {
	return func(s string) string { return regexp.MustCompile(pattern).ReplaceAllString(s, with) }
}

// hindered is a callback that fails before the exchange.
func hindered(hinder func(f *front)) func(*front) answer {
	return func(f *front) answer {
		b, address := back(f)
		hinder(f)
		return b.get(address)
	}
}

// answered is a callback whose token request gets the given response.
func answered(a reltioauthtest.Fault) func(*front) answer {
	return hindered(func(f *front) {
		f.server.Configure(func(c *reltioauthtest.Config) {
			c.Fault = func(r reltioauthtest.Request) reltioauthtest.Fault {
				if r.Op == reltioauthtest.OpToken {
					return a
				}
				return reltioauthtest.Fault{}
			}
		})
	})
}

// refused is a callback with an error.
func refused(query string) func(*front) answer {
	return returning(replace(`code=[^&]*`, query))
}

func path(method, target string) func(*front) answer {
	return func(f *front) answer { return f.browser().send(method, target) }
}

const get, someText = http.MethodGet, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

// hostile are all wrong requests, and some right ones.
func hostile() map[string]row {
	rows := map[string]row{
		"the invitation's page":    {func(f *front) answer { return f.browser().get(f.link()) }, 200, "previewed", 0},
		"the done page":            {path(get, "/done"), 200, "seen", 0},
		"the done page, a date":    {path(get, "/done?until=1800000000"), 200, "seen", 0},
		"the done page, no date":   {path(get, "/done?until=soon"), 200, "seen", 0},
		"the done page, far ahead": {path(get, "/done?until=999999999999"), 200, "seen", 0},
		"leaving": {func(f *front) answer {
			return f.browser().get(strings.Replace(f.link(), "/authorize?", "/authorize/go?", 1))
		}, 302, "begun", 0},

		"no such page":             {path(get, "/"), 404, "no_such_page", 0},
		"a page below":             {path(get, "/authorize/go/on"), 404, "no_such_page", 0},
		"a page's slash":           {path(get, "/done/"), 404, "no_such_page", 0},
		"a page in capitals":       {path(get, "/Done"), 404, "no_such_page", 0},
		"an encoded page":          {path(get, "/%64one"), 404, "no_such_page", 0},
		"POST":                     {path(http.MethodPost, "/callback"), 405, "method_not_allowed", 0},
		"HEAD":                     {path(http.MethodHead, "/authorize"), 405, "method_not_allowed", 0},
		"an invitation is missing": {path(get, "/authorize"), 400, "malformed", 0},
		"an invitation cut short":  {path(get, "/authorize?invitation="+someText[1:]), 400, "malformed", 0},
		"an unknown invitation":    {path(get, "/authorize?invitation="+someText), 410, "invitation_gone", 0},
		"leaving without one":      {path(get, "/authorize/go"), 400, "malformed", 0},
		"leaving with an unknown":  {path(get, "/authorize/go?invitation="+someText), 410, "invitation_gone", 0},
		"two invitations":          {path(get, "/authorize?invitation="+someText+"&invitation="+someText), 400, "malformed", 0},

		"nothing comes back":      {path(get, "/callback"), 400, "malformed", 0},
		"no state":                {returning(replace(`&?state=[^&]*`, "")), 400, "malformed", 0},
		"an empty state":          {returning(replace(`state=[^&]*`, "state=")), 400, "malformed", 0},
		"an unknown state":        {returning(replace(`state=[^&]*`, "state="+someText)), 400, "request_gone", 0},
		"no code":                 {returning(replace(`code=[^&]*&?`, "")), 400, "malformed", 0},
		"an empty code":           {returning(replace(`code=[^&]*`, "code=")), 400, "malformed", 0},
		"a code and an error":     {returning(replace(`code=`, "error=access_denied&code=")), 400, "malformed", 0},
		"two codes":               {returning(replace(`code=`, "code=other&code=")), 400, "malformed", 0},
		"two states":              {returning(replace(`state=`, "state="+someText+"&state=")), 400, "malformed", 0},
		"a name written two ways": {returning(replace(`code=`, "c%6fde=other&code=")), 400, "malformed", 0},
		"an empty code's error":   {refused("code=&error=access_denied"), 400, "denied", 0},
		"a long code":             {returning(replace(`code=[^&]*`, "code="+strings.Repeat("c", 4097))), 400, "malformed", 0},
		"a code with a line":      {returning(replace(`code=[^&]*`, "code=a%0Ab")), 400, "malformed", 0},
		"a code with a space":     {returning(replace(`code=[^&]*`, "code=a%20b")), 502, "exchange_failed", 1},
		"a code with a zero byte": {returning(replace(`code=[^&]*`, "code=a%00b")), 400, "malformed", 0},
		"9 KB":                    {returning(replace(`$`, "&x="+strings.Repeat("x", 9<<10))), 414, "too_long", 0},
		"8 KB": {returning(func(s string) string {
			_, query, _ := strings.Cut(s, "?")
			return s + "&x=" + strings.Repeat("x", 8<<10-len(query)-len("&x="))
		}), 303, "done", 1},
		"more than was asked": {returning(replace(`$`, "&session_state=1&utm_source=mail")), 303, "done", 1},

		"the request has ended": {hindered(func(*front) { time.Sleep(authrequest.RequestLife) }), 400, "request_gone", 0},
		"another server":        {returning(replace(`$`, "&iss=https%3A%2F%2Fevil.example")), 400, "wrong_server", 0},
		"the right server":      {returning(replace(`$`, "&iss=https%3A%2F%2Fauth.reltio.com")), 303, "done", 1},
		"a server with a space": {returning(replace(`$`, "&iss=https%3A%2F%2Fauth.reltio.com%20")), 400, "malformed", 0},
		"a malformed server":    {returning(replace(`$`, "&iss=")), 400, "malformed", 0},

		"400":     {answered(reltioauthtest.Fault{Kind: reltioauthtest.FaultStatus, Status: 400, Body: echoing}), 502, "exchange_failed", 1},
		"401":     {answered(reltioauthtest.Fault{Kind: reltioauthtest.FaultStatus, Status: 401, Body: `{"error":"invalid_client","error_description":"Bad client credentials"}`}), 502, "exchange_failed", 1},
		"429":     {answered(reltioauthtest.Fault{Kind: reltioauthtest.FaultRateLimit}), 502, "exchange_failed", 1},
		"500":     {answered(reltioauthtest.Fault{Kind: reltioauthtest.FaultStatus, Status: 500, Body: echoing}), 502, "exchange_failed", 1},
		"HTML":    {answered(reltioauthtest.Fault{Kind: reltioauthtest.FaultHTML}), 502, "exchange_failed", 1},
		"nothing": {answered(reltioauthtest.Fault{Kind: reltioauthtest.FaultEmpty}), 502, "exchange_failed", 1},
		"silence": {answered(reltioauthtest.Fault{Hold: time.Minute}), 502, "exchange_failed", 1},

		"the budget is spent": {hindered(func(f *front) { f.book(8 * time.Second) }), 503, "busy", 0},
		"the host is paused":  {hindered((*front).throttle), 503, "busy", 0},
		"Reltio is away": {hindered(func(f *front) {
			f.server.Outage(reltioauthtest.Outage{Fault: reltioauthtest.Fault{Kind: reltioauthtest.FaultUnreachable}})
		}), 503, "busy", 0},
		"the connection is paused":       {hindered(func(f *front) { f.status(grant.StatusPaused) }), 503, "paused", 0},
		"a renewal holds the lease":      {hindered((*front).renewal), 303, "done", 1},
		"storing fails":                  {hindered(func(f *front) { f.known(); f.stores.before = "PutGrant" }), 500, "unstored", 1},
		"storing is not known to work":   {hindered(func(f *front) { f.known(); f.stores.after = "PutGrant" }), 303, "done", 1},
		"consuming fails":                {hindered(func(f *front) { f.stores.before = "ConsumeRequest" }), 500, "broken", 0},
		"consuming is not known to work": {hindered(func(f *front) { f.stores.after = "ConsumeRequest" }), 500, "broken", 0},
		"the table is away":              {hindered(func(f *front) { f.stores.before = "Request" }), 503, "store_failing", 0},
		"a panic":                        {hindered(func(f *front) { f.stores.panics = "Request" }), 500, "internal", 0},
		"a panic with the token in hand": {hindered(func(f *front) { f.known(); f.stores.panics = "PutGrant" }), 500, "internal", 1},
		"the secret is malformed":        {hindered(func(f *front) { f.connect("acme", strings.Replace(byCode, `true`, `"kanari"`, 1)) }), 500, "broken", 0},
		"the secret is gone":             {hindered(func(f *front) { _ = f.secrets.DeleteConnection(f.t.Context(), "acme") }), 410, "invitation_gone", 0},
		"API Gateway names no domain": {func(f *front) answer {
			link := f.link()
			data, err := f.gateway.Invoke(f.t.Context(), []byte(`{"rawPath":"/authorize/go","rawQueryString":"`+link[strings.Index(link, "?")+1:]+`","requestContext":{"http":{"method":"GET"}}}`))
			return parsed(f.t, data, err)
		}, 500, "internal", 0},
		"no event of API Gateway": {func(f *front) answer {
			data, err := f.gateway.Invoke(f.t.Context(), []byte(`["kanari"]`))
			return parsed(f.t, data, err)
		}, 404, "no_such_page", 0},
	}
	for _, code := range []string{
		"invalid_request", "unauthorized_client", "access_denied", "unsupported_response_type", "invalid_scope",
		"server_error", "temporarily_unavailable", "kanari_code", "kanari%20code",
	} {
		rows["error "+code] = row{
			refused("error=" + code + "&error_description=%3Cscript%3Ealert(%22kanari%22)%3C%2Fscript%3E&error_uri=https%3A%2F%2Fkanari.example"), 400, "denied", 0,
		}
	}
	others(rows)
	return rows
}

// others are rows of several requests.
func others(rows map[string]row) {
	rows["the link twice"] = row{func(f *front) answer {
		link := f.link()
		b := f.browser()
		b.get(b.login(b.leave(link), "ann")).want(303)
		return f.browser().get(link)
	}, 410, "invitation_gone", 1}
	rows["two tabs"] = row{func(f *front) answer {
		b, link := f.browser(), f.link()
		first, second := b.leave(link), b.leave(link)
		b.get(b.login(second, "ann")).want(303)
		return b.get(b.login(first, "ann"))
	}, 410, "invitation_gone", 1}
	rows["a reload"] = row{func(f *front) answer {
		b, address := back(f)
		b.get(address).want(303)
		return b.get(address)
	}, 303, "done", 1}
	rows["another browser"] = row{func(f *front) answer {
		_, address := back(f)
		return f.browser().get(address)
	}, 400, "wrong_browser", 0}
	rows["another login's cookie"] = row{func(f *front) answer {
		b, address := back(f)
		other, _ := back(f)
		other.cookies[0].Name = b.cookies[0].Name
		return other.get(address)
	}, 400, "wrong_browser", 0}
	rows["another browser first, then the right one"] = row{func(f *front) answer {
		b, address := back(f)
		f.browser().get(address).want(400)
		return b.get(address)
	}, 303, "done", 1}
	rows["a link scanner first"] = row{func(f *front) answer {
		link, scanner := f.link(), f.browser()
		for range 3 {
			scanner.send(http.MethodHead, link)
			scanner.leave(link)
		}
		b := f.browser()
		return b.get(b.login(b.leave(link), "ann"))
	}, 303, "done", 1}
	rows["headers are forged"] = row{func(f *front) answer {
		f.headers = map[string]string{
			"host": "evil.example", "x-forwarded-host": "evil.example", "x-forwarded-proto": "http",
			"forwarded": "host=evil.example", "cookie": "__Host-reltio-0123456789abcdef=x",
		}
		b := f.browser()
		at := b.leave(f.link())
		if strings.Contains(at, "evil.example") || !strings.Contains(at, url.QueryEscape("https://"+domain+"/callback")) {
			f.t.Errorf("sent to %q", at)
		}
		return b.get(b.login(at, "ann"))
	}, 303, "done", 1}
	rows["another user"] = row{func(f *front) answer {
		b, address := back(f)
		b.get(address).want(303)
		return b.get(b.login(b.leave(f.link()), "ben"))
	}, 403, "wrong_user", 2}
	rows["nobody says who"] = row{func(f *front) answer {
		f.connect("acme", strings.Replace(byCode, `{`, `{"expected_user":"ann",`, 1))
		b, address := back(f)
		f.server.Configure(func(c *reltioauthtest.Config) {
			c.Fault = func(r reltioauthtest.Request) reltioauthtest.Fault {
				if r.Op == reltioauthtest.OpCheckToken {
					return reltioauthtest.Fault{Kind: reltioauthtest.FaultHTML}
				}
				return reltioauthtest.Fault{}
			}
		})
		return b.get(address)
	}, 502, "user_unknown", 1}
	rows["the same refresh token"] = row{func(f *front) answer {
		f.server.Configure(func(c *reltioauthtest.Config) { c.Behaviour.CodeRefreshToken = reltioauthtest.SameToken })
		b, address := back(f)
		b.get(address).want(303)
		a := b.get(b.login(b.leave(f.link()), "ann")).want(302) // again, without anything typed
		return b.get(b.login(a.location(), "ann"))
	}, 303, "done", 3}
	rows["the same refresh token for good"] = row{func(f *front) answer {
		f.server.Configure(func(c *reltioauthtest.Config) {
			c.Behaviour.CodeRefreshToken = reltioauthtest.SameToken
			c.Fault = func(r reltioauthtest.Request) reltioauthtest.Fault {
				if r.Op == reltioauthtest.OpRevoke {
					return reltioauthtest.Fault{Kind: reltioauthtest.FaultStatus, Status: 200}
				}
				return reltioauthtest.Fault{}
			}
		})
		b, address := back(f)
		b.get(address).want(303)
		a := b.get(b.login(b.leave(f.link()), "ann")).want(302)
		a = b.get(b.login(a.location(), "ann")).want(303)
		return b.get(a.location())
	}, 200, "seen", 3}
}

func TestHostileRequests(t *testing.T) {
	for name, row := range hostile() {
		t.Run(name, func(t *testing.T) {
			lobby(t, func(f *front) {
				a := row.request(f).want(row.status)
				if got := f.exchanges(); got != row.exchanges {
					t.Errorf("%d token requests, want %d", got, row.exchanges)
				}
				f.said(a, row)
				f.nothingSecret()
			})
		})
	}
}

// said compares the answer with its line in the log.
func (f *front) said(a answer, want row) {
	f.t.Helper()
	text := f.log.String()
	lines := of(f.log.take(f.t), "callback")
	line := lines[len(lines)-1]
	if line["outcome"] != want.outcome || line["Outcome"] != want.outcome || line["Callbacks"] != 1.0 {
		f.t.Errorf("line %v, want outcome %q", line, want.outcome)
	}
	for _, key := range []string{"connection", "version", "fingerprint", "duration_ms"} {
		if _, ok := line[key]; !ok {
			f.t.Errorf("the line has no %s: %v", key, line)
		}
	}
	if found := reference.FindStringSubmatch(a.Body); a.Body != "" && (len(found) != 2 || found[1] != line["reference"]) {
		f.t.Errorf("reference %v is not in the page", line["reference"])
	}
	_, retry := a.Headers["Retry-After"]
	if retry != (a.StatusCode == http.StatusServiceUnavailable) {
		f.t.Errorf("Retry-After %q with status %d", a.Headers["Retry-After"], a.StatusCode)
	}
	if allow := a.Headers["Allow"]; (allow == get) != (a.StatusCode == http.StatusMethodNotAllowed) {
		f.t.Errorf("Allow %q with status %d", allow, a.StatusCode)
	}
	f.seen.WriteString(text)
}

// nothingSecret looks through all pages and lines.
func (f *front) nothingSecret() {
	f.t.Helper()
	text := href.ReplaceAllString(f.seen.String(), "") // the first page's link holds the invitation
	secrets := map[string]string{"something marked": "kanari", "the server's text": "alert("}
	if g, err := f.table.Grant(f.t.Context(), "acme", grant.Strong); err == nil && g.HasToken() {
		secrets["the access token"] = g.AccessToken.Reveal()
	}
	if r, err := f.secrets.Current(f.t.Context(), "acme"); err == nil {
		secrets["the refresh token"] = r.Token.Reveal()
	}
	for what, secret := range secrets {
		if strings.Contains(text, secret) {
			f.t.Errorf("%s is in a page or in the log: %s", what, text)
		}
	}
	if found := regexp.MustCompile(`[A-Za-z0-9_-]{43}`).FindString(regexp.MustCompile(`sha256-\S*|"stack":"[^"]*"|"requestId":"\S*"`).ReplaceAllString(text, "")); found != "" {
		f.t.Errorf("%q, which looks like a state, is in a page or in the log", found)
	}
}

// book reserves the slots up to a moment ahead.
func (f *front) book(ahead time.Duration) {
	f.t.Helper()
	at := time.Now().Add(ahead)
	if _, err := f.table.Reserve(f.t.Context(), "auth.reltio.com:443", ratelimit.Window{Now: time.Now(), Earliest: at, Latest: at, Interval: time.Second}); err != nil {
		f.t.Fatal(err)
	}
}

func (f *front) throttle() {
	_, _ = f.table.Throttled(f.t.Context(), "auth.reltio.com:443", ratelimit.Throttle{Client: "c", RetryAfter: time.Minute, Now: time.Now()})
}

func (f *front) renewal() {
	f.t.Helper()
	now := time.Now()
	if _, err := f.table.TakeLease(f.t.Context(), lease.Request{Connection: "acme", Owner: "renewal", Now: now, Until: now.Add(lease.Term)}); err != nil {
		f.t.Fatal(err)
	}
}

func (f *front) status(s grant.Status) { f.put(grant.Grant{Connection: "acme", Status: s}) }

// put writes the grant as an operator does.
func (f *front) put(g grant.Grant) {
	f.t.Helper()
	now := time.Now()
	held, err := f.table.SeizeLease(f.t.Context(), lease.Request{Connection: g.Connection, Owner: lease.NewOwner(), Now: now, Until: now.Add(lease.Term)})
	if err == nil {
		err = f.table.PutGrant(f.t.Context(), held, g)
	}
	if err != nil {
		f.t.Fatal(err)
	}
}

// The line of a request names the connection as soon as it is known, and the
// present token; requests to Reltio are counted as rotate's are.
func TestTheLineOfARequest(t *testing.T) {
	lobby(t, func(f *front) {
		b, address := back(f)
		b.get(address).want(http.StatusSeeOther)
		g, err := f.table.Grant(t.Context(), "acme", grant.Strong)
		if err != nil {
			t.Fatal(err)
		}
		all := of(f.log.take(t), "callback")
		previewed, begun, done := all[0], all[1], all[2]
		if previewed["connection"] != "acme" || begun["connection"] != "acme" || begun["TokenRequests"] != nil {
			t.Errorf("lines %v, %v", previewed, begun)
		}
		if done["connection"] != "acme" || done["version"] != 1.0 || done["fingerprint"] != g.Fingerprint {
			t.Errorf("line %v, want version 1 and %s", done, g.Fingerprint)
		}
		if wait, _ := done["BudgetWaitSeconds"].(float64); done["TokenRequests"] != 1.0 || done["Throttled"] != 0.0 || done["RefusedLogins"] != 0.0 || wait < 0.2 {
			t.Errorf("line %v, want one token request after a wait", done)
		}

		link, again := f.link(), f.link()
		b = f.browser()
		address = b.login(b.leave(link), "ann")
		f.throttled()
		b.get(address).want(http.StatusBadGateway)
		f.status(grant.StatusPaused)
		b.get(strings.Replace(again, "/authorize?", "/authorize/go?", 1)).want(http.StatusServiceUnavailable)
		_ = f.secrets.DeleteConnection(t.Context(), "acme")
		b.get(again).want(http.StatusGone)
		all = of(f.log.take(t), "callback")[2:]
		if line := all[0]; line["connection"] != "acme" || line["version"] != 1.0 || line["TokenRequests"] != 1.0 || line["Throttled"] != 1.0 {
			t.Errorf("line %v, want a 429", line)
		}
		for _, line := range all[1:] {
			if line["connection"] != "acme" {
				t.Errorf("line %v, want the connection", line)
			}
		}
	})
}

// throttled lets the next token request be answered 429.
func (f *front) throttled() {
	f.server.Configure(func(c *reltioauthtest.Config) {
		c.Fault = func(r reltioauthtest.Request) reltioauthtest.Fault {
			if r.Op == reltioauthtest.OpToken {
				return reltioauthtest.Fault{Kind: reltioauthtest.FaultRateLimit}
			}
			return reltioauthtest.Fault{}
		}
	})
}

// The last page names the connection to the browser that has connected it, and
// nothing to any other.
func TestTheLastPageKnowsItsBrowser(t *testing.T) {
	for name, c := range map[string]struct{ cookie, want, never string }{
		"the browser":    {"acme-prod", "<dd>acme-prod</dd>", "This page follows"},
		"a stranger":     {"", "This page follows a login", "is connected"},
		"a forged name":  {"<b>x", "This page follows a login", "<b>x"},
		"too long a one": {strings.Repeat("a", 65), "This page follows a login", "aaaaa"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFront(t)
			request := httptest.NewRequest(http.MethodGet, "/done", http.NoBody)
			if c.cookie != "" {
				request.AddCookie(&http.Cookie{Name: "__Host-reltio-done", Value: c.cookie})
			}
			response := httptest.NewRecorder()
			f.callback.ServeHTTP(response, request)
			if body := response.Body.String(); !strings.Contains(body, c.want) || strings.Contains(body, c.never) {
				t.Errorf("want %q and not %q in:\n%s", c.want, c.never, body)
			}
		})
	}
}
