package renewal_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/authrequest"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"

	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// invitations counts the links that are made.
type invitations struct {
	authrequest.Store
	made atomic.Int32
}

func (i *invitations) PutInvitation(ctx context.Context, v authrequest.Invitation) error {
	i.made.Add(1)
	return i.Store.PutInvitation(ctx, v)
}

// links lets events carry links.
func (w *world) links() *invitations {
	i := &invitations{Store: w.table}
	w.renewer.AuthRequests, w.renewer.CallbackURL = i, "https://callback.example"
	return i
}

// A connection goes through several states while the bus is away: afterwards only
// what is true then is said.
func TestEventsAfterAnOutageOfTheBus(t *testing.T) {
	type step = func(w *world)
	reject := func(w *world) {
		w.server.SetPassword("ann", reltioauth.NewSecret("changed"))
		w.connect("acme", password())
		w.server.Kill(w.grant("acme").RefreshFingerprint)
		for range 3 {
			w.force()
			time.Sleep(11 * time.Minute)
		}
		w.status(grant.StatusCredentialsRejected)
	}
	accept := func(w *world) {
		w.server.SetPassword("ann", reltioauth.NewSecret("password-2"))
		w.connect("acme", with(password(), "password", "password-2"))
		w.force()
		w.status(grant.StatusOK)
	}
	ended := func(w *world) {
		w.server.Kill(w.grant("acme").RefreshFingerprint)
		w.expect(w.force(), rotateapi.Reauthorize, apierr.ReauthorizationRequired)
	}
	malformed := func(w *world) { w.connectText("acme", "{"); w.force(); w.status(grant.StatusInvalidConnection) }
	authorized := func(w *world) {
		w.connect("acme", authorizationCode())
		unpublished := w.grant("acme").Unpublished
		w.authorize("acme")
		w.remember(unpublished) // the callback forgets none
	}
	for name, c := range map[string]struct {
		fields map[string]any
		steps  []step
		want   []grant.EventType
	}{
		"rejected":                         {password(), []step{reject}, []grant.EventType{grant.CredentialsRejected}},
		"rejected and accepted":            {password(), []step{reject, accept}, []grant.EventType{grant.Recovered}},
		"rejected, accepted, rejected":     {password(), []step{reject, accept, reject}, []grant.EventType{grant.CredentialsRejected}},
		"rejected and malformed":           {password(), []step{reject, malformed}, nil},
		"rejected, malformed, accepted":    {password(), []step{reject, malformed, accept}, nil},
		"rejected and gone":                {password(), []step{reject, func(w *world) { w.disconnect("acme"); w.sweeps(10 * time.Minute) }}, nil},
		"ended":                            {authorizationCode(), []step{ended}, []grant.EventType{grant.ReauthorizationRequired}},
		"ended and malformed":              {authorizationCode(), []step{ended, malformed}, nil},
		"ended, malformed, and authorized": {authorizationCode(), []step{ended, malformed, authorized}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				p := w.listen()
				w.started(c.fields)
				p.down = true
				for _, step := range c.steps {
					step(w)
					w.sweeps(3 * time.Minute)
				}
				p.want(w)
				p.down = false
				w.sweeps(20 * time.Minute)
				p.want(w, c.want...)
				if g := w.grant("acme"); len(g.Unpublished) != 0 || g.PublishTries != 0 {
					t.Errorf("unpublished %v after %d tries", g.Unpublished, g.PublishTries)
				}
			})
		})
	}
}

// remember makes events unsent by another hand.
func (w *world) remember(types []string) {
	w.t.Helper()
	g := w.grant("acme")
	g.Unpublished = types
	w.change(g)
}

// change writes a grant by another hand.
func (w *world) change(g grant.Grant) {
	w.t.Helper()
	l := w.seize()
	if err := w.table.PutGrant(w.t.Context(), l, g.Indexed(time.Now())); err != nil {
		w.t.Fatal(err)
	}
	if err := w.table.ReleaseLease(w.t.Context(), l); err != nil {
		w.t.Fatal(err)
	}
}

// A warning that the refresh token ends soon is not sent once a person has come.
func TestWarningThatIsNoLongerTrue(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.listen()
		p.down = true
		w.behave(func(b *reltioauthtest.Behaviour) { b.LoginRefreshToken = reltioauthtest.NewToken })
		g := w.started(with(authorizationCode(), "refresh_token_days", 1.0/24))
		time.Sleep(time.Until(g.RefreshExpiresAt.Add(-10 * time.Minute)))
		w.sweep()
		unpublished := w.grant("acme").Unpublished
		if len(unpublished) != 1 {
			t.Fatalf("unpublished %v, want the warning", unpublished)
		}
		w.authorize("acme")
		w.remember(unpublished)
		p.down = false
		w.sweeps(20 * time.Minute)
		p.want(w)
	})
}

