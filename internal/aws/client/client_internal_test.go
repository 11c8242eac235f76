package client

import (
	"testing"
	"time"
)

func TestPauses(t *testing.T) {
	for attempts, want := range map[int]time.Duration{1: 25 * time.Millisecond, 2: 50 * time.Millisecond, 3: 100 * time.Millisecond, 4: 200 * time.Millisecond, 9: 200 * time.Millisecond} {
		if got := pauseAfter(attempts, 0); got != want {
			t.Errorf("after %d attempts: %v, want %v", attempts, got, want)
		}
		if got := pauseAfter(attempts, 0.999); got < want/2 || got > want {
			t.Errorf("after %d attempts, with jitter: %v", attempts, got)
		}
	}
}
