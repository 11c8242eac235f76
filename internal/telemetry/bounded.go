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

// Bounded is a writer that never keeps its caller for longer than a second, whoever
// else writes. A pipe that is full, because its reader has stopped, would else hold
// back every answer. A write that is under way for a second is left alone, and until
// it is done everything else is dropped at once. What is written is whole: a line is
// never cut and followed by another.
//
// A write that takes less than a second is done when Write returns: nothing is left
// to do after the answer, when the execution environment freezes.
//
//	log := telemetry.New(&telemetry.Bounded{To: os.Stdout}, slog.LevelInfo, time.Now)
//
// It is safe for concurrent use, and must not be copied.
type Bounded struct {
	// To is where everything goes. Required.
	To io.Writer

	// mu guards current and its late; it is never held across a write.
	mu sync.Mutex
	// current is the write that is under way; nil: there is none.
	current *write
}

// write is one write, under way or done.
type write struct {
	// done is closed when it is; n and err are what it returned then.
	done chan struct{}
	n    int
	err  error
	// late: who began it waits no more.
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

// begin begins to write the text, if nothing else is being written; else it returns
// the write that has to be done first, or nil if that is late.
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

// run writes, however long it takes, and lets the next one begin.
func (b *Bounded) run(w *write, text []byte) {
	w.n, w.err = b.To.Write(text)
	b.mu.Lock()
	b.current = nil
	b.mu.Unlock()
	close(w.done)
}

// giveUp lets everything that comes before the write is done be dropped.
func (b *Bounded) giveUp(w *write) {
	b.mu.Lock()
	defer b.mu.Unlock()
	w.late = true
}
