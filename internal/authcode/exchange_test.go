package authcode_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/authcode"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

func TestAnExchangeThatFails(t *testing.T) {
	tests := map[string]reltioauthtest.Fault{
		"400":            says(400, "invalid_grant"),
		"401":            says(401, "invalid_client"),
		"429":            {Kind: reltioauthtest.FaultRateLimit},
		"500":            says(500, "server_error"),
		"HTML":           {Kind: reltioauthtest.FaultHTML},
		"nothing":        {Kind: reltioauthtest.FaultEmpty},
		"cut":            {Kind: reltioauthtest.FaultCut, Acted: true},
		"too late":       {Hold: time.Minute},
		"half an answer": {Kind: reltioauthtest.FaultTruncate},
	}
	for name, f := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				link := w.invite()
				cb := w.login(w.begin(link), "ann")
				w.answer(reltioauthtest.OpToken, f)
				w.expect(w.complete(cb), authcode.ExchangeFailed)
				w.heal()
				w.expect(w.complete(cb), authcode.ExchangeFailed) // remembered
				w.wantExchanges(1)
				if g := w.grant(); g.HasToken() {
					t.Error("a token is stored")
				}
				if paused := w.paused(); paused != (name == "429") {
					t.Errorf("the host is paused: %v", paused)
				}
				time.Sleep(2 * time.Second)
				w.expect(w.journey(link, "ann"), authcode.Done)
			})
		})
	}
}

func (w *world) paused() bool {
	r, err := w.table.Budget(w.t.Context(), host)
	if err != nil {
		w.t.Fatal(err)
	}
	_, paused := r.ThrottledUntil(time.Now())
	return paused
}

// connected is a world whose connection a user has authorized.
func (w *world) connected(user string) grant.Grant {
	w.t.Helper()
	w.expect(w.journey(w.invite(), user), authcode.Done)
	time.Sleep(time.Second)
	return w.grant()
}

func TestWhoLogsIn(t *testing.T) {
	noAnswer := reltioauthtest.Fault{Kind: reltioauthtest.FaultStatus, Status: http.StatusServiceUnavailable}
	tests := map[string]struct {
		expected string // expected_user
		first    string // who has authorized it before
		replace  bool   // the invitation says so
		check    *reltioauthtest.Fault
		user     string
		want     authcode.Outcome
		stored   string // the grant's user afterwards
	}{
		"nobody is expected":                        {user: "ann", want: authcode.Done, stored: "ann"},
		"the expected one":                          {expected: "ann", user: "ann", want: authcode.Done, stored: "ann"},
		"the expected one, written otherwise":       {expected: "Ann", user: "ann", want: authcode.Done, stored: "ann"},
		"another than expected":                     {expected: "ann", user: "ben", want: authcode.WrongUser},
		"the first one again":                       {first: "ann", user: "ann", want: authcode.Done, stored: "ann"},
		"another than the first":                    {first: "ann", user: "ben", want: authcode.WrongUser, stored: "ann"},
		"another who may replace the first":         {first: "ann", replace: true, user: "ben", want: authcode.Done, stored: "ben"},
		"nobody replaces the expected one":          {expected: "ann", replace: true, user: "ben", want: authcode.WrongUser},
		"no answer, nobody expected":                {check: &noAnswer, user: "ann", want: authcode.Done},
		"no answer, one expected":                   {expected: "ann", check: &noAnswer, user: "ann", want: authcode.UserUnknown},
		"no answer, one known":                      {first: "ann", check: &noAnswer, user: "ann", want: authcode.UserUnknown, stored: "ann"},
		"no answer, one known who may be replaced":  {first: "ann", replace: true, check: &noAnswer, user: "ben", want: authcode.UserUnknown, stored: "ann"},
		"the expected one is not the first one":     {first: "ann", expected: "ben", user: "ben", want: authcode.Done, stored: "ben"},
		"a name that no answer gives, one expected": {expected: "ann", check: &reltioauthtest.Fault{Kind: reltioauthtest.FaultStatus, Status: 200, Body: `{"clientId":"client-1"}`}, user: "ann", want: authcode.UserUnknown},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				if test.first != "" {
					w.connected(test.first)
				}
				if test.expected != "" {
					w.connect("acme", with(secret(), "expected_user", test.expected))
				}
				before, exchanged := w.grant(), w.exchanges()
				if test.check != nil {
					w.answer(reltioauthtest.OpCheckToken, *test.check)
				}
				link := w.inviteTo("acme", test.replace)
				w.expect(w.journey(link, test.user), test.want)
				w.wantExchanges(exchanged + 1)
				after := w.grant()
				if after.User != test.stored {
					t.Errorf("user %q is stored, want %q", after.User, test.stored)
				}
				if test.want == authcode.Done {
					return
				}
				if after.Fingerprint != before.Fingerprint || after.SecretVersion != before.SecretVersion {
					t.Error("something was stored")
				}
				if before.HasToken() && !w.server.Valid(before.AccessToken) {
					t.Error("the token in hand was revoked")
				}
				valid := 0
				if test.first != "" {
					valid = 1
				}
				w.wantValid(valid, valid) // what was not stored is revoked
				if _, outcome, _ := w.flow.Preview(t.Context(), link); outcome != authcode.Done {
					t.Errorf("the link: %s, want it to work again", outcome)
				}
			})
		})
	}
}

