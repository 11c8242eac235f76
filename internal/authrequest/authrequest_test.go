package authrequest_test

import (
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/authrequest"
)

func now() time.Time { return time.Date(2026, 11, 23, 16, 0, 0, 500_000_000, time.UTC) }

// The times are those of docs/architecture.md.
func TestTimes(t *testing.T) {
	for name, test := range map[string]struct{ got, want time.Duration }{
		"InvitationFromCommand": {authrequest.InvitationFromCommand, 24 * time.Hour},
		"InvitationFromEvent":   {authrequest.InvitationFromEvent, 168 * time.Hour},
		"RequestLife":           {authrequest.RequestLife, 10 * time.Minute},
	} {
		if test.got != test.want {
			t.Errorf("%s is %v, want %v", name, test.got, test.want)
		}
	}
}

// An invitation and a request work once, and up to their deadlines.
func TestWhatCanStillBeUsed(t *testing.T) {
	for name, test := range map[string]struct {
		used, ends time.Time
		want       bool
	}{
		"fresh":          {time.Time{}, now().Add(1), true},
		"at its end":     {time.Time{}, now(), false},
		"used":           {now().Add(-time.Minute), now().Add(time.Minute), false},
		"used and ended": {now().Add(-time.Minute), now(), false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := (authrequest.Invitation{UsedAt: test.used, Ends: test.ends}).Usable(now()); got != test.want {
				t.Errorf("an invitation: %t, want %t", got, test.want)
			}
			if got := (authrequest.Request{ConsumedAt: test.used, Ends: test.ends}).Pending(now()); got != test.want {
				t.Errorf("a request: %t, want %t", got, test.want)
			}
		})
	}
}

func TestNewInvitation(t *testing.T) {
	got, text := authrequest.NewInvitation("acme-prod", time.Hour, true, now())
	want := authrequest.Invitation{
		Hash: authrequest.HashOf(text), Connection: "acme-prod", ReplaceUser: true, Ends: now().Add(time.Hour - 500*time.Millisecond),
	}
	if got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if link := authrequest.Link("https://callback", text); link != "https://callback/authorize?invitation="+text.Reveal() {
		t.Error("the link is another one")
	}
}
