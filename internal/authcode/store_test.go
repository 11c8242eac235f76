package authcode_test

import (
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/authcode"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// Tokens are revoked only if they are seen not to be stored.
func TestAWriteWhoseAnswerIsLost(t *testing.T) {
	tests := map[string]struct {
		stored bool // the write happened
		unread int  // so many reads fail after it
		want   authcode.Outcome
		valid  int
	}{
		"stored, seen at once":              {true, 0, authcode.Done, 1},
		"stored, seen by the second read":   {true, 1, authcode.Done, 1},
		"stored, unseen":                    {true, 9, authcode.Unstored, 1},
		"not stored, seen at once":          {false, 0, authcode.Unstored, 0},
		"not stored, seen by the second":    {false, 1, authcode.Unstored, 0},
		"not stored, and nobody can see it": {false, 9, authcode.Unstored, 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				link := w.invite()
				cb := w.login(w.begin(link), "ann")
				lost, reads := false, 0
				lose := func(op string) error {
					if op == "PutGrant" && w.exchanges() > 0 {
						lost = true
						return errDown()
					}
					return nil
				}
				w.out.before = func(op string) error {
					if op == "Grant" && lost {
						reads++
						if reads <= test.unread {
							return errDown()
						}
					}
					if !test.stored {
						return lose(op)
					}
					return nil
				}
				if test.stored {
					w.out.after = lose
				}
				w.expect(w.complete(cb), test.want)
				w.heal()
				w.wantValid(test.valid, test.valid)
				if g := w.grant(); test.stored && !w.server.Valid(g.AccessToken) {
					t.Error("what is stored was revoked")
				}
			})
		})
	}
}

// A renewal in progress stores its token after it lost the lease: the person's
// token is the next version, and the renewal's observations stay.
func TestARenewalInTheAir(t *testing.T) {
	bubble(t, func(w *world) {
		w.connected("ann")
		now := time.Now()
		held, err := w.table.TakeLease(t.Context(), lease.Request{Connection: "acme", Owner: "renewal", Now: now, Until: now.Add(lease.Term)})
		if err != nil {
			t.Fatal(err)
		}
		w.out.before = func(op string) error {
			if op == "UseInvitation" {
				g := w.grant().Accept(&reltioauth.Token{AccessToken: reltioauth.NewSecret("renewed"), IssuedAt: time.Now(), ExpiresIn: time.Hour})
				g.RefreshMode, g.Status = grant.Overlap, grant.StatusReauthorize
				if err := w.table.PutGrant(t.Context(), held, g); err != nil {
					t.Error(err)
				}
			}
			return nil
		}
		a := w.journey(w.invite(), "ann")
		w.expect(a, authcode.Done)
		g := w.grant()
		if g.Version != 3 || g.RefreshMode != grant.Overlap {
			t.Errorf("version %d, mode %s, want 3 and overlap", g.Version, g.RefreshMode)
		}
		if a.Version != 3 || a.Fingerprint != g.Fingerprint || a.TokenRequests != 1 {
			t.Errorf("the log is told %+v", a)
		}
		w.wantRecovered() // of what the renewal has met
	})
}

// body is a token answer whatever is asked.
func body(text string) reltioauthtest.Fault {
	return reltioauthtest.Fault{Kind: reltioauthtest.FaultStatus, Status: 200, Body: text}
}

// A refresh token is stored even if the access token cannot be used.
func TestAnAnswerWithoutAUsableAccessToken(t *testing.T) {
	tests := map[string]struct {
		expected  string
		connected bool
		answer    func(w *world)
		want      authcode.Outcome
		user      string
		valid     int // refresh tokens
	}{
		"nobody is known": {
			answer: soon, want: authcode.Done, user: "ann", valid: 1,
		},
		"the expected one": {
			expected: "ann", answer: soon, want: authcode.Done, user: "ann", valid: 1,
		},
		"another than expected": {
			expected: "ben", answer: soon, want: authcode.WrongUser,
		},
		"the known one": {
			connected: true, answer: soon, want: authcode.Done, user: "ann", valid: 2,
		},
		"no access token, nobody is known": {
			answer: withoutAccessToken, want: authcode.Done,
		},
		"no access token, one is expected": {
			expected: "ann", answer: withoutAccessToken, want: authcode.UserUnknown,
		},
		"no access token, one is known": {
			connected: true, answer: withoutAccessToken, want: authcode.UserUnknown, user: "ann", valid: 1,
		},
		"the refresh token that there is": {
			connected: true, answer: func(w *world) { w.same(); soon(w) }, want: authcode.ExchangeFailed, user: "ann", valid: 1,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				if test.connected {
					w.connected("ann")
				}
				if test.expected != "" {
					w.connect("acme", with(secret(), "expected_user", test.expected))
				}
				before := w.grant()
				test.answer(w)
				a := w.journey(w.invite(), "ann")
				w.expect(a, test.want)
				if a.Err == nil {
					t.Error("the log is not told what was wrong")
				}
				g := w.grant()
				if _, valid := w.server.Tokens(); valid != test.valid || g.User != test.user {
					t.Errorf("%d refresh tokens are alive, user %q; want %d, %q", valid, g.User, test.valid, test.user)
				}
				if test.want != authcode.Done {
					if g.Fingerprint != before.Fingerprint || g.RefreshFingerprint != before.RefreshFingerprint {
						t.Error("something was stored")
					}
					return
				}
				if g.HasToken() || g.RefreshFingerprint != w.newestToken().Fingerprint() || g.Due().After(time.Now()) {
					t.Errorf("grant %+v, want a refresh token and to be due", g)
				}
				if test.user == "" {
					return // the sandbox does not know this refresh token
				}
				w.behave(func(b *reltioauthtest.Behaviour) { b.ExpiresInJSON = "" })
				if len(w.events.events) != 0 {
					t.Errorf("events %v, though nobody was needed", w.events.events)
				}
				if report := w.rotate(); report.Outcome != rotateapi.Renewed || !w.grant().Valid(time.Now()) {
					t.Errorf("the next renewal: %s, %v", report.Outcome, report.Err)
				}
			})
		})
	}
}

