package operator_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/operator"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// get asks for a token of the connection.
func (w *world) get(name string) issueapi.Response {
	w.t.Helper()
	issued, err := w.operator.Issue(w.t.Context(), issueapi.Request{Connection: name})
	if err != nil {
		w.t.Fatalf("%s: %v", name, err)
	}
	return issued
}

func (w *world) sharing(name string) []string {
	w.t.Helper()
	names, err := w.operator.Sharing(w.t.Context(), name)
	if err != nil {
		w.t.Fatal(err)
	}
	return names
}

// otherClient registers a second client and is a secret of it.
func (w *world) otherClient() map[string]any {
	w.server.Configure(func(c *reltioauthtest.Config) {
		c.Clients = append(c.Clients, reltioauthtest.Client{ID: "client-2", Secret: reltioauth.NewSecret("client-secret-2")})
	})
	return with(with(clientCredentials(), "client_id", "client-2"), "client_secret", "client-secret-2")
}

// Who shares a client: by the secrets as they are, and by the token that a grant
// still holds.
func TestSharing(t *testing.T) {
	for name, test := range map[string]struct {
		before func(w *world)
		want   []string
	}{
		"nobody else":        {func(*world) {}, nil},
		"another client":     {func(w *world) { w.connect("other", w.otherClient()) }, nil},
		"the same client":    {func(w *world) { w.connect("other", clientCredentials()) }, []string{"other"}},
		"two of the same":    {func(w *world) { w.connect("b", clientCredentials()); w.connect("a", clientCredentials()) }, []string{"a", "b"}},
		"another grant type": {func(w *world) { w.connect("other", password()) }, []string{"other"}},
		"at another host":    {func(w *world) { w.connect("other", with(clientCredentials(), "auth_url", "https://auth.example")) }, nil},
		"a host in other letters": {func(w *world) {
			w.connect("other", with(clientCredentials(), "auth_url", "https://AUTH.reltio.com:443/"))
		}, []string{"other"}},
		"malformed, without token": {func(w *world) { w.connectText("other", "{") }, nil},
		"malformed since, with the token": {func(w *world) {
			w.connect("other", clientCredentials())
			w.get("other")
			w.connectText("other", "{")
		}, []string{"other"}},
		"another client since, with the token": {func(w *world) {
			w.connect("other", clientCredentials())
			w.get("other")
			w.connect("other", w.otherClient())
		}, []string{"other"}},
		"its own secret is malformed": {func(w *world) {
			w.connect("other", clientCredentials())
			w.get("other")
			w.connect("idle", clientCredentials())
			w.connectText("acme", "{")
		}, []string{"other"}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				w.operator.Hosts = connection.Hosts{"auth.reltio.com:443", "auth.example:443"}
				w.connect("acme", clientCredentials())
				w.get("acme")
				test.before(w)
				if got := w.sharing("acme"); !slices.Equal(got, test.want) {
					t.Errorf("shared with %v, want %v", got, test.want)
				}
			})
		})
	}
}

func TestAddAndStatusNameWhoSharesTheClient(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.connect("b", clientCredentials())
		w.connect("c", w.otherClient())
		w.connectText("malformed", "{")
		added, err := w.operator.Add(t.Context(), operator.AddRequest{Connection: "a", Secret: reltioauth.NewSecret(passwordSecret)})
		if err != nil || !slices.Equal(added.SharesClientWith, []string{"b"}) {
			t.Errorf("%+v, %v; want b", added, err)
		}
		w.connect("d", w.otherClient())
		report, err := w.operator.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := report.SharedClients(); len(got) != 2 || !slices.Equal(got[0], []string{"a", "b"}) || !slices.Equal(got[1], []string{"c", "d"}) {
			t.Errorf("shared clients %v", got)
		}
	})
}

// Reltio gives all connections of a client the same token: disconnecting one
// must not take it from the others unasked.
func TestDisconnectLeavesTheTokenToOthersOfItsClient(t *testing.T) {
	for name, secret := range map[string]map[string]any{"a client's": clientCredentials(), "a user's": password()} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				w.connect("acme", secret)
				w.connect("other", clientCredentials())
				w.get("acme")
				token := w.get("other").AccessToken
				d := w.leave(true)
				if d.Revoked != "" || d.NotRevoked == nil || d.EndsAt == nil || !slices.Equal(d.SharesClientWith, []string{"other"}) || len(d.EndedFor) != 0 {
					t.Errorf("%+v, not revoked %v", d, d.NotRevoked)
				}
				if g := w.grant(); g.HasToken() || g.Status != grant.StatusUnknown {
					t.Errorf("left: %+v", g)
				}
				if w.revocations() != 0 || !w.server.Valid(reltioauth.NewSecret(token)) {
					t.Errorf("%d revocations; the other's token is alive: %v", w.revocations(), w.server.Valid(reltioauth.NewSecret(token)))
				}
				if got := w.get("other"); got.Outcome != "cached" || got.AccessToken != token {
					t.Errorf("the other gets %s another token", got.Outcome)
				}
			})
		})
	}
}

