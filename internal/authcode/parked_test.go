package authcode_test

import (
	"errors"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/authcode"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/memstore"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/internal/testkit/storetest"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// If Secrets Manager refuses a login's refresh token, no login is lost: the token
// is parked after two seconds, and the page says that all is done.
func TestSecretsManagerThatRefusesParks(t *testing.T) {
	for name, prepare := range map[string]func(w *world){
		"first login":   func(*world) {},
		"another login": func(w *world) { w.connected("ann") },
		"after another": func(w *world) { w.connected("ann"); w.park(reltioauth.NewSecret("an older one")) },
	} {
		for how, lasts := range map[string]time.Duration{"for 3 s": 3 * time.Second, "for good": 1000 * time.Hour} {
			t.Run(name+", "+how, func(t *testing.T) {
				bubble(t, func(w *world) {
					prepare(w)
					cb := w.login(w.begin(w.invite()), "ann")
					sent := w.exchanges()
					w.out.before = w.failsAfter(sent, lasts, "Put")
					began := time.Now()
					a := w.complete(cb)
					w.expect(a, authcode.Done)
					if !a.Parked || a.Err == nil || a.Err.Error() != errDown().Error() {
						t.Errorf("parked %v, error %v; want it parked because of %v", a.Parked, a.Err, errDown())
					}
					if took := time.Since(began); took < grant.ParkAfter || took > grant.ParkAfter+time.Second {
						t.Errorf("it took %v", took)
					}
					g, parked := w.grant(), w.parked()
					if parked.Identity != g.Identity || g.Identity == "" || parked.Fingerprint() != g.RefreshFingerprint {
						t.Errorf("parked for %q, the grant is %q's; fingerprints %s and %s",
							parked.Identity, g.Identity, parked.Fingerprint(), g.RefreshFingerprint)
					}
					w.wantUsable()

					// Secrets Manager takes it again: the next renewal uses it,
					// and nothing stays.
					w.heal()
					if r := w.rotate(); r.Outcome != rotateapi.Renewed && r.Outcome != rotateapi.Unchanged {
						t.Errorf("outcome %s (%v)", r.Outcome, r.Err)
					}
					if _, err := w.table.Parked(t.Context(), "acme"); !errors.Is(err, grant.ErrNotFound) {
						t.Errorf("still parked: %v", err)
					}
					w.wantUsable()
				})
			})
		}
	}
}

// Of a Secrets Manager that refuses, and does not respond to the last attempt, the
// refusal is told.
func TestARefusalIsToldThoughTheLastAttemptHangs(t *testing.T) {
	bubble(t, func(w *world) {
		cb := w.login(w.begin(w.invite()), "ann")
		w.flow.RefreshTokens = &storetest.Tiring{RefreshTokenStore: w.out, Refusal: errDown(), After: grant.ParkAfter - 300*time.Millisecond}
		a := w.complete(cb)
		w.expect(a, authcode.Done)
		if !a.Parked || a.Err == nil || a.Err.Error() != errDown().Error() {
			t.Errorf("parked %t because of %v, want %v", a.Parked, a.Err, errDown())
		}
	})
}

// A Secrets Manager that hangs is treated as one that refuses.
func TestSecretsManagerThatHangsParks(t *testing.T) {
	bubble(t, func(w *world) {
		cb := w.login(w.begin(w.invite()), "ann")
		w.out.hangs = func(op string) bool { return op == "Put" || op == "Current" && w.exchanges() > 0 }
		a := w.complete(cb)
		w.expect(a, authcode.Done)
		if !a.Parked {
			t.Error("it is not parked")
		}
	})
}

// One attempt to park that hangs leaves time for another.
func TestAnAttemptToParkThatHangs(t *testing.T) {
	bubble(t, func(w *world) {
		cb := w.login(w.begin(w.invite()), "ann")
		w.out.before = w.failsAfter(w.exchanges(), time.Hour, "Put")
		parks := 0
		w.out.hangs = func(op string) bool {
			if op == "Park" {
				parks++
			}
			return op == "Park" && parks == 1
		}
		a := w.complete(cb)
		w.expect(a, authcode.Done)
		if !a.Parked || parks != 2 {
			t.Errorf("parked %v after %d attempts", a.Parked, parks)
		}
	})
}

// Where the table does not take it either, nothing is kept: what was given is
// revoked, and the person can begin again.
func TestSecretsManagerAndTheTableRefuse(t *testing.T) {
	bubble(t, func(w *world) {
		w.connected("ann")
		cb := w.login(w.begin(w.invite()), "ann")
		w.out.before = w.failsAfter(w.exchanges(), time.Hour, "Put", "Park")
		a := w.complete(cb)
		w.expect(a, authcode.Unstored)
		if a.Parked {
			t.Error("it says that the token is parked")
		}
		w.wantValid(1, 1) // the one from before
		w.wantUsable()
	})
}

// A grant that is not stored takes what was parked for it along: it is revoked.
func TestAParkedTokenWhoseGrantIsNotStored(t *testing.T) {
	bubble(t, func(w *world) {
		w.connected("ann")
		cb := w.login(w.begin(w.invite()), "ann")
		w.out.before = w.failsAfter(w.exchanges(), time.Hour, "Put", "PutGrant")
		w.expect(w.complete(cb), authcode.Unstored)
		w.heal()
		if _, err := w.table.Parked(t.Context(), "acme"); !errors.Is(err, grant.ErrNotFound) {
			t.Errorf("still parked: %v", err)
		}
		w.wantValid(1, 1)
		w.wantUsable()
	})
}

// What is parked from before is older than what a person brings, and goes.
func TestALoginEndsWhatWasParked(t *testing.T) {
	bubble(t, func(w *world) {
		w.connected("ann")
		w.park(reltioauth.NewSecret("an older one"))
		before := w.parked()
		w.expect(w.journey(w.invite(), "ann"), authcode.Done)
		if _, err := w.table.Parked(t.Context(), "acme"); !errors.Is(err, grant.ErrNotFound) {
			t.Errorf("still parked: %v", err)
		}
		if got := w.newestToken().Epoch; got <= before.Epoch {
			t.Errorf("epoch %d, want it above the parked one's %d", got, before.Epoch)
		}
		w.wantUsable()
	})
}

// Secrets Manager has a refresh token together with its identity.
func TestTheRefreshTokenHoldsItsIdentity(t *testing.T) {
	bubble(t, func(w *world) {
		w.connected("ann")
		if got, want := w.newestToken().Identity, w.grant().Identity; got != want || got == "" {
			t.Errorf("the vault has it for %q, the grant is %q's", got, want)
		}
	})
}

// A lost table does not say whose the grant was, but Secrets Manager does.
// Another identity's refresh token gets a tombstone before anything is sent. The
// connection's own token, and one that an older release stored, stay until there
// is another.
func TestALostTable(t *testing.T) {
	for name, test := range map[string]struct {
		identity  func(ours string) string
		tombstone bool
	}{
		"our own":                   {func(ours string) string { return ours }, false},
		"another identity's":        {func(string) string { return "another" }, true},
		"of a release before":       {func(string) string { return "" }, false},
		"another's, longer by some": {func(ours string) string { return ours + "0" }, true},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.connected("ann")
				ours := w.grant().Identity
				w.loseTable()
				before := grant.RefreshToken{Token: reltioauth.NewSecret("in the vault"), LoggedInAt: time.Now(), Epoch: 40, Identity: test.identity(ours)}
				if _, err := w.secrets.Put(t.Context(), "acme", before); err != nil {
					t.Fatal(err)
				}
				w.answer(reltioauthtest.OpToken, says(503, ""))
				w.expect(w.journey(w.invite(), "ann"), authcode.ExchangeFailed)
				if tombstone := w.newestToken().Token.IsZero(); tombstone != test.tombstone {
					t.Errorf("buried: %v, want %v", tombstone, test.tombstone)
				}
				w.heal()
				w.expect(w.journey(w.invite(), "ann"), authcode.Done)
				if got := w.newestToken(); got.Identity != ours || got.Epoch <= 40 {
					t.Errorf("epoch %d of %q, want it above 40, of %q", got.Epoch, got.Identity, ours)
				}
				w.wantUsable()
			})
		})
	}
}

