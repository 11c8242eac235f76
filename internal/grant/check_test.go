package grant_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
)

// said is what a grant tells of its last check.
type said struct{ Valid, Checkable, FoundActive, Reissued bool }

func (s said) of(t *testing.T, g grant.Grant, now time.Time) {
	t.Helper()
	got := said{g.Valid(now), g.Checkable(now), g.FoundActive(now), g.Reissued(now)}
	if diff := cmp.Diff(s, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestChecks(t *testing.T) {
	const s, m = time.Second, time.Minute
	now := issued()
	nothing, checkable := said{Valid: true}, said{Valid: true, Checkable: true}
	active, reissued := said{Valid: true, FoundActive: true}, said{Valid: true, Reissued: true}
	inactive, inactiveCheckable := said{}, said{Checkable: true}
	for name, test := range map[string]struct {
		verdict           grant.Verdict
		checked, reissued time.Duration // before now; 0: never
		want              said
	}{
		"never checked":                              {grant.Unchecked, 0, 0, checkable},
		"the one before was checked just now":        {grant.Unchecked, 1, 0, nothing},
		"the one before was checked 30 s ago":        {grant.Unchecked, 30 * s, 0, checkable},
		"active just now":                            {grant.Active, 1, 0, active},
		"active not quite 30 s ago":                  {grant.Active, 30*s - 1, 0, active},
		"active 30 s ago":                            {grant.Active, 30 * s, 0, checkable},
		"active by a clock that is fast":             {grant.Active, -30 * s, 0, active},
		"active by a clock that is broken":           {grant.Active, -30*s - 1, 0, checkable},
		"inactive just now":                          {grant.Inactive, 1, 0, inactive},
		"inactive not quite 30 s ago":                {grant.Inactive, 30*s - 1, 0, inactive},
		"inactive 30 s ago":                          {grant.Inactive, 30 * s, 0, inactiveCheckable},
		"inactive long ago":                          {grant.Inactive, 50 * m, 0, inactiveCheckable},
		"inactive by a clock that is broken":         {grant.Inactive, -day, 0, inactiveCheckable},
		"unclear just now":                           {grant.Unclear, 1, 0, nothing},
		"unclear 30 s ago":                           {grant.Unclear, 30 * s, 0, nothing},
		"unclear not quite 5 min ago":                {grant.Unclear, 5*m - 1, 0, nothing},
		"unclear 5 min ago":                          {grant.Unclear, 5 * m, 0, checkable},
		"unclear by a clock that is broken":          {grant.Unclear, -5*m - 1, 0, checkable},
		"inactive, given again just now":             {grant.Inactive, s, s, reissued},
		"inactive, given again not quite 5 min ago":  {grant.Inactive, 5 * m, 5*m - 1, reissued},
		"inactive, given again 5 min ago":            {grant.Inactive, 5 * m, 5 * m, checkable},
		"inactive, given again by a fast clock":      {grant.Inactive, m, -5 * m, reissued},
		"inactive, given again by a broken clock":    {grant.Inactive, m, -5*m - 1, checkable},
		"unclear, given again just now":              {grant.Active, s, s, active},
		"unclear, given again 30 s ago":              {grant.Active, 31 * s, 30 * s, active},
		"unclear, given again not quite 5 min ago":   {grant.Active, 5 * m, 5*m - 1, active},
		"unclear, given again 5 min ago":             {grant.Active, 5 * m, 5 * m, checkable},
		"a verdict of the future, checked just now":  {"from_the_future", 1, 0, nothing},
		"a verdict of the future, checked 30 s ago:": {"from_the_future", 30 * s, 0, checkable},
	} {
		t.Run(name, func(t *testing.T) {
			before := func(d time.Duration) time.Time {
				if d == 0 {
					return time.Time{}
				}
				return now.Add(-d)
			}
			g := fresh()
			g.CheckVerdict, g.CheckedAt, g.ReissuedAt = test.verdict, before(test.checked), before(test.reissued)
			test.want.of(t, g, now)
		})
	}
}

// A check changes what it found and when, and nothing else; and so does another
// request for a token that gave the same.
func TestCheckedAs(t *testing.T) {
	now := issued().Add(10 * time.Minute)
	for name, before := range checkedBefore(now) {
		for _, verdict := range []grant.Verdict{grant.Active, grant.Inactive, grant.Unclear} {
			t.Run(fmt.Sprint(name, ", then ", verdict), func(t *testing.T) {
				want := before
				want.CheckedAt, want.CheckVerdict, want.ReissuedAt = now, verdict, time.Time{}
				if d := diff(want, before.CheckedAs(verdict, now)); d != "" {
					t.Errorf("CheckedAs (-want +got):\n%s", d)
				}
				want = before
				want.CheckVerdict, want.ReissuedAt = verdict, now
				if d := diff(want, before.AskedAs(verdict, now)); d != "" {
					t.Errorf("AskedAs (-want +got):\n%s", d)
				}
			})
		}
	}
}

// checkedBefore are grants in every state in which a check may find them.
func checkedBefore(now time.Time) map[string]grant.Grant {
	tried := func(at time.Time) func(*grant.Grant) { return func(g *grant.Grant) { g.TriedAt = at } }
	return map[string]grant.Grant{
		"healthy":                     fresh(),
		"failing":                     fresh(status(grant.StatusFailing), tried(now.Add(-time.Minute))),
		"failed in this very moment":  fresh(status(grant.StatusFailing), tried(now)),
		"failed by a clock that runs": fresh(status(grant.StatusFailing), tried(now.Add(time.Second))),
		"rejected":                    fresh(status(grant.StatusCredentialsRejected), tried(now.Add(-10*time.Minute))),
		"found active a minute ago":   fresh().CheckedAs(grant.Active, now.Add(-time.Minute)),
		"found inactive a minute ago": fresh().CheckedAs(grant.Inactive, now.Add(-time.Minute)),
		"unclear a minute ago":        fresh().CheckedAs(grant.Unclear, now.Add(-time.Minute)),
		"given again a while ago":     fresh().CheckedAs(grant.Inactive, now.Add(-10*time.Minute)).AskedAs(grant.Inactive, now.Add(-10*time.Minute)),
	}
}

// What a check said of a token stands, whatever happens to the grant meanwhile.
// Of another token it says nothing, but when it was and that it was unclear.
func TestWhatACheckSaidStands(t *testing.T) {
	now := issued().Add(10 * time.Minute)
	e := apierr.New(apierr.ReltioUnavailable, "no answer")
	changes := map[string]func(grant.Grant) grant.Grant{
		"nothing": func(g grant.Grant) grant.Grant { return g },
		"a failure": func(g grant.Grant) grant.Grant {
			return g.Failed(grant.StatusFailing, e, now.Add(time.Second), 0, 0)
		},
		"a refusal": func(g grant.Grant) grant.Grant {
			return g.Refused(now).Failed(grant.StatusCredentialsRejected, e, now, 0, 0)
		},
		"a person is needed": func(g grant.Grant) grant.Grant { return g.Failed(grant.StatusReauthorize, e, now, 0, 0) },
		"a look":             func(g grant.Grant) grant.Grant { return g.LookedAt(now) },
		"a postponement": func(g grant.Grant) grant.Grant {
			return g.Postponed(apierr.Limited(time.Second), now.Add(time.Second))
		},
		"a success": grant.Grant.Healthy,
		"the same token": func(g grant.Grant) grant.Grant {
			return g.Accept(answered("access-1", now.Add(time.Second), 49*time.Minute)).Healthy()
		},
	}
	verdicts := map[grant.Verdict]said{
		grant.Active: {Valid: true, FoundActive: true}, grant.Inactive: {}, grant.Unclear: {Valid: true},
	}
	for name, before := range checkedBefore(now) {
		for verdict, want := range verdicts {
			for change, do := range changes {
				t.Run(fmt.Sprint(name, ", ", verdict, ", then ", change), func(t *testing.T) {
					want.of(t, do(before.CheckedAs(verdict, now)), now.Add(2*time.Second))
				})
			}
		}
	}
}

func TestWhatACheckSaysOfTheNextToken(t *testing.T) {
	now := issued().Add(10 * time.Minute)
	for verdict, test := range map[grant.Verdict]struct {
		want      grant.Verdict
		checkable time.Duration // after the check
	}{
		grant.Unchecked: {grant.Unchecked, 30 * time.Second},
		grant.Active:    {grant.Unchecked, 30 * time.Second},
		grant.Inactive:  {grant.Unchecked, 30 * time.Second},
		grant.Unclear:   {grant.Unclear, 5 * time.Minute},
	} {
		for _, again := range []bool{false, true} {
			t.Run(fmt.Sprintf("%q, given again %v", verdict, again), func(t *testing.T) {
				before := fresh().CheckedAs(verdict, now)
				if again {
					before = before.AskedAs(verdict, now)
				}
				g := before.Accept(answered("access-2", now.Add(time.Second), time.Hour))
				var settled time.Time
				if test.want == grant.Unclear {
					settled = now
				}
				if g.CheckVerdict != test.want || !g.CheckedAt.Equal(now) || !g.ReissuedAt.Equal(settled) {
					t.Errorf("%q, checked at %v, given again at %v; want %q, the moment of the check and %v",
						g.CheckVerdict, g.CheckedAt, g.ReissuedAt, test.want, settled)
				}
				if g.Asking(now.Add(time.Second)) {
					t.Error("another token is still asked for")
				}
				said{Valid: true}.of(t, g, now.Add(test.checkable-1))
				said{Valid: true, Checkable: true}.of(t, g, now.Add(test.checkable))
			})
		}
	}
}

// A token that was found inactive counts as ended, and is due at once; but where the
// server insists on it, as every other token.
func TestATokenFoundInactive(t *testing.T) {
	now := issued().Add(10 * time.Minute)
	due := expires().Add(-3 * time.Minute)
	inactive := func(changes ...func(*grant.Grant)) grant.Grant {
		return fresh(changes...).CheckedAs(grant.Inactive, now)
	}
	for name, test := range map[string]struct {
		grant grant.Grant
		valid bool
		due   time.Time
	}{
		"active":                          {fresh().CheckedAs(grant.Active, now), true, due},
		"unclear":                         {fresh().CheckedAs(grant.Unclear, now), true, due},
		"inactive":                        {inactive(), false, time.Time{}},
		"inactive, overlapping":           {inactive(mode(grant.Overlap)), false, time.Time{}},
		"inactive, at the end":            {inactive(mode(grant.AtEnd)), false, time.Time{}},
		"inactive, with a refresh token":  {inactive(refreshable), false, time.Time{}},
		"inactive, it came again before":  {inactive(repeatedUntil(expires())), false, time.Time{}},
		"inactive, a login comes next":    {inactive(relogin(grant.ReloginDue)), false, time.Time{}},
		"inactive, a retry lies ahead":    {inactive(retryAt(now.Add(time.Minute))), false, now.Add(time.Minute)},
		"inactive, rejected":              {inactive(status(grant.StatusCredentialsRejected), retryAt(now.Add(time.Minute))), false, now.Add(time.Minute)},
		"inactive, given again":           {inactive().AskedAs(grant.Inactive, now), true, due},
		"unclear, given again":            {fresh().CheckedAs(grant.Unclear, now).AskedAs(grant.Active, now), true, due},
		"inactive, given again, inactive": {inactive().AskedAs(grant.Inactive, now).CheckedAs(grant.Inactive, now), false, time.Time{}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := test.grant.Valid(now); got != test.valid {
				t.Errorf("Valid = %v, want %v", got, test.valid)
			}
			if got := test.grant.Due(); !got.Equal(test.due) {
				t.Errorf("due %v, want %v", got, test.due)
			}
			if !test.grant.Unexpired(now) || test.grant.Unexpired(expires()) {
				t.Error("Unexpired depends on more than the deadline")
			}
			if test.grant.EarlyWindow(now) {
				t.Error("it is in the early window")
			}
		})
	}
}

// After a check that said nothing another token is asked for, until the server has
// given one, or for as long as a check counts.
func TestAsking(t *testing.T) {
	now := issued().Add(10 * time.Minute)
	unclear := fresh().CheckedAs(grant.Unclear, now)
	for name, test := range map[string]struct {
		grant grant.Grant
		after time.Duration
		want  bool
	}{
		"unclear":                      {unclear, time.Second, true},
		"unclear by a clock ahead":     {unclear, -time.Second, true},
		"unclear, not quite 30 s":      {unclear, 30*time.Second - 1, true},
		"unclear for 30 s":             {unclear, 30 * time.Second, false},
		"the same token":               {unclear.AskedAs(grant.Active, now), time.Second, false},
		"a new token":                  {unclear.Accept(answered("access-2", now, time.Hour)), time.Second, false},
		"a new token, and another one": {unclear.Accept(answered("access-2", now, time.Hour)).Accept(answered("access-3", now, time.Hour)), time.Second, false},
		"never checked":                {fresh(), time.Second, false},
		"active":                       {fresh().CheckedAs(grant.Active, now), time.Second, false},
		"inactive":                     {fresh().CheckedAs(grant.Inactive, now), time.Second, false},
	} {
		if got := test.grant.Asking(now.Add(test.after)); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}
