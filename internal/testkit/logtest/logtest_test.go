package logtest_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/reltio-tokens/reltio-tokens/internal/testkit/logtest"
)

// With the race detector this sees a lock that is missing.
func TestWrittenWhileRead(t *testing.T) {
	var log logtest.Buffer
	var wg sync.WaitGroup
	const writers = 20
	for i := range writers {
		wg.Go(func() {
			_, _ = fmt.Fprintf(&log, "line %d\n", i)
			_ = log.String()
		})
	}
	wg.Wait()
	if got := strings.Count(log.String(), "line "); got != writers {
		t.Errorf("%d lines, want %d", got, writers)
	}
}
