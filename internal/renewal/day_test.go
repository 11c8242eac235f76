package renewal_test

import (
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// A day of ticks: how often the server is asked for a token, and how long there
// is none.
func TestDay(t *testing.T) {
	for name, b := range behaviours() {
		for _, fields := range []map[string]any{clientCredentials(), password()} {
			t.Run(name+", "+fields["grant_type"].(string), func(t *testing.T) {
				bubble(t, func(w *world) {
					w.behave(func(how *reltioauthtest.Behaviour) { how.Login, how.Refresh = b.way, b.way })
					w.started(fields)
					time.Sleep(17 * time.Second) // ticks and tokens are not in step
					gap := w.day()
					// A refresh is never asked early to learn, because it may end the
					// token that callers hold.
					if b.mode == grant.Overlap && gap > 0 && fields["grant_type"] != "password" {
						t.Errorf("no valid token for %v", gap)
					}
					if gap > time.Minute+time.Second {
						t.Errorf("no valid token for %v, more than a tick", gap)
					}
					perToken := map[string]int{}
					for _, r := range w.server.Requests() {
						if r.Op == reltioauthtest.OpToken {
							perToken[r.AccessToken]++
						}
					}
					if n := len(perToken); n < 23 || n > 32 {
						t.Errorf("%d tokens in 24 h", n)
					}
					twice := 0
					for token, n := range perToken {
						if n > 2 {
							t.Errorf("%d requests were answered with %s, want at most two", n, token)
						}
						if n == 2 {
							twice++
						}
					}
					if twice > 1 {
						t.Errorf("%d tokens were asked for twice, want the one that taught it", twice)
					}
				})
			})
		}
	}
}

// day sweeps each minute for 24 hours and looks each second: the longest time
// without a valid token.
func (w *world) day() (gap time.Duration) {
	w.t.Helper()
	var since time.Time
	for range 24 * 60 {
		w.sweep()
		next := time.Now().Truncate(time.Minute).Add(time.Minute + 17*time.Second)
		for ; time.Now().Before(next); time.Sleep(time.Second) {
			switch {
			case w.valid():
				since = time.Time{}
			case since.IsZero():
				since = time.Now()
			default:
				gap = max(gap, time.Since(since))
			}
		}
	}
	return gap
}

// Where each refresh ends the token before, no token is ended before its time in
// days of ticks and calls that no operator forces: not by the first refresh, not once
// a week, not by a re-login's refresh instead, not by callers that want more life.
func TestNoRefreshEndsAValidToken(t *testing.T) {
	for name, c := range map[string]struct {
		fields map[string]any
		change func(*reltioauthtest.Behaviour)
	}{
		"password":             {password(), func(*reltioauthtest.Behaviour) {}},
		"person":               {authorizationCode(), func(*reltioauthtest.Behaviour) {}},
		"password, rotating":   {password(), rotating},
		"person, rotating":     {authorizationCode(), rotating},
		"password, re-logins":  {with(password(), "refresh_token_days", 2), func(*reltioauthtest.Behaviour) {}},
		"password, new logins": {with(password(), "refresh_token_days", 2), func(b *reltioauthtest.Behaviour) { b.LoginRefreshToken = reltioauthtest.NewToken }},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.behave(func(b *reltioauthtest.Behaviour) {
					*b = reltioauthtest.Framework()
					c.change(b)
				})
				w.started(c.fields)
				w.out.before = func(op string) error {
					if op == sendToken && w.valid() {
						t.Errorf("a token request at %v, while a token lives", time.Now())
					}
					if op == sendCheck {
						t.Error("a token was checked that no caller reported")
					}
					return nil
				}
				for range 9 * 24 * 20 {
					time.Sleep(3 * time.Minute)
					w.sweep()
					w.renew(rotateapi.Request{Connection: "acme", MinTTLSeconds: 1800})
					w.status(grant.StatusOK)
					if t.Failed() {
						return
					}
				}
			})
		})
	}
}
