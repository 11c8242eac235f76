package authcode_test

import (
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/authcode"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/renewal"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// rotate is a renewal of the connection afterwards.
func (w *world) rotate() renewal.Report {
	r := renewal.Renewer{
		Grants: w.table, Leases: w.table, Lockouts: w.table, RateLimits: w.table, Connections: w.secrets, RefreshTokens: w.secrets, Parking: w.table,
		Batches: w.table,
		Hosts:   w.flow.Hosts, Now: time.Now, Connect: w.server.Connector(),
	}
	return r.Renew(w.t.Context(), rotateapi.Request{Connection: "acme", Force: true})
}

// killed ends all calls from the nth one of an operation on, as when the process
// is killed there.
func (w *world) killed(op string, n int) {
	killed := false
	w.out.before = func(called string) error {
		if called == op {
			n--
		}
		if killed = killed || n < 0; killed {
			return errDown()
		}
		return nil
	}
}

// Another identity's tokens are removed before anything is sent.
func TestAnotherIdentitysTokensAreRemovedFirst(t *testing.T) {
	bubble(t, func(w *world) {
		old := w.connected("ann")
		w.connect("acme", with(secret(), "tenant_id", "tenant-2"))
		w.answer(reltioauthtest.OpToken, says(500, "server_error"))
		w.expect(w.journey(w.invite(), "ann"), authcode.ExchangeFailed)
		g, r := w.grant(), w.newestToken()
		if g.HasToken() || g.Identity == old.Identity || g.HasRefreshToken() {
			t.Errorf("grant %+v, want the empty one of the new identity", g)
		}
		if !r.Token.IsZero() || r.Version != g.SecretVersion || r.Epoch < g.Epoch {
			t.Errorf("vault %+v, want a tombstone that is pointed at", r)
		}
	})
}

// A connection that waits for a person still waits if the first callback under
// another identity fails.
func TestAnotherIdentityStillWaits(t *testing.T) {
	bubble(t, func(w *world) {
		w.connected("ann")
		w.pause(grant.StatusReauthorize)
		before := w.grant()
		w.connect("acme", with(secret(), "tenant_id", "tenant-2"))
		w.answer(reltioauthtest.OpToken, says(500, "server_error"))
		w.expect(w.journey(w.invite(), "ann"), authcode.ExchangeFailed)
		g := w.grant()
		if g.Identity == before.Identity || g.Status != grant.StatusReauthorize || g.HasToken() || len(w.events.events) != 0 {
			t.Errorf("grant %+v, events %v; want a new one that waits", g, w.events.events)
		}
		w.heal()
		w.expect(w.journey(w.invite(), "ann"), authcode.Done)
		w.wantRecovered()
	})
}

// A process that is killed between the writes to Secrets Manager and to the table
// loses no login.
func TestACrashBetweenRefreshTokenAndGrant(t *testing.T) {
	tests := map[string]func(w *world){
		"no grant yet":     func(*world) {},
		"another identity": func(w *world) { w.connected("ann"); w.connect("acme", with(secret(), "tenant_id", "tenant-2")) },
		"after disconnect": func(w *world) {
			w.connected("ann")
			now := time.Now()
			held, err := w.table.SeizeLease(w.t.Context(), lease.Request{Connection: "acme", Owner: lease.NewOwner(), Now: now, Until: now.Add(lease.Term)})
			if err == nil {
				err = w.table.PutGrant(w.t.Context(), held, w.grant().Deleted(now))
			}
			if err != nil {
				w.t.Fatal(err)
			}
		},
	}
	for name, prepare := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				prepare(w)
				w.killed("PutGrant", 1) // the first one makes the grant the identity's
				w.expect(w.journey(w.invite(), "ann"), authcode.Unstored)
				w.heal()
				time.Sleep(lease.Term)
				if !w.server.Valid(w.newestToken().Token) {
					t.Fatal("the refresh token is dead")
				}
				if report := w.rotate(); report.Outcome != rotateapi.Renewed {
					t.Errorf("the next renewal: %s, %v", report.Outcome, report.Err)
				}
			})
		})
	}
}

// A secret that is set back after such a crash gets nothing of the other's.
func TestASecretSetBackAfterACrash(t *testing.T) {
	bubble(t, func(w *world) {
		w.connected("ann")
		w.connect("acme", with(secret(), "tenant_id", "tenant-2"))
		w.killed("PutGrant", 1)
		w.expect(w.journey(w.invite(), "ben"), authcode.Unstored)
		w.heal()
		w.connect("acme", secret())
		time.Sleep(lease.Term)
		sent := w.exchanges()
		if report := w.rotate(); report.Outcome != rotateapi.Reauthorize {
			t.Errorf("the next renewal: %s, %v", report.Outcome, report.Err)
		}
		w.wantExchanges(sent) // no refresh token was sent
	})
}

// A callback that stalled while another one stored writes no tombstone over the
// other's token.
func TestACallbackThatLostItsLeaseWritesNoTombstone(t *testing.T) {
	for _, op := range []string{"Current", "ExtendLease", "Put"} {
		t.Run("before "+op, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.connected("ann")
				w.connect("acme", with(secret(), "tenant_id", "tenant-2"))
				late := w.login(w.begin(w.invite()), "ben")
				leased := false
				w.out.before = func(called string) error {
					leased = leased || called == "SeizeLease"
					if leased && called == op {
						w.out.before = nil
						w.expect(w.journey(w.invite(), "ben"), authcode.Done)
					}
					return nil
				}
				w.expect(w.complete(late), authcode.Busy)
				w.behave(func(b *reltioauthtest.Behaviour) { b.Refresh = reltioauthtest.NewToken })
				if report := w.rotate(); report.Outcome != rotateapi.Renewed {
					t.Errorf("the next renewal: %s, %v", report.Outcome, report.Err)
				}
			})
		})
	}
}

// If Secrets Manager fails, the login stays usable: nothing was sent.
func TestAFailedTombstone(t *testing.T) {
	for _, op := range []string{"Current", "ExtendLease", "Put", "PutGrant"} {
		t.Run(op, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.connected("ann")
				w.connect("acme", with(secret(), "tenant_id", "tenant-2"))
				cb := w.login(w.begin(w.invite()), "ben")
				sent := w.exchanges()
				w.out.before = leased(failing(op))
				w.expect(w.complete(cb), authcode.StoreFailing)
				w.wantExchanges(sent)
				w.heal()
				w.expect(w.complete(cb), authcode.Done)
				if g := w.grant(); g.User != "ben" || g.Status != grant.StatusOK {
					t.Errorf("grant %+v", g)
				}
			})
		})
	}
}
