package grant_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
)

func TestDue(t *testing.T) {
	early, lately := expires().Add(-3*time.Minute), issued().Add(-day)
	for name, test := range map[string]struct {
		grant grant.Grant
		want  time.Time
	}{
		"nothing at all":                           {grant.Grant{}, time.Time{}},
		"no token":                                 {fresh(withoutToken), time.Time{}},
		"no token, after a failure":                {fresh(withoutToken, retryAt(issued())), issued()},
		"unknown":                                  {fresh(), early},
		"never learned anything":                   {fresh(mode("")), early},
		"unknown, a day":                           {fresh(life(day)), issued().Add(day - 3*time.Minute)},
		"unknown, 20 minutes":                      {fresh(life(20 * time.Minute)), issued().Add(19 * time.Minute)},
		"unknown, 20 seconds":                      {fresh(life(20 * time.Second)), issued().Add(19 * time.Second)},
		"at the end, tested lately":                {fresh(mode(grant.AtEnd), testedAt(lately)), expires().Add(time.Second)},
		"at the end, tested a week ago":            {fresh(mode(grant.AtEnd), testedAt(early.Add(-week))), early},
		"at the end, tested not quite a week ago":  {fresh(mode(grant.AtEnd), testedAt(early.Add(-week+ms))), expires().Add(time.Second)},
		"at the end, never tested":                 {fresh(mode(grant.AtEnd)), early},
		"at the end, repeated":                     {fresh(mode(grant.AtEnd), testedAt(lately), repeatedUntil(expires().Add(7*time.Second))), expires().Add(9 * time.Second)},
		"at the end, repeated, a week ago":         {fresh(mode(grant.AtEnd), repeatedUntil(expires())), expires().Add(2 * time.Second)},
		"unknown, repeated":                        {fresh(repeatedUntil(expires().Add(7 * time.Second))), expires().Add(9 * time.Second)},
		"a login comes next":                       {fresh(mode(grant.Overlap), relogin(grant.ReloginDue)), expires().Add(time.Second)},
		"a login comes next, unknown":              {fresh(relogin(grant.ReloginLogin)), expires().Add(time.Second)},
		"a login comes next, repeated":             {fresh(relogin(grant.ReloginDue), repeatedUntil(expires())), expires().Add(2 * time.Second)},
		"a login comes next, the token is gone":    {fresh(relogin(grant.ReloginRevoke), withoutToken), time.Time{}},
		"a refresh, never learned anything":        {fresh(refreshable, refreshMode("")), expires().Add(time.Second)},
		"a refresh, unknown":                       {fresh(refreshable, refreshMode(grant.Unknown)), expires().Add(time.Second)},
		"a refresh at the end, never tested":       {fresh(refreshable, refreshMode(grant.AtEnd)), expires().Add(time.Second)},
		"a refresh at the end, tested a year ago":  {fresh(refreshable, refreshMode(grant.AtEnd), testedAt(early.Add(-365*day))), expires().Add(time.Second)},
		"a refresh at the end, repeated":           {fresh(refreshable, repeatedUntil(expires())), expires().Add(2 * time.Second)},
		"a refresh, whatever logins do":            {fresh(refreshable, mode(grant.Overlap)), expires().Add(time.Second)},
		"an overlapping refresh":                   {fresh(refreshable, refreshMode(grant.Overlap)), fresh(mode(grant.Overlap)).Due()},
		"an overlapping refresh, a login is next":  {fresh(refreshable, refreshMode(grant.Overlap), relogin(grant.ReloginDue)), expires().Add(time.Second)},
		"a retry that comes later than the end":    {fresh(status(grant.StatusFailing), retryAt(expires().Add(time.Minute))), expires().Add(time.Minute)},
		"a retry between due and end":              {fresh(status(grant.StatusFailing), retryAt(early.Add(30*time.Second))), early.Add(30 * time.Second)},
		"a retry that has passed":                  {fresh(status(grant.StatusFailing), retryAt(issued())), early},
		"rejected, looked at while the token live": {fresh(status(grant.StatusCredentialsRejected), retryAt(issued())), issued()},
		"rejected, looked at after the end":        {fresh(status(grant.StatusReauthorize), retryAt(expires().Add(day))), expires().Add(day)},
	} {
		t.Run(name, func(t *testing.T) {
			if got := test.grant.Due(); !got.Equal(test.want) {
				t.Errorf("due %v, want %v", got, test.want)
			}
		})
	}
}

