package telemetry

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"time"
)

// writeLimit is how long the write of a line may take.
const writeLimit = time.Second

// errFull says that a line was dropped because the output accepts no data.
var errFull = errors.New("telemetry: the output takes nothing")

// Bounded is a writer that never blocks its caller for longer than a second, even
// with other writers. Without it, a full pipe, whose reader has stopped, would
// block every response. A write that has taken a second is left to itself, and
// until it ends everything else is dropped at once. Lines are written whole: a
// line is never cut and followed by another.
//
// A write that takes less than a second has ended when Write returns: nothing is
// left to do after the response, when the execution environment freezes.
//
//	log := telemetry.New(&telemetry.Bounded{To: os.Stdout}, slog.LevelInfo, time.Now)
//
// It is safe for concurrent use, and must not be copied.
type Bounded struct {
	// To is the output. Required.
	To io.Writer

	// mu guards current and its late; it is never held during a write.
	mu sync.Mutex
	// current is the write in progress; nil: there is none.
	current *write
}

// write is one write, in progress or ended.
type write struct {
	// done is closed when the write has ended; n and err are then its results.
	done chan struct{}
	n    int
	err  error
	// late: the caller that began it has stopped waiting.
	late bool
}

// Write implements io.Writer.
func (b *Bounded) Write(text []byte) (int, error) {
	limit := time.NewTimer(writeLimit)
	defer limit.Stop()
	for {
		w, ours := b.begin(text)
		if w == nil {
			return 0, errFull
		}
		select {
		case <-w.done:
			if ours {
				return w.n, w.err
			}
		case <-limit.C:
			if ours {
				b.giveUp(w)
			}
			return 0, errFull
		}
	}
}

// begin begins to write the text, if no other write is in progress. Otherwise it
// returns the write that has to end first, or nil if that is late.
func (b *Bounded) begin(text []byte) (w *write, ours bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.current == nil:
		b.current = &write{done: make(chan struct{})}
		go b.run(b.current, bytes.Clone(text)) // it may outlive the call
		return b.current, true
	case b.current.late:
		return nil, false
	}
	return b.current, false
}

// run writes, however long it takes, and then lets the next write begin.
func (b *Bounded) run(w *write, text []byte) {
	w.n, w.err = b.To.Write(text)
	b.mu.Lock()
	b.current = nil
	b.mu.Unlock()
	close(w.done)
}

// giveUp marks the write as late: until it ends, all other lines are dropped.
func (b *Bounded) giveUp(w *write) {
	b.mu.Lock()
	defer b.mu.Unlock()
	w.late = true
}
