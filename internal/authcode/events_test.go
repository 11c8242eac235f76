package authcode_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/authcode"
	"github.com/reltio-tokens/reltio-tokens/internal/authrequest"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// An event that a person has to follow carries a link also when a callback sends
// it: its own, and one that a renewal left unsent when it crashed.
func TestEventsOfACallbackCarryTheirLink(t *testing.T) {
	for name, left := range map[string][]string{
		"its own":              nil,
		"left by a crash":      {string(grant.ReauthorizationSoon)},
		"left, and not true":   {string(grant.ReauthorizationRequired)},
		"left, without a link": {string(grant.ServerRefusing)},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				sameTokenAlways(w) // the refresh token keeps its old deadline
				w.connected("ann")
				time.Sleep(28 * 24 * time.Hour * 95 / 100)
				w.leave(left)
				w.events.events = nil
				cb := w.login(w.begin(w.invite()), "ann")
				again := w.complete(cb)
				w.expect(again, authcode.Again)
				w.expect(w.complete(w.login(again.Redirect, "ann")), authcode.DoneSameToken)
				if len(w.events.events) == 0 || len(w.grant().Unpublished) != 0 {
					t.Fatalf("events %v, unpublished %v", w.events.events, w.grant().Unpublished)
				}
				for _, e := range w.events.events {
					text, hasLink := strings.CutPrefix(e.Link, "https://callback.example/authorize?invitation=")
					if want := e.Type == grant.ReauthorizationSoon; hasLink != want {
						t.Errorf("%s has link %t, want %t", e.Type, hasLink, want)
					}
					if e.Type == grant.ReauthorizationRequired {
						t.Error("an event was sent that is not true")
					}
					if !hasLink {
						continue
					}
					if i, err := w.table.Invitation(t.Context(), authrequest.HashOf(reltioauth.NewSecret(text))); err != nil || i.Connection != "acme" {
						t.Errorf("the link leads to %+v, %v", i, err)
					}
				}
			})
		})
	}
}

// leave writes events into the grant that were announced and not sent.
func (w *world) leave(unsent []string) {
	w.t.Helper()
	now := time.Now()
	g := w.grant()
	g.Unpublished = unsent
	if slices.Contains(unsent, string(grant.ReauthorizationSoon)) {
		g.WarnedAt = now
	}
	held, err := w.table.SeizeLease(w.t.Context(), lease.Request{
		Connection: "acme", Owner: lease.NewOwner(), Floor: g.Epoch, Now: now, Until: now.Add(lease.Term),
	})
	if err == nil {
		err = w.table.PutGrant(w.t.Context(), held, g)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}
