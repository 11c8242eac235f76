package e2e_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// A code and its state are worth nothing in another browser, and stay good in
// the right one.
func TestAnotherBrowser(t *testing.T) {
	t.Parallel()
	w := start(t)
	s := w.server(t)
	name := w.add(t, s.authorizationCode())
	right, wrong := w.browser(t), w.browser(t)
	link := w.invite(t, name)
	back := right.login(t, s, link, "ann")
	wrong.get(t, goTo(link)).want(t, http.StatusFound) // it has a cookie of its own
	wrong.get(t, back).want(t, http.StatusBadRequest)
	wantError(t, w.ask(t, name), "ReauthorizationRequired")
	if got := s.TokenRequests(time.Time{}, time.Time{}); got != 0 {
		t.Errorf("%d token requests", got)
	}
	right.get(t, back).want(t, http.StatusSeeOther)
	w.Host.Recycle("issue")
	wantToken(t, w.ask(t, name))
}

func TestTheServerSaysNo(t *testing.T) {
	t.Parallel()
	w := start(t)
	s := w.server(t)
	name := w.add(t, s.authorizationCode())
	link, b := w.invite(t, name), w.browser(t)
	for code, title := range map[string]string{"access_denied": "cancelled", "server_error": "problem", "<b>made up</b>": "did not complete"} {
		begun := b.get(t, goTo(link)).want(t, http.StatusFound)
		to, _ := url.Parse(begun.location)
		state := to.Query().Get("state")
		back := w.CallbackURL + "/callback?" + url.Values{
			"error": {strings.ReplaceAll(code, " ", "_")}, "error_description": {"canary-description"}, "state": {state},
		}.Encode()
		p := b.get(t, back).want(t, http.StatusBadRequest)
		if !strings.Contains(p.body, title) || strings.Contains(p.body, "canary-description") || strings.Contains(p.body, "made") {
			t.Errorf("%s: the page is not ours, or holds what was sent", code)
		}
		// It is consumed; a reload is answered the same, a code that comes later is not sent.
		b.get(t, back).want(t, http.StatusBadRequest)
		b.get(t, w.CallbackURL+"/callback?code=late&state="+state).want(t, http.StatusBadRequest)
	}
	if got := s.TokenRequests(time.Time{}, time.Time{}); got != 0 {
		t.Errorf("%d token requests", got)
	}
	b.get(t, b.login(t, s, link, "ann")).want(t, http.StatusSeeOther) // the link still works
}

func TestTheWrongServerAnswers(t *testing.T) {
	t.Parallel()
	w := start(t)
	s := w.server(t)
	name := w.add(t, s.authorizationCode())
	link, b := w.invite(t, name), w.browser(t)
	back := b.login(t, s, link, "ann")
	b.get(t, back+"&iss="+url.QueryEscape("https://evil.example")).want(t, http.StatusBadRequest)
	b.get(t, back).want(t, http.StatusBadRequest) // consumed
	if got := s.TokenRequests(time.Time{}, time.Time{}); got != 0 {
		t.Errorf("%d token requests", got)
	}
	b.get(t, b.login(t, s, link, "ann")+"&iss="+url.QueryEscape(s.url)).want(t, http.StatusSeeOther)
}

// The first user ever, or the expected one; another only by an invitation that
// says so.
func TestAnotherUser(t *testing.T) {
	t.Parallel()
	w := start(t)
	s := w.server(t)
	first := w.add(t, s.authorizationCode())
	b := w.browser(t)
	b.get(t, b.login(t, s, w.invite(t, first), "ann")).want(t, http.StatusSeeOther)
	link := w.invite(t, first)
	back := b.login(t, s, link, "bob")
	b.get(t, back).want(t, http.StatusForbidden)
	b.get(t, back).want(t, http.StatusForbidden)
	if got := str(w.item(t, "grant#"+first)["user"]); got != "ann" {
		t.Errorf("user %q", got)
	}
	if s.count(reltioauthtest.OpRevoke) == 0 {
		t.Error("the other user's tokens were not revoked")
	}
	b.get(t, link).want(t, http.StatusOK) // given back: nothing was stored
	b.get(t, b.login(t, s, w.invite(t, first, "--replace-user"), "bob")).want(t, http.StatusSeeOther)
	if got := str(w.item(t, "grant#"+first)["user"]); got != "bob" {
		t.Errorf("user %q", got)
	}
	expected := w.add(t, s.authorizationCode().with(fields{"expected_user": "ann"}))
	link = w.invite(t, expected)
	b.get(t, b.login(t, s, link, "bob")).want(t, http.StatusForbidden)
	b.get(t, b.login(t, s, link, "ann")).want(t, http.StatusSeeOther)
}

