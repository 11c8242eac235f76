package issue

import (
	"fmt"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

func TestWhatIsRemembered(t *testing.T) {
	read := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	token := grant.Grant{
		Connection: "acme", AccessToken: reltioauth.NewSecret("t"),
		IssuedAt: read, ExpiresAt: read.Add(time.Hour), LoginMode: grant.AtEnd, EarlyAskedAt: read,
	}
	due := token.Due()
	tests := map[string]struct {
		readAt, now time.Time
		want        bool
	}{
		"just read":                     {read, read, true},
		"30 s old":                      {read, read.Add(30 * time.Second), true},
		"older":                         {read, read.Add(30*time.Second + 1), false},
		"from the future":               {read, read.Add(-1), false},
		"clock set back by a day":       {read, read.Add(-24 * time.Hour), false},
		"frozen for hours":              {read, read.Add(5 * time.Hour), false},
		"30 s before it is due":         {due.Add(-40 * time.Second), due.Add(-30 * time.Second), false},
		"a moment before that":          {due.Add(-40 * time.Second), due.Add(-30*time.Second - 1), true},
		"read in those 30 s":            {due.Add(-20 * time.Second), due.Add(-20 * time.Second), false},
		"due":                           {due, due, false},
		"read before and after its end": {due.Add(-31 * time.Second), due.Add(-1 * time.Second), false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var m memory
			m.put(token, test.readAt)
			if _, got := m.get("acme", test.now); got != test.want {
				t.Errorf("remembered: %t, want %t", got, test.want)
			}
			if _, got := m.get("other", test.now); got {
				t.Error("another connection is remembered")
			}
		})
	}
}

func TestAGrantWithoutATokenIsForgotten(t *testing.T) {
	var m memory
	now := time.Now()
	g := grant.Grant{Connection: "acme", AccessToken: reltioauth.NewSecret("t"), IssuedAt: now, ExpiresAt: now.Add(time.Hour)}
	m.put(g, now)
	m.put(g.WithoutToken(), now)
	if _, ok := m.get("acme", now); ok || len(m.entries) != 0 {
		t.Error("a token that was removed is remembered")
	}
}

func TestMemoryIsBounded(t *testing.T) {
	var m memory
	now := time.Now()
	for i := range 5 * rememberMost {
		m.put(grant.Grant{
			Connection: fmt.Sprintf("c%d", i), AccessToken: reltioauth.NewSecret("t"), IssuedAt: now, ExpiresAt: now.Add(time.Hour),
		}, now)
		if len(m.entries) > rememberMost {
			t.Fatalf("%d entries, want at most %d", len(m.entries), rememberMost)
		}
	}
}

// The entry that was used least recently is forgotten first.
func TestTheLeastUsedIsForgotten(t *testing.T) {
	var m memory
	now := time.Now()
	name := func(i int) string { return fmt.Sprintf("c%d", i) }
	remember := func(i int) {
		m.put(grant.Grant{Connection: name(i), AccessToken: reltioauth.NewSecret("t"), IssuedAt: now, ExpiresAt: now.Add(time.Hour)}, now)
	}
	for i := range rememberMost {
		remember(i)
	}
	m.get(name(0), now)
	remember(rememberMost)
	for i, want := range map[int]bool{0: true, 1: false, 2: true, rememberMost: true} {
		if _, got := m.get(name(i), now); got != want {
			t.Errorf("%s is remembered: %t, want %t", name(i), got, want)
		}
	}
	if m.used.Len() != len(m.entries) {
		t.Errorf("%d in the order of use, %d by name", m.used.Len(), len(m.entries))
	}
}

func TestTimesCarryNoMonotonicReading(t *testing.T) {
	v := &Issuer{Now: time.Now}
	if now := v.now(); now != now.Round(0) { // == sees the monotonic reading
		t.Errorf("now is %v", now)
	}
}
