package browser_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/reltio-tokens/reltio-tokens/internal/authrequest"
	"github.com/reltio-tokens/reltio-tokens/internal/handler/pages"
	"github.com/reltio-tokens/reltio-tokens/internal/local"
	"github.com/reltio-tokens/reltio-tokens/internal/testkit/localtest"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// What `make run` prints works: the link, the name and the password, and issue
// answers afterwards.
func TestTheDemonstration(t *testing.T) {
	p := newBrowser(t)
	stack := localtest.Start(t, local.Config{})
	var out strings.Builder
	if err := stack.Demo(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	printed := regexp.MustCompile(`(http://127\.0\.0\.1:\d+/authorize\?invitation=\S+)[\s\S]*log in at the sandbox as (\S+) with the password (\S+)`).FindStringSubmatch(out.String())
	if len(printed) != 4 {
		t.Fatalf("no link, name and password in:\n%s", out.String())
	}
	p.open(printed[1]).want(http.StatusOK, "Connect demo-authorization-code to Reltio")
	p.press("a.button").want(http.StatusOK, atLogin)
	p.login(printed[2], printed[3]).want(http.StatusOK, done)
	response, err := http.Post(stack.LambdaURL+"/2015-03-31/functions/issue/invocations", "application/json",
		strings.NewReader(`{"connection":"demo-authorization-code"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	var answer map[string]any
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || answer["access_token"] == nil {
		t.Errorf("issue answers %v, %v", answer["errorType"], err)
	}
}

func TestTheWholeJourney(t *testing.T) {
	p, s := newBrowser(t), newSite(t)
	link := s.link()
	p.open(link).want(http.StatusOK, leaving)
	p.inspect("1-leaving")
	p.reload().want(http.StatusOK, leaving)
	p.press("a.button").want(http.StatusOK, atLogin)
	p.inspect("2-login")
	p.reload().want(http.StatusOK, atLogin)
	cookies := p.cookies(s.url + "/callback")
	if len(cookies) != 1 {
		t.Fatalf("%d cookies, want one", len(cookies))
	}
	if c := cookies[0]; !strings.HasPrefix(c.Name, "__Host-reltio-") || !c.Secure || !c.HTTPOnly || c.SameSite != network.CookieSameSiteLax {
		t.Errorf("cookie %s: secure %v, HTTP only %v, same site %s", c.Name, c.Secure, c.HTTPOnly, c.SameSite)
	}
	p.login("ann", "wrong").want(http.StatusUnauthorized, atLogin)
	p.inspect("3-login-refused")
	last := p.login("ann", "password-of-ann").want(http.StatusOK, done)
	if last.url != s.url+"/done" {
		t.Errorf("the last address is %s", last.url)
	}
	p.inspect("4-done")
	p.reload().want(http.StatusOK, done)
	if !s.connected() {
		t.Error("no token is stored")
	}
	s.wantExchanges(1)
	_, invitation, _ := strings.Cut(link, "=")
	for what, secret := range map[string]string{"the invitation": invitation, "the cookie": cookies[0].Value} {
		if strings.Contains(s.log.String(), secret) {
			t.Errorf("%s is in the log", what)
		}
	}
}

// The stylesheet is the policy's, and nothing was blocked.
func TestThePolicyLetsTheStyleThrough(t *testing.T) {
	p, s := newBrowser(t), newSite(t)
	p.open(s.link())
	color := get(p, chromedp.Evaluate[string](`getComputedStyle(document.querySelector("a.button")).backgroundColor`))
	if color != "rgb(31, 79, 196)" {
		t.Errorf("the button is %s", color)
	}
}

func TestARefusalAtTheLoginPage(t *testing.T) {
	p, s := newBrowser(t), newSite(t)
	link := s.link()
	p.leave(link)
	const cancelled = "The login was cancelled"
	p.press("button[value=cancel]").want(http.StatusBadRequest, cancelled)
	p.inspect("5-denied")
	p.reload().want(http.StatusBadRequest, cancelled)
	s.wantExchanges(0)
	p.connect(link, "ann").want(http.StatusOK, done)
}

func TestTheLinkTwice(t *testing.T) {
	p, s := newBrowser(t), newSite(t)
	link := s.link()
	p.connect(link, "ann").want(http.StatusOK, done)
	p.open(link).want(http.StatusGone, gone)
	p.inspect("6-gone")
	p.reload().want(http.StatusGone, gone)
	p.open(strings.Replace(link, "/authorize?", "/authorize/go?", 1)).want(http.StatusGone, gone)
	s.wantExchanges(1)
}

func TestASecondBrowserOpensTheLink(t *testing.T) {
	first, second, s := newBrowser(t), newBrowser(t), newSite(t)
	link := s.link()
	first.leave(link)
	second.connect(link, "ann").want(http.StatusOK, done)
	first.login("ann", "password-of-ann").want(http.StatusGone, gone)
	s.wantExchanges(1)
}

// The address of the callback is of no use in another browser, and still is in
// its own.
func TestASecondBrowserOpensTheCallback(t *testing.T) {
	first, second, s := newBrowser(t), newBrowser(t), newSite(t)
	at := first.leave(s.link()).url
	back, err := s.server.Authorize(t.Context(), at, "ann")
	if err != nil {
		t.Fatal(err)
	}
	second.open(back).want(http.StatusBadRequest, "This login began in another browser")
	second.inspect("7-wrong-browser")
	s.wantExchanges(0)
	first.open(back).want(http.StatusOK, done)
	first.open(back).want(http.StatusOK, done) // as a reload
	s.wantExchanges(1)
}

func TestTheBackButton(t *testing.T) {
	p, s := newBrowser(t), newSite(t)
	p.connect(s.link(), "ann").want(http.StatusOK, done)
	p.back(atLogin)
	p.login("ann", "password-of-ann").want(http.StatusOK, done) // the same answer: the code is not sent
	p.back(atLogin)
	p.back(gone) // the first page is not kept
	s.wantExchanges(1)
}

func TestTwoTabs(t *testing.T) {
	first, s := newBrowser(t), newSite(t)
	second, link := first.another(), s.link()
	first.leave(link)
	second.leave(link)
	first.login("ann", "password-of-ann").want(http.StatusOK, done)
	second.login("ann", "password-of-ann").want(http.StatusGone, gone)
	s.wantExchanges(1)
}

func TestAnExpiredRequest(t *testing.T) {
	p, s := newBrowser(t), newSite(t)
	link := s.link()
	p.leave(link)
	s.sleep(authrequest.RequestLife)
	const late = "This login was used, or took too long"
	p.login("ann", "password-of-ann").want(http.StatusBadRequest, late)
	p.inspect("8-too-late")
	p.reload().want(http.StatusBadRequest, late)
	s.wantExchanges(0)
	p.connect(link, "ann").want(http.StatusOK, done)
}

func TestTheWrongUser(t *testing.T) {
	p, s := newBrowser(t), newSite(t)
	p.connect(s.link(), "ann").want(http.StatusOK, done)
	link := s.link()
	p.connect(link, "ben").want(http.StatusForbidden, "Another user was expected")
	p.inspect("9-wrong-user")
	p.connect(link, "ann").want(http.StatusOK, done)
}

// The same refresh token comes back early: the second way through the login
// page asks for nothing.
func TestTheSameRefreshToken(t *testing.T) {
	p, s := newBrowser(t), newSite(t)
	s.server.Configure(func(c *reltioauthtest.Config) {
		c.Behaviour.CodeRefreshToken, c.Behaviour.SingleSignOn = reltioauthtest.SameToken, true
	})
	p.connect(s.link(), "ann").want(http.StatusOK, done)
	s.sleep(20 * 24 * time.Hour)
	p.open(s.link()).want(http.StatusOK, leaving)
	p.press("a.button").want(http.StatusOK, done) // out, back, out, back: nothing typed
	s.wantExchanges(3)
	if !s.connected() {
		t.Error("no token is stored")
	}
}

func TestTheSameRefreshTokenForGood(t *testing.T) {
	p, s := newBrowser(t), newSite(t)
	s.server.Configure(func(c *reltioauthtest.Config) {
		c.Behaviour.CodeRefreshToken, c.Behaviour.SingleSignOn = reltioauthtest.SameToken, true
		c.Fault = func(r reltioauthtest.Request) reltioauthtest.Fault {
			if r.Op == reltioauthtest.OpRevoke {
				return reltioauthtest.Fault{Kind: reltioauthtest.FaultStatus, Status: http.StatusOK}
			}
			return reltioauthtest.Fault{}
		}
	})
	p.connect(s.link(), "ann").want(http.StatusOK, done)
	p.open(s.link()).want(http.StatusOK, leaving)
	const until = "Connected, until a known date"
	p.press("a.button").want(http.StatusOK, until)
	p.inspect("10-done-until")
	p.reload().want(http.StatusOK, until)
}

// A link scanner opens everything that it finds.
func TestAScannerFirst(t *testing.T) {
	scanner, p, s := newBrowser(t), newBrowser(t), newSite(t)
	link := s.link()
	for range 2 {
		scanner.leave(link)
	}
	p.connect(link, "ann").want(http.StatusOK, done)
}

// Failures that the tests above do not come by are looked at as pages.
func TestEveryOtherPage(t *testing.T) {
	set := pages.New()
	names := []string{
		pages.Malformed, pages.TooLong, pages.NoSuchPage, pages.MethodNotAllowed, pages.Internal,
		"wrong_server", "user_unknown", "exchange_failed", "busy", "paused", "unstored", "broken",
	}
	mux := http.NewServeMux()
	for _, name := range names {
		f := pages.FailureOf(name, "")
		mux.HandleFunc("/"+name, func(w http.ResponseWriter, _ *http.Request) {
			html, err := set.Failed(f, "ABCD-EFGH")
			if err != nil {
				t.Error(err)
			}
			w.Header().Set("Content-Security-Policy", set.Policy())
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.WriteHeader(f.Status)
			_, _ = w.Write(html)
		})
	}
	p, web := newBrowser(t), serve(t, mux)
	p.open(newSite(t).url+"/done").want(http.StatusOK, "This page follows a login")
	p.inspect("nothing")
	for _, name := range names {
		f := pages.FailureOf(name, "")
		p.open(web+"/"+name).want(int64(f.Status), f.Title)
		p.inspect("failed-" + name)
	}
}

// The longest words that can stand on a page do not make it wider than a phone.
func TestTheLongestWords(t *testing.T) {
	long := func(n int) string { return strings.Repeat("m", n) }
	set := pages.New()
	set.Owner = pages.Owner{Organisation: long(128), Contact: long(128)}
	made := map[string]func() ([]byte, error){
		"leaving": func() ([]byte, error) {
			return set.Leaving(pages.Leaving{
				Connection: long(64), Host: long(63) + ".example:65535", User: long(128), Scope: long(256),
				Ends: time.Now(), Link: "/go?invitation=" + long(64), Reference: "ABCD-EFGH",
			})
		},
		"done-until": func() ([]byte, error) { return set.DoneUntil(long(64), time.Now(), "ABCD-EFGH") },
	}
	mux := http.NewServeMux()
	for name, page := range made {
		mux.HandleFunc("/"+name, func(w http.ResponseWriter, _ *http.Request) {
			html, err := page()
			if err != nil {
				t.Error(err)
			}
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = w.Write(html)
		})
	}
	p, web := newBrowser(t), serve(t, mux)
	for name := range made {
		p.open(web + "/" + name)
		p.inspect("longest-" + name)
	}
}