// What fails before or at the exchange.
func TestAnExchangeThatFails(t *testing.T) {
	t.Parallel()
	w := start(t)
	s := w.server(t)
	s.Configure(func(c *reltioauthtest.Config) { c.Behaviour.CodeRefreshToken = reltioauthtest.NewToken })
	name := w.add(t, s.authorizationCode())
	link, b := w.invite(t, name), w.browser(t)

	back := b.login(t, s, link, "ann")
	s.Outage(out(reltioauthtest.FaultStatus))
	b.get(t, back).want(t, http.StatusBadGateway)
	s.Outage(reltioauthtest.Outage{})
	b.get(t, back).want(t, http.StatusBadGateway) // one use: a code is sent once
	if got := s.TokenRequests(time.Time{}, time.Time{}); got != 1 {
		t.Errorf("%d token requests, want 1", got)
	}

	back = b.login(t, s, link, "ann")
	w.operate(t, "pause", name)
	p := b.get(t, back).want(t, http.StatusServiceUnavailable)
	if seconds, err := strconv.Atoi(p.header.Get("Retry-After")); err != nil || seconds < 1 {
		t.Errorf("Retry-After %q", p.header.Get("Retry-After"))
	}
	w.operate(t, "unpause", name)
	b.get(t, back).want(t, http.StatusSeeOther) // the request stayed usable

	// A host that is paused.
	back = b.login(t, s, w.invite(t, name), "ann")
	w.set(t, "budget#"+strings.TrimPrefix(s.url, "http://"), "paused_until", ms(time.Now().Add(time.Minute)))
	p = b.get(t, back).want(t, http.StatusServiceUnavailable)
	if p.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	w.set(t, "budget#"+strings.TrimPrefix(s.url, "http://"), "paused_until", 0)
	b.get(t, back).want(t, http.StatusSeeOther)
}

// The user who logged in has to be known if a user is expected.
func TestTheServerDoesNotSayWhoLoggedIn(t *testing.T) {
	t.Parallel()
	w := start(t)
	s := w.server(t)
	noCheck := reltioauthtest.Outage{
		Fault: reltioauthtest.Fault{Kind: reltioauthtest.FaultStatus}, Ops: []reltioauthtest.Op{reltioauthtest.OpCheckToken},
	}
	s.Outage(noCheck)
	b := w.browser(t)
	open := w.add(t, s.authorizationCode())
	b.get(t, b.login(t, s, w.invite(t, open), "ann")).want(t, http.StatusSeeOther)
	if item := w.item(t, "grant#"+open); item["user"] != nil || item["access_token"] == nil {
		t.Error("a user is stored, or no token")
	}
	expected := w.add(t, s.authorizationCode().with(fields{"expected_user": "ann"}))
	b.get(t, b.login(t, s, w.invite(t, expected), "ann")).want(t, http.StatusBadGateway)
	if w.item(t, "grant#"+expected)["access_token"] != nil {
		t.Error("a token is stored")
	}
}

// A second login that brings the refresh token of the first, whose clock runs
// on: it is revoked, and the browser goes through the login page once more. If
// that does not help the page says until when it holds.
func TestTheSameRefreshTokenAgain(t *testing.T) {
	t.Parallel()
	w := start(t)
	for state, test := range map[string]struct {
		outage reltioauthtest.Outage
		helps  bool
		done   string
	}{
		"revoking helps": {reltioauthtest.Outage{}, true, `^/done$`},
		"revoking fails": {
			reltioauthtest.Outage{Fault: reltioauthtest.Fault{Kind: reltioauthtest.FaultStatus}, Ops: []reltioauthtest.Op{reltioauthtest.OpRevoke}},
			false, `^/done\?until=\d{10}$`,
		},
	} {
		s := w.server(t)
		name, b := w.add(t, s.authorizationCode()), w.browser(t)
		b.get(t, b.login(t, s, w.invite(t, name), "ann")).want(t, http.StatusSeeOther)
		before := w.item(t, "grant#"+name)
		s.Outage(test.outage)
		again := b.get(t, b.login(t, s, w.invite(t, name), "ann")).want(t, http.StatusFound)
		if !strings.HasPrefix(again.location, s.url+"/oauth/sso?") || len(again.cookies) != 1 {
			t.Errorf("%s: it does not go through the login page once more", state)
		}
		p := b.get(t, b.back(t, s, again, "ann")).want(t, http.StatusSeeOther)
		if path := strings.TrimPrefix(p.location, w.CallbackURL); !regexp.MustCompile(test.done).MatchString(path) {
			t.Errorf("%s: it ends at %q", state, path)
		}
		b.get(t, w.CallbackURL+strings.TrimPrefix(p.location, w.CallbackURL)).want(t, http.StatusOK)
		after := w.item(t, "grant#"+name)
		same := str(after["refresh_fingerprint"]) == str(before["refresh_fingerprint"])
		if sameClock := number(after["logged_in_at"]) == number(before["logged_in_at"]); same != sameClock || same == test.helps {
			t.Errorf("%s: the same refresh token: %v, the same clock: %v", state, same, sameClock)
		}
		w.Host.Recycle("issue")
		wantToken(t, w.ask(t, name))
	}
}

// A browser holds five logins that have begun; the sixth drops the first.
func TestFiveLoginsAtATime(t *testing.T) {
	t.Parallel()
	w := start(t)
	name := w.add(t, w.server(t).authorizationCode())
	link, b := w.invite(t, name), w.browser(t)
	for i := range 7 {
		p := b.get(t, goTo(link)).want(t, http.StatusFound)
		want := 1
		if i >= 5 {
			want = 2
		}
		if len(p.cookies) != want {
			t.Errorf("login %d: %d cookies, want %d", i+1, len(p.cookies), want)
		}
	}
	here, _ := url.Parse(w.CallbackURL)
	if got := len(b.Jar.Cookies(here)); got != 5 {
		t.Errorf("%d cookies are left, want 5", got)
	}
}
