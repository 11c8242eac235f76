package operator_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/operator"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// leave disconnects acme, and that works.
func (w *world) leave(deleteSecret bool) operator.Disconnected {
	w.t.Helper()
	d, err := w.operator.Disconnect(w.t.Context(), operator.DisconnectRequest{Connection: "acme", DeleteSecret: deleteSecret})
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

// revocations that the sandbox has seen.
func (w *world) revocations() int {
	n := 0
	for _, r := range w.server.Requests() {
		if r.Op == reltioauthtest.OpRevoke {
			n++
		}
	}
	return n
}

// wantGone makes sure that nothing but the memory of acme is left.
func (w *world) wantGone(version int64) {
	w.t.Helper()
	g, now := w.grant(), time.Now()
	want := grant.Grant{Connection: "acme", Version: version, Epoch: g.Epoch, Owner: g.Owner}.Deleted(now)
	if g.Status != want.Status || g.HasToken() || g.HasRefreshToken() || g.Identity != "" || g.Version != version ||
		!g.RetryAt.Equal(now.Add(time.Minute)) || !g.TTL.Equal(now.Add(24*time.Hour)) || g.Shard != "" || g.Epoch == 0 {
		w.t.Errorf("left: %+v", g)
	}
	if _, err := w.secrets.Current(w.t.Context(), "acme"); !errors.Is(err, grant.ErrNotFound) {
		w.t.Errorf("the grant's secret: %v, want none", err)
	}
	r, err := w.table.Account(w.t.Context(), w.account())
	if err != nil || r.Connection != "" {
		w.t.Errorf("the account belongs to %q (%v)", r.Connection, err)
	}
}

// account is ann's.
func (w *world) account() string {
	w.t.Helper()
	c, err := connection.Parse("acme", connection.Source{Value: reltioauth.NewSecret(passwordSecret)}, w.operator.Hosts)
	if err != nil {
		w.t.Fatal(err)
	}
	return c.AccountHash()
}

func (w *world) wantIssue(want apierr.Type) {
	w.t.Helper()
	issued, err := w.operator.Issue(w.t.Context(), issueapi.Request{Connection: "acme"})
	if want == "" && err == nil {
		return
	}
	if err == nil || apierr.Of(err).Type != want {
		w.t.Errorf("issued %q, %v; want %q", issued.Fingerprint, err, want)
	}
}

func TestDisconnectTakesEverythingAway(t *testing.T) {
	for name, test := range map[string]struct {
		secret       map[string]any
		deleteSecret bool
		revoked      reltioauth.TokenHint
	}{
		"with a refresh token":              {password(), true, reltioauth.HintRefreshToken},
		"without one":                       {clientCredentials(), true, reltioauth.HintAccessToken},
		"with a refresh token, secret kept": {password(), false, reltioauth.HintRefreshToken},
		"without one, secret kept":          {clientCredentials(), false, reltioauth.HintAccessToken},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				w.connect("acme", test.secret)
				w.rotate(false)
				token := w.grant().AccessToken

				d := w.leave(test.deleteSecret)
				if d.Before != grant.StatusOK || d.Revoked != test.revoked || d.NotRevoked != nil || d.SecretDeleted != test.deleteSecret {
					t.Errorf("%+v", d)
				}
				if w.server.Valid(token) {
					t.Error("the token lives")
				}
				if access, refresh := w.server.Tokens(); access+refresh != 0 {
					t.Errorf("%d access and %d refresh tokens live", access, refresh)
				}
				w.wantGone(1)
				w.wantIssue(apierr.UnknownConnection)
				_, err := w.secrets.Connection(t.Context(), "acme")
				if errors.Is(err, connection.ErrNotFound) != test.deleteSecret {
					t.Errorf("its secret: %v", err)
				}
				time.Sleep(61 * time.Second)
				if test.deleteSecret {
					w.wantIssue(apierr.UnknownConnection)
					_, err := w.operator.Disconnect(t.Context(), operator.DisconnectRequest{Connection: "acme", DeleteSecret: true})
					w.wantError(err, apierr.UnknownConnection)
					return
				}
				w.wantIssue("") // starts as a new one
				if g := w.grant(); g.Version != 2 {
					t.Errorf("version %d, want 2: it only rises", g.Version)
				}
			})
		})
	}
}

