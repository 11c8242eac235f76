package grant_test

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
)

func TestBackOff(t *testing.T) {
	const s, m = time.Second, time.Minute
	for name, test := range map[string]struct {
		failures int
		life     time.Duration
		chance   float64
		want     time.Duration
	}{
		"the first":                      {1, time.Hour, 0, 30 * s},
		"the second":                     {2, time.Hour, 0, m},
		"the third":                      {3, time.Hour, 0, 2 * m},
		"the fourth":                     {4, time.Hour, 0, 4 * m},
		"the fifth":                      {5, time.Hour, 0, 5 * m},
		"the thousandth":                 {1000, time.Hour, 0, 5 * m},
		"none":                           {0, time.Hour, 0, 30 * s},
		"no token yet":                   {5, 0, 0, 5 * m},
		"a life that makes no sense":     {5, -time.Hour, 0, 5 * m},
		"a quarter of a short life":      {5, 4 * m, 0, m},
		"a quarter of a very short life": {1, 8 * s, 0, 2 * s},
		"at least a second":              {1, 2 * s, 0, s},
		"at least a second, by chance":   {1, 4 * s, 0.9, s},
		"half the chance":                {1, time.Hour, 0.5, 27 * s},
		"nearly all the chance":          {1, time.Hour, 0.999999, 24 * s},
	} {
		t.Run(name, func(t *testing.T) {
			if got := grant.BackOff(test.failures, test.life, test.chance); got != test.want {
				t.Errorf("BackOff = %v, want %v", got, test.want)
			}
		})
	}
}

// For any failures, life and chance: a second at least; at most five minutes and
// a quarter of the life; chance takes a fifth off and no more; and more failures
// never wait less.
func TestBackOffBounds(t *testing.T) {
	lives := []time.Duration{0, 1, time.Second, 3 * time.Second, 4 * time.Second, 4*time.Second + 1, time.Minute, 119 * time.Second, time.Hour, 31 * day}
	for _, life := range lives {
		last := time.Duration(0)
		for failures := range 50 {
			base := grant.BackOff(failures, life, 0)
			if base < last {
				t.Errorf("life %v: failure %d waits %v, the one before %v", life, failures, base, last)
			}
			last = base
			for chance := 0.0; chance < 1; chance += 0.0625 {
				got := grant.BackOff(failures, life, chance)
				least := max(time.Second, base-base/5-ms)
				if got > base || got < least || got > 5*time.Minute {
					t.Errorf("life %v, failure %d, chance %v: %v, want %v to %v", life, failures, chance, got, least, base)
				}
				if life > 0 && got > max(time.Second, life/4) {
					t.Errorf("life %v, failure %d, chance %v: %v is more than a quarter of it", life, failures, chance, got)
				}
			}
		}
	}
}

func refusals(n int) func(*grant.Grant) { return func(g *grant.Grant) { g.Refusals = n } }

func TestRefusalPause(t *testing.T) {
	const s, m, h = time.Second, time.Minute, time.Hour
	for name, test := range map[string]struct {
		refusals int
		life     time.Duration
		want     time.Duration
	}{
		"none":                          {0, h, 30 * s},
		"less than none":                {-1, h, 30 * s},
		"the first":                     {1, h, 30 * s},
		"the second":                    {2, h, m},
		"the third":                     {3, h, 2 * m},
		"the fourth":                    {4, h, 4 * m},
		"the fifth":                     {5, h, 5 * m},
		"the last of the hour":          {15, h, 5 * m}, // 7.5 + 10 x 5 min have passed
		"the first after it":            {16, h, h},
		"the thousandth":                {1000, h, h},
		"the highest":                   {math.MaxInt, h, h},
		"no token yet":                  {15, 0, 5 * m},
		"no token yet, after an hour":   {16, 0, h},
		"a day's life":                  {16, day, h},
		"a short life":                  {100, 40 * s, 10 * s},
		"a short life, for an hour":     {360, 40 * s, 10 * s},
		"a short life, after it":        {361, 40 * s, h},
		"a life of a second":            {3600, s, s},
		"a life of a second, after it":  {3601, s, h},
		"a quarter of 10 minutes":       {26, 10 * m, 150 * s}, // 3.5 + 22 x 2.5 min
		"a quarter of 10 minutes, over": {27, 10 * m, h},
	} {
		t.Run(name, func(t *testing.T) {
			if got := grant.RefusalPause(test.refusals, test.life); got != test.want {
				t.Errorf("RefusalPause = %v, want %v", got, test.want)
			}
			g := fresh(life(test.life), refusals(test.refusals))
			if got, want := g.RefusedForLong(), test.want == h; got != want {
				t.Errorf("RefusedForLong = %v, want %v", got, want)
			}
		})
	}
}

