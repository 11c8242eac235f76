package local

import (
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"time"
)

const (
	// pageTime bounds the way from one page to the next, redirects included.
	pageTime = time.Minute
	// pageSize bounds what is read of a page.
	pageSize = 1 << 20
	// mostLogins is how often a person logs in at most on one way: more than once
	// where the server gives the same refresh token again.
	mostLogins = 3
)

// browser is a person's who connects Reltio, as far as the pages of callback and
// of the sandbox need one: links, forms, redirects and cookies.
type browser struct {
	client *http.Client
	// page is where it is, text what it shows.
	page *url.URL
	text string
}

// loopbackJar keeps secure cookies for plain HTTP too. What is on loopback is as
// good as encrypted to browsers, and not to Go's jar.
type loopbackJar struct{ http.CookieJar }

// SetCookies implements http.CookieJar.
func (j loopbackJar) SetCookies(u *url.URL, cookies []*http.Cookie) {
	for _, c := range cookies {
		c.Secure = false
	}
	j.CookieJar.SetCookies(u, cookies)
}

func newBrowser() (*browser, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	return &browser{client: &http.Client{Jar: loopbackJar{jar}, Timeout: pageTime}}, nil
}

// connect opens a link, follows it, logs in at the sandbox and comes back. An
// error holds nothing of what the link or a page carries.
func connect(ctx context.Context, link, user, password string) error {
	b, err := newBrowser()
	if err != nil {
		return err
	}
	if err := b.open(ctx, http.MethodGet, link, nil); err != nil {
		return err
	}
	next := onwards.FindStringSubmatch(b.text)
	if next == nil {
		return errors.New("the page that the link opens has no link to go on")
	}
	if err := b.open(ctx, http.MethodGet, html.UnescapeString(next[1]), nil); err != nil {
		return err
	}
	for range mostLogins {
		action, form := b.form()
		if action == "" {
			break
		}
		form.Set("username", user)
		form.Set("password", password)
		if err := b.open(ctx, http.MethodPost, action, form); err != nil {
			return err
		}
	}
	if !strings.HasSuffix(b.page.Path, "/done") {
		return errors.New("the way through the login did not end at the last page")
	}
	return nil
}

// open fetches a page, and those to which it is sent on from there.
func (b *browser) open(ctx context.Context, method, address string, form url.Values) error {
	if b.page != nil {
		u, err := b.page.Parse(address)
		if err != nil {
			return errors.New("a page has a link that is none")
		}
		address = u.String()
	}
	request, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form.Encode()))
	if err != nil {
		return errors.New("the link is none")
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := b.client.Do(request)
	if err != nil {
		return fmt.Errorf("no page: %w", withoutAddress(err))
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, pageSize))
	if err != nil {
		return fmt.Errorf("no page: %w", err)
	}
	b.page, b.text = response.Request.URL, string(text)
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers HTTP %d", b.page.Path, response.StatusCode)
	}
	return nil
}

// withoutAddress is why a request failed: http's own error repeats the address,
// which may carry a secret.
func withoutAddress(err error) error {
	var e *url.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

// The marks of the pages: the way on from the link, the login's form, and what
// it takes along.
var (
	onwards = regexp.MustCompile(`<a [^>]*href="([^"]*/authorize/go\?[^"]*)"`)
	action  = regexp.MustCompile(`<form method="post" action="([^"]*)"`)
	hidden  = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)"`)
)

// form is the login's on this page; its action is empty if there is none.
func (b *browser) form() (where string, values url.Values) {
	found := action.FindStringSubmatch(b.text)
	if found == nil {
		return "", nil
	}
	values = url.Values{}
	for _, field := range hidden.FindAllStringSubmatch(b.text, -1) {
		values.Set(html.UnescapeString(field[1]), html.UnescapeString(field[2]))
	}
	return html.UnescapeString(found[1]), values
}
