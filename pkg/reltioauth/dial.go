package reltioauth

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
)

// maxHeader is how much of a response's header is read: 64 KiB.
const maxHeader = 64 << 10

// Errors of a connection that cannot take a request.
const (
	errUsed      constError = "the connection has been used up or closed; dial again"
	errWrongHost constError = "the connection leads to another host"
)

// tlsConfig is a copy of the given configuration with the settings that this
// package requires.
func tlsConfig(given *tls.Config, host string) *tls.Config {
	config := given.Clone()
	if config == nil {
		config = new(tls.Config)
	}
	if config.ServerName == "" {
		config.ServerName = host
	}
	config.MinVersion = max(config.MinVersion, tls.VersionTLS12)
	config.NextProtos = []string{"http/1.1"}
	return config
}

func hostPort(u *url.URL) string {
	// Without a port the scheme takes its place: package net knows both by name.
	return net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), u.Scheme))
}

// singleConn is a Transport on a connection that is already open. net/http does
// the protocol. To repeat a request or open another connection, it has to dial,
// and its dial function returns this connection once only.
type singleConn struct {
	authURL *url.URL
	http    *http.Transport
	conn    *watchedConn
}

func newTransport(conn net.Conn, authURL *url.URL) *singleConn {
	t := &singleConn{authURL: authURL, conn: &watchedConn{Conn: conn}}
	dial := t.dialOnce()
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	t.http = &http.Transport{
		Proxy:                  nil, // the environment's proxies are not used
		DialContext:            dial,
		DialTLSContext:         dial,
		DisableCompression:     true, // the body's limit counts the bytes that are read
		MaxResponseHeaderBytes: maxHeader,
		Protocols:              protocols,
	}
	return t
}

// dialOnce gives out the connection the first time it is called.
func (t *singleConn) dialOnce() func(context.Context, string, string) (net.Conn, error) {
	var taken atomic.Bool
	return func(context.Context, string, string) (net.Conn, error) {
		if taken.Swap(true) {
			return nil, errUsed
		}
		return t.conn, nil
	}
}

// RoundTrip implements Transport.
func (t *singleConn) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme != t.authURL.Scheme || req.URL.Host != t.authURL.Host {
		return nil, fmt.Errorf("%w: %w", ErrNotSent, errWrongHost)
	}
	t.conn.arm()
	resp, err := t.http.RoundTrip(req)
	if err != nil && t.conn.seal() {
		return nil, fmt.Errorf("%w: %w", ErrNotSent, err)
	}
	return resp, err
}

// Close implements Transport.
func (t *singleConn) Close() error {
	t.http.CloseIdleConnections()
	if err := t.conn.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// watchedConn knows whether anything was written since the request began.
// net/http writes in its own goroutine, which may still be running when the round
// trip has failed. So seal not only reads what was written, but also prevents
// later writes.
type watchedConn struct {
	net.Conn

	mu      sync.Mutex // guards written and sealed; not held while writing
	written bool
	sealed  bool
}

// Write implements net.Conn. It records the write before it makes it.
func (c *watchedConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	if c.sealed {
		c.mu.Unlock()
		return 0, net.ErrClosed
	}
	c.written = true
	c.mu.Unlock()
	return c.Conn.Write(p)
}

// arm begins a request.
func (c *watchedConn) arm() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.written = false
}

// seal prevents all further writes and reports whether there was none.
func (c *watchedConn) seal() (nothingWritten bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sealed = true
	return !c.written
}
