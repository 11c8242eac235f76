package grant_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
)

// An event that waits holds no other event back.
func TestEventsBehindOneThatWaits(t *testing.T) {
	g := fresh(status(grant.StatusReauthorize))
	g.Unpublished = []string{string(grant.Recovered), string(grant.ReauthorizationRequired)}
	var got []grant.EventType
	for _, e := range g.Events() {
		got = append(got, e.Type)
	}
	if diff := cmp.Diff([]grant.EventType{grant.ReauthorizationRequired}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestFleeting(t *testing.T) {
	during, after := issued().Add(time.Minute), expires().Add(time.Minute)
	// next is the server's new token, which lives so long from issued.
	next := func(d time.Duration) grant.Grant {
		return fresh(life(d), func(g *grant.Grant) { g.Version = 42 })
	}
	for name, test := range map[string]struct {
		before, next grant.Grant
		now          time.Time
		want         bool
	}{
		"the one before is valid":           {fresh(), next(ms), during, true},
		"the one before had an hour":        {fresh(), next(ms), after, false},
		"the one before was as short":       {fresh(life(2*time.Second - ms)), next(ms), after, true},
		"the one before had two seconds":    {fresh(life(2 * time.Second)), next(ms), after, false},
		"the one before was removed":        {fresh(life(ms), withoutToken), next(ms), after, false},
		"the new one is valid":              {fresh(), next(time.Hour), during, false},
		"the new one is valid, after short": {fresh(life(ms)), next(time.Hour), during, false},
		"the same one":                      {fresh(life(ms)), fresh(life(ms)), after, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := test.before.Fleeting(test.next, test.now); got != test.want {
				t.Errorf("Fleeting = %v, want %v", got, test.want)
			}
		})
	}
}

func TestRefusalsInWords(t *testing.T) {
	for want, r := range map[string]grant.Refusal{
		"(no response seen)":         {},
		"(no OAuth error, HTTP 403)": {Status: 403},
		"(invalid_grant, HTTP 400)":  {Status: 400, Code: "invalid_grant"},
	} {
		if got := r.String(); got != want {
			t.Errorf("%+v is %q, want %q", r, got, want)
		}
	}
}

// The time is that of docs/architecture.md.
func TestWhenARefreshTokenIsParked(t *testing.T) {
	if grant.ParkAfter != 2*time.Second {
		t.Errorf("after %v", grant.ParkAfter)
	}
}