func TestDisconnectWhatWasNeverUsed(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.connect("acme", password())
		if d := w.leave(false); d.Before != operator.New || d.Revoked != "" || d.NotRevoked != nil || d.EndsAt != nil {
			t.Errorf("%+v", d)
		}
		w.wantGone(0)
		if d := w.leave(true); d.Before != grant.StatusUnknown || !d.SecretDeleted {
			t.Errorf("again: %+v", d)
		}
		if w.revocations() != 0 {
			t.Errorf("%d revocations, want none", w.revocations())
		}
		for name, want := range map[string]apierr.Type{"nope": apierr.UnknownConnection, "No": apierr.InvalidRequest} {
			_, err := w.operator.Disconnect(t.Context(), operator.DisconnectRequest{Connection: name, DeleteSecret: true})
			w.wantError(err, want)
		}
	})
}

// Tokens that cannot be revoked are reported, and removed nevertheless.
func TestDisconnectWithoutRevocation(t *testing.T) {
	for name, test := range map[string]struct {
		before  func(w *world)
		want    apierr.Type
		revokes int
	}{
		"the server is down": {func(w *world) {
			w.server.Outage(reltioauthtest.Outage{Fault: reltioauthtest.Fault{Kind: reltioauthtest.FaultStatus}})
		}, apierr.ReltioUnavailable, 1},
		"the server hangs": {func(w *world) {
			w.server.Outage(reltioauthtest.Outage{Fault: reltioauthtest.Fault{Delay: time.Hour}})
		}, apierr.ReltioUnavailable, 1},
		"the client is refused": {func(w *world) {
			w.server.SetClientSecret("client-1", reltioauth.NewSecret("c4n4ry"))
		}, apierr.CredentialsRejected, 2}, // with Basic, then in the body
		"the secret is malformed": {func(w *world) { w.connectText("acme", `{}`) }, apierr.InvalidConnection, 0},
		"the host is not allowed": {func(w *world) {
			w.connect("acme", with(password(), "auth_url", "https://evil.example.com"))
		}, apierr.InvalidConnection, 0},
		"the secret names another client": {func(w *world) {
			w.connect("acme", with(password(), "client_id", "client-2"))
		}, apierr.InvalidConnection, 0},
		"the secret is gone": {func(w *world) { w.disconnect("acme") }, apierr.UnknownConnection, 0},
		"the host is paused for long": {func(w *world) {
			_, err := w.table.Throttled(w.t.Context(), "auth.reltio.com:443", ratelimit.Throttle{
				Client: "c", RetryAfter: time.Minute, Now: time.Now(),
			})
			if err != nil {
				w.t.Fatal(err)
			}
		}, apierr.RateLimited, 0},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				w.connect("acme", password())
				w.rotate(false)
				ends := w.grant().RefreshExpiresAt
				test.before(w)
				began := time.Now()
				d := w.leave(true)
				if d.Revoked != "" || d.NotRevoked == nil || d.NotRevoked.Type != test.want || d.EndsAt == nil || !d.EndsAt.Equal(ends.Truncate(time.Second)) {
					t.Errorf("%+v, not revoked %v; want %s", d, d.NotRevoked, test.want)
				}
				if took := time.Since(began); took > 10*time.Second {
					t.Errorf("it took %s", took)
				}
				if got := w.revocations(); got != test.revokes {
					t.Errorf("%d revocations, want %d", got, test.revokes)
				}
				g := w.grant()
				if _, err := w.secrets.Current(t.Context(), "acme"); g.HasToken() || g.Status != grant.StatusUnknown || !errors.Is(err, grant.ErrNotFound) {
					t.Errorf("left: %+v, %v", g, err)
				}
			})
		})
	}
}

func TestDisconnectWaitsForAShortPause(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.connect("acme", password())
		w.rotate(false)
		if _, err := w.table.Throttled(t.Context(), "auth.reltio.com:443", ratelimit.Throttle{Client: "c", RetryAfter: 2 * time.Second, Now: time.Now()}); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if d := w.leave(true); d.Revoked == "" || time.Since(began) < 2*time.Second {
			t.Errorf("%+v after %s", d, time.Since(began))
		}
	})
}