// What is revoked when that is asked for is handed out by none of the others
// after its next read.
func TestDisconnectEndsWhatItRevokesForOthers(t *testing.T) {
	for name, also := range map[string]func(w *world){
		"healthy":   func(*world) {},
		"paused":    func(w *world) { _, _ = w.operator.Pause(w.t.Context(), "other") },
		"failing":   func(w *world) { w.server.Outage(reltioauthtest.Outage{}) },
		"malformed": func(w *world) { w.connectText("other", "{") },
	} {
		t.Run("other "+name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				w.connect("acme", clientCredentials())
				w.connect("other", clientCredentials())
				w.connect("idle", clientCredentials())
				w.connect("apart", w.otherClient())
				token := w.get("acme").AccessToken
				if w.get("other").AccessToken != token {
					t.Fatal("the server does not give the same token")
				}
				apart := w.get("apart").Fingerprint
				also(w)
				d, err := w.operator.Disconnect(t.Context(), operator.DisconnectRequest{Connection: "acme", DeleteSecret: true, Revoke: true})
				if err != nil {
					t.Fatal(err)
				}
				if d.Revoked != reltioauth.HintAccessToken || d.NotRevoked != nil || !slices.Contains(d.SharesClientWith, "other") || !slices.Equal(d.EndedFor, []string{"other"}) {
					t.Errorf("%+v", d)
				}
				time.Sleep(31 * time.Second) // the memory of issue
				w.wantNotIssued("other", token)
				if got := w.get("apart").Fingerprint; got != apart {
					t.Error("a connection of another client gets another token")
				}
			})
		})
	}
}

// wantNotIssued: the connection hands out another token, or none.
func (w *world) wantNotIssued(name, token string) {
	w.t.Helper()
	issued, err := w.operator.Issue(w.t.Context(), issueapi.Request{Connection: name})
	if err == nil && (issued.AccessToken == token || !w.server.Valid(reltioauth.NewSecret(issued.AccessToken))) {
		w.t.Error("the revoked token is handed out")
	}
}

// The other connection is renewed by a sweep, not only by a caller.
func TestDisconnectMakesOthersDue(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.connect("acme", clientCredentials())
		w.connect("other", clientCredentials())
		w.get("acme")
		w.get("other")
		if _, err := w.operator.Disconnect(t.Context(), operator.DisconnectRequest{Connection: "acme", DeleteSecret: true, Revoke: true}); err != nil {
			t.Fatal(err)
		}
		if swept := w.tick(); swept.Renewed != 1 {
			t.Errorf("the tick renewed %d, want 1", swept.Renewed)
		}
	})
}

// Tokens that could not be revoked stay valid, and the others keep them.
func TestDisconnectThatCannotRevokeEndsNothingForOthers(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.connect("acme", clientCredentials())
		w.connect("other", clientCredentials())
		w.get("acme")
		w.get("other")
		w.server.Outage(reltioauthtest.Outage{Fault: reltioauthtest.Fault{Kind: reltioauthtest.FaultStatus}})
		d, err := w.operator.Disconnect(t.Context(), operator.DisconnectRequest{Connection: "acme", DeleteSecret: true, Revoke: true})
		if err != nil || d.NotRevoked == nil || len(d.EndedFor) != 0 {
			t.Errorf("%+v, %v", d, err)
		}
		if got := w.get("other"); got.Outcome != "cached" {
			t.Errorf("the other: %s, want its token", got.Outcome)
		}
	})
}

// breaking are grants that cannot be read of some connections.
type breaking struct {
	grant.Store

	fails func(name string) bool
}

func (b breaking) Grant(ctx context.Context, name string, c grant.Consistency) (grant.Grant, error) {
	if b.fails(name) {
		return grant.Grant{}, apierr.Wrap(apierr.StoreUnavailable, "crash", errCrash)
	}
	return b.Store.Grant(ctx, name, c)
}

// A command that ends between the revocation and the others' grants does the
// rest when it is repeated.
func TestDisconnectThatEndsBeforeTheOthers(t *testing.T) {
	for _, secret := range []map[string]any{clientCredentials(), password()} {
		bubble(t, func(t *testing.T, w *world) {
			w.connect("acme", secret)
			w.connect("other", clientCredentials())
			token := w.get("acme").AccessToken
			w.get("other")
			if secret["grant_type"] == "password" { // as if both had one user's token
				g, err := w.table.Grant(t.Context(), "other", grant.Strong)
				if err != nil {
					t.Fatal(err)
				}
				mine := w.grant()
				g.AccessToken, g.Fingerprint, g.RefreshFingerprint = mine.AccessToken, mine.Fingerprint, mine.RefreshFingerprint
				w.put(g)
			}
			broken := *w.operator
			broken.Grants = breaking{Store: w.table, fails: func(name string) bool { return name == "other" && w.revocations() > 0 }}
			request := operator.DisconnectRequest{Connection: "acme", DeleteSecret: true, Revoke: true}
			_, err := broken.Disconnect(t.Context(), request)
			if !errors.Is(err, errCrash) || w.server.Valid(reltioauth.NewSecret(token)) {
				t.Fatalf("%v; the token is alive: %v", err, w.server.Valid(reltioauth.NewSecret(token)))
			}
			d, err := w.operator.Disconnect(t.Context(), request)
			if err != nil || !slices.Equal(d.EndedFor, []string{"other"}) || !d.SecretDeleted {
				t.Errorf("again: %+v, %v", d, err)
			}
			time.Sleep(31 * time.Second)
			w.wantNotIssued("other", token)
		})
	}
}

// A store that does not say who shares the client is a reason to take nothing
// away.
func TestDisconnectThatCannotTellWhoShares(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.connect("acme", clientCredentials())
		w.connect("other", w.otherClient())
		w.get("acme")
		broken := *w.operator
		broken.Grants = breaking{Store: w.table, fails: func(name string) bool { return name == "other" }}
		_, err := broken.Disconnect(t.Context(), operator.DisconnectRequest{Connection: "acme"})
		w.wantError(err, apierr.StoreUnavailable)
		if w.get("acme").Outcome != "cached" {
			t.Error("its token is gone")
		}
	})
}