// Three connections need a person while the bus is away for thirty sweeps: each
// event is tried at growing pauses, with one link, that works in the end.
func TestPausesOfUnsentEvents(t *testing.T) {
	bubble(t, func(w *world) {
		p, links := w.listen(), w.links()
		p.down = true
		names := []string{"acme", "second", "third"}
		for _, name := range names {
			w.connect(name, authorizationCode())
			w.expect(w.renew(rotateapi.Request{Connection: name}), rotateapi.Reauthorize, apierr.ReauthorizationRequired)
		}
		for range 30 {
			time.Sleep(time.Minute)
			w.sweep()
		}
		if p.calls > 3*6 { // at 0, 1, 3, 7, 15 and 30 min
			t.Errorf("the bus was called %d times, want 18 at most", p.calls)
		}
		if n := links.made.Load(); n != 3 {
			t.Errorf("%d links, want one for each", n)
		}
		p.down = false
		w.sweeps(16 * time.Minute)
		p.want(w, grant.ReauthorizationRequired, grant.ReauthorizationRequired, grant.ReauthorizationRequired)
		told := map[string]bool{}
		for _, e := range p.events {
			told[e.Link] = true
		}
		if n := links.made.Load(); n != 3 || len(told) != 3 {
			t.Errorf("%d links made and %d told, want 3", n, len(told))
		}
	})
}

// The pauses between the tries of one event.
func TestPauseOfAnUnsentEvent(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.listen()
		p.down = true
		w.connect("acme", authorizationCode())
		w.acme()
		for _, minutes := range []int{1, 2, 4, 8, 15, 15, 15} {
			pause := time.Duration(minutes) * time.Minute
			g, want := w.grant("acme"), time.Now().Add(pause)
			if !near(g.PublishAt, want) || g.DueAt.After(want) {
				t.Fatalf("tried again at %v, due at %v, want %v", g.PublishAt, g.DueAt, want)
			}
			calls := p.calls
			time.Sleep(pause - time.Second)
			w.sweep()
			if p.calls != calls {
				t.Fatalf("tried before its time, after %v", pause)
			}
			time.Sleep(time.Second)
			w.sweep()
		}
		g := w.grant("acme") // a clock that was ahead
		g.PublishAt = time.Now().Add(24 * time.Hour)
		w.change(g)
		p.down = false
		w.sweeps(5 * time.Minute)
		p.want(w, grant.ReauthorizationRequired)
	})
}

// A bus that hangs costs the caller of one renewal a second, and a sweep the time
// of one event, whatever is to be said.
func TestBusThatHangs(t *testing.T) {
	for _, links := range []bool{false, true} {
		t.Run(fmt.Sprintf("with links %t", links), func(t *testing.T) {
			bubble(t, func(w *world) {
				p := w.listen()
				p.hangs = true
				if links {
					w.links()
				}
				for _, name := range []string{"acme", "second", "third"} {
					w.connect(name, authorizationCode())
					began := time.Now()
					w.expect(w.renew(rotateapi.Request{Connection: name}), rotateapi.Reauthorize, apierr.ReauthorizationRequired)
					if took := time.Since(began); took > time.Second {
						t.Errorf("a caller waited %v", took)
					}
				}
				time.Sleep(2 * time.Minute)
				began := time.Now()
				w.sweep()
				if took := time.Since(began); took > 3*time.Second {
					t.Errorf("a sweep took %v", took)
				}
			})
		})
	}
}

// One event that the bus does not take is enough for a sweep.
func TestBusThatIsDownInASweep(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.listen()
		p.down = true
		w.renewer.Concurrency = 1
		for _, name := range []string{"acme", "second", "third"} {
			w.connect(name, authorizationCode())
			w.expect(w.renew(rotateapi.Request{Connection: name}), rotateapi.Reauthorize, apierr.ReauthorizationRequired)
		}
		time.Sleep(2 * time.Minute)
		calls := p.calls
		w.sweep()
		if n := p.calls - calls; n != 1 {
			t.Errorf("the bus was called %d times, want once", n)
		}
	})
}
