package renewal_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// The same token with nothing left is just the same token: it is asked for once
// more, two seconds later.
func TestSameTokenWithNothingLeft(t *testing.T) {
	for name, c := range map[string]struct {
		until time.Duration // the server's end after ours
		asked int
		want  rotateapi.Outcome
	}{
		"ends in a moment": {1500 * time.Millisecond, 2, rotateapi.Renewed},
		"never ends":       {time.Hour, 2, rotateapi.Failed},
	} {
		for _, force := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				bubble(t, func(w *world) {
					w.started(clientCredentials())
					w.atDue() // the same token: at its end from now on
					w.expect(w.atDue(), rotateapi.Renewed, "")
					g := w.grant("acme")
					end := g.ExpiresAt.Add(c.until)
					w.server.Configure(func(cfg *reltioauthtest.Config) {
						cfg.Fault = func(r reltioauthtest.Request) reltioauthtest.Fault {
							if r.At.After(end) {
								return reltioauthtest.Fault{}
							}
							return reltioauthtest.Fault{
								Kind: reltioauthtest.FaultStatus, Status: 200,
								Body: `{"access_token":"` + g.AccessToken.Reveal() + `","expires_in":0}`,
							}
						}
					})
					time.Sleep(time.Until(g.ExpiresAt.Add(time.Second)))
					began := time.Now()
					report := w.renew(rotateapi.Request{Connection: "acme", Force: force})
					if report.Outcome != c.want {
						t.Errorf("outcome %s (%v), want %s", report.Outcome, report.Err, c.want)
					}
					if got := len(w.asked(began)); got != c.asked {
						t.Errorf("%d requests, want %d", got, c.asked)
					}
					if took := time.Since(began); took < 2*time.Second || took > 4*time.Second {
						t.Errorf("it took %v, want a pause of 2 s", took)
					}
					if c.want == rotateapi.Failed {
						w.expect(report, rotateapi.Failed, apierr.ReltioUnavailable)
						next := w.status(grant.StatusFailing)
						if !next.RetryAt.After(time.Now().Add(20 * time.Second)) {
							t.Errorf("retry at %v", next.RetryAt)
						}
					}
				})
			})
		}
	}
}

// New tokens that have ended before they can be handed out are a failure from
// the second on: else one would be asked for again and again. What is
// longer-lived is kept: the refresh token, and a valid token in hand.
func TestNewTokensThatHaveEndedAlready(t *testing.T) {
	bubble(t, func(w *world) {
		w.behave(func(b *reltioauthtest.Behaviour) {
			b.Refresh, b.RefreshTokens, b.ExpiresInJSON = reltioauthtest.NewToken, reltioauthtest.Rotate, "1"
		})
		w.answer(reltioauthtest.Fault{Delay: 100 * time.Millisecond}, reltioauthtest.OpToken)
		w.connect("acme", password())
		w.expect(w.acme(), rotateapi.Failed, apierr.ReltioUnavailable)
		w.wantRequests(2)
		g := w.status(grant.StatusFailing)
		if g.Version != 1 || g.RefreshFingerprint != w.refreshToken().Fingerprint() || !near(g.RetryAt, time.Now().Add(time.Second)) {
			t.Errorf("version %d, refresh token %q, retry at %v", g.Version, g.RefreshFingerprint, g.RetryAt)
		}
		w.wantAttempts(0) // the login was accepted

		w.behave(func(b *reltioauthtest.Behaviour) { b.ExpiresInJSON = "" })
		w.expect(w.atDue(), rotateapi.Renewed, "")
		w.behave(func(b *reltioauthtest.Behaviour) { b.ExpiresInJSON = "1" })
		before := w.status(grant.StatusOK)
		time.Sleep(time.Minute)
		w.expect(w.force(), rotateapi.Failed, apierr.ReltioUnavailable)
		g = w.status(grant.StatusFailing)
		if g.Fingerprint != before.Fingerprint || !g.Valid(time.Now()) {
			t.Error("the token in hand is gone")
		}
		if g.RefreshFingerprint == before.RefreshFingerprint || g.RefreshFingerprint != w.refreshToken().Fingerprint() {
			t.Error("the refresh token is not the new one")
		}
	})
}

// Two deadlines of one token: close together the earlier counts, else the new
// one.
func TestSameTokenWithAnotherDeadline(t *testing.T) {
	for name, c := range map[string]struct {
		left int // the second answer's seconds, where 180 would fit
		want time.Duration
	}{
		"the same":             {180, 0},
		"a second earlier":     {179, -time.Second},
		"8 s later":            {188, 0},
		"a minute later":       {240, time.Minute},
		"a minute earlier":     {120, -time.Minute},
		"an hour of new life":  {3600, 57 * time.Minute},
		"nothing left already": {0, -3 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				g := w.started(clientCredentials())
				time.Sleep(time.Until(g.Due()))
				body := `{"access_token":"` + g.AccessToken.Reveal() + `","expires_in":` + strconv.Itoa(c.left) + `}`
				w.answer(reltioauthtest.Fault{Kind: reltioauthtest.FaultStatus, Status: 200, Body: body}, reltioauthtest.OpToken)
				w.expect(w.acme(), rotateapi.Unchanged, "")
				next := w.grant("acme")
				if got := next.ExpiresAt.Sub(g.ExpiresAt); (got - c.want).Abs() > time.Second {
					t.Errorf("deadline moved by %v, want %v", got, c.want)
				}
				later := max(0, next.ExpiresAt.Sub(g.ExpiresAt), time.Duration(c.left)*time.Second-180*time.Second)
				if got := next.Due().Sub(g.ExpiresAt); (got - later - 2*time.Second).Abs() > time.Second {
					t.Errorf("due %v after the first deadline, want 2 s after the later one", got)
				}
				if next.Version != 1 || !next.AccessToken.Equal(g.AccessToken) {
					t.Errorf("version %d, want 1", next.Version)
				}
			})
		})
	}
}
