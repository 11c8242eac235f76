package grant_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// diff compares grants; secrets by what they say.
func diff(want, got grant.Grant) string {
	return cmp.Diff(want, got, cmp.Comparer(reltioauth.Secret.Equal))
}

// answered is a server's answer: the text of a token, sent at a moment, with so
// much of its life left.
func answered(text string, sent time.Time, left time.Duration) *reltioauth.Token {
	return &reltioauth.Token{AccessToken: reltioauth.NewSecret(text), TokenType: "bearer", IssuedAt: sent, ExpiresIn: left}
}

func TestLearn(t *testing.T) {
	last := expires().Add(-time.Minute)
	other := fresh(func(g *grant.Grant) { g.Fingerprint = "sha256:other" })
	for name, test := range map[string]struct {
		before   grant.Grant
		next     grant.Grant
		mode     grant.Mode
		sent     time.Time
		reported bool
		want     grant.Observation
	}{
		"a new token":                               {fresh(), other, grant.Unknown, issued(), false, grant.AskAboutOld},
		"the same token":                            {fresh(), fresh(), grant.Unknown, issued(), false, grant.SameToken},
		"a minute left":                             {fresh(), other, grant.Unknown, last, false, grant.AskAboutOld},
		"the same, a minute left":                   {fresh(), fresh(), grant.Unknown, last, false, grant.SameToken},
		"less than a minute left":                   {fresh(), other, grant.Unknown, last.Add(ms), false, grant.NoObservation},
		"the same, less than a minute left":         {fresh(), fresh(), grant.Unknown, last.Add(ms), false, grant.NoObservation},
		"a short life, a sixtieth left":             {fresh(life(time.Minute)), other, grant.Unknown, issued().Add(59 * time.Second), false, grant.AskAboutOld},
		"a short life, less left":                   {fresh(life(time.Minute)), other, grant.Unknown, issued().Add(59*time.Second + ms), false, grant.NoObservation},
		"a long life, a minute left":                {fresh(life(day)), other, grant.Unknown, issued().Add(day - time.Minute), false, grant.AskAboutOld},
		"ended":                                     {fresh(), other, grant.Unknown, expires().Add(ms), false, grant.NoObservation},
		"reported":                                  {fresh(), other, grant.Unknown, issued(), true, grant.NoObservation},
		"the same, reported":                        {fresh(), fresh(), grant.Unknown, issued(), true, grant.NoObservation},
		"no token before":                           {fresh(withoutToken), other, grant.Unknown, issued(), false, grant.NoObservation},
		"nothing before":                            {grant.Grant{}, other, grant.Unknown, issued(), false, grant.NoObservation},
		"overlap, never tested":                     {fresh(), other, grant.Overlap, issued(), false, grant.AskAboutOld},
		"overlap, tested lately":                    {fresh(testedAt(issued().Add(-week + ms))), other, grant.Overlap, issued(), false, grant.NoObservation},
		"overlap, tested a week ago":                {fresh(testedAt(issued().Add(-week))), other, grant.Overlap, issued(), false, grant.AskAboutOld},
		"overlap, the same though tested lately":    {fresh(testedAt(issued().Add(-day))), fresh(), grant.Overlap, issued(), false, grant.SameToken},
		"unknown, tested lately":                    {fresh(testedAt(issued().Add(-day))), other, grant.Unknown, issued(), false, grant.AskAboutOld},
		"at the end, tested lately":                 {fresh(testedAt(issued().Add(-week + ms))), other, grant.AtEnd, issued(), false, grant.NoObservation},
		"at the end, tested a week ago":             {fresh(testedAt(issued().Add(-week))), other, grant.AtEnd, issued(), false, grant.AskAboutOld},
		"at the end, never tested":                  {fresh(), other, grant.AtEnd, issued(), false, grant.AskAboutOld},
		"at the end, the same though tested lately": {fresh(testedAt(issued().Add(-day))), fresh(), grant.AtEnd, issued(), false, grant.SameToken},
		"tested by a clock that is a bit fast":      {fresh(testedAt(issued().Add(day))), other, grant.Overlap, issued(), false, grant.NoObservation},
		"tested by a clock that is broken":          {fresh(testedAt(issued().Add(week + ms))), other, grant.Overlap, issued(), false, grant.AskAboutOld},
		"found active":                              {fresh().CheckedAs(grant.Active, issued()), other, grant.Unknown, issued(), false, grant.AskAboutOld},
		"checks are denied":                         {fresh().CheckedAs(grant.Unclear, issued()), other, grant.Unknown, issued(), false, grant.AskAboutOld},
		"found inactive":                            {fresh().CheckedAs(grant.Inactive, issued()), other, grant.Unknown, issued(), false, grant.NoObservation},
		"found inactive, and given again":           {fresh().AskedAs(grant.Inactive, issued()), other, grant.Unknown, issued(), false, grant.NoObservation},
		"found inactive, and the same now":          {fresh().CheckedAs(grant.Inactive, issued()), fresh(), grant.Unknown, issued(), false, grant.NoObservation},
	} {
		t.Run(name, func(t *testing.T) {
			if got := test.before.Observe(test.next, test.mode, test.sent, test.reported); got != test.want {
				t.Errorf("Learn = %v, want %v", got, test.want)
			}
		})
	}
}

