package renewal_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/authrequest"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"

	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// told remembers what operators were told. A bus that is down refuses, one that
// hangs does not answer.
type told struct {
	mu          sync.Mutex // guards events and calls
	events      []grant.Event
	calls       int
	down, hangs bool
}

func (p *told) Publish(ctx context.Context, e grant.Event) error {
	p.mu.Lock()
	p.calls++
	p.mu.Unlock()
	if p.hangs {
		<-ctx.Done()
		return errDown
	}
	if p.down {
		return errDown
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.events = append(p.events, e)
	return nil
}

// listen sends the connections' events to a publisher.
func (w *world) listen() *told {
	p := &told{}
	w.renewer.Events = p
	return p
}

func (p *told) want(w *world, types ...grant.EventType) {
	w.t.Helper()
	var got []grant.EventType
	for _, e := range p.events {
		got = append(got, e.Type)
	}
	if diff := cmp.Diff(types, got); diff != "" {
		w.t.Fatalf("events (-want +got):\n%s", diff)
	}
}

// An event that asks for a person carries a link that works, and no other does.
func TestEventsCarryALink(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.listen()
		w.renewer.AuthRequests, w.renewer.CallbackURL = w.table, "https://callback.example"
		w.connect("acme", authorizationCode())
		w.connect("bad", wrongPassword())
		w.acme()
		for range 2 {
			w.renew(rotateapi.Request{Connection: "bad", Force: true})
		}
		p.want(w, grant.ReauthorizationRequired, grant.CredentialsRejected)
		text, ok := strings.CutPrefix(p.events[0].Link, "https://callback.example/authorize?invitation=")
		if !ok || !authrequest.ValidText(text) {
			t.Fatalf("the link does not lead to the callback")
		}
		i, err := w.table.Invitation(t.Context(), authrequest.HashOf(reltioauth.NewSecret(text)))
		if err != nil || i.Connection != "acme" || i.ReplaceUser || (time.Until(i.Ends)-authrequest.InvitationFromEvent).Abs() > time.Minute {
			t.Errorf("invitation %+v (%v), want one for acme that lives for a week", i, err)
		}
		if p.events[1].Link != "" {
			t.Error("an event that no person can answer has a link")
		}
	})
}

// Said at once, daily while it lasts, and when it is over.
func TestEventsOfAPersonNeeded(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.listen()
		w.connect("acme", authorizationCode())
		w.expect(w.acme(), rotateapi.Reauthorize, apierr.ReauthorizationRequired)
		p.want(w, grant.ReauthorizationRequired)
		if e := p.events[0]; e.Connection != "acme" || e.Status != "reauthorize" || e.Error != apierr.ReauthorizationRequired {
			t.Errorf("event %+v", e)
		}
		g := w.grant("acme")
		if len(g.Unpublished) != 0 || !near(g.DueAt, time.Now().Add(5*time.Minute)) {
			t.Errorf("unpublished %v, due at %v", g.Unpublished, g.DueAt)
		}
		for range 49 * 60 {
			time.Sleep(time.Minute)
			w.sweep()
		}
		p.want(w, grant.ReauthorizationRequired, grant.ReauthorizationRequired, grant.ReauthorizationRequired)
	})
}

func TestEventsOfCredentials(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.listen()
		w.connect("acme", wrongPassword())
		w.force()
		p.want(w)
		w.force()
		p.want(w, grant.CredentialsRejected)
		w.connect("acme", password())
		w.expect(w.atDue(), rotateapi.Renewed, "")
		p.want(w, grant.CredentialsRejected, grant.Recovered)
	})
}

// A refresh token that ends while one access token lives: a person is warned, and
// called, in time all the same. The access token is handed out to its end, and
// nothing is asked of Reltio.
func TestEventsOfARefreshTokenThatEndsFirst(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.listen()
		g := w.started(with(authorizationCode(), "refresh_token_days", 1.0/48))
		w.connect("alone", with(password(), "refresh_token_days", 1.0/48)) // no person is told of its moments
		w.expect(w.renew(rotateapi.Request{Connection: "alone"}), rotateapi.Renewed, "")
		requests := w.requests()
		want := map[int]grant.EventType{23: grant.ReauthorizationSoon, 27: grant.ReauthorizationSoon, 29: grant.ReauthorizationSoon, 30: grant.ReauthorizationRequired}
		var all []grant.EventType
		w.out.forget()
		for minute := range 50 {
			w.sweep()
			if said, ok := want[minute]; ok {
				all = append(all, said)
			}
			p.want(w, all...)
			time.Sleep(time.Minute)
		}
		if next := w.status(grant.StatusReauthorize); next.Fingerprint != g.Fingerprint || !next.Valid(time.Now()) {
			t.Error("the access token is gone, want it to its end")
		}
		w.wantRequests(requests)
		if n := w.out.count(readSecret); n > 2*4 {
			t.Errorf("the secrets were read %d times, want once for each moment", n)
		}
	})
}

// The callback died between Secrets Manager and table: a person has come already.
func TestEventsOfARefreshTokenThatWasReplaced(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.listen()
		g := w.started(with(authorizationCode(), "refresh_token_days", 1.0/48))
		time.Sleep(25 * time.Minute)
		next := grant.RefreshToken{Token: reltioauth.NewSecret("another"), LoggedInAt: time.Now(), Epoch: g.Epoch + 1}
		if _, err := w.secrets.Put(t.Context(), "acme", next); err != nil {
			t.Fatal(err)
		}
		requests := w.requests()
		for range 30 {
			w.sweep()
			time.Sleep(time.Minute)
		}
		w.status(grant.StatusOK)
		for _, e := range p.events {
			if e.Type == grant.ReauthorizationRequired {
				t.Error("a person was called")
			}
		}
		w.wantRequests(requests)
	})
}

