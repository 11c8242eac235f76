package telemetry

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"time"
)

// writeLimit is how long a line may take to be written.
const writeLimit = time.Second

// errFull says that a line was dropped: what it is written to takes nothing.
var errFull = errors.New("telemetry: the output takes nothing")

// Bounded is a writer that never keeps its caller for longer than a second. A pipe
// that is full, because its reader has stopped, would else hold back every answer.
// A write that is under way for a second is left alone, and until it is done
// everything else is dropped at once. What is written is whole: a line is never cut
// and followed by another.
//
//	log := telemetry.New(&telemetry.Bounded{To: os.Stdout}, slog.LevelInfo, time.Now)
//
// It is safe for concurrent use, and must not be copied.
type Bounded struct {
	// To is where everything goes. Required.
	To io.Writer

	// mu guards stuck, and keeps one write from beginning before the other is
	// done: it is held for writeLimit at most.
	mu sync.Mutex
	// stuck tells how the write ends that took too long; nil: there is none.
	stuck <-chan written
}

// written is what a write returned.
type written struct {
	n   int
	err error
}

// Write implements io.Writer.
func (b *Bounded) Write(text []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stuck != nil {
		select {
		case <-b.stuck:
			b.stuck = nil
		default:
			return 0, errFull
		}
	}
	own := bytes.Clone(text) // a write that takes too long outlives the call
	done := make(chan written, 1)
	go func() {
		n, err := b.To.Write(own)
		done <- written{n, err}
	}()
	limit := time.NewTimer(writeLimit)
	defer limit.Stop()
	select {
	case w := <-done:
		return w.n, w.err
	case <-limit.C:
		b.stuck = done
		return 0, errFull
	}
}