// Both versions that may be valid are revoked, not only the newest.
func TestDisconnectRevokesTheVersionThatTheGrantPointsAt(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.connect("acme", password())
		w.rotate(false)
		if _, err := w.secrets.Put(t.Context(), "acme", grant.RefreshToken{Token: reltioauth.NewSecret("another"), LoggedInAt: time.Now(), Epoch: 9}); err != nil {
			t.Fatal(err)
		}
		if d := w.leave(true); d.Revoked != reltioauth.HintRefreshToken || w.revocations() != 2 {
			t.Errorf("%+v with %d revocations, want 2", d, w.revocations())
		}
		if access, refresh := w.server.Tokens(); access+refresh != 0 {
			t.Errorf("%d access and %d refresh tokens live", access, refresh)
		}
	})
}

// A renewal in progress cannot bring the connection back.
func TestDisconnectFencesARenewalUnderWay(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.connect("acme", password())
		w.rotate(false)
		w.server.Configure(func(c *reltioauthtest.Config) {
			c.Fault = func(r reltioauthtest.Request) reltioauthtest.Fault {
				if r.Op != reltioauthtest.OpToken {
					return reltioauthtest.Fault{}
				}
				return reltioauthtest.Fault{Delay: 2 * time.Second}
			}
		})
		outcome := make(chan rotateapi.Outcome)
		go func() { outcome <- *w.rotate(true).Outcome }()
		time.Sleep(time.Second) // its request is at the server
		w.leave(true)
		if got := <-outcome; got == rotateapi.Renewed {
			t.Error("the renewal ended renewed")
		}
		if g := w.grant(); g.HasToken() || g.Status != grant.StatusUnknown {
			t.Errorf("left: %+v", g)
		}
		time.Sleep(2 * time.Minute)
		w.wantIssue(apierr.UnknownConnection)
	})
}

// errCrash stands for whatever ends a command in the middle.
var errCrash = errors.New("crash")

// crashing are stores of which the n-th call that writes fails, and all calls
// afterwards.
type crashing struct {
	*world
	left int
}

func (c *crashing) step() error {
	c.left--
	if c.left < 0 {
		return apierr.Wrap(apierr.StoreUnavailable, "crash", errCrash)
	}
	return nil
}

func (c *crashing) PutGrant(ctx context.Context, held lease.Lease, g grant.Grant) error {
	if err := c.step(); err != nil {
		return err
	}
	return c.table.PutGrant(ctx, held, g)
}

func (c *crashing) Grant(ctx context.Context, name string, how grant.Consistency) (grant.Grant, error) {
	return c.table.Grant(ctx, name, how)
}

func (c *crashing) DueGrants(ctx context.Context, s grant.Shard, now time.Time, after *grant.Due, limit int) ([]grant.Due, error) {
	return c.table.DueGrants(ctx, s, now, after, limit)
}

func (c *crashing) PutConnection(ctx context.Context, name string, text reltioauth.Secret) (string, error) {
	return c.secrets.PutConnection(ctx, name, text)
}

func (c *crashing) DeleteConnection(ctx context.Context, name string) error {
	if err := c.step(); err != nil {
		return err
	}
	return c.secrets.DeleteConnection(ctx, name)
}

func (c *crashing) DeleteGrant(ctx context.Context, name string) error {
	if err := c.step(); err != nil {
		return err
	}
	return c.secrets.DeleteGrant(ctx, name)
}