// The login that was to replace the refresh token is refused while that still
// serves, and is mended: it is said that all is well, though the login gives the
// same refresh token, which has to be revoked first.
func TestEventsOfAReloginThatWasRefused(t *testing.T) {
	for name, hinder := range map[string]func(w *world, p *told){
		"as it should": func(*world, *told) {},
		"the revocation fails, and nothing can be sent": func(w *world, p *told) {
			w.answer(says(503, "server_error"), reltioauthtest.OpRevoke)
			p.down = true
		},
		"a crash before the revocation": func(w *world, p *told) {
			w.out.before = func(op string) error {
				if op == sendRevoke || w.out.count(sendRevoke) > 0 {
					p.down = true
					return errKilled
				}
				return nil
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				p := w.listen()
				w.started(password())
				w.toRelogin()
				w.server.SetPassword("ann", reltioauth.NewSecret("changed"))
				w.expect(w.renewAtEnd(), rotateapi.Renewed, "")
				p.want(w, grant.CredentialsRejected)
				w.server.SetPassword("ann", reltioauth.NewSecret("password-1"))
				hinder(w, p)
				w.renewAtEnd()
				w.heal()
				p.down = false
				time.Sleep(time.Minute)
				w.renewAtEnd()
				w.status(grant.StatusOK)
				p.want(w, grant.CredentialsRejected, grant.Recovered)
			})
		})
	}
}

// What cannot be sent is remembered, due in a minute, and sent by the next sweep:
// without asking Reltio for anything.
func TestEventsThatCannotBeSent(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.listen()
		p.down = true
		w.connect("acme", authorizationCode())
		w.expect(w.acme(), rotateapi.Reauthorize, apierr.ReauthorizationRequired)
		if g := w.grant("acme"); len(g.Unpublished) != 1 || !near(g.DueAt, time.Now().Add(time.Minute)) {
			t.Errorf("unpublished %v, due at %v", g.Unpublished, g.DueAt)
		}
		p.down = false
		time.Sleep(time.Minute)
		w.sweep()
		p.want(w, grant.ReauthorizationRequired)
		time.Sleep(time.Minute)
		w.sweep()
		p.want(w, grant.ReauthorizationRequired)
		w.wantRequests(0)
	})
}

// A crash anywhere: the event is sent all the same.
func TestEventsSurviveACrash(t *testing.T) {
	for n := 1; n < 20; n++ {
		bubble(t, func(w *world) {
			p := w.listen()
			w.connect("acme", authorizationCode())
			w.killAt(n, n%2 == 0)
			w.acme()
			w.heal()
			time.Sleep(time.Minute)
			w.acme() // what a caller would ask for, if no event was sent
			w.sweep()
			if len(p.events) == 0 {
				t.Errorf("killed at %d: no event was sent", n)
			}
		})
	}
}

// A refusing server is said once; the connections that it refused stay as they were, no person is
// called, and they come back by themselves.
func TestEventsOfARefusingServer(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.listen()
		names := []string{"acme", "second", "third", "fourth"}
		for _, name := range names {
			w.connect(name, authorizationCode())
			w.authorize(name)
		}
		w.due()
		w.answer(says(401, "unauthorized"), reltioauthtest.OpToken)
		for _, name := range names[:2] {
			w.expect(w.renew(rotateapi.Request{Connection: name}), rotateapi.Failed, apierr.ReltioUnavailable)
		}
		w.expect(w.renew(rotateapi.Request{Connection: "third"}), rotateapi.LeftOver, apierr.RateLimited)
		for range 2 * 60 {
			time.Sleep(time.Minute)
			w.sweep()
		}
		for _, name := range names {
			g := w.grant(name)
			if g.Waiting() || g.NeedsOperator() || len(g.Unpublished) > 0 || !g.RetryAt.Before(time.Now().Add(2*time.Minute)) {
				t.Errorf("%s: status %s, retry at %v, %v not sent", name, g.Status, g.RetryAt, g.Unpublished)
			}
		}
		if len(p.events) != 1 || p.events[0].Type != grant.ServerRefusing {
			t.Errorf("events %v, want one ServerRefusing", p.events)
		}
		w.heal()
		for range 4 {
			time.Sleep(time.Minute)
			w.sweep()
		}
		for _, name := range names {
			if g := w.grant(name); g.Status != grant.StatusOK || !g.Valid(time.Now()) {
				t.Errorf("%s: status %s (%s)", name, g.Status, g.LastErrorMessage)
			}
		}
	})
}

// A connection whose lease is held is left alone by the success that ends a
// host's refusing, and all others are due at once.
func TestRefusingServerAndABusyConnection(t *testing.T) {
	bubble(t, func(w *world) {
		names := []string{"acme", "second", "third", "fourth"}
		for _, name := range names {
			w.connect(name, authorizationCode())
			w.authorize(name)
		}
		w.due()
		w.answer(says(401, "unauthorized"), reltioauthtest.OpToken)
		for _, name := range names[:3] {
			w.renew(rotateapi.Request{Connection: name})
		}
		w.heal()
		before := w.grant("acme")
		w.seize()
		w.expect(w.renew(rotateapi.Request{Connection: "fourth"}), rotateapi.Renewed, "")
		w.wantGrant(before)
		for _, name := range names[1:3] {
			if g := w.grant(name); g.Retrying(time.Now()) {
				t.Errorf("%s waits until %v", name, g.RetryAt)
			}
		}
	})
}
