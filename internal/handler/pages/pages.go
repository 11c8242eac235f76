// Package pages makes the pages for a person who connects Reltio: one before the
// login page, one after it, and one for each failure.
//
//	set := pages.New()
//	html, err := set.Leaving(pages.Leaving{Connection: "acme-prod", Host: "auth.reltio.com", ...})
//	html, err = set.Failed(pages.FailureOf("wrong_user", ""), reference)
//	header.Set("Content-Security-Policy", set.Policy())
//
// A page says what has happened and what to do, in words that need no manual. It
// loads and runs nothing: its one stylesheet is inside it and named by its hash
// in the policy. The first page's link holds the invitation; no other part of a
// page is secret. Texts of an authorization server are never shown: each of its
// error codes has our own text.
//
// Nothing here blocks. An error means a defect in a template.
package pages

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html/template"
	"strings"
	"time"
)

// Owner says whose pages these are, so that a person can tell them from others.
type Owner struct {
	// Organisation is shown at the top of every page, and in its title. Empty: the
	// title names Reltio tokens.
	Organisation string
	// Contact is whom a person asks for help: a mail address, a name, a telephone
	// number. Empty: not shown.
	Contact string
}

// Set holds the templates. It is safe for concurrent use; Owner is set before the
// first page.
type Set struct {
	Owner Owner

	layout *template.Template
	policy string
}

// New prepares the templates.
func New() *Set {
	sum := sha256.Sum256([]byte(stylesheet))
	return &Set{
		layout: template.Must(template.New("page").Parse(layout)),
		policy: "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
			"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
	}
}

// Policy is the Content-Security-Policy of every page.
func (s *Set) Policy() string { return s.policy }

// Leaving is the page before Reltio's login page.
type Leaving struct {
	Connection string
	// Host of the login page; HTTPS's own port is not shown.
	Host string
	// User is the one who may log in; empty if the connection names none.
	User string
	// Scope that is asked for; empty if none is named.
	Scope string
	// Ends is when the link stops working.
	Ends time.Time
	// Link starts the login. It holds the invitation.
	Link string
	// Reference is also in the page's log line.
	Reference string
}

// Leaving writes the page that a link opens.
func (s *Set) Leaving(p Leaving) ([]byte, error) {
	facts := []fact{{"Connection", p.Connection}, {"You log in at", strings.TrimSuffix(p.Host, ":443")}}
	if p.User != "" {
		facts = append(facts, fact{"You log in as", p.User + "; another user is refused"})
	}
	return s.page(view{
		Title: "Connect " + p.Connection + " to Reltio",
		Mark:  markAsk,
		Text: []string{
			"You were asked to let this connection work with Reltio. You log in at Reltio’s own page; your password is not seen here.",
		},
		Facts:     append(facts, fact{"What is granted", granted(p.Scope)}, fact{"Link works until", moment(p.Ends)}),
		Link:      p.Link,
		LinkText:  "Continue to Reltio",
		After:     "Go on only if you expected this link. Otherwise close this page: nothing has happened.",
		Reference: p.Reference,
	})
}

// granted says which access a login grants.
func granted(scope string) string {
	const rights = "The connection may work in Reltio as the user who logs in, until that is ended here or at Reltio"
	if scope == "" {
		return rights
	}
	return rights + "; asked for: " + scope
}

// Done writes the page for a login that is stored.
func (s *Set) Done(connection, reference string) ([]byte, error) {
	return s.page(view{
		Title: "Reltio is connected",
		Mark:  markDone,
		Text: []string{
			"The login was stored, and the connection can work with Reltio from now on.",
			"You can close this page.",
		},
		Facts:     []fact{{"Connection", connection}},
		Reference: reference,
	})
}

// Nothing writes the last page for a browser that has just finished no login. It
// says nothing of any connection.
func (s *Set) Nothing(reference string) ([]byte, error) {
	return s.page(view{
		Title: "This page follows a login",
		Mark:  markNote.with("·"),
		Text: []string{
			"Here a person connects Reltio, by a link. In this browser no such login has ended in the last ten minutes, so there is nothing to show.",
			"If you were given a link, open it.",
		},
		Reference: reference,
	})
}

// DoneUntil writes the page for a login that is stored with the previous refresh
// token: its deadline has not moved.
func (s *Set) DoneUntil(connection string, until time.Time, reference string) ([]byte, error) {
	return s.page(view{
		Title: "Connected, until a known date",
		Mark:  markNote,
		Text: []string{
			"The login was stored, and the connection can work with Reltio. But Reltio has given the grant that there was before, which ends when it would have ended anyway.",
			"Nothing is left to do today: the person who looks after this connection is reminded in time, and sends you another link.",
		},
		Facts:     []fact{{"Connection", connection}, {"It holds until", moment(until)}},
		Reference: reference,
	})
}

// Failed writes the page of a failure. A failure without a name is the internal
// one.
func (s *Set) Failed(f Failure, reference string) ([]byte, error) {
	return s.page(view{Title: f.Title, Mark: markFailed, Text: f.Text, Reference: reference})
}

// view is the data of the layout.
type view struct {
	Title          string
	Mark           mark
	Text           []string
	Facts          []fact
	Link, LinkText string
	After          string
	Reference      string
}

// fact is a name and its value.
type fact struct{ Name, Value string }

// mark is the sign at the top of a page, and its colour. The title says the same
// in words.
type mark struct{ Class, Sign string }

// with is the mark with another sign.
func (m mark) with(sign string) mark { return mark{m.Class, sign} }

var (
	markAsk    = mark{"ask", "→"}    //nolint:gochecknoglobals // a constant
	markDone   = mark{"done", "✓"}   //nolint:gochecknoglobals // a constant
	markNote   = mark{"note", "✓"}   //nolint:gochecknoglobals // a constant
	markFailed = mark{"failed", "!"} //nolint:gochecknoglobals // a constant
)

func (s *Set) page(v view) ([]byte, error) {
	var page bytes.Buffer
	err := s.layout.Execute(&page, struct {
		view
		Owner
		Style template.CSS
	}{v, s.Owner, stylesheet})
	if err != nil {
		return nil, fmt.Errorf("page %q: %w", v.Title, err)
	}
	return page.Bytes(), nil
}

// moment formats a time so that people in every time zone can read it. It is UTC:
// a page without a script cannot know the browser's time zone, and a fixed offset
// would be wrong for half of the year.
func moment(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04 UTC") }
