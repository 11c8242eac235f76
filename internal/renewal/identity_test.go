package renewal_test

import (
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// presented reports whether a server was ever shown a token.
func presented(s *reltioauthtest.Server, fingerprint string) bool {
	for _, r := range s.Requests() {
		if r.Presented == fingerprint {
			return true
		}
	}
	return false
}

func elsewhere() map[string]any { return with(password(), "auth_url", otherURL) }

func TestAnotherIdentity(t *testing.T) {
	for name, fields := range map[string]map[string]any{
		"server":     elsewhere(),
		"user":       with(with(password(), "username", "ben"), "password", "password-2"),
		"client":     with(with(password(), "client_id", "client-2"), "client_secret", "client-secret-2"),
		"grant type": clientCredentials(),
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.behave(func(b *reltioauthtest.Behaviour) { newTokens(b); rotating(b) })
				w.started(password())
				w.expect(w.force(), rotateapi.Renewed, "")
				before := w.grant("acme")
				if before.RefreshMode != grant.Overlap {
					t.Fatalf("mode %s, want overlap", before.RefreshMode)
				}
				w.connect("acme", fields)
				var removed []string
				w.out.before = func(op string) error {
					if g := w.grant("acme"); op == connect {
						if g.HasToken() || g.HasRefreshToken() || g.Identity == before.Identity {
							t.Error("dialled before the old token was removed")
						}
					}
					return nil
				}
				w.out.after = func(op string) error {
					if op == putGrant && !w.grant("acme").HasToken() {
						removed = append(removed, op)
					}
					return nil
				}
				w.expect(w.force(), rotateapi.Renewed, "")
				if len(removed) != 1 {
					t.Errorf("removed in %d writes, want 1", len(removed))
				}
				g := w.status(grant.StatusOK)
				if g.Version != before.Version+1 || g.Fingerprint == before.Fingerprint {
					t.Errorf("version %d, want %d", g.Version, before.Version+1)
				}
				if g.RefreshMode != grant.AtEnd || g.LoginMode != grant.Unknown || !g.EarlyAskedAt.IsZero() {
					t.Errorf("modes %s and %s, want those of a new grant", g.RefreshMode, g.LoginMode)
				}
				if presented(w.server, before.RefreshFingerprint) || presented(w.other, before.RefreshFingerprint) {
					t.Error("the old refresh token was sent")
				}
			})
		})
	}
}

// An identity seen in a sweep, at the token's own due moment.
func TestAnotherIdentityIsSeenWhenDue(t *testing.T) {
	bubble(t, func(w *world) {
		before := w.started(password())
		w.connect("acme", elsewhere())
		w.expect(w.acme(), rotateapi.Unchanged, "")
		w.wantGrant(before)
		time.Sleep(time.Until(before.Due()))
		if got := w.sweep(); got.Renewed != 1 {
			t.Errorf("sweep %+v, want one renewed", got)
		}
		if got := w.other.TokenRequests(time.Time{}, time.Time{}); got != 1 {
			t.Errorf("%d requests at the new server, want 1", got)
		}
	})
}

// There and back again: the tokens of before are no good any more.
func TestIdentityThereAndBack(t *testing.T) {
	bubble(t, func(w *world) {
		first := w.started(authorizationCode())
		w.connect("acme", with(authorizationCode(), "tenant_id", "tenant-2"))
		w.expect(w.force(), rotateapi.Reauthorize, apierr.ReauthorizationRequired)
		w.connect("acme", authorizationCode())
		w.expect(w.force(), rotateapi.Reauthorize, apierr.ReauthorizationRequired)
		if presented(w.server, first.RefreshFingerprint) {
			t.Error("the refresh token of before was sent")
		}
		if !w.refreshToken().Token.IsZero() {
			t.Error("no tombstone in Secrets Manager")
		}
		w.authorize("acme")
		w.status(grant.StatusOK)
		w.atEnd()
	})
}

// A writer of the old identity that stalled adds its refresh token behind the
// tombstone: it is not sent either.
func TestRefreshTokenAddedBehindTheTombstone(t *testing.T) {
	for name, behave := range map[string]func(*reltioauthtest.Behaviour){
		"the new server gives refresh tokens": func(*reltioauthtest.Behaviour) {},
		"the new server gives none":           func(b *reltioauthtest.Behaviour) { b.OmitRefreshToken = true },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				before := w.started(password())
				stale := w.refreshToken()
				w.connect("acme", elsewhere())
				w.other.Configure(func(c *reltioauthtest.Config) { behave(&c.Behaviour) })
				w.out.after = func(op string) error {
					if op == tokenPut && w.refreshToken().Token.IsZero() {
						stale.LoggedInAt = time.Now()
						w.putRefreshToken(stale)
					}
					return nil
				}
				w.expect(w.force(), rotateapi.Renewed, "")
				w.due()
				w.expect(w.acme(), rotateapi.Renewed, "")
				if presented(w.other, before.RefreshFingerprint) {
					t.Error("the old refresh token was sent to the new server")
				}
			})
		})
	}
}

