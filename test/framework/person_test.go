package framework

import (
	"net/http"
	"testing"
)

// A code is sent once, whatever became of it.
func TestCodesAreSentOnce(t *testing.T) {
	t.Parallel()
	t.Run("exchanged", func(t *testing.T) {
		quick(t)
		w := newServer(t, nil)
		name := w.add(t, authorizationCode, nil)
		link, err := w.service.Invite(t.Context(), name, false)
		if err != nil {
			t.Fatal(err)
		}
		b, back := newBrowser(t), ""
		b.stop = func(address string) bool { back = address; return false }
		if p := b.authorize(t, link, "ann"); p.status != http.StatusOK {
			t.Fatalf("the person saw HTTP %d", p.status)
		}
		if p := b.open(t, back); p.status != http.StatusOK {
			t.Errorf("opened again: HTTP %d", p.status)
		}
		if calls := w.tokens(); story(calls) != "authorization_code 200" {
			t.Errorf("the server was asked: %s", story(calls))
		}
		did(t, "code", "exchanged once; the callback's address opened again sends nothing")
	})
	t.Run("refused", func(t *testing.T) {
		quick(t)
		w := newServer(t, nil)
		name := w.add(t, authorizationCode, fields{"client_secret": "wrong"})
		link, err := w.service.Invite(t.Context(), name, false)
		if err != nil {
			t.Fatal(err)
		}
		b, back := newBrowser(t), ""
		b.stop = func(address string) bool { back = address; return false }
		if p := b.authorize(t, link, "ann"); p.status != http.StatusBadGateway {
			t.Fatalf("the person saw HTTP %d", p.status)
		}
		b.open(t, back)
		if calls := w.tokens(); story(calls) != "authorization_code 401" {
			t.Errorf("the server was asked: %s", story(calls))
		}
		// The link still works, for nothing was stored.
		w.write(t, name, authorizationCode, nil)
		if p := newBrowser(t).authorize(t, link, "ann"); p.status != http.StatusOK {
			t.Errorf("with the right secret the person saw HTTP %d", p.status)
		}
		w.wantIssued(t, w.ask(t, name))
		did(t, "code", "after a refused exchange: a page, nothing sent again, and the link still works")
	})
}

// The framework says whose token it is in a member of its own.
func TestUserName(t *testing.T) {
	t.Parallel()
	t.Run("another person", func(t *testing.T) {
		quick(t)
		w, name, first := issued(t, authorizationCode, nil, nil)
		if user := w.grant(t, name, "user"); user != "ann" {
			t.Errorf("the user is %q", user)
		}
		if p := w.person(t, name, "bob"); p.status != http.StatusForbidden {
			t.Errorf("another person saw HTTP %d", p.status)
		}
		if again := w.wantIssued(t, w.ask(t, name)); again.Fingerprint != first.Fingerprint {
			t.Error("another person's login replaced the token")
		}
		did(t, "user name", "another person: 403, and the first one's token stays")
	})
	t.Run("expected", func(t *testing.T) {
		quick(t)
		w := newServer(t, nil)
		name := w.add(t, authorizationCode, fields{"expected_user": "bob"})
		if p := w.person(t, name, "ann"); p.status != http.StatusForbidden {
			t.Errorf("another person saw HTTP %d", p.status)
		}
		if p := w.person(t, name, "bob"); p.status != http.StatusOK {
			t.Errorf("the expected person saw HTTP %d", p.status)
		}
		w.wantIssued(t, w.ask(t, name))
		did(t, "user name", "`expected_user` can be met")
	})
	t.Run("not to be known", func(t *testing.T) {
		quick(t)
		w := newServer(t, func(s *settings) { s.CheckToken = false })
		name := w.add(t, authorizationCode, fields{"expected_user": "ann"})
		if p := w.person(t, name, "ann"); p.status != http.StatusBadGateway {
			t.Errorf("the person saw HTTP %d", p.status)
		}
		did(t, "denied", "`expected_user` cannot be checked: 502, nothing stored")
	})
}

// A server that ignores PKCE takes a connection that uses it.
func TestPKCE(t *testing.T) {
	quick(t)
	issued(t, authorizationCode, nil, fields{"pkce": true})
	did(t, "pkce", "`pkce: true` works, and protects nothing")
}
