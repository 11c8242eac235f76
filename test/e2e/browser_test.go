package e2e_test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
)

// doneCookie tells the last page which connection this browser has connected.
const doneCookie = "__Host-reltio-done"

// browser is a person's: it follows nothing by itself and keeps cookies.
type browser struct {
	*http.Client
	w *world
}

func (w *world) browser(t *testing.T) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{w: w, Client: &http.Client{
		Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// page is the response to a request.
type page struct {
	status   int
	header   http.Header
	body     string
	location string
	cookies  []*http.Cookie
}

// get opens an address and checks what every answer has.
func (b *browser) get(t *testing.T, address string) page {
	t.Helper()
	return b.send(t, http.MethodGet, address, nil)
}

func (b *browser) send(t *testing.T, method, address string, header http.Header) page {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		r.Header[name] = values
	}
	response, err := b.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	p := page{status: response.StatusCode, header: response.Header, body: string(body), cookies: response.Cookies()}
	p.location = response.Header.Get("Location")
	b.remember(p)
	wantHeaders(t, p)
	return p
}

// remember adds the secrets of an answer to the secrets seen, and lets the jar send
// the cookies over plain HTTP, as browsers do on loopback.
func (b *browser) remember(p page) {
	here, _ := url.Parse(b.w.CallbackURL)
	for _, c := range p.cookies {
		if c.Name != doneCookie { // whose value is the connection's name
			b.w.secrets.put("cookie", c.Value)
		}
		c.Secure = false
	}
	b.Jar.SetCookies(here, p.cookies)
	if to, err := url.Parse(p.location); err == nil {
		b.w.secrets.put("state", to.Query().Get("state"))
		b.w.secrets.put("challenge", to.Query().Get("code_challenge"))
	}
}

// wantHeaders checks what stands on every answer of callback.
func wantHeaders(t *testing.T, p page) {
	t.Helper()
	for name, want := range map[string]string{
		"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff",
	} {
		if got := p.header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	policy := p.header.Get("Content-Security-Policy")
	for _, want := range []string{
		"default-src 'none'", "style-src 'sha256-", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
	} {
		if !strings.Contains(policy, want) {
			t.Errorf("Content-Security-Policy %q lacks %q", policy, want)
		}
	}
	for _, name := range []string{"Strict-Transport-Security", "Cross-Origin-Opener-Policy", "X-Robots-Tag"} {
		if p.header.Get(name) == "" {
			t.Errorf("%s is missing", name)
		}
	}
	if strings.Contains(p.body, "<script") {
		t.Error("a page with a script")
	}
}

// want fails the test if the page has another status.
func (p page) want(t *testing.T, status int) page {
	t.Helper()
	if p.status != status {
		t.Fatalf("status %d, want %d", p.status, status)
	}
	return p
}

// goTo is the address behind the link on an invitation's page.
func goTo(link string) string { return strings.Replace(link, "/authorize?", "/authorize/go?", 1) }

// invite makes a link as an operator would.
func (w *world) invite(t *testing.T, name string, args ...string) string {
	t.Helper()
	var link string
	for line := range strings.Lines(w.operate(t, append([]string{"connect", name}, args...)...)) {
		for word := range strings.FieldsSeq(line) {
			if strings.HasPrefix(word, w.CallbackURL+"/authorize?invitation=") {
				link = word
			}
		}
	}
	if link == "" {
		t.Fatal("the command printed no link")
	}
	_, text, _ := strings.Cut(link, "=")
	w.secrets.put("invitation", text)
	return link
}

// login goes from a link to where Reltio sends the browser back: an address that
// holds code and state.
func (b *browser) login(t *testing.T, s *server, link, user string) string {
	t.Helper()
	begun := b.get(t, goTo(link)).want(t, http.StatusFound)
	return b.back(t, s, begun, user)
}

// back is login from where the browser was sent away.
func (b *browser) back(t *testing.T, s *server, begun page, user string) string {
	t.Helper()
	back, err := s.Authorize(t.Context(), begun.location, user)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(back)
	if err != nil {
		t.Fatal(err)
	}
	b.w.secrets.put("code", u.Query().Get("code"))
	return back
}
