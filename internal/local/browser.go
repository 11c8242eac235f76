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
	// pageTime bounds the time from one page to the next, redirects included.
	pageTime = time.Minute
	// pageSize bounds how much of a page is read.
	pageSize = 1 << 20
	// mostLogins is the largest number of logins in one authorization: more than
	// one if the server gives the same refresh token again.
	mostLogins = 3
)

// browser is the browser of a person who connects Reltio, with only what the
// pages of callback and of the sandbox need: links, forms, redirects and cookies.
type browser struct {
	client *http.Client
	// page is its address, text the page's text.
	page *url.URL
	text string
}

// loopbackJar keeps secure cookies for plain HTTP too. Browsers treat loopback as
// secure, but Go's jar does not.
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
// error holds nothing from the link or a page.
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

// open fetches a page and follows its redirects.
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

// withoutAddress is why a request failed: package http's own error repeats the
// address, which may hold a secret.
func withoutAddress(err error) error {
	var e *url.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

// Patterns of the pages: the link to the login, the login's form, and its hidden
// fields.
var (
	onwards = regexp.MustCompile(`<a [^>]*href="([^"]*/authorize/go\?[^"]*)"`)
	action  = regexp.MustCompile(`<form method="post" action="([^"]*)"`)
	hidden  = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)"`)
)

// form is the login form on this page; its action is empty if there is none.
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
