package lambdahost

import (
	"bytes"
	"io"
	"os"
	"sync"
)

// marker goes through a pipe to show that everything before it has been read.
// No program writes it.
var marker = []byte("\x00\x00lambdahost: all before this was read\x00\x00") //nolint:gochecknoglobals // a constant

// logPipe is where the processes of an environment write. Whole lines are
// passed on as they come.
type logPipe struct {
	in, out *os.File
	emit    func(lines []byte)
	done    chan struct{}

	// mu guards waiting: who waits for a marker, in order.
	mu      sync.Mutex
	waiting []chan struct{}
}

func newLogPipe(emit func(lines []byte)) (*logPipe, error) {
	in, out, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p := &logPipe{in: in, out: out, emit: emit, done: make(chan struct{})}
	go p.read()
	return p, nil
}

// sync returns when what was written before has been passed on.
func (p *logPipe) sync() {
	read := make(chan struct{})
	p.mu.Lock()
	p.waiting = append(p.waiting, read)
	_, err := p.out.Write(marker) // under the lock: the order of markers is that of waiting
	p.mu.Unlock()
	if err != nil {
		return
	}
	select {
	case <-read:
	case <-p.done:
	}
}

// close ends the pipe when all is read. No process may hold its other end.
func (p *logPipe) close() {
	p.sync()
	_ = p.out.Close()
	_ = p.in.Close() // something that escaped its process group may hold the other end
	<-p.done
}

func (p *logPipe) read() {
	defer close(p.done)
	var held []byte // a line, or a marker, that is not whole
	chunk := make([]byte, 64<<10)
	for {
		n, err := p.in.Read(chunk)
		held = p.pass(append(held, chunk[:n]...))
		if err != nil {
			p.flush(held)
			return
		}
	}
}

// pass passes on whole lines, and all before a marker; the rest is returned.
func (p *logPipe) pass(text []byte) []byte {
	for {
		before, after, found := bytes.Cut(text, marker)
		if !found {
			break
		}
		p.flush(before)
		p.mu.Lock()
		close(p.waiting[0])
		p.waiting = p.waiting[1:]
		p.mu.Unlock()
		text = after
	}
	if end := bytes.LastIndexByte(text, '\n') + 1; end > 0 {
		p.emit(text[:end])
		text = text[end:]
	}
	return bytes.Clone(text)
}

// flush passes on a line that has no end.
func (p *logPipe) flush(text []byte) {
	if len(text) == 0 {
		return
	}
	if text[len(text)-1] != '\n' {
		text = append(bytes.Clone(text), '\n')
	}
	p.emit(text)
}

// maxTail is how much of its log a caller is shown.
const maxTail = 4 << 10

// tail keeps the end of what is written to it.
type tail struct{ text []byte }

var _ io.Writer = (*tail)(nil)

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.text = append(t.text, p...)
	if len(t.text) > 4*maxTail {
		t.text = bytes.Clone(t.last())
	}
	return len(p), nil
}

func (t *tail) last() []byte { return t.text[max(0, len(t.text)-maxTail):] }