// Wherever it ends, nothing is handed out or renewed afterwards, and the same
// command does the rest.
func TestDisconnectThatEndsInTheMiddle(t *testing.T) {
	for _, secret := range []map[string]any{password(), clientCredentials()} {
		for steps := 1; steps <= 3; steps++ {
			t.Run(fmt.Sprintf("%s after %d writes", secret["grant_type"], steps), func(t *testing.T) {
				bubble(t, func(t *testing.T, w *world) {
					w.connect("acme", secret)
					w.rotate(false)
					broken := *w.operator
					c := &crashing{world: w, left: steps}
					broken.Grants, broken.Secrets = c, c
					_, err := broken.Disconnect(t.Context(), operator.DisconnectRequest{Connection: "acme", DeleteSecret: true})
					w.wantError(err, apierr.StoreUnavailable)
					if !errors.Is(err, errCrash) {
						t.Errorf("error %v", err)
					}
					asked := w.requests()
					for range 3 {
						w.wantIssue(apierr.ConnectionPaused)
						w.tick()
						w.rotate(true)
						time.Sleep(time.Hour)
					}
					if w.requests() != asked {
						t.Error("something was asked of Reltio")
					}
					if d := w.leave(true); d.Before != grant.StatusPaused || !d.SecretDeleted {
						t.Errorf("again: %+v", d)
					}
					w.wantGone(1)
					if access, refresh := w.server.Tokens(); access+refresh != 0 {
						t.Errorf("%d access and %d refresh tokens live", access, refresh)
					}
				})
			})
		}
	}
}

// connectAndForget deletes the secret of a connection that has a token.
func (w *world) connectAndForget() {
	w.t.Helper()
	w.connect("acme", password())
	w.rotate(false)
	w.disconnect("acme")
	w.rotate(true)
	time.Sleep(time.Minute)
	w.rotate(true) // the second read believes it
	if g := w.grant(); g.Status != grant.StatusUnknown {
		w.t.Fatalf("status %s", g.Status)
	}
}

// A grant's secret that was left behind without a connection can be removed.
func TestDisconnectWhatWasLeftBehind(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.connectAndForget()
		if _, err := w.secrets.Current(t.Context(), "acme"); err != nil {
			t.Fatalf("the grant's secret: %v, want it kept for the connection", err)
		}
		w.leave(true)
		if _, err := w.secrets.Current(t.Context(), "acme"); !errors.Is(err, grant.ErrNotFound) {
			t.Errorf("the grant's secret: %v, want none", err)
		}
	})
}

// Reltio locks a user after five refused logins, however often the connection was
// disconnected in between.
func TestDisconnectForgetsNoRefusedLogin(t *testing.T) {
	bubble(t, func(_ *testing.T, w *world) {
		w.connect("acme", wrongPassword())
		for range 3 {
			w.wantIssue(apierr.CredentialsRejected)
			time.Sleep(time.Hour)
			w.wantIssue(apierr.CredentialsRejected)
			w.rotate(true)
			w.wantRefused(2)
			w.leave(false)
			w.wantGone(0)
			time.Sleep(61 * time.Second)
		}
		w.wantIssue(apierr.CredentialsRejected)
		w.wantRefused(2)

		w.resume()
		time.Sleep(time.Minute)
		w.wantIssue(apierr.CredentialsRejected)
		w.wantRefused(3)

		w.connect("acme", password())
		w.rotate(true)
		w.wantIssue("")
	})
}

// With the same credentials another connection gets the attempts that are left.
func TestDisconnectLeavesTheAccountToOthers(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.connect("acme", wrongPassword())
		w.wantIssue(apierr.CredentialsRejected)
		w.wantRefused(1)
		w.leave(true)
		w.connect("other", wrongPassword())
		for range 3 {
			_, err := w.operator.Rotate(t.Context(), "other", true)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Hour)
		}
		w.wantRefused(2)
		w.connect("other", password())
		r, err := w.operator.Rotate(t.Context(), "other", true)
		if err != nil || *r.Outcome != rotateapi.Renewed {
			t.Errorf("%+v, %v; want a token", r, err)
		}
	})
}

// A secret that cannot be used names no account: the claim stays until it is gone.
func TestDisconnectWithASecretThatNamesNoAccount(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.connect("acme", password())
		w.rotate(false)
		w.connectText("acme", "{}")
		w.leave(false)
		w.connect("other", password())
		claim := func(want rotateapi.Outcome) {
			t.Helper()
			r, err := w.operator.Rotate(t.Context(), "other", true)
			if err != nil || *r.Outcome != want {
				t.Errorf("%+v, %v; want %s", r, err, want)
			}
		}
		claim(rotateapi.Failed)
		w.leave(true)
		claim(rotateapi.Renewed)
	})
}
