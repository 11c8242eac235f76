package renewal_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/renewal"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// Three 429 in a row of one client while others succeed: its own cap.
func TestTokenLimit(t *testing.T) {
	bubble(t, func(w *world) {
		w.server.Configure(func(c *reltioauthtest.Config) { c.Clients[0].MultiToken = 1 })
		if _, err := w.server.Client("client-1").Token(w.t.Context(), reltioauth.ClientCredentialsGrant{}); err != nil {
			t.Fatal(err) // another client holds the one token
		}
		w.connect("acme", clientCredentials())
		w.connect("other", with(with(clientCredentials(), "client_id", "client-2"), "client_secret", "client-secret-2"))
		for range 2 {
			w.expect(w.acme(), rotateapi.Failed, apierr.RateLimited)
			w.status(grant.StatusFailing)
			time.Sleep(2 * time.Second)
			if r := w.renew(rotateapi.Request{Connection: "other", Force: true}); r.Err != nil {
				t.Fatal(r.Err)
			}
			time.Sleep(time.Until(w.grant("acme").RetryAt))
		}
		w.expect(w.acme(), rotateapi.Failed, apierr.TokenLimitReached)
		g := w.status(grant.StatusTokenLimit)
		if g.Shard != grant.ShardDue {
			t.Errorf("shard %q, want due", g.Shard)
		}
		time.Sleep(time.Until(g.RetryAt))
		w.expect(w.acme(), rotateapi.Failed, apierr.TokenLimitReached)
		time.Sleep(time.Hour)
		w.expect(w.acme(), rotateapi.Renewed, "")
		w.status(grant.StatusOK)
	})
}

// Only 429s count, and only those that follow each other: neither another
// failure nor a renewal that was put off is one. And it is the client's own limit
// only if a request of another client was answered with a token meanwhile.
func TestTokenLimitIsARowOf429(t *testing.T) {
	const throttled, down, busy, other, own = 429, 503, 0, 1, 2
	limited, reached := apierr.RateLimited, apierr.TokenLimitReached
	for name, c := range map[string]struct {
		fields  map[string]any // nil: client credentials
		answers []int
		want    apierr.Type
	}{
		"two":                             {nil, []int{throttled, other, throttled}, limited},
		"three":                           {nil, []int{throttled, other, throttled, throttled}, reached},
		"three, the other one late":       {nil, []int{throttled, throttled, other, throttled}, reached},
		"four":                            {nil, []int{throttled, other, throttled, throttled, throttled}, reached},
		"after an outage":                 {nil, []int{down, throttled, other, throttled}, limited},
		"after many":                      {nil, []int{down, down, down, other, throttled}, limited},
		"three after an outage":           {nil, []int{down, throttled, throttled, other, throttled}, reached},
		"an outage between them":          {nil, []int{throttled, other, throttled, down, throttled}, limited},
		"put off after outages":           {nil, []int{down, down, busy, other, throttled}, limited},
		"put off before and between them": {nil, []int{busy, throttled, other, busy, throttled}, limited},
		"three, one put off between them": {nil, []int{throttled, busy, other, throttled, throttled}, reached},
		"no other":                        {nil, []int{throttled, throttled, throttled, throttled}, limited},
		"the other one before":            {nil, []int{other, throttled, throttled, throttled}, limited},
		"the same client elsewhere":       {nil, []int{throttled, own, throttled, own, throttled}, limited},
		"both":                            {nil, []int{throttled, own, throttled, other, throttled}, reached},
		"a user's login":                  {password(), []int{throttled, other, throttled, throttled, throttled}, limited},
		"a person's refresh":              {authorizationCode(), []int{throttled, other, throttled, throttled, throttled}, limited},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				if c.fields == nil {
					c.fields = clientCredentials()
				}
				w.started(c.fields)
				w.connect("own", clientCredentials())
				w.connect("other", with(with(clientCredentials(), "client_id", "client-2"), "client_secret", "client-secret-2"))
				var last renewal.Report
				for _, status := range c.answers {
					time.Sleep(10 * time.Minute)
					switch status {
					case busy:
						w.busy(time.Now().Add(8 * time.Second))
						w.expect(w.force(), rotateapi.LeftOver, apierr.RateLimited)
					case other, own:
						w.heal()
						name := map[int]string{other: "other", own: "own"}[status]
						if r := w.renew(rotateapi.Request{Connection: name, Force: true}); r.Err != nil {
							t.Fatal(r.Err)
						}
					default:
						w.answer(reltioauthtest.Fault{Kind: reltioauthtest.FaultStatus, Status: status}, reltioauthtest.OpToken)
						last = w.force()
					}
				}
				w.expect(last, rotateapi.Failed, c.want)
			})
		})
	}
}

// On a host with one client a row of 429s is the host's wish: Retry-After is
// obeyed each time, by the connection and for the host, whatever it renews with.
func TestThrottledAgainAndAgain(t *testing.T) {
	for name, fields := range map[string]map[string]any{
		"client credentials": clientCredentials(), "password": password(), "person": authorizationCode(),
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.started(fields)
				w.due()
				w.answer(reltioauthtest.Fault{
					Kind: reltioauthtest.FaultStatus, Status: 429, Header: http.Header{"Retry-After": {"280"}},
				}, reltioauthtest.OpToken)
				for range 5 {
					w.expect(w.atDue(), rotateapi.Failed, apierr.RateLimited)
					g, now := w.status(grant.StatusFailing), time.Now()
					r, err := w.table.Budget(w.t.Context(), host)
					if wait := g.RetryAt.Sub(now); wait < 279*time.Second || err != nil || r.PausedUntil.Sub(now) < 279*time.Second {
						t.Errorf("connection waits %v, host until %v (%v), want 280 s", wait, r.PausedUntil, err)
					}
				}
				w.heal()
				w.expect(w.atDue(), rotateapi.Renewed, "")
				if g := w.status(grant.StatusOK); g.Throttles != 0 {
					t.Errorf("%d throttles, want none", g.Throttles)
				}
			})
		})
	}
}
