// Package logtest keeps a log that a test reads while other goroutines still write it.
//
//	var log logtest.Buffer
//	server := Server{Log: slog.New(slog.NewJSONHandler(&log, nil))}
//	...
//	if strings.Contains(log.String(), secret) {
//
// Nothing blocks and nothing fails. It knows nothing of package testing, so that
// commands that try the service can use it too.
package logtest

import (
	"bytes"
	"sync"
)

// Buffer is a log. Its zero value is empty. It is safe for concurrent use, and
// must not be copied once it has been used.
type Buffer struct {
	mu   sync.Mutex // guards data
	data bytes.Buffer
}

// Write implements io.Writer. It never fails.
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data.Write(p)
}

// String is what has been written so far.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data.String()
}
