package e2e_test

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
	"github.com/reltio-tokens/reltio-tokens/test/lambdahost"
)

// text43 is what invitations, states and cookies are made of.
var text43 = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// invitation is what a role with write access to the table can make.
func (w *world) invitation(t *testing.T, connection string, ends time.Time) string {
	t.Helper()
	var random [32]byte
	_, _ = rand.Read(random[:])
	text := base64.RawURLEncoding.EncodeToString(random[:])
	w.put(t, "invitation#"+hashOf(text), map[string]any{"connection": connection, "ttl": ends.Unix()})
	w.secrets.put("invitation", text)
	return w.CallbackURL + "/authorize?invitation=" + text
}

func TestAPersonConnects(t *testing.T) {
	t.Parallel()
	w := start(t)
	for _, pkce := range []bool{false, true} {
		s := w.server(t)
		s.Configure(func(c *reltioauthtest.Config) { c.Clients[0].RequirePKCE = pkce })
		name := w.add(t, s.authorizationCode().with(fields{"pkce": pkce}))
		wantError(t, w.ask(t, name), "ReauthorizationRequired")
		link, b := w.invite(t, name), w.browser(t)

		for range 2 { // a link scanner burns nothing
			p := b.get(t, link).want(t, http.StatusOK)
			if !strings.Contains(p.body, name) || !strings.Contains(p.body, "/authorize/go?invitation=") || len(p.cookies) > 0 {
				t.Error("the page names no connection, or has no link, or sets a cookie")
			}
		}
		begun := b.get(t, goTo(link)).want(t, http.StatusFound)
		w.wantDeparture(t, s, begun, name, pkce)
		back := b.back(t, s, begun, "ann")
		if !strings.HasPrefix(back, w.CallbackURL+"/callback?") {
			t.Error("Reltio sends the browser elsewhere")
		}
		p := b.get(t, back).want(t, http.StatusSeeOther)
		if p.location != "/done" && p.location != w.CallbackURL+"/done" {
			t.Errorf("it goes to %q", p.location)
		}
		if len(p.cookies) != 1 || p.cookies[0].Name != doneCookie {
			t.Errorf("cookies %v are set or cleared, want the last page's alone", p.cookies)
		}
		b.get(t, w.CallbackURL+"/done").want(t, http.StatusOK)
		wantToken(t, w.ask(t, name))
		if user := str(w.item(t, "grant#"+name)["user"]); user != "ann" {
			t.Errorf("user %q", user)
		}

		// A reload gets the same answer, and sends nothing; the link is used up.
		b.get(t, back).want(t, http.StatusSeeOther)
		b.get(t, link).want(t, http.StatusGone)
		b.get(t, goTo(link)).want(t, http.StatusGone)
		w.browser(t).get(t, back).want(t, http.StatusBadRequest)
		if got := s.TokenRequests(time.Time{}, time.Time{}); got != 1 {
			t.Errorf("%d token requests, want 1", got)
		}
	}
}

// wantDeparture checks where the browser is sent, its cookie, and the pending
// request.
func (w *world) wantDeparture(t *testing.T, s *server, p page, name string, pkce bool) {
	t.Helper()
	to, err := url.Parse(p.location)
	if err != nil {
		t.Fatal(err)
	}
	q := to.Query()
	state := q.Get("state")
	if to.Scheme+"://"+to.Host+to.Path != s.url+"/oauth/sso" || !text43.MatchString(state) {
		t.Error("it is no authorization request to the connection's server")
	}
	for parameter, want := range map[string]string{
		"tenant_id": "tenant", "response_type": "code", "client_id": "app", "redirect_uri": w.CallbackURL + "/callback",
	} {
		if got := q.Get(parameter); got != want {
			t.Errorf("%s=%q, want %q", parameter, got, want)
		}
	}
	if (q.Get("code_challenge_method") == "S256") != pkce || (q.Get("code_challenge") != "") != pkce {
		t.Error("PKCE is there and not asked for, or the reverse")
	}
	if len(p.cookies) != 1 {
		t.Fatalf("%d cookies", len(p.cookies))
	}
	line := p.header.Get("Set-Cookie")
	value, attributes, _ := strings.Cut(strings.TrimPrefix(line, "__Host-reltio-"+hashOf(state)[:16]+"="), ";")
	if !text43.MatchString(value) {
		t.Error("the cookie's name or value is not what it should be")
	}
	for _, want := range []string{"Secure", "HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=600"} {
		if !strings.Contains(attributes, want) {
			t.Errorf("the cookie lacks %s: %s", want, attributes)
		}
	}
	item := w.item(t, "request#"+hashOf(state))
	w.secrets.put("verifier", str(item["verifier"]))
	there := []string{"connection", "invitation", "binding", "redirect_uri", "ttl"}
	if pkce {
		there = append(there, "verifier")
	}
	wantAttributes(t, item, there...)
	if str(item["connection"]) != name || str(item["binding"]) != hashOf(value) || str(item["redirect_uri"]) != w.CallbackURL+"/callback" {
		t.Error("the pending request is not what it should be")
	}
	if w.item(t, "invitation#"+str(item["invitation"])) == nil {
		t.Error("it names no invitation")
	}
	wantAbout(t, "ttl of the request", time.Unix(number(item["ttl"]), 0), time.Now().Add(10*time.Minute))
}