// However short the lives: an hour of refusals at least passes before the hourly
// tries, and no more than a back-off over it; from then on they stay hourly.
func TestRefusalsLastAnHour(t *testing.T) {
	for _, life := range []time.Duration{0, time.Second, 7 * time.Second, 2 * time.Minute, 17 * time.Minute, time.Hour, 31 * day} {
		waited, n := time.Duration(0), 1
		for ; grant.RefusalPause(n, life) < time.Hour; n++ {
			waited += grant.RefusalPause(n, life)
		}
		if waited < time.Hour || waited >= time.Hour+5*time.Minute {
			t.Errorf("life %v: hourly after %v", life, waited)
		}
		for later := range 50 {
			if got := grant.RefusalPause(n+later, life); got != time.Hour {
				t.Errorf("life %v, refusal %d: %v, want an hour", life, n+later, got)
			}
		}
	}
}

func TestRefused(t *testing.T) {
	now := issued()
	for name, test := range map[string]struct {
		before grant.Grant
		want   int
	}{
		"the first":                      {fresh(), 1},
		"the first, before its time":     {fresh(retryAt(now.Add(time.Minute))), 1},
		"another, in its time":           {fresh(refusals(1), retryAt(now)), 2},
		"another, after its time":        {fresh(refusals(7), retryAt(now.Add(-time.Hour))), 8},
		"another, before its time":       {fresh(refusals(1), retryAt(now.Add(1))), 1},
		"another, long before its time":  {fresh(refusals(15), retryAt(now.Add(time.Hour))), 15},
		"another of one that waits":      {fresh(refusals(2), status(grant.StatusCredentialsRejected), retryAt(now)), 3},
		"one that waits, forced":         {fresh(refusals(2), status(grant.StatusCredentialsRejected), retryAt(now.Add(time.Minute))), 2},
		"another after a success":        {fresh(refusals(3)).Healthy(), 1},
		"another, with no time to await": {fresh(refusals(3)), 4},
	} {
		t.Run(name, func(t *testing.T) {
			want := test.before
			want.Refusals = test.want
			if d := diff(want, test.before.Refused(now)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestHealthy(t *testing.T) {
	before := fresh(refreshable, retryAt(expires()), status(grant.StatusFailing), func(g *grant.Grant) {
		g.Failures, g.TriedAt, g.LastError, g.LastErrorMessage = 3, issued(), apierr.ReltioUnavailable, "m"
		g.Refusals, g.Throttles = 2, 1
		g.Refusal = grant.Refusal{Code: "invalid_client", Status: 401, Description: "Bad client credentials"}
	})
	for _, verdict := range []grant.Verdict{grant.Unchecked, grant.Active, grant.Inactive, grant.Unclear} {
		checked := func(g *grant.Grant) { g.CheckVerdict, g.CheckedAt, g.ReissuedAt = verdict, issued(), issued().Add(ms) }
		want := fresh(refreshable, checked)
		checked(&before)
		if d := diff(want, before.Healthy()); d != "" {
			t.Errorf("%q (-want +got):\n%s", verdict, d)
		}
	}
}

func TestFailed(t *testing.T) {
	now := issued().Add(time.Minute)
	e := apierr.New(apierr.ReltioUnavailable, "no answer")
	for name, test := range map[string]struct {
		before grant.Grant
		status grant.Status
		wait   time.Duration
		chance float64
		retry  time.Duration // after now
	}{
		"the first":                     {fresh(), grant.StatusFailing, 0, 0, 30 * time.Second},
		"the second":                    {fresh(func(g *grant.Grant) { g.Failures = 1 }), grant.StatusFailing, 0, 0, time.Minute},
		"with chance":                   {fresh(), grant.StatusFailing, 0, 0.5, 27 * time.Second},
		"Reltio wants more":             {fresh(), grant.StatusFailing, time.Minute, 0, time.Minute},
		"Reltio wants less":             {fresh(), grant.StatusFailing, time.Second, 0, 30 * time.Second},
		"of a short life":               {fresh(life(time.Minute)), grant.StatusTokenLimit, 0, 0, 15 * time.Second},
		"without a token":               {grant.Grant{Connection: "acme"}, grant.StatusFailing, 0, 0, 30 * time.Second},
		"rejected":                      {fresh(), grant.StatusCredentialsRejected, 0, 0, 5 * time.Minute},
		"rejected, Reltio wants more":   {fresh(), grant.StatusCredentialsRejected, time.Hour, 0, 5 * time.Minute},
		"a person must log in":          {fresh(), grant.StatusReauthorize, 0, 0.9, 5 * time.Minute},
		"a client is rejected":          {fresh(refusals(2)), grant.StatusCredentialsRejected, 0, 0.9, time.Minute},
		"a client is rejected for long": {fresh(refusals(100)), grant.StatusCredentialsRejected, 0, 0, 5 * time.Minute},
		"a refused client fails":        {fresh(refusals(1)), grant.StatusFailing, grant.RefusalPause(1, time.Hour), 0, 30 * time.Second},
		"a refresh is refused for long": {fresh(refusals(100)), grant.StatusFailing, grant.RefusalPause(100, time.Hour), 0.5, time.Hour},
		"a second factor":               {fresh(), grant.StatusMFARequired, 0, 0, 5 * time.Minute},
		"the secret is wrong":           {fresh(), grant.StatusInvalidConnection, 0, 0, 5 * time.Minute},
		"it waited, and still does":     {fresh(status(grant.StatusReauthorize)), grant.StatusReauthorize, 0, 0, 5 * time.Minute},
		"it waited, and only fails now": {fresh(status(grant.StatusReauthorize)), grant.StatusFailing, 0, 0, 30 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			want := test.before
			want.Status, want.Failures, want.TriedAt = test.status, test.before.Failures+1, now
			want.LastError, want.LastErrorMessage = apierr.ReltioUnavailable, "no answer"
			want.RetryAt = now.Add(test.retry)
			if d := diff(want, test.before.Failed(test.status, e, now, test.wait, test.chance)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestPostponedIsNoFailure(t *testing.T) {
	until := issued().Add(time.Minute)
	before := fresh(status(grant.StatusFailing), func(g *grant.Grant) {
		g.Failures, g.LastError, g.LastErrorMessage = 2, apierr.ReltioUnavailable, "no answer"
	})
	want := before
	want.LastError, want.RetryAt = apierr.RateLimited, until // the message is the last failure's
	if d := diff(want, before.Postponed(apierr.Limited(7*time.Second), until)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestLookedMovesTheNextLook(t *testing.T) {
	before := fresh(status(grant.StatusReauthorize), func(g *grant.Grant) { g.Failures, g.TriedAt = 2, issued() })
	want := before
	want.RetryAt = issued().Add(5 * time.Minute)
	if d := diff(want, before.LookedAt(issued())); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestIndexed(t *testing.T) {
	now := issued().Add(time.Second)
	due := expires().Add(-3 * time.Minute)
	event := func(g *grant.Grant) { g.Unpublished = []string{"e"} }
	sendAt := func(at time.Time) func(*grant.Grant) {
		return func(g *grant.Grant) { g.Unpublished, g.PublishAt = []string{"e"}, at }
	}
	long := life(30 * day)
	loggedIn := func(before time.Duration) func(*grant.Grant) { // 100 days before the refresh token's end
		return func(g *grant.Grant) {
			refreshable(g)
			g.LoggedInAt, g.RefreshExpiresAt = issued().Add(-before), issued().Add(100*day-before)
		}
	}
	for name, test := range map[string]struct {
		grant grant.Grant
		shard grant.Shard
		at    time.Time
	}{
		"healthy":                        {fresh(), grant.ShardDue, due},
		"overdue stays overdue":          {fresh(life(time.Second)), grant.ShardDue, issued().Add(950 * ms)},
		"no token":                       {fresh(withoutToken), grant.ShardDue, now},
		"found inactive":                 {fresh().CheckedAs(grant.Inactive, issued()), grant.ShardDue, now},
		"found inactive, a retry ahead":  {fresh(retryAt(expires())).CheckedAs(grant.Inactive, issued()), grant.ShardDue, expires()},
		"failing":                        {fresh(status(grant.StatusFailing), retryAt(expires())), grant.ShardDue, expires()},
		"token limit":                    {fresh(status(grant.StatusTokenLimit), retryAt(expires())), grant.ShardDue, expires()},
		"rejected":                       {fresh(status(grant.StatusCredentialsRejected), retryAt(now.Add(5*time.Minute))), grant.ShardWaiting, now.Add(5 * time.Minute)},
		"rejected, never looked at":      {fresh(status(grant.StatusMFARequired)), grant.ShardWaiting, now},
		"paused":                         {fresh(status(grant.StatusPaused)), "", time.Time{}},
		"paused, an event to send":       {fresh(status(grant.StatusPaused), event), "", time.Time{}},
		"unknown":                        {fresh().Deleted(now), "", time.Time{}},
		"an event to send":               {fresh(event), grant.ShardDue, now},
		"rejected, with an event":        {fresh(status(grant.StatusReauthorize), retryAt(now.Add(time.Minute)), event), grant.ShardWaiting, now},
		"an event to send later":         {fresh(sendAt(now.Add(time.Minute))), grant.ShardDue, now.Add(time.Minute)},
		"an event to send since":         {fresh(sendAt(now.Add(-time.Minute))), grant.ShardDue, now},
		"an event to send after all":     {fresh(sendAt(expires())), grant.ShardDue, due},
		"nothing to send any more":       {fresh(func(g *grant.Grant) { g.PublishAt = now.Add(time.Minute) }), grant.ShardDue, due},
		"its secret is missing":          {fresh().SecretMissing(now, time.Minute), grant.ShardDue, now.Add(time.Minute)},
		"a warning before it is due":     {fresh(long, loggedIn(60*day)), grant.ShardDue, issued().Add(15 * day)},
		"the next warning":               {fresh(long, loggedIn(75*day)), grant.ShardDue, issued().Add(15 * day)},
		"the last warning":               {fresh(long, loggedIn(90*day)), grant.ShardDue, issued().Add(156 * time.Hour)},
		"the refresh token's end":        {fresh(long, loggedIn(97*day)), grant.ShardDue, issued().Add(3 * day)},
		"it has ended":                   {fresh(long, loggedIn(101*day)), grant.ShardDue, issued().Add(30*day + time.Second)},
		"it is due before a warning":     {fresh(loggedIn(60 * day)), grant.ShardDue, expires().Add(time.Second)},
		"rejected, before a warning":     {fresh(loggedIn(75*day), status(grant.StatusReauthorize), retryAt(now.Add(20*day))), grant.ShardWaiting, now.Add(20 * day)},
		"it was in the index, is paused": {fresh(status(grant.StatusPaused), func(g *grant.Grant) { g.Shard, g.DueAt = grant.ShardDue, due }), "", time.Time{}},
	} {
		t.Run(name, func(t *testing.T) {
			want := test.grant
			want.Shard, want.DueAt = test.shard, test.at
			if d := diff(want, test.grant.Indexed(now)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestError(t *testing.T) {
	now := issued()
	last := func(e apierr.Type, message string) func(*grant.Grant) {
		return func(g *grant.Grant) { g.LastError, g.LastErrorMessage = e, message }
	}
	for name, test := range map[string]struct {
		grant grant.Grant
		want  string
	}{
		"none":                       {fresh(), ""},
		"failing":                    {fresh(status(grant.StatusFailing), last(apierr.ReltioUnavailable, "no answer")), "ReltioUnavailable: no answer"},
		"rejected":                   {fresh(status(grant.StatusCredentialsRejected), last(apierr.CredentialsRejected, "stopped")), "CredentialsRejected: stopped"},
		"a person must log in":       {fresh(status(grant.StatusReauthorize), last(apierr.ReauthorizationRequired, "m")), "ReauthorizationRequired: m"},
		"limited":                    {fresh(last(apierr.RateLimited, "retry after 99 s"), retryAt(now.Add(7*time.Second))), "RateLimited: retry after 7 s"},
		"limited, just a moment":     {fresh(last(apierr.RateLimited, ""), retryAt(now.Add(ms))), "RateLimited: retry after 1 s"},
		"limited, until now":         {fresh(last(apierr.RateLimited, ""), retryAt(now)), "RateLimited: retry after 1 s"},
		"limited, until before":      {fresh(last(apierr.RateLimited, ""), retryAt(now.Add(-time.Hour))), "RateLimited: retry after 1 s"},
		"paused":                     {fresh(status(grant.StatusPaused)), "ConnectionPaused: an operator paused this connection"},
		"paused, after an error":     {fresh(status(grant.StatusPaused), last(apierr.ReltioUnavailable, "m")), "ConnectionPaused: an operator paused this connection"},
		"unknown":                    {fresh().Deleted(now), "UnknownConnection: no connection has this name"},
		"an error without a message": {fresh(last(apierr.StoreUnavailable, "")), "StoreUnavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			if e := test.grant.Error(now); e != nil {
				got = e.Error()
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestFailing(t *testing.T) {
	for s, want := range map[grant.Status]bool{
		"": false, grant.StatusOK: false, grant.StatusPaused: false,
		grant.StatusFailing: true, grant.StatusTokenLimit: true, grant.StatusUnknown: true,
		grant.StatusInvalidConnection: true, grant.StatusCredentialsRejected: true,
		grant.StatusMFARequired: true, grant.StatusReauthorize: true,
	} {
		if got := fresh(status(s)).Failing(); got != want {
			t.Errorf("%q: Failing = %v, want %v", s, got, want)
		}
	}
}
