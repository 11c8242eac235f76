package framework

import (
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// browser is a person's: it keeps cookies and follows redirects.
type browser struct {
	client *http.Client
	// stop is asked about each redirect to a callback; true means that
	// it is not followed.
	stop func(address string) bool
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{stop: func(string) bool { return false }}
	b.client = &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		// Browsers send cookies that are Secure over plain HTTP to this machine.
		cookies := r.Response.Cookies()
		for _, c := range cookies {
			c.Secure = false
		}
		jar.SetCookies(r.Response.Request.URL, cookies)
		if r.URL.Query().Has("state") && r.URL.Path == "/callback" && b.stop(r.URL.String()) {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	return b
}

// page is what a browser shows.
type page struct {
	browser *browser
	status  int
	text    string
	// address is the page's; location is where a redirect that was not followed
	// leads, or nil.
	address, location *url.URL
	// form is what the login form on it sends, and action is where; nil without
	// one.
	form   url.Values
	action string
}

func (b *browser) open(t *testing.T, address string) page {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	return b.do(t, r)
}

func (b *browser) do(t *testing.T, r *http.Request) page {
	t.Helper()
	got, err := b.client.Do(r)
	if err != nil {
		t.Fatal("a browser's request failed") // the error holds the address
	}
	defer func() { _ = got.Body.Close() }()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	p := page{browser: b, status: got.StatusCode, text: string(text), address: got.Request.URL}
	p.location, _ = got.Location() // nil without one
	p.read()
	return p
}

var (
	formTag  = regexp.MustCompile(`(?s)<form\b[^>]*>`)
	inputTag = regexp.MustCompile(`(?s)<(?:input|button)\b[^>]*>`)
	pair     = regexp.MustCompile(`([a-z]+)="([^"]*)"`)
)

// read reads the page's form, if there is one.
func (p *page) read() {
	tag := formTag.FindString(p.text)
	if tag == "" {
		return
	}
	p.action, p.form = attributes(tag)["action"], url.Values{}
	for _, tag := range inputTag.FindAllString(p.text, -1) {
		if a := attributes(tag); a["name"] != "" && p.form.Get(a["name"]) == "" {
			p.form.Set(a["name"], a["value"])
		}
	}
}

func attributes(tag string) map[string]string {
	all := map[string]string{}
	for _, m := range pair.FindAllStringSubmatch(tag, -1) {
		all[m[1]] = html.UnescapeString(m[2])
	}
	return all
}

// submit fills in the login form and sends it.
func (p page) submit(t *testing.T, user string) page {
	t.Helper()
	if p.form == nil {
		t.Fatalf("no login form: HTTP %d", p.status)
	}
	p.form.Set("username", user)
	p.form.Set("password", passwordOf(user))
	to, err := p.address.Parse(p.action)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, to.String(), strings.NewReader(p.form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return p.browser.do(t, r)
}

// login opens an authorization request, logs in, and returns the query with which
// the browser is sent back to the redirection endpoint, which it does not open.
func (b *browser) login(t *testing.T, address, user, back string) url.Values {
	t.Helper()
	b.stop = func(string) bool { return true }
	p := b.open(t, address)
	if p.location == nil {
		p = p.submit(t, user)
	}
	if p.location == nil || !strings.HasPrefix(p.location.String(), back+"?") {
		t.Fatalf("the browser was not sent back: HTTP %d", p.status)
	}
	return p.location.Query()
}

// authorize opens an invitation's link, logs in and comes back, and returns the
// page at the end.
func (b *browser) authorize(t *testing.T, link, user string) page {
	t.Helper()
	p := b.open(t, strings.Replace(link, "/authorize?", "/authorize/go?", 1))
	if p.form == nil {
		return p
	}
	return p.submit(t, user)
}