// Addresses that no link has.
func TestAddressesThatAreNoGood(t *testing.T) {
	t.Parallel()
	w := start(t)
	b, s := w.browser(t), w.server(t)
	person, machine := w.add(t, s.authorizationCode()), w.add(t, s.clientCredentials())
	text, hour := strings.Repeat("A", 43), time.Now().Add(time.Hour)
	_, good, _ := strings.Cut(w.invitation(t, person, hour), "=")
	for address, want := range map[string]int{
		"/":                              http.StatusNotFound,
		"/authorise":                     http.StatusNotFound,
		"/authorize/":                    http.StatusNotFound,
		"/authorize/go/x":                http.StatusNotFound,
		"/done":                          http.StatusOK,
		"/authorize":                     http.StatusBadRequest,
		"/authorize?invitation=":         http.StatusBadRequest,
		"/authorize?invitation=" + "a/b": http.StatusBadRequest,
		"/authorize?invitation=" + text:  http.StatusGone,
		"/authorize?invitation=" + good + "&invitation=" + good: http.StatusBadRequest,
		"/authorize?invitation=" + good + "%00":                 http.StatusBadRequest,
		"/authorize?invitation=" + good + "&x=%zz":              http.StatusOK,
		"/authorize?invitation=" + good + "&x=%0a":              http.StatusOK,
		"/authorize?invitation=" + good + "&utm_source=mail":    http.StatusOK,
		"/authorize?x=" + strings.Repeat("x", 8<<10):            http.StatusRequestURITooLong,
		"/authorize/go":                  http.StatusBadRequest,
		"/callback":                      http.StatusBadRequest,
		"/callback?code=c&state=" + text: http.StatusBadRequest,
		"/callback?code=c":               http.StatusBadRequest,
		"/callback?state=" + text:        http.StatusBadRequest,
		"/callback?code=c&error=access_denied&state=" + text:                   http.StatusBadRequest,
		"/callback?code=" + strings.Repeat("c", 5000) + "&state=" + text:       http.StatusBadRequest,
		strings.TrimPrefix(w.invitation(t, machine, hour), w.CallbackURL):      http.StatusGone,
		strings.TrimPrefix(w.invitation(t, "nobody", hour), w.CallbackURL):     http.StatusGone,
		strings.TrimPrefix(w.invitation(t, person, time.Now()), w.CallbackURL): http.StatusGone,
	} {
		p := b.get(t, w.CallbackURL+address)
		if p.status != want {
			t.Errorf("%.60s: %d, want %d", address, p.status, want)
		}
		if len(p.cookies) > 0 || p.status == http.StatusOK && strings.Contains(p.body, text) {
			t.Errorf("%.60s: a cookie, or what was sent", address)
		}
		if want >= http.StatusBadRequest && !regexp.MustCompile(`<code>[A-Z2-7]{4}-[A-Z2-7]{4}</code>`).MatchString(p.body) {
			t.Errorf("%.60s: no reference number", address)
		}
	}
	for _, method := range []string{http.MethodPost, http.MethodHead, http.MethodPut, http.MethodDelete, http.MethodOptions} {
		p := b.send(t, method, w.CallbackURL+"/done", nil)
		if p.status != http.StatusMethodNotAllowed || p.header.Get("Allow") != http.MethodGet {
			t.Errorf("%s: %d, Allow %q", method, p.status, p.header.Get("Allow"))
		}
	}
	if got := len(s.Requests()); got != 0 {
		t.Errorf("Reltio was asked %d times", got)
	}
}

// Whatever a request says of its host, the browser comes back to one address.
func TestHostHeadersAreNotBelieved(t *testing.T) {
	t.Parallel()
	w := start(t)
	name := w.add(t, w.server(t).authorizationCode())
	p := w.browser(t).send(t, http.MethodGet, goTo(w.invitation(t, name, time.Now().Add(time.Hour))), http.Header{
		"X-Forwarded-Host": {"evil.example"}, "Forwarded": {"host=evil.example"}, "X-Original-Host": {"evil.example"},
	}).want(t, http.StatusFound)
	if strings.Contains(p.location, "evil.example") {
		t.Error("it was believed")
	}
}

// Without CALLBACK_BASE_URL the browser comes back to where API Gateway says
// that this is, stage included.
func TestAnAPIThatNamesItself(t *testing.T) {
	t.Parallel()
	w := start(t)
	f := w.functions["callback"]
	f.Name, f.Env = "callback-unnamed", maps.Clone(f.Env)
	delete(f.Env, "CALLBACK_BASE_URL")
	if err := w.Host.Deploy(f); err != nil {
		t.Fatal(err)
	}
	name := w.add(t, w.server(t).authorizationCode())
	_, query, _ := strings.Cut(w.invitation(t, name, time.Now().Add(time.Hour)), "?")
	for stage, want := range map[string]string{"$default": "https://abc.example/callback", "prod": "https://abc.example/prod/callback"} {
		api := &lambdahost.HTTPAPI{Host: w.Host, Function: f.Name, DomainName: "abc.example", Stage: stage}
		address, err := api.Start(t.Context(), "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		p := w.browser(t).get(t, address+"/authorize/go?"+query).want(t, http.StatusFound)
		to, err := url.Parse(p.location)
		if err != nil {
			t.Fatal(err)
		}
		if got := to.Query().Get("redirect_uri"); got != want {
			t.Errorf("stage %s: redirect_uri %q, want %q", stage, got, want)
		}
	}
}