func TestWithMode(t *testing.T) {
	at := issued().Add(time.Minute)
	want := fresh(func(g *grant.Grant) { g.RefreshMode, g.EarlyAskedAt = grant.Overlap, at })
	if d := diff(want, fresh().WithMode(true, grant.Overlap, at)); d != "" {
		t.Errorf("of refreshes (-want +got):\n%s", d)
	}
	want = fresh(func(g *grant.Grant) { g.LoginMode, g.EarlyAskedAt = grant.AtEnd, at })
	if d := diff(want, fresh().WithMode(false, grant.AtEnd, at)); d != "" {
		t.Errorf("of logins (-want +got):\n%s", d)
	}
}

func TestAcceptANewToken(t *testing.T) {
	sent := issued().Add(50 * time.Minute)
	before := fresh(refreshable, repeatedUntil(expires()), func(g *grant.Grant) {
		g.CheckedAt, g.ReissuedAt, g.Failures, g.Scope = issued(), issued(), 2, "old"
		g.CheckVerdict, g.TriedAt = grant.Inactive, issued()
	})
	token := answered("access-2", sent, time.Hour)
	token.Scope, token.TokenType, token.ExpiresInMissing = "a b", "", true

	want := before
	want.AccessToken, want.Fingerprint = token.AccessToken, reltioauth.Fingerprint(token.AccessToken)
	want.TokenType, want.Scope, want.ExpiresInMissing = "", "a b", true
	want.IssuedAt, want.ExpiresAt, want.Version = sent, sent.Add(time.Hour), 42
	want.CheckVerdict, want.ReissuedAt = grant.Unchecked, time.Time{} // the check was one of the token before
	want.RepeatedUntil = time.Time{}
	if d := diff(want, before.Accept(token)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestAcceptTheFirstToken(t *testing.T) {
	got := grant.Grant{Connection: "acme"}.Accept(answered("access-1", issued(), time.Hour))
	want := grant.Grant{
		Connection: "acme", AccessToken: reltioauth.NewSecret("access-1"), Fingerprint: reltioauth.Fingerprint(reltioauth.NewSecret("access-1")),
		TokenType: "bearer", IssuedAt: issued(), ExpiresAt: expires(), Version: 1,
	}
	if d := diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// A token that was removed and comes again counts as new: callers were told
// that it is gone.
func TestAcceptARemovedTokenAgain(t *testing.T) {
	got := fresh(withoutToken).Accept(answered("access-1", issued().Add(time.Minute), time.Hour))
	if got.Version != 42 || !got.IssuedAt.Equal(issued().Add(time.Minute)) || !got.RepeatedUntil.IsZero() {
		t.Errorf("version %d, issued %v, repeated until %v; want a new token", got.Version, got.IssuedAt, got.RepeatedUntil)
	}
}

// The same token again: two deadlines within 10 s of each other are one, and
// the earlier counts; else the new one. The later is remembered.
func TestAcceptTheSameToken(t *testing.T) {
	const s = time.Second
	sent := issued().Add(50 * time.Minute)
	for name, test := range map[string]struct {
		apart          time.Duration // the new deadline after the old one
		ends, repeated time.Duration // after the old one
	}{
		"the same deadline":       {0, 0, 0},
		"a moment later":          {ms, 0, ms},
		"10 s later":              {10 * s, 0, 10 * s},
		"more than 10 s later":    {10*s + ms, 10*s + ms, 10*s + ms},
		"an hour later":           {time.Hour, time.Hour, time.Hour},
		"a moment earlier":        {-ms, -ms, 0},
		"10 s earlier":            {-10 * s, -10 * s, 0},
		"more than 10 s earlier":  {-10*s - ms, -10*s - ms, 0},
		"zero left":               {-10 * time.Minute, -10 * time.Minute, 0},
		"half an hour and so on:": {30 * time.Minute, 30 * time.Minute, 30 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			before := fresh().CheckedAs(grant.Inactive, issued()).AskedAs(grant.Inactive, issued())
			want := before
			want.ExpiresAt, want.RepeatedUntil = expires().Add(test.ends), expires().Add(test.repeated)
			got := before.Accept(answered("access-1", sent, 10*time.Minute+test.apart))
			if d := diff(want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// However often one token comes with deadlines that rounding moves about,
// callers never get a later one than the first.
func TestAcceptDoesNotDrift(t *testing.T) {
	g := fresh()
	for i := range 20 {
		sent := issued().Add(time.Duration(i) * time.Minute)
		left := expires().Sub(sent) + time.Duration(i%10)*time.Second
		g = g.Accept(answered("access-1", sent, left))
		if g.ExpiresAt.After(expires()) || g.Version != 41 || !g.IssuedAt.Equal(issued()) {
			t.Fatalf("answer %d: expires %v, version %d, issued %v", i, g.ExpiresAt, g.Version, g.IssuedAt)
		}
	}
}

func TestStuck(t *testing.T) {
	until := expires().Add(5 * time.Second)
	repeated := fresh(repeatedUntil(until))
	same := func(left time.Duration, sent time.Time) grant.Grant {
		return repeated.Accept(answered("access-1", sent, left))
	}
	sent := until.Add(2 * time.Second)
	for name, test := range map[string]struct {
		before, next grant.Grant
		sent         time.Time
		want         bool
	}{
		"ended, a third time":            {repeated, same(0, sent), sent, true},
		"as soon as it may be asked":     {repeated, same(0, until), until, true},
		"half a second left":             {repeated, same(500*ms, sent), sent, true},
		"before it may be asked":         {repeated, same(0, until.Add(-ms)), until.Add(-ms), false},
		"it lives again":                 {repeated, same(time.Minute, sent), sent, false},
		"another token":                  {repeated, repeated.Accept(answered("access-2", sent, 0)), sent, false},
		"the second time":                {fresh(), fresh().Accept(answered("access-1", sent, 0)), sent, false},
		"its token was removed":          {fresh(withoutToken, func(g *grant.Grant) { g.RepeatedUntil = until }), fresh(), sent, false},
		"nothing before, nothing after ": {grant.Grant{}, grant.Grant{}, sent, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := test.before.Stuck(test.next, test.sent); got != test.want {
				t.Errorf("Stuck = %v, want %v", got, test.want)
			}
		})
	}
}

func TestWithoutTokenKeepsItsName(t *testing.T) {
	before := fresh(refreshable, repeatedUntil(expires()))
	want := before
	want.AccessToken, want.RepeatedUntil = reltioauth.Secret{}, time.Time{}
	got := before.WithoutToken()
	if d := diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if got.HasToken() {
		t.Error("it has a token")
	}
}

func TestWithRefreshToken(t *testing.T) {
	r := grant.RefreshToken{Token: reltioauth.NewSecret("refresh-1"), LoggedInAt: issued(), Epoch: 7, Version: "v7"}
	got := fresh().WithRefreshToken(r, 28*day)
	want := fresh(func(g *grant.Grant) {
		g.SecretVersion, g.RefreshFingerprint = "v7", reltioauth.Fingerprint(r.Token)
		g.LoggedInAt, g.RefreshExpiresAt = issued(), issued().Add(28*day)
	})
	if d := diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if !got.HasRefreshToken() {
		t.Error("it has no refresh token")
	}
}

func TestWithATombstone(t *testing.T) {
	r := grant.RefreshToken{LoggedInAt: issued(), Epoch: 8, Version: "v8"}
	got := fresh(refreshable).WithRefreshToken(r, 28*day)
	want := fresh(func(g *grant.Grant) { g.SecretVersion = "v8" })
	if d := diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if got.HasRefreshToken() || r.Fingerprint() != "" {
		t.Error("a tombstone counts as a refresh token")
	}
}

func TestResetKeepsWhatFencesAndOrders(t *testing.T) {
	before := fresh(refreshable, repeatedUntil(expires()), testedAt(issued()), status(grant.StatusReauthorize), func(g *grant.Grant) {
		g.Epoch, g.Owner, g.Identity, g.Aliases, g.User = 7, "o", "old", []string{"a"}, "user"
		g.SecretVersion, g.ConnectionVersion, g.Failures, g.Unpublished = "v7", "c1", 3, []string{"e"}
		g.Rotates, g.APIURL, g.TenantID, g.Refusals, g.Throttles = true, "https://acme.example", "t", 2, 3
		g.Refusal, g.CheckVerdict, g.CheckedAt = grant.Refusal{Code: "invalid_grant", Status: 400}, grant.Inactive, issued()
	})
	want := grant.Grant{
		Connection: "acme", Version: 41, Epoch: 7, Owner: "o", Identity: "new",
		RefreshMode: grant.AtEnd, LoginMode: grant.Unknown, Status: grant.StatusOK,
	}
	if d := diff(want, before.Reset("new")); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