// A secret that was away and came back finds its refresh token, whatever becomes of
// a login that is begun meanwhile.
func TestASecretThatCameBack(t *testing.T) {
	bubble(t, func(w *world) {
		w.connected("ann")
		kept := w.newestToken()
		g := w.grant()
		held := w.seize()
		if err := w.table.PutGrant(t.Context(), held, g.Deleted(time.Now())); err != nil {
			t.Fatal(err)
		}
		w.answer(reltioauthtest.OpToken, says(503, ""))
		w.expect(w.journey(w.invite(), "ann"), authcode.ExchangeFailed)
		w.heal()
		if got := w.newestToken(); got.Fingerprint() != kept.Fingerprint() {
			t.Error("the refresh token was buried")
		}
		if r := w.rotate(); r.Err != nil {
			t.Errorf("a renewal afterwards: %s, %v", r.Outcome, r.Err)
		}
	})
}

// parked is the refresh token in the parking.
func (w *world) parked() grant.RefreshToken {
	w.t.Helper()
	r, err := w.table.Parked(w.t.Context(), "acme")
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// park parks a refresh token, as a renewal does if Secrets Manager refuses it.
func (w *world) park(token reltioauth.Secret) {
	w.t.Helper()
	r := grant.RefreshToken{Token: token, LoggedInAt: time.Now(), Epoch: w.newestToken().Epoch + 1, Identity: w.grant().Identity}
	if err := w.table.Park(w.t.Context(), "acme", r); err != nil {
		w.t.Fatal(err)
	}
}

// seize takes the grant's lease, also from another holder.
func (w *world) seize() lease.Lease {
	w.t.Helper()
	now := time.Now()
	held, err := w.table.SeizeLease(w.t.Context(), lease.Request{
		Connection: "acme", Owner: lease.NewOwner(), Floor: w.grant().Epoch, Now: now, Until: now,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return held
}

// loseTable empties the table.
func (w *world) loseTable() { *w.table = memstore.Table{} }