func TestWaitingStatusesAreDueWhenTheyAreLookedAt(t *testing.T) {
	look := issued().Add(5 * time.Minute)
	for _, s := range waitings() {
		g := fresh(status(s), retryAt(look))
		if got := g.Due(); !g.Waiting() || !got.Equal(look) {
			t.Errorf("%s: waiting %v, due %v, want %v", s, g.Waiting(), got, look)
		}
	}
	for _, s := range []grant.Status{"", grant.StatusOK, grant.StatusFailing, grant.StatusUnknown, grant.StatusTokenLimit, grant.StatusPaused} {
		if fresh(status(s)).Waiting() {
			t.Errorf("%q waits", s)
		}
	}
}

// Whatever the fingerprint and the life, an overlapping token is due between a
// quarter and a fifth of its life before its end, always at the same moment.
func TestOverlapWindow(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var tenths [10]int
	for i := range 20_000 {
		d := time.Duration(1+random.Int64N(int64(31*day/ms))) * ms
		g := fresh(mode(grant.Overlap), life(d), func(g *grant.Grant) { g.Fingerprint = fmt.Sprint("sha256:", i) })
		due := g.Due()
		if from, to := g.ExpiresAt.Add(-d/4), g.ExpiresAt.Add(-d/5+ms); due.Before(from) || due.After(to) {
			t.Fatalf("life %v: due %v before the end, want between %v and %v", d, g.ExpiresAt.Sub(due), d/4, d/5)
		}
		if again := g.Due(); !again.Equal(due) {
			t.Fatalf("due %v and then %v", due, again)
		}
		tenths[min(9, int(10*(g.ExpiresAt.Sub(due)-d/5)/max(1, d/20)))]++
	}
	for i, n := range tenths {
		if n < 1800 || n > 2200 { // 2,000 each, if a fleet spreads evenly
			t.Errorf("tenth %d of the window has %d of 20,000", i, n)
		}
	}
}

func TestOverlapWindowOfAnHour(t *testing.T) {
	for i := range 1000 {
		g := fresh(mode(grant.Overlap), func(g *grant.Grant) { g.Fingerprint = fmt.Sprint("sha256:", i) })
		if before := expires().Sub(g.Due()); before < 12*time.Minute || before > 15*time.Minute {
			t.Fatalf("due %v before the end, want 15 to 12 minutes", before)
		}
	}
}

func TestMode(t *testing.T) {
	both := func(refresh, login grant.Mode, changes ...func(*grant.Grant)) grant.Grant {
		g := fresh(changes...)
		g.RefreshMode, g.LoginMode = refresh, login
		return g
	}
	for name, test := range map[string]struct {
		grant                grant.Grant
		want, refresh, login grant.Mode
	}{
		"nothing learned":         {both("", ""), grant.Unknown, grant.AtEnd, grant.Unknown},
		"nothing known":           {both(grant.Unknown, grant.Unknown), grant.Unknown, grant.AtEnd, grant.Unknown},
		"without a refresh token": {both(grant.AtEnd, grant.Overlap), grant.Overlap, grant.AtEnd, grant.Overlap},
		"with a refresh token":    {both(grant.AtEnd, grant.Overlap, refreshable), grant.AtEnd, grant.AtEnd, grant.Overlap},
		"refresh not learned":     {both("", grant.Overlap, refreshable), grant.AtEnd, grant.AtEnd, grant.Overlap},
		"refresh not known":       {both(grant.Unknown, grant.Unknown, refreshable), grant.AtEnd, grant.AtEnd, grant.Unknown},
		"refresh overlaps":        {both(grant.Overlap, grant.AtEnd, refreshable), grant.Overlap, grant.Overlap, grant.AtEnd},
		"a mode of the future":    {both("from_the_future", grant.Unknown, refreshable), grant.AtEnd, grant.AtEnd, grant.Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			got := [3]grant.Mode{test.grant.Mode(), test.grant.ModeOf(true), test.grant.ModeOf(false)}
			if diff := cmp.Diff([3]grant.Mode{test.want, test.refresh, test.login}, got); diff != "" {
				t.Errorf("deciding, of refreshes, of logins (-want +got):\n%s", diff)
			}
		})
	}
}

func TestValid(t *testing.T) {
	for name, test := range map[string]struct {
		grant grant.Grant
		now   time.Time
		want  bool
	}{
		"new":                     {fresh(), issued(), true},
		"by a clock that is slow": {fresh(), issued().Add(-time.Minute), true},
		"a second left":           {fresh(), expires().Add(-time.Second), true},
		"less than a second left": {fresh(), expires().Add(-time.Second + 1), false},
		"at its end":              {fresh(), expires(), false},
		"after its end":           {fresh(), expires().Add(day), false},
		"removed":                 {fresh(withoutToken), issued(), false},
		"nothing at all":          {grant.Grant{}, issued(), false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := test.grant.Valid(test.now); got != test.want {
				t.Errorf("Living = %v, want %v", got, test.want)
			}
		})
	}
}