// Another identity is another grant: its first user is not known yet.
func TestAnotherIdentityHasNoFirstUser(t *testing.T) {
	bubble(t, func(w *world) {
		w.connected("ann")
		w.connect("acme", with(secret(), "tenant_id", "tenant-2"))
		w.expect(w.journey(w.invite(), "ben"), authcode.Done)
		if g := w.grant(); g.User != "ben" || g.Version != 2 {
			t.Errorf("user %q, version %d", g.User, g.Version)
		}
	})
}

// same makes a server that gives the refresh token that there is.
func (w *world) same() {
	w.behave(func(b *reltioauthtest.Behaviour) {
		b.CodeRefreshToken, b.Code = reltioauthtest.SameToken, reltioauthtest.SameToken
	})
}

func TestTheSameRefreshTokenIsReplaced(t *testing.T) {
	bubble(t, func(w *world) {
		w.same()
		old, oldToken := w.connected("ann"), w.newestToken().Token
		time.Sleep(20 * 24 * time.Hour)
		link := w.invite()
		cb := w.login(w.begin(link), "ann")
		a := w.complete(cb)
		w.expect(a, authcode.Again)
		if w.server.Valid(oldToken) || w.grant().HasToken() {
			t.Error("the old refresh token is alive, or its access token stored")
		}
		w.expect(w.complete(w.login(a.Redirect, "ann")), authcode.Done)
		g := w.grant()
		if g.RefreshFingerprint == old.RefreshFingerprint || time.Until(g.RefreshExpiresAt) < 27*24*time.Hour {
			t.Errorf("refresh token %s until %s, want a new one", g.RefreshFingerprint, g.RefreshExpiresAt)
		}
		if !w.server.Valid(w.newestToken().Token) || g.SecretVersion != w.newestToken().Version {
			t.Error("the stored refresh token is dead or not pointed at")
		}
		if _, outcome, _ := w.flow.Preview(t.Context(), link); outcome != authcode.InvitationGone {
			t.Errorf("the link: %s, want it used", outcome)
		}
		w.wantExchanges(3)
	})
}

// A person who reloads instead of continuing is redirected once more.
func TestAReloadGoesAgain(t *testing.T) {
	bubble(t, func(w *world) {
		w.same()
		w.connected("ann")
		cb := w.login(w.begin(w.invite()), "ann")
		w.expect(w.complete(cb), authcode.Again)
		a := w.complete(cb)
		w.expect(a, authcode.Again)
		w.expect(w.complete(w.login(a.Redirect, "ann")), authcode.Done)
		w.wantExchanges(3)
	})
}

// A person who gives up on the second pass can use the link again.
func TestTheSecondWayIsLeft(t *testing.T) {
	bubble(t, func(w *world) {
		w.same()
		w.connected("ann")
		link := w.invite()
		d := w.journey(link, "ann").Redirect
		w.expect(w.complete(authcode.Callback{Error: "access_denied", State: d.State, Binding: d.Binding}), authcode.Denied)
		w.expect(w.journey(link, "ann"), authcode.Done)
	})
}

// sameTokenAlways is a world whose server gives the same refresh token whatever
// becomes of it: its revocation seems to work.
func sameTokenAlways(w *world) {
	w.same()
	w.answer(reltioauthtest.OpRevoke, reltioauthtest.Fault{Kind: reltioauthtest.FaultStatus, Status: http.StatusOK})
}

func TestTheSameRefreshTokenAgainHoldsAsLongAsItDid(t *testing.T) {
	bubble(t, func(w *world) {
		sameTokenAlways(w)
		old := w.connected("ann")
		time.Sleep(10 * 24 * time.Hour)
		a := w.journey(w.invite(), "ann")
		w.expect(a, authcode.Again)
		cb := w.login(a.Redirect, "ann")
		for range 2 {
			a = w.complete(cb)
			w.expect(a, authcode.DoneSameToken)
			if !a.HoldsUntil.Equal(old.RefreshExpiresAt.Truncate(time.Second)) && !a.HoldsUntil.Equal(old.RefreshExpiresAt) {
				t.Errorf("holds until %s, want %s", a.HoldsUntil, old.RefreshExpiresAt)
			}
		}
		g := w.grant()
		if !g.Valid(time.Now()) || !g.LoggedInAt.Equal(old.LoggedInAt) || g.SecretVersion != old.SecretVersion {
			t.Errorf("grant %+v, want the old clock", g)
		}
		w.wantExchanges(3)
	})
}