// A renewal that stalls before it looks into Secrets Manager, and whose lease is
// another's meanwhile, writes no tombstone: what it reads is the other's.
func TestStalledRenewalWritesNoTombstone(t *testing.T) {
	bubble(t, func(w *world) {
		w.started(password())
		w.connect("acme", elsewhere())
		stalled := false
		w.out.before = func(op string) error {
			if op != tokenCurrent || stalled {
				return nil
			}
			stalled = true
			time.Sleep(2 * lease.Term)
			w.expect(w.force(), rotateapi.Renewed, "")
			return nil
		}
		w.expect(w.force(), rotateapi.Contended, "")
		if g := w.status(grant.StatusOK); w.refreshToken().Fingerprint() != g.RefreshFingerprint {
			t.Error("the next holder's refresh token has a tombstone")
		}
	})
}

// Secrets Manager does not answer when the identity changes: the access token goes
// all the same, nothing is sent, and it is done again.
func TestAnotherIdentityWhileSecretsManagerIsDown(t *testing.T) {
	for _, op := range []string{tokenCurrent, tokenPut} {
		t.Run(op, func(t *testing.T) {
			bubble(t, func(w *world) {
				before := w.started(password())
				w.connect("acme", elsewhere())
				w.out.fail(always, op)
				w.expect(w.force(), rotateapi.Failed, apierr.StoreUnavailable)
				g := w.status(grant.StatusFailing)
				if g.HasToken() {
					t.Error("the old access token is handed out still")
				}
				if n := w.out.count(connect); n != 1 {
					t.Errorf("%d connections dialled, want that of before alone", n)
				}
				w.heal()
				time.Sleep(time.Minute)
				w.expect(w.acme(), rotateapi.Renewed, "")
				if presented(w.other, before.RefreshFingerprint) {
					t.Error("the old refresh token was sent")
				}
			})
		})
	}
}

// A crash leaves the first refresh token in Secrets Manager and nothing of it in the
// table; then the connection becomes another's.
func TestAnotherIdentityAfterACrash(t *testing.T) {
	bubble(t, func(w *world) {
		w.connect("acme", password())
		w.out.before = func(string) error {
			if w.refreshToken().Token.IsZero() {
				return nil
			}
			return errKilled
		}
		w.acme()
		w.heal()
		left := w.refreshToken().Fingerprint()
		if left == "" {
			t.Fatal("no refresh token was left in Secrets Manager")
		}
		time.Sleep(time.Minute)
		w.connect("acme", elsewhere())
		w.expect(w.force(), rotateapi.Renewed, "")
		if presented(w.other, left) {
			t.Error("the old refresh token was sent to the new server")
		}
	})
}

func TestSecretNeverThere(t *testing.T) {
	bubble(t, func(w *world) {
		w.expect(w.acme(), rotateapi.Failed, apierr.UnknownConnection)
		if g := w.grant("acme"); g.Shard != "" || g.TTL.IsZero() {
			t.Errorf("shard %q, ttl %v", g.Shard, g.TTL)
		}
		if n := w.out.count(tokenCurrent); n != 0 {
			t.Errorf("%d looks into Secrets Manager", n)
		}
	})
}

func TestSecretMalformed(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"no JSON":          {`not json`, "secret: "},
		"missing fields":   {`{"grant_type":"password"}`, "client_id: is required"},
		"host not allowed": {`{"grant_type":"client_credentials","client_id":"c","client_secret":"s","auth_url":"https://evil.example"}`, "auth_url: its host is not in AUTH_HOSTS"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				before := w.started(password())
				w.connectText("acme", c.text)
				dialled := w.out.count(connect)
				report := w.force()
				w.expect(report, rotateapi.Failed, apierr.InvalidConnection)
				if got := report.Err.Message; len(got) < len(c.want) || got[:len(c.want)] != c.want {
					t.Errorf("message %q, want %q", got, c.want)
				}
				g := w.status(grant.StatusInvalidConnection)
				if g.Shard != grant.ShardWaiting || !near(g.RetryAt, time.Now().Add(5*time.Minute)) {
					t.Errorf("retry at %v in %q", g.RetryAt, g.Shard)
				}
				if g.Fingerprint != before.Fingerprint || !g.Valid(time.Now()) {
					t.Error("the valid token is gone")
				}
				if got := w.out.count(connect); got != dialled {
					t.Error("a server was dialled")
				}
				w.connect("acme", password())
				w.atDue()
				w.status(grant.StatusOK)
			})
		})
	}
}

func TestHostTakenOffTheList(t *testing.T) {
	bubble(t, func(w *world) {
		w.started(password())
		w.renewer.Hosts = connection.Hosts{otherHost}
		w.expect(w.force(), rotateapi.Failed, apierr.InvalidConnection)
		w.wantRequests(1)
	})
}
