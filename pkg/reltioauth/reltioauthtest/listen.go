package reltioauthtest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// listener is the network side of a Server.
type listener struct {
	mu       sync.Mutex // guards the fields below
	url      string
	server   *http.Server
	stop     context.CancelFunc // ends requests that wait
	finished chan struct{}      // closed when the listener is closed
	running  sync.WaitGroup     // handlers
}

// Start makes the server listen on addr and returns its URL. An empty addr is a
// free port of the loopback interface; an addr without a host is on the loopback
// interface. It uses plain HTTP.
func (s *Server) Start(addr string) (string, error) {
	s.listener.mu.Lock()
	defer s.listener.mu.Unlock()
	l := &s.listener
	if l.server != nil {
		return "", errors.New("reltioauthtest: the server has been started already")
	}
	ctx, stop := context.WithCancel(context.Background())
	in, err := new(net.ListenConfig).Listen(ctx, "tcp", loopback(addr))
	if err != nil {
		stop()
		return "", fmt.Errorf("reltioauthtest: %w", err)
	}
	server := &http.Server{
		Handler:           http.HandlerFunc(s.serveNetwork),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       10 * time.Second,
		ErrorLog:          slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		_ = server.Serve(in)
	}()
	l.url, l.server, l.stop, l.finished = "http://"+in.Addr().String(), server, stop, finished
	return l.url, nil
}

func loopback(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if addr == "" {
		port, err = "0", nil
	}
	if err == nil && host == "" {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return addr
}

func (s *Server) serveNetwork(w http.ResponseWriter, r *http.Request) {
	s.listener.running.Add(1)
	defer s.listener.running.Done()
	s.ServeHTTP(w, r)
}

// URL is the address of a server that has been started, else empty.
func (s *Server) URL() string {
	s.listener.mu.Lock()
	defer s.listener.mu.Unlock()
	return s.listener.url
}

// Close undoes Start: open connections are cut, waiting requests end, and Close
// returns when none is left. The Connector still works. A second Close, or one of
// a server that was never started, does nothing.
func (s *Server) Close() error {
	s.listener.mu.Lock()
	defer s.listener.mu.Unlock()
	l := &s.listener
	if l.server == nil {
		return nil
	}
	l.stop()
	err := l.server.Close()
	<-l.finished
	l.running.Wait()
	l.url, l.server = "", nil
	if err != nil {
		return fmt.Errorf("reltioauthtest: %w", err)
	}
	return nil
}