// A connection that needed an operator and got only a refresh token needs none
// any more.
func TestRecoveredWithoutAUsableAccessToken(t *testing.T) {
	bubble(t, func(w *world) {
		w.pause(grant.StatusReauthorize)
		soon(w)
		w.expect(w.journey(w.invite(), "ann"), authcode.Done)
		w.wantRecovered()
		w.behave(func(b *reltioauthtest.Behaviour) { b.ExpiresInJSON = "" })
		if report := w.rotate(); report.Outcome != rotateapi.Renewed {
			t.Errorf("the next renewal: %s, %v", report.Outcome, report.Err)
		}
		w.wantRecovered()
	})
}

func soon(w *world) {
	w.behave(func(b *reltioauthtest.Behaviour) { b.ExpiresInJSON = `"soon"` })
}

func withoutAccessToken(w *world) {
	w.answer(reltioauthtest.OpToken, body(`{"refresh_token":"r-1","expires_in":3600}`))
}

// Reltio gives the present token once more, just before its end.
func TestTheSameTokenWithNothingLeft(t *testing.T) {
	for name, killed := range map[string]bool{"it is alive still": false, "it is dead already": true} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				before := w.connected("ann")
				w.behave(func(b *reltioauthtest.Behaviour) { b.Code, b.ExpiresInJSON = reltioauthtest.SameToken, "0" })
				if killed {
					w.answer(reltioauthtest.OpCheckToken, says(400, "invalid_token"))
				}
				w.expect(w.journey(w.invite(), "ann"), authcode.Done)
				g := w.grant()
				if g.Fingerprint != before.Fingerprint || g.Version != before.Version || g.RefreshFingerprint == before.RefreshFingerprint {
					t.Errorf("grant %+v, want the same access token and a new refresh token", g)
				}
				if g.User != "ann" || g.Status != grant.StatusOK {
					t.Errorf("user %q, status %s", g.User, g.Status)
				}
			})
		})
	}
	bubble(t, func(w *world) { // another token with nothing left is none
		w.behave(func(b *reltioauthtest.Behaviour) { b.ExpiresInJSON, b.OmitRefreshToken = "0", true })
		w.expect(w.journey(w.invite(), "ann"), authcode.ExchangeFailed)
		w.wantValid(0, 0)
	})
}

// The refresh token that the grant points at is the same one too, though
// another version is the newest.
func TestTheSameRefreshTokenBehindAnother(t *testing.T) {
	bubble(t, func(w *world) {
		w.same()
		old, token := w.connected("ann"), w.newestToken().Token
		stray := grant.RefreshToken{Token: reltioauth.NewSecret("stray"), LoggedInAt: time.Now(), Epoch: 9}
		if _, err := w.secrets.Put(t.Context(), "acme", stray); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * 24 * time.Hour)
		a := w.journey(w.invite(), "ann")
		w.expect(a, authcode.Again)
		if w.server.Valid(token) {
			t.Error("the old refresh token is alive")
		}
		w.expect(w.complete(w.login(a.Redirect, "ann")), authcode.Done)
		if g := w.grant(); g.RefreshFingerprint == old.RefreshFingerprint || g.RefreshFingerprint != w.newestToken().Fingerprint() {
			t.Errorf("refresh token %s, want a new one", g.RefreshFingerprint)
		}
	})
	bubble(t, func(w *world) { // and for good
		sameTokenAlways(w)
		old := w.connected("ann")
		stray := grant.RefreshToken{Token: reltioauth.NewSecret("stray"), LoggedInAt: time.Now(), Epoch: 9}
		if _, err := w.secrets.Put(t.Context(), "acme", stray); err != nil {
			t.Fatal(err)
		}
		a := w.journey(w.invite(), "ann")
		w.expect(a, authcode.Again)
		a = w.complete(w.login(a.Redirect, "ann"))
		w.expect(a, authcode.DoneSameToken)
		if g := w.grant(); !g.LoggedInAt.Equal(old.LoggedInAt) || g.SecretVersion != old.SecretVersion {
			t.Errorf("grant %+v, want the old clock", g)
		}
	})
}

// What the log and the metrics are told of an exchange that fails.
func TestWhatIsCounted(t *testing.T) {
	for name, c := range map[string]struct {
		fault                        reltioauthtest.Fault
		requests, throttled, refused int
	}{
		"429":            {reltioauthtest.Fault{Kind: reltioauthtest.FaultRateLimit}, 1, 1, 0},
		"another client": {says(401, "invalid_client"), 1, 0, 1},
		"another code":   {says(400, "invalid_grant"), 1, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				before := w.connected("ann")
				cb := w.login(w.begin(w.invite()), "ann")
				w.answer(reltioauthtest.OpToken, c.fault)
				a := w.complete(cb)
				if a.TokenRequests != c.requests || a.Throttled != c.throttled || a.RefusedLogins != c.refused {
					t.Errorf("counted %d, %d, %d; want %d, %d, %d", a.TokenRequests, a.Throttled, a.RefusedLogins, c.requests, c.throttled, c.refused)
				}
				if a.RateLimitWait < 200*time.Millisecond || a.RateLimitWait > time.Second {
					t.Errorf("waited %s", a.RateLimitWait)
				}
				if a.Connection != "acme" || a.Version != before.Version || a.Fingerprint != before.Fingerprint {
					t.Errorf("the log is told %+v", a)
				}
			})
		})
	}
}