func TestEarlyWindow(t *testing.T) {
	due := expires().Add(-3 * time.Minute)
	overlap := fresh(mode(grant.Overlap))
	for name, test := range map[string]struct {
		grant grant.Grant
		now   time.Time
		want  bool
	}{
		"unknown, before it is due":       {fresh(), due.Add(-ms), false},
		"unknown, due":                    {fresh(), due, true},
		"unknown, a second left":          {fresh(), expires().Add(-time.Second), true},
		"unknown, ended":                  {fresh(), expires().Add(-time.Second + ms), false},
		"overlap, before it is due":       {overlap, overlap.Due().Add(-ms), false},
		"overlap, due":                    {overlap, overlap.Due(), true},
		"overlap, ended":                  {overlap, expires(), false},
		"at the end":                      {fresh(mode(grant.AtEnd), testedAt(issued())), expires().Add(-time.Second), false},
		"at the end, the weekly test due": {fresh(mode(grant.AtEnd)), due, false},
		"a login comes next":              {fresh(relogin(grant.ReloginDue)), expires().Add(-time.Second), false},
		"a retry lies ahead":              {fresh(status(grant.StatusFailing), retryAt(due.Add(time.Minute))), due.Add(time.Minute - ms), false},
		"the retry's moment":              {fresh(status(grant.StatusFailing), retryAt(due.Add(time.Minute))), due.Add(time.Minute), true},
		"token limit, the retry's moment": {fresh(status(grant.StatusTokenLimit), retryAt(due)), due, true},
		"rejected":                        {fresh(status(grant.StatusCredentialsRejected), retryAt(due)), due, false},
		"a person must log in":            {fresh(status(grant.StatusReauthorize), retryAt(due)), due, false},
		"paused":                          {fresh(status(grant.StatusPaused)), due, false},
		"no token":                        {fresh(withoutToken), due, false},
		"a refresh, unknown":              {fresh(refreshable), due, false},
		"a refresh, whatever logins do":   {fresh(refreshable, mode(grant.Overlap)), expires().Add(-time.Second), false},
		"an overlapping refresh":          {fresh(refreshable, refreshMode(grant.Overlap)), due, true},
		"found inactive":                  {fresh().CheckedAs(grant.Inactive, due), due, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := test.grant.EarlyWindow(test.now); got != test.want {
				t.Errorf("EarlyWindow = %v, want %v", got, test.want)
			}
		})
	}
}

func TestLivesUp(t *testing.T) {
	half := issued().Add(30 * time.Minute)
	overlap := func(changes ...func(*grant.Grant)) grant.Grant {
		return fresh(append(changes, mode(grant.Overlap))...)
	}
	for name, test := range map[string]struct {
		grant grant.Grant
		now   time.Time
		need  time.Duration
		want  bool
	}{
		"half its life left":         {overlap(), half, time.Hour, false},
		"less than half left":        {overlap(), half.Add(ms), time.Hour, true},
		"as much left as is needed":  {overlap(), half.Add(time.Minute), 29 * time.Minute, false},
		"less left than is needed":   {overlap(), half.Add(time.Minute + ms), 29 * time.Minute, true},
		"nothing needed":             {overlap(), half.Add(time.Minute), 0, false},
		"unknown":                    {fresh(), half.Add(time.Minute), time.Hour, false},
		"at the end":                 {fresh(mode(grant.AtEnd)), half.Add(time.Minute), time.Hour, false},
		"a login comes next":         {overlap(relogin(grant.ReloginDue)), half.Add(time.Minute), time.Hour, false},
		"a retry lies ahead":         {overlap(retryAt(half.Add(2 * time.Minute))), half.Add(time.Minute), time.Hour, false},
		"the retry has passed":       {overlap(retryAt(half)), half.Add(time.Minute), time.Hour, true},
		"rejected":                   {overlap(status(grant.StatusCredentialsRejected)), half.Add(time.Minute), time.Hour, false},
		"paused":                     {overlap(status(grant.StatusPaused)), half.Add(time.Minute), time.Hour, false},
		"failing, no retry ahead":    {overlap(status(grant.StatusFailing)), half.Add(time.Minute), time.Hour, true},
		"it came again":              {overlap(repeatedUntil(expires())), half.Add(time.Minute), time.Hour, false},
		"more needed than any lives": {overlap(), issued(), day, false},
		"an overlapping refresh":     {fresh(refreshable, refreshMode(grant.Overlap)), half.Add(time.Minute), time.Hour, true},
		"a refresh, unknown":         {fresh(refreshable, mode(grant.Overlap)), half.Add(time.Minute), time.Hour, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := test.grant.UsedHalf(test.now, test.need); got != test.want {
				t.Errorf("LivesUp = %v, want %v", got, test.want)
			}
		})
	}
}