// A revocation without a response may have happened, so the person logs in again:
// to the same token if it is valid, to a new one if it is not.
func TestARevocationThatFails(t *testing.T) {
	for name, c := range map[string]struct {
		fault reltioauthtest.Fault
		want  authcode.Outcome
	}{
		"it did not happen":      {says(500, "server_error"), authcode.DoneSameToken},
		"its answer was cut off": {reltioauthtest.Fault{Kind: reltioauthtest.FaultCut, Acted: true}, authcode.Done},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.same()
				old := w.connected("ann")
				w.answer(reltioauthtest.OpRevoke, c.fault)
				a := w.journey(w.invite(), "ann")
				w.expect(a, authcode.Again)
				w.expect(w.complete(w.login(a.Redirect, "ann")), c.want)
				g := w.grant()
				if !g.Valid(time.Now()) || !w.server.Valid(g.AccessToken) || !w.server.Valid(w.newestToken().Token) {
					t.Error("what is stored is dead")
				}
				if same := g.RefreshExpiresAt.Equal(old.RefreshExpiresAt); same != (c.want == authcode.DoneSameToken) {
					t.Errorf("the refresh token ends at %s, the old one at %s", g.RefreshExpiresAt, old.RefreshExpiresAt)
				}
			})
		})
	}
}

// If a step before the revocation fails, the old token stays in use.
func TestGoingAgainFails(t *testing.T) {
	for _, op := range []string{"PutGrant", "PutRequest"} {
		t.Run(op, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.same()
				w.connected("ann")
				link := w.invite()
				cb := w.login(w.begin(link), "ann")
				w.out.before = failing(op)
				w.expect(w.complete(cb), authcode.Unstored)
				w.heal()
				if !w.server.Valid(w.newestToken().Token) {
					t.Error("the old refresh token was revoked")
				}
				a := w.journey(link, "ann")
				w.expect(a, authcode.Again)
				w.expect(w.complete(w.login(a.Redirect, "ann")), authcode.Done)
			})
		})
	}
}

func TestAServerWithoutRefreshTokens(t *testing.T) {
	bubble(t, func(w *world) {
		w.behave(func(b *reltioauthtest.Behaviour) { b.OmitRefreshToken = true })
		w.expect(w.journey(w.invite(), "ann"), authcode.Done)
		g := w.grant()
		if !g.Valid(time.Now()) || g.HasRefreshToken() || g.SecretVersion != "" || w.newestToken().Version != "" {
			t.Errorf("grant %+v, vault %+v: want an access token alone", g, w.newestToken())
		}
	})
	bubble(t, func(w *world) { // an old refresh token gets a tombstone
		w.connected("ann")
		w.behave(func(b *reltioauthtest.Behaviour) { b.OmitRefreshToken = true })
		w.expect(w.journey(w.invite(), "ann"), authcode.Done)
		if g := w.grant(); g.HasRefreshToken() || !w.newestToken().Token.IsZero() {
			t.Error("the old refresh token is still in use")
		}
	})
}

// A table that was restored is behind its secrets.
func TestTheRefreshTokensEpochOnlyRises(t *testing.T) {
	bubble(t, func(w *world) {
		ahead := grant.RefreshToken{Token: reltioauth.NewSecret("older"), LoggedInAt: time.Now(), Epoch: 40}
		if _, err := w.secrets.Put(t.Context(), "acme", ahead); err != nil {
			t.Fatal(err)
		}
		w.connected("ann")
		if got := w.newestToken().Epoch; got != 41 {
			t.Errorf("epoch %d, want 41", got)
		}
	})
}

// Two links are used at once, and the server gives both people the same tokens:
// the later one stores nothing, and revokes nothing.
func TestTokensStoredByAnotherCallbackAreNotRevoked(t *testing.T) {
	for name, behave := range map[string]func(*reltioauthtest.Behaviour){
		"with refresh tokens": func(*reltioauthtest.Behaviour) {},
		"without":             func(b *reltioauthtest.Behaviour) { b.OmitRefreshToken = true },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.behave(func(b *reltioauthtest.Behaviour) {
					b.Code, b.CodeRefreshToken = reltioauthtest.SameToken, reltioauthtest.SameToken
					behave(b)
				})
				late := w.login(w.begin(w.invite()), "ann")
				w.out.before = func(op string) error {
					if op == "Current" && w.exchanges() > 0 { // the late one has its tokens, and is about to store them
						w.out.before = nil
						w.expect(w.journey(w.invite(), "ann"), authcode.Done)
					}
					return nil
				}
				w.expect(w.complete(late), authcode.Unstored)
				if g := w.grant(); !g.Valid(time.Now()) || !w.server.Valid(g.AccessToken) {
					t.Error("the access token that is stored is dead")
				}
				if name == "with refresh tokens" && !w.server.Valid(w.newestToken().Token) {
					t.Error("the refresh token that is stored is dead")
				}
			})
		})
	}
}
