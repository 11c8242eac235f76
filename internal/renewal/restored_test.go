package renewal_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/memstore"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
)

// The table is lost. Secrets Manager says whose its refresh token is: the same identity
// goes on with it, another one is never shown it.
func TestTableLost(t *testing.T) {
	for name, c := range map[string]struct {
		fields, next map[string]any
		want         rotateapi.Outcome
		err          apierr.Type
		goesOn       bool
	}{
		"password, as it was":              {password(), password(), rotateapi.Renewed, "", true},
		"password, elsewhere":              {password(), elsewhere(), rotateapi.Renewed, "", false},
		"password, another client":         {password(), with(with(password(), "client_id", "client-2"), "client_secret", "client-secret-2"), rotateapi.Renewed, "", false},
		"authorization_code, as it was":    {authorizationCode(), authorizationCode(), rotateapi.Renewed, "", true},
		"authorization_code, elsewhere":    {authorizationCode(), with(authorizationCode(), "auth_url", otherURL), rotateapi.Reauthorize, apierr.ReauthorizationRequired, false},
		"authorization_code, other tenant": {authorizationCode(), with(authorizationCode(), "tenant_id", "tenant-2"), rotateapi.Reauthorize, apierr.ReauthorizationRequired, false},
		"from password to a client's own":  {password(), clientCredentials(), rotateapi.Renewed, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				before := w.started(c.fields)
				w.due()
				*w.table = memstore.Table{}
				w.renewer = w.fresh()
				w.connect("acme", c.next)
				sent := presented(w.server, before.RefreshFingerprint)
				w.expect(w.acme(), c.want, c.err)
				g := w.grant("acme")
				if presented(w.other, before.RefreshFingerprint) || presented(w.server, before.RefreshFingerprint) != (sent || c.goesOn) {
					t.Error("the refresh token of before was sent, or was not")
				}
				if c.goesOn != (g.RefreshFingerprint == before.RefreshFingerprint) {
					t.Errorf("refresh token %s, before %s", g.RefreshFingerprint, before.RefreshFingerprint)
				}
				if c.want == rotateapi.Renewed {
					w.due()
					w.expect(w.acme(), rotateapi.Renewed, "")
				}
			})
		})
	}
}

// A clock that was ahead once, on an instance that is gone, stops no connection: a
// renewal, and each later one, goes on as if it had been right.
func TestClockThatWasAhead(t *testing.T) {
	for name, fields := range kinds() {
		for _, ahead := range []time.Duration{10 * time.Minute, 24 * time.Hour, 365 * 24 * time.Hour} {
			for what, wrong := range map[string]func(g *grant.Grant){
				"token": func(g *grant.Grant) { g.IssuedAt, g.ExpiresAt = g.IssuedAt.Add(ahead), g.ExpiresAt.Add(ahead) },
				"failure": func(g *grant.Grant) {
					g.Status, g.LastError, g.RetryAt, g.TriedAt = grant.StatusFailing, apierr.ReltioUnavailable, time.Now().Add(ahead+5*time.Minute), time.Now().Add(ahead)
				},
				"secret missing": func(g *grant.Grant) {
					*g = g.SecretMissing(time.Now().Add(ahead), time.Minute)
				},
				"token missing": func(g *grant.Grant) { g.TokenMissingAt = time.Now().Add(ahead) },
				"warning":       func(g *grant.Grant) { g.WarnedAt = time.Now().Add(ahead) },
			} {
				t.Run(fmt.Sprintf("%s, %s, %v", name, what, ahead), func(t *testing.T) {
					bubble(t, func(w *world) {
						g := w.started(fields)
						wrong(&g)
						w.change(g)
						// Seen at once, when a retry that is believed is over, and at the token's end.
						for _, wait := range []time.Duration{time.Minute, 16 * time.Minute, 45 * time.Minute} {
							time.Sleep(wait)
							w.acme()
						}
						g = w.status(grant.StatusOK)
						now := time.Now()
						if !g.Valid(now) || !w.server.Valid(g.AccessToken) || g.Due().After(now.Add(65*time.Minute)) || g.DueAt.After(now.Add(65*time.Minute)) {
							t.Errorf("issued at %v, due at %v", g.IssuedAt, g.DueAt)
						}
						w.due()
						w.expect(w.acme(), rotateapi.Renewed, "")
					})
				})
			}
		}
	}
}

// A lease that a clock ahead has taken counts as ended.
func TestLeaseOfAClockThatWasAhead(t *testing.T) {
	for ahead, want := range map[time.Duration]rotateapi.Outcome{
		0: rotateapi.Contended, 10 * time.Minute: rotateapi.Renewed, 24 * time.Hour: rotateapi.Renewed, 365 * 24 * time.Hour: rotateapi.Renewed,
	} {
		t.Run(ahead.String(), func(t *testing.T) {
			bubble(t, func(w *world) {
				w.started(password())
				w.due()
				then := time.Now().Add(ahead)
				if _, err := w.table.SeizeLease(t.Context(), lease.Request{Connection: "acme", Owner: "ahead", Now: then, Until: then.Add(lease.Term)}); err != nil {
					t.Fatal(err)
				}
				w.expect(w.acme(), want, "")
			})
		})
	}
}
