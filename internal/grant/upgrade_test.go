package grant_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
)

// The release before wrote what a check had said as the order of two moments: a
// try after the check, at its moment, or before it.
func TestUpgradedVerdict(t *testing.T) {
	const s, m = time.Second, time.Minute
	now := issued().Add(30 * m)
	for name, test := range map[string]struct {
		checked, tried, reissued time.Duration // before now; 0: never
		want                     grant.Verdict
		again                    bool // it was given again
	}{
		"never checked":                            {0, 0, 0, grant.Unchecked, false},
		"never checked, tried":                     {0, m, 0, grant.Unchecked, false},
		"active":                                   {m, 0, 0, grant.Active, false},
		"active, tried before":                     {m, m + ms, 0, grant.Active, false},
		"inactive":                                 {m, m, 0, grant.Inactive, false},
		"undecided, or another token":              {m, m - ms, 0, grant.Unchecked, false},
		"failed since":                             {m, s, 0, grant.Unchecked, false},
		"given again in the check's own moment":    {m, m, m, grant.Inactive, true},
		"given again":                              {m, m, m - s, grant.Inactive, true},
		"given again, failed since":                {m, s, m - s, grant.Inactive, true},
		"given again long ago":                     {20 * m, 20 * m, 19 * m, grant.Inactive, true},
		"given again long ago, active now":         {s, 0, 20 * m, grant.Active, false},
		"given again long ago, inactive now":       {s, s, 20 * m, grant.Inactive, false},
		"given again long ago, undecided now":      {s, s - ms, 20 * m, grant.Unchecked, false},
		"given again long ago, refused since then": {15 * m, m, 20 * m, grant.Unchecked, false},
	} {
		t.Run(name, func(t *testing.T) {
			before := func(d time.Duration) time.Time {
				if d == 0 {
					return time.Time{}
				}
				return now.Add(-d)
			}
			g := fresh(func(g *grant.Grant) {
				g.CheckedAt, g.TriedAt, g.ReissuedAt = before(test.checked), before(test.tried), before(test.reissued)
			})
			want := g
			want.CheckVerdict = test.want
			if !test.again {
				want.ReissuedAt = time.Time{}
			}
			got := g.Upgraded()
			if d := diff(want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			if valid := test.want != grant.Inactive || test.again; got.Valid(now) != valid {
				t.Errorf("Valid = %v, want %v", !valid, valid)
			}
		})
	}
}

// The release before wrote how often a client was refused, and how often
// throttled, in the message of the last failure.
func TestUpgradedCounts(t *testing.T) {
	const (
		client = "Reltio refused the client"
		user   = "Reltio refused the user or the client"
		stop   = "; stopped to prevent a lock-out"
		then   = "; then: no answer"
		once   = "Reltio throttled the client"
		twice  = "Reltio throttled the client twice in a row"
		limit  = "the client holds as many tokens as Reltio allows it"
	)
	for name, test := range map[string]struct {
		status              grant.Status
		failures            int
		message             string
		refusals, throttles int
	}{
		"healthy":                            {grant.StatusOK, 0, "", 0, 0},
		"an outage":                          {grant.StatusFailing, 3, "no answer", 0, 0},
		"a client refused":                   {grant.StatusFailing, 1, client, 1, 0},
		"a client refused, then an outage":   {grant.StatusFailing, 2, client + then, 1, 0},
		"a client refused twice":             {grant.StatusCredentialsRejected, 2, client + stop, 2, 0},
		"a client refused, long healthy":     {grant.StatusOK, 0, client, 0, 0},
		"a user refused: its account counts": {grant.StatusFailing, 1, user, 0, 0},
		"a user refused to the limit":        {grant.StatusCredentialsRejected, 2, user + stop, 0, 0},
		"throttled":                          {grant.StatusFailing, 1, once, 0, 1},
		"throttled twice":                    {grant.StatusFailing, 2, twice, 0, 2},
		"throttled thrice, with others":      {grant.StatusFailing, 5, twice, 0, 2},
		"at its token limit":                 {grant.StatusTokenLimit, 3, limit, 0, 3},
		"a person is needed":                 {grant.StatusReauthorize, 1, "no refresh token", 0, 0},
		"a message that quotes it":           {grant.StatusFailing, 1, "says: " + client, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			g := fresh(status(test.status), func(g *grant.Grant) {
				g.Failures, g.LastErrorMessage = test.failures, test.message
			})
			want := g
			want.Refusals, want.Throttles = test.refusals, test.throttles
			if d := diff(want, g.Upgraded()); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// A refresh begins as AtEnd also where the release before had learned nothing,
// and keeps what that had learned.
func TestUpgradedModes(t *testing.T) {
	for stored, want := range map[grant.Mode]grant.Mode{
		"": grant.AtEnd, grant.Unknown: grant.AtEnd, grant.AtEnd: grant.AtEnd, grant.Overlap: grant.Overlap,
	} {
		t.Run(fmt.Sprintf("%q", stored), func(t *testing.T) {
			g := fresh(refreshable, func(g *grant.Grant) { g.RefreshMode = stored }).Upgraded()
			if got := g.Mode(); got != want {
				t.Errorf("Mode = %v, want %v", got, want)
			}
		})
	}
}
