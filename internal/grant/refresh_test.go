package grant_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
)

// Whatever the name, a connection logs in again between 75 % and 90 % of the
// refresh token's life, always at the same moment.
func TestReloginAt(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	var thirds [3]int
	for i := range 9000 {
		d := time.Duration(1+random.Int64N(int64(365*day/ms))) * ms
		g := fresh(func(g *grant.Grant) {
			g.Connection, g.LoggedInAt, g.RefreshExpiresAt = fmt.Sprint("c", i), issued(), issued().Add(d)
		})
		at := g.ReloginAt()
		share := float64(at.Sub(issued())) / float64(d)
		if from, to := issued().Add(d/4*3-ms), issued().Add(d/10*9); at.Before(from) || at.After(to) {
			t.Fatalf("life %v: %v after the login, %.3f of it", d, at.Sub(issued()), share)
		}
		g.Fingerprint, g.ExpiresAt = "sha256:other", expires().Add(day)
		if again := g.ReloginAt(); !again.Equal(at) {
			t.Fatalf("%v and with another access token %v", at, again)
		}
		thirds[min(2, max(0, int((share-0.75)/0.05)))]++
	}
	for i, n := range thirds {
		if n < 2800 || n > 3200 {
			t.Errorf("third %d of the time has %d of 9,000", i, n)
		}
	}
}

func TestRefreshEndsSoon(t *testing.T) {
	ends := issued().Add(28 * day)
	left := func(share float64) time.Time { return ends.Add(-time.Duration(share * float64(28*day))) }
	warned := func(at time.Time) func(*grant.Grant) { return func(g *grant.Grant) { g.WarnedAt = at } }
	unknownLogin := func(g *grant.Grant) { g.LoggedInAt = time.Time{} }
	for name, test := range map[string]struct {
		grant grant.Grant
		now   time.Time
		want  bool
	}{
		"no refresh token":                   {fresh(), ends, false},
		"new":                                {fresh(refreshable), issued(), false},
		"more than a tenth left":             {fresh(refreshable), left(0.10).Add(-ms), false},
		"a tenth left":                       {fresh(refreshable), left(0.10), true},
		"ended":                              {fresh(refreshable), ends.Add(day), true},
		"warned, more than a quarter left":   {fresh(refreshable, warned(issued().Add(day))), left(0.25).Add(-ms), false},
		"warned, a quarter left":             {fresh(refreshable, warned(issued().Add(day))), left(0.25), true},
		"not warned, a quarter left":         {fresh(refreshable), left(0.25), false},
		"warned of the token before":         {fresh(refreshable, warned(issued().Add(-day))), left(0.25), false},
		"warned at the login itself":         {fresh(refreshable, warned(issued())), left(0.25), false},
		"login unknown, a tenth of 28 days":  {fresh(refreshable, unknownLogin), left(0.10), true},
		"login unknown, more than that":      {fresh(refreshable, unknownLogin), left(0.10).Add(-ms), false},
		"login unknown, warned, a quarter":   {fresh(refreshable, unknownLogin, warned(issued())), left(0.25), true},
		"a short life, a tenth of it left":   {fresh(refreshable, func(g *grant.Grant) { g.LoggedInAt = ends.Add(-10 * time.Hour) }), ends.Add(-time.Hour), true},
		"a short life, more than that left ": {fresh(refreshable, func(g *grant.Grant) { g.LoggedInAt = ends.Add(-10 * time.Hour) }), ends.Add(-time.Hour - ms), false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := test.grant.RefreshEndsSoon(test.now); got != test.want {
				t.Errorf("RefreshEndsSoon = %v, want %v", got, test.want)
			}
		})
	}
}