// tries are how a waiting grant is tried: its status, and how often it was
// refused in a row.
type tries struct {
	status   grant.Status
	refusals int
	life     time.Duration
}

func (w tries) grant() grant.Grant {
	g := fresh(status(w.status), life(w.life), func(g *grant.Grant) { g.Refusals = w.refusals })
	if w.life == 0 {
		g = g.WithoutToken()
	}
	return g
}

// A waiting grant is tried every hour, a refused client sooner at first; it is
// looked at as often, and at least every five minutes.
func TestTryDue(t *testing.T) {
	const s, m, h = time.Second, time.Minute, time.Hour
	for name, test := range map[string]struct {
		tries tries
		every time.Duration
	}{
		"a person is needed":                    {tries{grant.StatusReauthorize, 0, h}, h},
		"a person is needed, after refusals":    {tries{grant.StatusReauthorize, 2, h}, h},
		"the secret is wrong":                   {tries{grant.StatusInvalidConnection, 0, h}, h},
		"a user is refused":                     {tries{grant.StatusCredentialsRejected, 0, h}, h},
		"a client is refused":                   {tries{grant.StatusCredentialsRejected, 1, h}, 30 * s},
		"a client is refused twice":             {tries{grant.StatusCredentialsRejected, 2, h}, m},
		"a client is refused five times":        {tries{grant.StatusCredentialsRejected, 5, h}, 5 * m},
		"a client is refused for an hour":       {tries{grant.StatusCredentialsRejected, 16, h}, h},
		"a client without a token":              {tries{grant.StatusCredentialsRejected, 2, 0}, m},
		"a client of short lives":               {tries{grant.StatusCredentialsRejected, 5, 40 * s}, 10 * s},
		"a client of short lives, for an hour":  {tries{grant.StatusCredentialsRejected, 361, 40 * s}, h},
		"a client of short lives, not so long:": {tries{grant.StatusCredentialsRejected, 360, 40 * s}, 10 * s},
	} {
		t.Run(name, func(t *testing.T) {
			e := apierr.New(apierr.CredentialsRejected, "no")
			g := test.tries.grant()
			for tried, want := range map[time.Time]bool{
				{}:                            true,
				issued():                      false,
				issued().Add(-test.every + 1): false,
				issued().Add(-test.every):     true,
				issued().Add(-1000 * day):     true,
				issued().Add(test.every):      false, // by a fast clock
				issued().Add(test.every + ms): true,  // by a broken one
				issued().Add(10*365*24*h + 1): true,
			} {
				g.TriedAt = tried
				if got := g.TryDue(issued()); got != want {
					t.Errorf("tried at %v: TryDue = %v, want %v", tried, got, want)
				}
			}
			look := issued().Add(min(5*m, test.every))
			if got := g.LookedAt(issued()).RetryAt; !got.Equal(look) {
				t.Errorf("next look %v, want %v", got, look)
			}
			failed := g.Failed(g.Status, e, issued(), 0, 0.9)
			if !failed.RetryAt.Equal(look) || failed.TryDue(issued().Add(test.every-1)) || !failed.TryDue(issued().Add(test.every)) {
				t.Errorf("after a failure: next look %v, tried at %v", failed.RetryAt, failed.TriedAt)
			}
		})
	}
}

// A user who needs a second factor is never tried by itself, because of each
// login a code is mailed: only once an operator forgot when it was tried.
func TestASecondFactorIsNotTriedByItself(t *testing.T) {
	for _, refusals := range []int{0, 2, 100} {
		g := tries{grant.StatusMFARequired, refusals, time.Hour}.grant()
		if !g.TryDue(issued()) {
			t.Error("never tried: it may not be tried")
		}
		g = g.Failed(grant.StatusMFARequired, apierr.New(apierr.MFARequired, "m"), issued(), 0, 0)
		for _, later := range []time.Duration{0, time.Minute, time.Hour, day, 1000 * day, -1000 * day} {
			if g.TryDue(issued().Add(later)) || g.LookedAt(issued()).TryDue(issued().Add(later)) {
				t.Errorf("tried again %v later", later)
			}
		}
		if want := issued().Add(5 * time.Minute); !g.RetryAt.Equal(want) {
			t.Errorf("next look %v, want %v", g.RetryAt, want)
		}
		resumed := g.Healthy()
		resumed.Status = grant.StatusMFARequired
		if !resumed.TryDue(issued()) {
			t.Error("resumed: it may not be tried")
		}
	}
}

func TestRetrying(t *testing.T) {
	g := fresh(retryAt(issued()))
	if !g.Retrying(issued().Add(-1)) || g.Retrying(issued()) || fresh().Retrying(issued()) {
		t.Error("a grant waits until retry_at and not at it")
	}
}
