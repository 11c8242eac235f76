package grant_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
)

func warnedAt(at time.Time) func(*grant.Grant) { return func(g *grant.Grant) { g.WarnedAt = at } }

// Operators are told when attention is needed, and daily while it lasts.
func TestAnnounceThatAttentionIsNeeded(t *testing.T) {
	now := issued()
	for name, test := range map[string]struct {
		before, after grant.Grant
		want          grant.EventType // empty: none
	}{
		"a person, it begins":             {fresh(), fresh(status(grant.StatusReauthorize)), grant.ReauthorizationRequired},
		"credentials, it begins":          {fresh(), fresh(status(grant.StatusCredentialsRejected)), grant.CredentialsRejected},
		"a second factor, it begins":      {fresh(), fresh(status(grant.StatusMFARequired)), grant.CredentialsRejected},
		"a person, warned before":         {fresh(), fresh(status(grant.StatusReauthorize), warnedAt(now.Add(-time.Hour))), grant.ReauthorizationRequired},
		"a person instead of credentials": {fresh(status(grant.StatusCredentialsRejected)), fresh(status(grant.StatusReauthorize), warnedAt(now.Add(-time.Hour))), grant.ReauthorizationRequired},
		"still, not quite a day later":    {fresh(status(grant.StatusReauthorize)), fresh(status(grant.StatusReauthorize), warnedAt(now.Add(-day+ms))), ""},
		"still, a day later":              {fresh(status(grant.StatusReauthorize)), fresh(status(grant.StatusReauthorize), warnedAt(now.Add(-day))), grant.ReauthorizationRequired},
		"still, said by a broken clock":   {fresh(status(grant.StatusReauthorize)), fresh(status(grant.StatusReauthorize), warnedAt(now.Add(2*day))), grant.ReauthorizationRequired},
	} {
		t.Run(name, func(t *testing.T) {
			want := test.after
			if test.want != "" {
				want.WarnedAt, want.Unpublished = now, []string{string(test.want)}
			}
			for _, person := range []bool{false, true} {
				if d := diff(want, test.after.Announced(test.before, now, person)); d != "" {
					t.Errorf("person %v (-want +got):\n%s", person, d)
				}
			}
		})
	}
}

func TestAnnounceRecovery(t *testing.T) {
	now := issued()
	for _, s := range []grant.Status{grant.StatusReauthorize, grant.StatusCredentialsRejected, grant.StatusMFARequired} {
		before := fresh(status(s), warnedAt(now.Add(-time.Hour)))
		after := before.Healthy()
		want := after
		want.WarnedAt, want.Unpublished = time.Time{}, []string{string(grant.Recovered)}
		if d := diff(want, after.Announced(before, now, true)); d != "" {
			t.Errorf("after %s (-want +got):\n%s", s, d)
		}
		// The token of a login that is about to be revoked is taken away.
		after = after.WithoutToken()
		if got := after.Announced(before, now, false).Unpublished; len(got) != 0 {
			t.Errorf("after %s, without a token: %v", s, got)
		}
		after.Relogin = grant.ReloginRevoke
		if got := after.Announced(before, now, false).Unpublished; len(got) != 1 {
			t.Errorf("after %s, before the revocation: %v, want that it has recovered", s, got)
		}
	}
}

// A person's refresh token without an access token yet is all that was needed;
// one of a connection that logs in by itself is not.
func TestAnnounceThatAPersonHasBeenHere(t *testing.T) {
	now := issued()
	before := fresh(status(grant.StatusReauthorize), refreshable)
	after := before.Healthy().WithoutToken()
	for person, want := range map[bool]int{true: 1, false: 0} {
		if got := after.Announced(before, now, person).Unpublished; len(got) != want {
			t.Errorf("person %v: %v, want %d event(s)", person, got, want)
		}
	}
}

