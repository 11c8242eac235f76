package faultinject

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// browser is a person's. Its jar keeps cookies by hand: Go's sends no secure
// cookie over plain HTTP; browsers do, on loopback.
type browser struct {
	cookies []string
	// link is where the login began, address what Reltio has sent it to.
	link, address string
	// status and location are the last answer of callback.
	status   int
	location string
}

// get fetches an address of callback.
func (s *scene) get(ctx context.Context, b *browser, address string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return err
	}
	if len(b.cookies) > 0 {
		r.Header.Set("Cookie", strings.Join(b.cookies, "; "))
	}
	response, err := s.wire.transport.RoundTrip(r)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	page, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	_, _ = s.written.Write(page) // it never fails
	for _, c := range response.Cookies() {
		if c.Value != acmeProd { // the last page's cookie names the connection, which is no secret
			s.wire.keep(c.Value)
		}
		b.cookies = append(b.cookies, c.Name+"="+c.Value)
	}
	b.status, b.location = response.StatusCode, response.Header.Get("Location")
	return nil
}

// invite makes a link.
func (s *scene) invite(ctx context.Context, b *browser) error {
	link, err := s.Invite(ctx, s.name, false)
	b.link = link
	s.keepQuery(link)
	return err
}

// logIn goes from the link to the login page, and logs in there; the browser's
// address is then where it comes back.
func (s *scene) logIn(ctx context.Context, b *browser) error {
	if err := s.get(ctx, b, strings.Replace(b.link, "/authorize?", "/authorize/go?", 1)); err != nil {
		return err
	}
	if b.status != http.StatusFound {
		return fmt.Errorf("the link is answered %d", b.status)
	}
	return s.logInAt(ctx, b)
}

// logInAt logs in at the page that the browser was sent to.
func (s *scene) logInAt(ctx context.Context, b *browser) (err error) {
	s.keepQuery(b.location)
	b.address, err = s.Sandbox.Authorize(ctx, b.location, ann)
	s.keepQuery(b.address)
	return err
}

// keepQuery remembers what an address carries.
func (s *scene) keepQuery(address string) {
	u, err := url.Parse(address)
	if err != nil {
		return
	}
	for _, name := range []string{"invitation", "state", "code"} {
		s.wire.keep(u.Query().Get(name))
	}
}

// comeBack brings the code to callback.
func (s *scene) comeBack(ctx context.Context, b *browser) error { return s.get(ctx, b, b.address) }

// arrived reports whether the login is done; goOn, where it is not because the
// server gave the same refresh token, goes through the login page again.
func (b *browser) arrived() bool {
	u, err := url.Parse(b.location)
	return b.status == http.StatusSeeOther && err == nil && u.Path == "/done"
}

func (s *scene) goOn(ctx context.Context, b *browser) error {
	for range 3 {
		if b.arrived() || b.status/100 != 3 {
			return nil
		}
		if err := s.logInAt(ctx, b); err != nil {
			return err
		}
		if err := s.comeBack(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

// person goes through the whole login.
func (s *scene) person(ctx context.Context, b *browser) error {
	if b.link == "" {
		if err := s.invite(ctx, b); err != nil {
			return err
		}
	}
	if err := s.logIn(ctx, b); err != nil {
		return err
	}
	for range 5 {
		if err := s.comeBack(ctx, b); err != nil {
			return err
		}
		if err := s.goOn(ctx, b); err != nil {
			return err
		}
		if b.status != http.StatusServiceUnavailable {
			break
		}
		s.sleep(ctx, time.Second) // busy: the page says so, and is loaded again
	}
	if !b.arrived() {
		return fmt.Errorf("%w: page %d", errNotArrived, b.status)
	}
	return nil
}

var errNotArrived = errors.New("the person did not arrive")

// secondTry is the person after a callback that went wrong: what the browser
// was told is followed, else the page is loaded again, then the link is opened
// again, then a new one.
func (s *scene) secondTry(ctx context.Context) string {
	b := &s.browser
	if err := s.goOn(ctx, b); err != nil {
		return err.Error()
	}
	if b.arrived() {
		return "nothing to do"
	}
	if err := s.comeBack(ctx, b); err != nil {
		return err.Error()
	}
	story := fmt.Sprintf("reload: %d", b.status)
	if err := s.goOn(ctx, b); err != nil {
		return err.Error()
	}
	if b.arrived() {
		return story
	}
	if err := s.person(ctx, b); err == nil {
		return story + "; the link again: done"
	}
	story += fmt.Sprintf("; the link again: %d", b.status)
	*b = browser{}
	if err := s.person(ctx, b); err != nil {
		return story + "; a new link: " + err.Error()
	}
	return story + "; a new link: done"
}

// stranger is another browser with the same address: it gets nothing.
func (s *scene) stranger(ctx context.Context) (problem string) {
	other := browser{}
	asked := s.asked()
	switch err := s.get(ctx, &other, s.browser.address); {
	case err != nil:
		return err.Error()
	case other.status != http.StatusBadRequest || s.asked() != asked:
		return fmt.Sprintf("I10: another browser is answered %d", other.status)
	}
	return ""
}
