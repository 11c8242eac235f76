package operator_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"

	"github.com/reltio-tokens/reltio-tokens/internal/memstore"
	"github.com/reltio-tokens/reltio-tokens/internal/operator"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// readOnly is a store that takes no refresh token.
type readOnly struct{ *memstore.Secrets }

// Put implements grant.RefreshTokenStore.
func (readOnly) Put(context.Context, string, grant.RefreshToken) (string, error) {
	return "", apierr.New(apierr.StoreUnavailable, "Secrets Manager: AccessDeniedException")
}

// park has acme's refresh token parked, and returns it.
func (w *world) park() grant.RefreshToken {
	w.t.Helper()
	w.connect("acme", password())
	w.renewer.RefreshTokens = readOnly{w.secrets}
	w.rotate(false)
	w.renewer.RefreshTokens = w.secrets
	time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second)))
	r, err := w.table.Parked(w.t.Context(), "acme")
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func TestStatusAndCheckOfAParkedRefreshToken(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		parked := w.park()
		since := parked.ParkedAt.Truncate(time.Second)
		time.Sleep(time.Hour)
		s := w.state("acme")
		if s.ParkedSince == nil || !s.ParkedSince.Equal(since) || s.LastError == nil || s.LastError.Message != "Secrets Manager: AccessDeniedException" {
			t.Errorf("status: parked since %v, error %v; want %v, with what the vault said", s.ParkedSince, s.LastError, since)
		}
		c, err := w.operator.Check(t.Context(), "acme")
		if err != nil || c.ParkedSince == nil || !c.ParkedSince.Equal(since) || !c.OK {
			t.Errorf("check: %+v, %v; want that it is parked since %v, and the secret well", c, err, since)
		}
		w.rotate(true) // Secrets Manager takes it
		if s := w.state("acme"); s.ParkedSince != nil {
			t.Errorf("status: parked since %v, want that it is not", s.ParkedSince)
		}
	})
}

// What was written by hand says no moment.
func TestStatusOfARefreshTokenParkedByHand(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.connect("acme", password())
		at := time.Now().Add(-time.Hour)
		err := w.table.Park(t.Context(), "acme", grant.RefreshToken{Token: reltioauth.NewSecret("r"), LoggedInAt: at, Epoch: 3})
		if err != nil {
			t.Fatal(err)
		}
		if s := w.state("acme"); s.ParkedSince == nil || !s.ParkedSince.Equal(at) {
			t.Errorf("status: parked since %v, want %v", s.ParkedSince, at)
		}
	})
}

func TestStatusOfWhatIsMissingAndUnsent(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		now := time.Now()
		w.connect("acme", clientCredentials())
		for name, test := range map[string]struct {
			g    grant.Grant
			want func(s operator.State) bool
		}{
			"an event that nobody has tried to send": {
				grant.Grant{Unpublished: []string{string(grant.Recovered)}},
				func(s operator.State) bool { return s.UnsentEvents == nil && s.SecretMissingSince == nil },
			},
			"one that the bus did not take": {
				grant.Grant{Unpublished: []string{string(grant.Recovered)}, PublishTries: 1, PublishAt: now.Add(time.Minute)},
				func(s operator.State) bool { return slices.Equal(s.UnsentEvents, []string{"Recovered"}) },
			},
			"a secret that is missing": {
				grant.Grant{}.SecretMissing(now, time.Minute),
				func(s operator.State) bool { return s.SecretMissingSince != nil && s.SecretMissingSince.Equal(now) },
			},
		} {
			test.g.Connection, test.g.Status = "acme", grant.StatusOK
			w.put(test.g)
			if s := w.state("acme"); !test.want(s) {
				t.Errorf("%s: missing since %v, unsent %v", name, s.SecretMissingSince, s.UnsentEvents)
			}
		}
	})
}

// A parked refresh token is revoked, and forgotten, also where nothing else is left.
func TestDisconnectWithAParkedRefreshToken(t *testing.T) {
	for name, prepare := range map[string]func(w *world){
		"alone": func(*world) {},
		"and an older one in the vault": func(w *world) {
			_, _ = w.secrets.Put(w.t.Context(), "acme", grant.RefreshToken{Token: reltioauth.NewSecret("older"), Epoch: 0})
		},
		"and a pointer at a version that was purged": func(w *world) {
			_, _ = w.secrets.Put(w.t.Context(), "acme", grant.RefreshToken{Token: reltioauth.NewSecret("older"), Epoch: 0})
			g := w.grant()
			g.SecretVersion = "purged"
			w.put(g)
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				w.park()
				prepare(w)
				d := w.leave(true)
				if d.Revoked != reltioauth.HintRefreshToken || d.NotRevoked != nil {
					t.Errorf("revoked %q, not revoked %v; want the refresh token revoked", d.Revoked, d.NotRevoked)
				}
				if access, refresh := w.server.Tokens(); access+refresh != 0 {
					t.Errorf("%d access and %d refresh tokens live", access, refresh)
				}
				if _, err := w.table.Parked(t.Context(), "acme"); !errors.Is(err, grant.ErrNotFound) {
					t.Errorf("what is parked: %v, want nothing", err)
				}
				w.wantGone(1)
			})
		})
	}
}

func TestDisconnectWhatIsParkedAlone(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		err := w.table.Park(t.Context(), "acme", grant.RefreshToken{Token: reltioauth.NewSecret("r"), LoggedInAt: time.Now(), Epoch: 3})
		if err != nil {
			t.Fatal(err)
		}
		if d := w.leave(false); d.Revoked != "" || d.NotRevoked == nil || d.NotRevoked.Type != apierr.UnknownConnection {
			t.Errorf("%+v, want nothing revoked: its secret is gone", d)
		}
		if _, err := w.table.Parked(t.Context(), "acme"); !errors.Is(err, grant.ErrNotFound) {
			t.Errorf("what is parked: %v, want nothing", err)
		}
	})
}

// noParking does not answer.
type noParking struct{ *memstore.Table }

// Parked implements grant.Parking.
func (noParking) Parked(context.Context, string) (grant.RefreshToken, error) {
	return grant.RefreshToken{}, apierr.New(apierr.StoreUnavailable, "down")
}

// What is parked cannot be read: nothing is said of it, and it is not left behind.
func TestParkingThatDoesNotAnswer(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.park()
		w.operator.Parking = noParking{w.table}
		_, err := w.operator.Status(t.Context())
		w.wantError(err, apierr.StoreUnavailable)
		_, err = w.operator.Check(t.Context(), "acme")
		w.wantError(err, apierr.StoreUnavailable)
		_, err = w.operator.Disconnect(t.Context(), operator.DisconnectRequest{Connection: "acme"})
		w.wantError(err, apierr.StoreUnavailable)
		if g := w.grant(); g.Status != grant.StatusPaused {
			t.Errorf("status %s, want it paused until it is disconnected again", g.Status)
		}
		w.operator.Parking = w.table
		if d := w.leave(true); d.Revoked != reltioauth.HintRefreshToken {
			t.Errorf("revoked %q, want the refresh token", d.Revoked)
		}
	})
}
