package simulation

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// rotates is a server that gives a new refresh token at each refresh.
func rotates() reltioauthtest.Behaviour {
	return reltioauthtest.Behaviour{RefreshTokens: reltioauthtest.Rotate, RestartClock: true}
}

// A key policy denies every write into Secrets Manager for an hour, in front of fifty
// connections that people have authorized and whose server gives a new refresh
// token at each refresh. No person has to log in: what is on its way when Secrets Manager
// first refuses is parked, and nothing else is sent until it takes something again.
// An environment that was not there to hear it refuse finds out by one more.
func TestNobodyLogsInForAKeyPolicy(t *testing.T) {
	t.Parallel()
	const people = 50
	for name, forgets := range map[string]bool{"environments that last": false, "a new environment for each invocation": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			specs := same(people, Spec{Type: connection.AuthorizationCode, Behaviour: rotates()})
			scenario(t, Config{Seed: 14}, specs, func(t *testing.T, w *World) {
				w.Tick()
				w.Born(10 * time.Minute)
				w.Until(w.now().Add(15 * time.Minute))
				for _, c := range w.connList {
					w.authorize(c)
					w.Until(w.now().Add(time.Minute))
				}
				w.randomly(people*24, w.callAtRandom)
				if forgets {
					w.randomly(Day.Seconds(), func() {
						w.mu.Lock()
						defer w.mu.Unlock()
						w.warm = nil
					})
				}
				w.Until(w.now().Add(2 * time.Hour))
				server := w.hostList[0].server
				before, requests := w.Figures(), server.TokenRequests(time.Time{}, time.Time{})
				w.Storm(stormWrites, time.Hour)
				w.Until(w.now().Add(time.Hour))
				during, sent := w.Figures(), server.TokenRequests(time.Time{}, time.Time{})-requests
				w.Until(w.now().Add(time.Hour + 5*time.Minute)) // each is renewed once
				after := w.Figures()
				t.Logf("%d connections, an hour, %s: %d refreshes sent, %d parked, Unstored %d; %d events that call somebody, %d people",
					people, name, sent, during.Parked-before.Parked, during.Unstored-before.Unstored,
					after.Calling-before.Calling, after.People-before.People)
				if after.Calling > before.Calling || after.People > before.People {
					t.Errorf("%d events call somebody", after.Calling-before.Calling)
				}
				if during.Unstored == before.Unstored {
					t.Error("nobody hears that refresh tokens are not stored")
				}
				if late := unwell(w); len(late) > 0 || w.anyParked() {
					t.Errorf("an hour after the policy was mended not back: %v; parked still: %t", late, w.anyParked())
				}
			})
		})
	}
}

// Ninety days of a fleet whose stores and clocks are in all the trouble that there
// is, and nothing else: no credentials count as rejected, and no person is asked
// for anything but a refresh token that has ended or that the server has refused.
func TestNinetyDaysOfStoresInTrouble(t *testing.T) {
	t.Parallel()
	if testing.Short() || raceEnabled {
		t.Skip("long")
	}
	began := time.Now()
	specs := everyKind(15)
	for i := range specs {
		specs[i].TTL = 2 * time.Hour
	}
	var w *World
	synctest.Test(t, func(*testing.T) {
		w = New(Config{Seed: seedFrom("SIM_SEED", 14), For: 90 * Day, Calls: 24, Stores: true, Stormy: true, Now: time.Now})
		w.Populate(specs)
		w.Live()
	})
	if b := w.Breach(); b != nil {
		t.Fatal(b)
	}
	f := w.Figures()
	t.Logf("%d connections, 90 days in %s: %d token requests, %d faults, %d parked, %d operations by wrong clocks; people asked for: %+v; %d events call somebody, %d credentials rejected",
		len(specs), time.Since(began).Round(time.Second), f.Requests, f.Faults, f.Parked, f.Misdated, f.Needed, f.Calling, f.Rejected)
	if f.Rejected > 0 {
		t.Errorf("%d credentials rejected", f.Rejected)
	}
}
