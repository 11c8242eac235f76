package renewal

import (
	"testing"
	"time"
)

// A code is used once: the wait is until the next one is shown.
func TestCodeWait(t *testing.T) {
	now := time.Date(2026, 11, 29, 12, 0, 40, 0, time.UTC) // ten seconds into a period
	for name, c := range map[string]struct {
		sent []time.Time
		want time.Duration
	}{
		"none":                     {nil, 0},
		"never":                    {[]time.Time{{}}, 0},
		"in the period before":     {[]time.Time{now.Add(-11 * time.Second)}, 0},
		"at this period's start":   {[]time.Time{now.Add(-10 * time.Second)}, 20 * time.Second},
		"just now":                 {[]time.Time{{}, now}, 20 * time.Second},
		"by a clock that is ahead": {[]time.Time{now.Add(time.Second)}, 0},
	} {
		if got := codeWait(now, c.sent...); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
