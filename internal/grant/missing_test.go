package grant_test

import (
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
)

// missed is what SecretMissing leaves of a grant in each health.
func missed(at time.Time) func(*grant.Grant) {
	return func(g *grant.Grant) {
		g.SecretMissingAt, g.RetryAt = at, at.Add(time.Minute)
		g.Status, g.LastError, g.LastErrorMessage = grant.StatusFailing, apierr.UnknownConnection, "no connection has this name"
	}
}

func TestSecretMissing(t *testing.T) {
	now := issued()
	rejected := func(g *grant.Grant) {
		g.Status, g.LastError, g.LastErrorMessage = grant.StatusCredentialsRejected, apierr.CredentialsRejected, "stopped"
	}
	for name, test := range map[string]struct {
		before grant.Grant
		now    time.Time
		want   func(*grant.Grant)
	}{
		"first":                        {fresh(refreshable), now, missed(now)},
		"without a token":              {fresh(withoutToken), now, missed(now)},
		"after a failure":              {fresh(status(grant.StatusFailing), retryAt(now.Add(time.Hour))), now, missed(now)},
		"again within the minute":      {fresh(missed(now)), now.Add(30 * time.Second), func(*grant.Grant) {}},
		"while it waits for a person":  {fresh(rejected), now, func(g *grant.Grant) { missed(now)(g); rejected(g) }},
		"again while it waits for one": {fresh(missed(now), rejected), now.Add(30 * time.Second), func(*grant.Grant) {}},
	} {
		t.Run(name, func(t *testing.T) {
			want := test.before
			test.want(&want)
			got := test.before.SecretMissing(test.now, time.Minute)
			if d := diff(want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			// The token serves on, and nothing asks Reltio before the second look.
			if got.HasToken() && !got.Valid(now) {
				t.Error("the token is not served")
			}
			if at := now.Add(time.Minute); !got.Due().Equal(at) || got.EarlyWindow(at.Add(-ms)) {
				t.Errorf("due at %v, want %v", got.Due(), at)
			}
		})
	}
}

func TestMissedSince(t *testing.T) {
	for name, test := range map[string]struct {
		grant grant.Grant
		after time.Duration
		want  bool
	}{
		"never":                {fresh(), week, false},
		"just now":             {fresh(missed(issued())), 0, false},
		"not quite a minute":   {fresh(missed(issued())), time.Minute - ms, false},
		"a minute":             {fresh(missed(issued())), time.Minute, true},
		"by a clock behind":    {fresh(missed(issued())), -time.Hour, false},
		"the refresh token":    {fresh(func(g *grant.Grant) { g.TokenMissingAt = issued() }), time.Hour, false},
		"it was there between": {fresh(missed(issued())).SecretFound(), time.Hour, false},
	} {
		if got := test.grant.MissedSince(issued().Add(test.after), time.Minute); got != test.want {
			t.Errorf("%s: MissedSince = %v, want %v", name, got, test.want)
		}
	}
}

func TestSecretFound(t *testing.T) {
	found := func(g *grant.Grant) {
		g.SecretMissingAt, g.RetryAt, g.LastError, g.LastErrorMessage = time.Time{}, time.Time{}, "", ""
	}
	failures := func(g *grant.Grant) { g.Failures = 2 }
	failing := func(g *grant.Grant) {
		g.Status, g.LastError, g.LastErrorMessage = grant.StatusFailing, apierr.ReltioUnavailable, "HTTP 503"
	}
	waiting := func(g *grant.Grant) {
		g.Status, g.LastError, g.LastErrorMessage = grant.StatusReauthorize, apierr.ReauthorizationRequired, "m"
	}
	for name, test := range map[string]struct {
		before grant.Grant
		want   func(*grant.Grant)
	}{
		"it never was missing": {fresh(failing, retryAt(expires())), func(*grant.Grant) {}},
		"it was, and healthy":  {fresh(missed(issued())), func(g *grant.Grant) { found(g); g.Status = grant.StatusOK }},
		"it was, and failing before": {
			fresh(missed(issued()), failures),
			func(g *grant.Grant) { found(g) },
		},
		"it was, and has failed since": {
			fresh(missed(issued()), failures, failing),
			func(g *grant.Grant) { found(g); failing(g) },
		},
		"it was, while a person is waited for": {
			fresh(missed(issued()), waiting),
			func(g *grant.Grant) { found(g); waiting(g) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			want := test.before
			test.want(&want)
			if d := diff(want, test.before.SecretFound()); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// A secret that was away for less than a minute leaves no trace of it.
func TestASecretThatWasAwayForAMoment(t *testing.T) {
	before := fresh(refreshable)
	if d := diff(before, before.SecretMissing(issued(), time.Minute).SecretFound()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// What is believed to be gone is unknown, and forgets that it was missed.
func TestGoneAfterItWasMissed(t *testing.T) {
	before := fresh(refreshable, missed(issued()), func(g *grant.Grant) { g.TokenMissingAt = issued() })
	if d := diff(fresh(refreshable).Deleted(issued()), before.Deleted(issued())); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestWhoseARefreshTokenIs(t *testing.T) {
	for _, test := range []struct {
		of, sentFor string
		want        bool
	}{
		{"one", "one", true},
		{"one", "other", false},
		{"", "one", true}, // an older release wrote it
		{"one", "", false},
		{"", "", true},
	} {
		if got := (grant.RefreshToken{Identity: test.of}).Of(test.sentFor); got != test.want {
			t.Errorf("a refresh token of %q for %q: %v, want %v", test.of, test.sentFor, got, test.want)
		}
	}
}

func TestGoneLeavesWhatFencesAndAnswers(t *testing.T) {
	before := fresh(refreshable, func(g *grant.Grant) { g.Epoch, g.Owner, g.Identity, g.Unpublished = 7, "o", "i", []string{"e"} })
	want := grant.Grant{
		Connection: "acme", Version: 41, Epoch: 7, Owner: "o", Status: grant.StatusUnknown,
		RetryAt: issued().Add(time.Minute), TTL: issued().Add(day),
	}
	if d := diff(want, before.Deleted(issued())); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
