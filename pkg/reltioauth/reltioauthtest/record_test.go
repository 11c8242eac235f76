package reltioauthtest_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

func TestRequests(t *testing.T) {
	f := like(t, reltioauthtest.Behaviour{})
	token := f.login()
	f.clock.Advance(time.Minute)
	f.refresh(token)
	if _, err := f.Introspect(ctx(), token.AccessToken); err != nil {
		t.Fatal(err)
	}
	f.refused(reltioauth.RefreshTokenGrant{RefreshToken: secret("x")}, reltioauth.ErrInvalidGrant)

	access, refresh := token.Fingerprint(), reltioauth.Fingerprint(token.RefreshToken)
	later := epoch.Add(time.Minute)
	want := []reltioauthtest.Request{
		{
			At: epoch, Op: "token", GrantType: "password", ClientID: "acme", User: "ann", Outcome: "ok", Acted: true, Status: 200,
			AccessToken: access, RefreshToken: refresh,
		},
		{
			At: later, Op: "token", GrantType: "refresh_token", ClientID: "acme", User: "ann", Presented: refresh, Outcome: "ok",
			Acted: true, Status: 200, AccessToken: access, RefreshToken: refresh,
		},
		{At: later, Op: "checkToken", ClientID: "acme", User: "ann", Presented: access, Outcome: "ok", Acted: true, Status: 200},
		{
			At: later, Op: "token", GrantType: "refresh_token", ClientID: "acme", Presented: reltioauth.Fingerprint(secret("x")),
			Outcome: "invalid_grant", Status: 400,
		},
	}
	if diff := cmp.Diff(want, f.Requests()); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
}

func TestKeepRequests(t *testing.T) {
	for keep, want := range map[int][]string{0: {"c0", "c1", "c2", "c3", "c4"}, 3: {"c2", "c3", "c4"}, 9: {"c0", "c1", "c2", "c3", "c4"}, -1: {}} {
		t.Run(fmt.Sprint(keep), func(t *testing.T) {
			f := setup(t, func(cfg *reltioauthtest.Config) { cfg.KeepRequests = keep })
			for i := range 5 {
				f.ClientID = fmt.Sprintf("c%d", i)
				f.refused(reltioauth.ClientCredentialsGrant{}, reltioauth.ErrInvalidClient)
			}
			got := []string{}
			for _, r := range f.Requests() {
				got = append(got, r.ClientID)
				equal(t, "outcome", r.Outcome, "invalid_client")
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("clients (-want +got):\n%s", diff)
			}
			equal(t, "counted all the same", f.TokenRequests(time.Time{}, time.Time{}), 5)
		})
	}
}

func TestTokenRequests(t *testing.T) {
	f := like(t, reltioauthtest.Behaviour{})
	token := f.login() // at 0 s
	for range 3 {      // at 1, 2, 3 s
		f.clock.Advance(time.Second)
		f.clientCredentials()
		if _, err := f.Introspect(ctx(), token.AccessToken); err != nil {
			t.Fatal(err)
		}
	}
	at := func(s int) time.Time { return epoch.Add(time.Duration(s) * time.Second) }
	for name, test := range map[string]struct {
		from, to time.Time
		want     int
	}{
		"all":                   {time.Time{}, time.Time{}, 4},
		"with from, without to": {at(1), at(3), 2},
		"until the end":         {at(2), time.Time{}, 2},
		"from the beginning":    {time.Time{}, at(1), 1},
		"between two":           {at(1).Add(1), at(2), 0},
		"after the end":         {at(4), at(9), 0},
		"the wrong way around":  {at(3), at(1), 0},
	} {
		equal(t, name, f.TokenRequests(test.from, test.to), test.want)
	}
}

func TestMaxTokenRequests(t *testing.T) {
	f := like(t, reltioauthtest.Behaviour{})
	equal(t, "nothing yet", f.MaxTokenRequests(time.Second), 0)
	for _, pause := range []int{0, 400, 400, 200, 100, 2000, 0, 999, 1} { // milliseconds
		f.clock.Advance(time.Duration(pause) * time.Millisecond)
		f.clientCredentials()
	}
	// At 0, 400, 800, 1000, 1100, 3100, 3100, 4099, 4100 ms.
	for window, want := range map[time.Duration]int{
		time.Second:            4, // 400 to 1100; 0 and 1000 are exactly a second apart
		time.Second + 1:        4,
		100 * time.Millisecond: 2,
		2 * time.Second:        5,
		time.Nanosecond:        2,
		time.Hour:              9,
	} {
		equal(t, window.String(), f.MaxTokenRequests(window), want)
	}
	for range 3 {
		f.clientCredentials()
	}
	equal(t, "counted on", f.MaxTokenRequests(time.Second), 5)
	equal(t, "counted on, a nanosecond", f.MaxTokenRequests(time.Nanosecond), 4)
}

func TestRefusedLogins(t *testing.T) {
	f := like(t, reltioauthtest.Behaviour{})
	wrong := reltioauth.PasswordGrant{Username: "ANN", Password: secret("wrong")}
	f.refused(wrong, reltioauth.ErrInvalidGrant)
	f.login()
	f.refused(reltioauth.RefreshTokenGrant{RefreshToken: secret("x")}, reltioauth.ErrInvalidGrant)
	f.clock.Advance(time.Minute)
	f.refused(wrong, reltioauth.ErrInvalidGrant)
	f.ClientSecret = secret("wrong")
	f.refused(annPassword(), reltioauth.ErrInvalidClient)
	f.refused(reltioauth.ClientCredentialsGrant{}, reltioauth.ErrInvalidClient)

	later := epoch.Add(time.Minute)
	equal(t, "of the user", f.RefusedLogins("ann", time.Time{}, time.Time{}), 2)
	equal(t, "before a minute had passed", f.RefusedLogins("Ann", epoch, later), 1)
	equal(t, "then", f.RefusedLogins("ann", later, time.Time{}), 1)
	equal(t, "unclear", f.UnclearLogins("ann", later, time.Time{}), 1)
	equal(t, "of somebody else", f.RefusedLogins("mia", time.Time{}, time.Time{}), 0)
	equal(t, "of the client", f.RefusedClients("acme", time.Time{}, time.Time{}), 2)
	equal(t, "of the client, before", f.RefusedClients("acme", time.Time{}, later), 0)
}

// The server has refused a login even if the caller never heard of it.
func TestRefusedLoginWhoseAnswerIsLost(t *testing.T) {
	f := like(t, reltioauthtest.Behaviour{})
	f.Outage(reltioauthtest.Outage{Fault: reltioauthtest.Fault{Kind: reltioauthtest.FaultCut, Acted: true}})
	f.refused(reltioauth.PasswordGrant{Username: "ann", Password: secret("wrong")}, reltioauth.ErrUnavailable)
	equal(t, "refused", f.RefusedLogins("ann", time.Time{}, time.Time{}), 1)
	f.Outage(reltioauthtest.Outage{Fault: reltioauthtest.Fault{Kind: reltioauthtest.FaultCut}})
	f.refused(reltioauth.PasswordGrant{Username: "ann", Password: secret("wrong")}, reltioauth.ErrUnavailable)
	equal(t, "never judged", f.RefusedLogins("ann", time.Time{}, time.Time{}), 1)
}