func TestNothingToAnnounce(t *testing.T) {
	for name, test := range map[string]struct{ before, after grant.Grant }{
		"healthy":                     {fresh(), fresh()},
		"failing":                     {fresh(), fresh(status(grant.StatusFailing))},
		"healthy again":               {fresh(status(grant.StatusFailing)), fresh()},
		"the secret is wrong":         {fresh(), fresh(status(grant.StatusInvalidConnection))},
		"the secret is right again":   {fresh(status(grant.StatusInvalidConnection)), fresh()},
		"paused while a person waits": {fresh(status(grant.StatusReauthorize)), fresh(status(grant.StatusPaused))},
		"refused, only failing now":   {fresh(status(grant.StatusReauthorize)), fresh(status(grant.StatusFailing))},
	} {
		t.Run(name, func(t *testing.T) {
			if d := diff(test.after, test.after.Announced(test.before, issued(), true)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// A person is warned at 25 %, 10 % and 3.5 % of the refresh token's life, once
// each, and not at all where no person has to log in.
func TestAnnounceThatAPersonIsNeededSoon(t *testing.T) {
	ends := issued().Add(28 * day)
	left := func(share float64) time.Time { return ends.Add(-time.Duration(share * float64(28*day))) }
	for name, test := range map[string]struct {
		warned, now time.Time
		want        bool
	}{
		"new":                                 {time.Time{}, issued(), false},
		"just before a quarter":               {time.Time{}, left(0.25).Add(-ms), false},
		"a quarter":                           {time.Time{}, left(0.25), true},
		"after it, warned":                    {left(0.25), left(0.25).Add(day), false},
		"after it, warned for the last token": {issued().Add(-day), left(0.25).Add(day), true},
		"just before a tenth, warned":         {left(0.25), left(0.10).Add(-ms), false},
		"a tenth":                             {left(0.25), left(0.10), true},
		"after it, warned too":                {left(0.10), left(0.10).Add(time.Hour), false},
		"just before the last":                {left(0.10), left(0.035).Add(-ms), false},
		"the last":                            {left(0.10), left(0.035), true},
		"after the last":                      {left(0.035), ends.Add(-ms), false},
		"after the last, never warned":        {time.Time{}, ends.Add(-ms), true},
		"it has ended":                        {time.Time{}, ends, false},
	} {
		t.Run(name, func(t *testing.T) {
			g := fresh(refreshable, warnedAt(test.warned))
			want := g
			if test.want {
				want.WarnedAt, want.Unpublished = test.now, []string{string(grant.ReauthorizationSoon)}
			}
			if d := diff(want, g.Announced(fresh(refreshable), test.now, true)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			if d := diff(g, g.Announced(fresh(refreshable), test.now, false)); d != "" {
				t.Errorf("where no person has to log in (-want +got):\n%s", d)
			}
		})
	}
	if got := fresh().Announced(fresh(), ends, true); len(got.Unpublished) != 0 {
		t.Errorf("without a refresh token: %q", got.Unpublished)
	}
}

// Of what was not sent yet only what is still true is kept, for each event that
// comes after each other.
func TestOnlyEventsThatAreStillTrueAreKept(t *testing.T) {
	const (
		soon      = grant.ReauthorizationSoon
		required  = grant.ReauthorizationRequired
		rejected  = grant.CredentialsRejected
		refusing  = grant.ServerRefusing
		recovered = grant.Recovered
	)
	all := []grant.EventType{soon, required, rejected, refusing, recovered}
	ended := map[grant.EventType][]grant.EventType{ // by the one that comes
		soon:      {recovered},
		required:  {soon, rejected, recovered},
		rejected:  {soon, required, recovered},
		refusing:  nil,
		recovered: {soon, required, rejected},
	}
	for _, next := range all {
		for _, unsent := range all {
			want := []string{string(unsent), string(next)}
			if unsent == next || slices.Contains(ended[next], unsent) {
				want = []string{string(next)}
			}
			g := fresh().WithEvent(unsent).WithEvent(next)
			if d := cmp.Diff(want, g.Unpublished); d != "" {
				t.Errorf("%s, then %s (-want +got):\n%s", unsent, next, d)
			}
		}
	}
}

// What was not sent in time, by the state that the grant is in then.
func TestEventsThatAreStillTrue(t *testing.T) {
	const (
		soon      = grant.ReauthorizationSoon
		required  = grant.ReauthorizationRequired
		rejected  = grant.CredentialsRejected
		refusing  = grant.ServerRefusing
		recovered = grant.Recovered
	)
	failing := func(e apierr.Type) func(*grant.Grant) {
		return func(g *grant.Grant) { g.Status, g.LastError = grant.StatusFailing, e }
	}
	last := issued().Add(28 * day * 9 / 10)
	for name, test := range map[string]struct {
		g    grant.Grant
		now  time.Time
		want []grant.EventType // in this order
	}{
		"well":                        {fresh(), issued(), []grant.EventType{refusing, recovered}},
		"well, a fresh refresh token": {fresh(refreshable), issued(), []grant.EventType{refusing, recovered}},
		"well, near its end":          {fresh(refreshable), last, []grant.EventType{soon, refusing, recovered}},
		"near its end, and warned":    {fresh(refreshable, warnedAt(last)), last, []grant.EventType{soon, refusing, recovered}},
		"past its end":                {fresh(refreshable), issued().Add(28 * day), []grant.EventType{refusing, recovered}},
		"a person":                    {fresh(status(grant.StatusReauthorize)), issued(), []grant.EventType{required, refusing}},
		"credentials":                 {fresh(status(grant.StatusCredentialsRejected)), issued(), []grant.EventType{rejected, refusing}},
		"a second factor":             {fresh(status(grant.StatusMFARequired)), issued(), []grant.EventType{rejected, refusing}},
		"a malformed secret":          {fresh(status(grant.StatusInvalidConnection)), issued(), []grant.EventType{refusing, recovered}},
		"paused":                      {fresh(status(grant.StatusPaused)), issued(), []grant.EventType{refusing, recovered}},
		"an outage":                   {fresh(failing(apierr.ReltioUnavailable)), issued(), []grant.EventType{refusing, recovered}},
		"a login that was refused":    {fresh(failing(apierr.CredentialsRejected), relogin(grant.ReloginDue)), issued(), []grant.EventType{rejected, refusing}},
		"the same, and an outage":     {fresh(failing(apierr.StoreUnavailable), relogin(grant.ReloginDue)), issued(), []grant.EventType{rejected, refusing, recovered}},
	} {
		t.Run(name, func(t *testing.T) {
			test.g.Unpublished = []string{string(soon), string(required), string(rejected), string(refusing), string(recovered)}
			var got []grant.EventType
			for _, u := range test.g.StillTrue(test.now).Unpublished {
				got = append(got, grant.EventType(u))
			}
			if d := cmp.Diff(test.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			if len(test.g.Unpublished) != 5 {
				t.Error("the grant before has changed")
			}
		})
	}
}

func TestEventsAreRememberedOnce(t *testing.T) {
	before := fresh(func(g *grant.Grant) {
		g.Unpublished = append(make([]string, 0, 8), "ServerRefusing", "Recovered")
	})
	after := before.WithEvent(grant.CredentialsRejected).WithEvent(grant.CredentialsRejected)
	if d := cmp.Diff([]string{"ServerRefusing", "CredentialsRejected"}, after.Unpublished); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"ServerRefusing", "Recovered"}, before.Unpublished); d != "" {
		t.Errorf("the grant before has changed (-want +got):\n%s", d)
	}
}

// An event that is new is sent at once, however long the others wait.
func TestANewEventIsSentAtOnce(t *testing.T) {
	waiting := fresh(func(g *grant.Grant) {
		g.Unpublished, g.PublishTries, g.PublishAt = []string{"CredentialsRejected"}, 4, issued().Add(15*time.Minute)
	})
	same := waiting.WithEvent(grant.CredentialsRejected)
	if d := diff(waiting, same); d != "" {
		t.Errorf("the same event (-want +got):\n%s", d)
	}
	want := waiting
	want.Unpublished, want.PublishTries, want.PublishAt = []string{"Recovered"}, 0, time.Time{}
	if d := diff(want, waiting.WithEvent(grant.Recovered)); d != "" {
		t.Errorf("another event (-want +got):\n%s", d)
	}
}

func TestEvents(t *testing.T) {
	g := fresh(refreshable, status(grant.StatusReauthorize), func(g *grant.Grant) {
		g.LastError, g.LastErrorMessage = apierr.ReauthorizationRequired, "m"
		g.Unpublished = []string{"ServerRefusing", "ReauthorizationRequired"}
	})
	same := grant.Event{
		Connection: "acme", Status: "reauthorize", Error: apierr.ReauthorizationRequired, RefreshExpiresAt: issued().Add(28 * day),
	}
	refusing, required := same, same
	refusing.Type, required.Type = grant.ServerRefusing, grant.ReauthorizationRequired
	if d := cmp.Diff([]grant.Event{refusing, required}, g.Events()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if got := fresh().Events(); len(got) != 0 {
		t.Errorf("nothing to send, and %v", got)
	}
}

// A grant that has recovered and needs somebody for another reason says so when
// that is over.
func TestRecoveredWaits(t *testing.T) {
	for s, want := range map[grant.Status]int{
		grant.StatusOK: 1, grant.StatusFailing: 1, grant.StatusPaused: 1, grant.StatusTokenLimit: 1,
		grant.StatusInvalidConnection: 0, grant.StatusCredentialsRejected: 0, grant.StatusMFARequired: 0, grant.StatusReauthorize: 0,
	} {
		g := fresh(status(s))
		g.Unpublished = []string{string(grant.Recovered)}
		if got := len(g.Events()); got != want {
			t.Errorf("%s: %d events to send, want %d", s, got, want)
		}
	}
}
