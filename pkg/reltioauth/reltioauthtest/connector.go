package reltioauthtest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"sync/atomic"
	"syscall"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// Connector connects to the server without a network, whatever the address: each
// request is served in the goroutine that sends it. Faults look as they would
// over TCP. If a context ends while the server waits, the request ends.
func (s *Server) Connector() reltioauth.Connector {
	return func(ctx context.Context, _ *url.URL) (reltioauth.Transport, error) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if o := s.unreachable(); o != nil {
			if err := wait(ctx, o.Fault.Delay); err != nil {
				return nil, err
			}
			return nil, networkError("dial", "connect", syscall.ECONNREFUSED)
		}
		return &transport{server: s}, nil
	}
}

// unreachable is the outage that refuses all connections, if there is one.
func (s *Server) unreachable() *Outage {
	o := s.outage.Load()
	if o == nil || o.Fault.Kind != FaultUnreachable || len(o.Ops) > 0 || !o.covers(s.settings.Load().Now()) {
		return nil
	}
	return o
}

func networkError(op, call string, errno syscall.Errno) error {
	return &net.OpError{Op: op, Net: "tcp", Err: os.NewSyscallError(call, errno)}
}

// transport is one connection to a Server in the same process.
type transport struct {
	server *Server
	closed atomic.Bool
}

// Close implements io.Closer.
func (t *transport) Close() error {
	t.closed.Store(true)
	return nil
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx := r.Context()
	body, err := readAndClose(r.Body)
	switch {
	case err != nil:
		return nil, notSent(err)
	case ctx.Err() != nil:
		return nil, notSent(ctx.Err())
	case t.closed.Load() || t.server.unreachable() != nil:
		return nil, notSent(&net.OpError{Op: "write", Net: "tcp", Err: net.ErrClosed})
	}
	w := newMemoryWriter()
	t.server.ServeHTTP(w, arriving(r, body))
	if w.aborted || w.truncated() {
		t.closed.Store(true)
	}
	switch {
	case w.aborted && ctx.Err() != nil:
		return nil, ctx.Err()
	case w.aborted:
		return nil, networkError("read", "read", syscall.ECONNRESET)
	}
	return w.response(r), nil
}

// notSent is the error of a request that the server never saw.
func notSent(err error) error {
	return fmt.Errorf("%w: %w", reltioauth.ErrNotSent, err)
}

func readAndClose(body io.ReadCloser) ([]byte, error) {
	if body == nil || body == http.NoBody {
		return nil, nil
	}
	all, err := io.ReadAll(body)
	if closeErr := body.Close(); err == nil {
		err = closeErr
	}
	return all, err
}

// arriving is the request as the server sees it.
func arriving(r *http.Request, body []byte) *http.Request {
	in := *r
	in.Body = io.NopCloser(bytes.NewReader(body))
	in.RequestURI = r.URL.RequestURI()
	in.RemoteAddr = "192.0.2.1:1"
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	return &in
}

// memoryWriter is a response writer that keeps the response.
type memoryWriter struct {
	header  http.Header
	status  int
	body    bytes.Buffer
	aborted bool
}

func newMemoryWriter() *memoryWriter {
	return &memoryWriter{header: make(http.Header, 4)}
}

// Header implements http.ResponseWriter.
func (w *memoryWriter) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter.
func (w *memoryWriter) WriteHeader(status int) { w.status = status }

// Write implements http.ResponseWriter.
func (w *memoryWriter) Write(p []byte) (int, error) { return w.body.Write(p) }

func (w *memoryWriter) abort() { w.aborted = true }

// length is the Content-Length that the response states.
func (w *memoryWriter) length() int64 {
	n, err := strconv.ParseInt(w.header.Get("Content-Length"), 10, 64)
	if err != nil {
		return int64(w.body.Len())
	}
	return n
}

func (w *memoryWriter) truncated() bool { return int64(w.body.Len()) < w.length() }

// response is the response as a client sees it.
func (w *memoryWriter) response(r *http.Request) *http.Response {
	response := &http.Response{
		Status:     strconv.Itoa(w.status) + " " + http.StatusText(w.status),
		StatusCode: w.status,
		Proto:      "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        w.header,
		ContentLength: w.length(),
		Request:       r,
	}
	var body io.Reader = &w.body
	if w.truncated() {
		body = io.MultiReader(body, brokenReader{})
	}
	response.Body = io.NopCloser(body)
	return response
}

// brokenReader is the end of a truncated response.
type brokenReader struct{}

// Read implements io.Reader.
func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
