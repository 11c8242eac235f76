package renewal_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/internal/authorization"
	"github.com/reltio-tokens/reltio-tokens/internal/event"
	"github.com/reltio-tokens/reltio-tokens/internal/fault"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/rotation"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// told remembers what operators were told.
type told struct {
	events []event.Event
	down   bool
}

func (p *told) Publish(_ context.Context, e event.Event) error {
	if p.down {
		return errDown
	}
	p.events = append(p.events, e)
	return nil
}

// listen lets somebody hear of the connections.
func (w *world) listen() *told {
	p := &told{}
	w.renewer.Events = p
	return p
}

func (p *told) want(w *world, types ...event.Type) {
	w.t.Helper()
	var got []event.Type
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
		w.renewer.Authorizations, w.renewer.CallbackURL = w.table, "https://callback.example"
		w.connect("acme", authorizationCode())
		w.connect("bad", wrongPassword())
		w.acme()
		for range 2 {
			w.renew(rotation.Request{Connection: "bad", Force: true})
		}
		p.want(w, event.ReauthorizationRequired, event.CredentialsRejected)
		text, ok := strings.CutPrefix(p.events[0].Link, "https://callback.example/authorize?invitation=")
		if !ok || !authorization.ValidText(text) {
			t.Fatalf("the link does not lead to the callback")
		}
		i, err := w.table.Invitation(t.Context(), authorization.HashOf(reltioauth.NewSecret(text)))
		if err != nil || i.Connection != "acme" || i.ReplaceUser || (time.Until(i.Ends)-authorization.InvitationFromEvent).Abs() > time.Minute {
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
		w.expect(w.acme(), rotation.Reauthorize, fault.ReauthorizationRequired)
		p.want(w, event.ReauthorizationRequired)
		if e := p.events[0]; e.Connection != "acme" || e.Status != "reauthorize" || e.Error != fault.ReauthorizationRequired {
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
		p.want(w, event.ReauthorizationRequired, event.ReauthorizationRequired, event.ReauthorizationRequired)
	})
}

func TestEventsOfCredentials(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.listen()
		w.connect("acme", wrongPassword())
		w.force()
		p.want(w)
		w.force()
		p.want(w, event.CredentialsRejected)
		w.connect("acme", password())
		w.expect(w.atDue(), rotation.Renewed, "")
		p.want(w, event.CredentialsRejected, event.Recovered)
	})
}

// What cannot be sent is remembered, due at once, and sent by the next sweep:
// without asking Reltio for anything.
func TestEventsThatCannotBeSent(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.listen()
		p.down = true
		w.connect("acme", authorizationCode())
		w.expect(w.acme(), rotation.Reauthorize, fault.ReauthorizationRequired)
		if g := w.grant("acme"); len(g.Unpublished) != 1 || g.DueAt.After(time.Now()) {
			t.Errorf("unpublished %v, due at %v", g.Unpublished, g.DueAt)
		}
		p.down = false
		time.Sleep(time.Minute)
		w.sweep()
		p.want(w, event.ReauthorizationRequired)
		time.Sleep(time.Minute)
		w.sweep()
		p.want(w, event.ReauthorizationRequired)
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
			w.acme() // what a caller would ask for, if nobody was ever told
			w.sweep()
			if len(p.events) == 0 {
				t.Errorf("killed at %d: nobody was told", n)
			}
		})
	}
}

// A server that refuses everybody is said once; those whom it refused before
// are not blamed, and come back by themselves.
func TestEventsOfARefusingServer(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.listen()
		names := []string{"acme", "second", "third", "fourth"}
		for _, name := range names {
			w.connect(name, authorizationCode())
			w.authorize(name)
		}
		w.answer(says(400, "invalid_grant"), reltioauthtest.OpToken)
		for _, name := range names[:2] {
			w.expect(w.renew(rotation.Request{Connection: name, Force: true}), rotation.Reauthorize, fault.ReauthorizationRequired)
		}
		w.expect(w.renew(rotation.Request{Connection: "third", Force: true}), rotation.LeftOver, fault.RateLimited)
		for _, name := range names[:2] {
			if g := w.grant(name); g.Status != grant.StatusFailing || g.DueAt.After(time.Now()) {
				t.Errorf("%s: status %s, due at %v", name, g.Status, g.DueAt)
			}
		}
		count := map[event.Type]int{}
		for _, e := range p.events {
			count[e.Type]++
		}
		if count[event.ServerRefusing] != 1 {
			t.Errorf("events %v, want one ServerRefusing", count)
		}
		for range 10 {
			time.Sleep(time.Minute)
			w.sweep()
		}
		w.heal()
		time.Sleep(time.Hour)
		for range 3 {
			time.Sleep(time.Minute)
			w.sweep()
		}
		for _, name := range names {
			if g := w.grant(name); g.Status != grant.StatusOK || !g.HasRefreshToken() {
				t.Errorf("%s: status %s (%s)", name, g.Status, g.LastErrorMessage)
			}
		}
	})
}

// A connection that somebody is busy with is left alone.
func TestRefusingServerAndABusyConnection(t *testing.T) {
	bubble(t, func(w *world) {
		for _, name := range []string{"acme", "second", "third"} {
			w.connect(name, authorizationCode())
			w.authorize(name)
		}
		w.answer(says(400, "invalid_grant"), reltioauthtest.OpToken)
		w.expect(w.force(), rotation.Reauthorize, fault.ReauthorizationRequired)
		w.renew(rotation.Request{Connection: "second", Force: true})
		before := w.grant("acme")
		w.seize()
		w.renew(rotation.Request{Connection: "third", Force: true})
		w.wantGrant(before)
	})
}
