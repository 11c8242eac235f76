package reltioauth_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// start is the moment at which the tests' clocks stand.
var start = time.Date(2026, 11, 23, 16, 0, 0, 0, time.UTC)

func clock() time.Time { return start }

// transport is a Transport that is a function.
type transport func(*http.Request) (*http.Response, error)

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }
func (transport) Close() error                                        { return nil }

func (t transport) connect(context.Context, *url.URL) (reltioauth.Transport, error) { return t, nil }

// reply is a canned answer.
type reply struct {
	status int
	header http.Header
	body   string
}

func (a reply) RoundTrip(*http.Request) (*http.Response, error) {
	header := a.header.Clone()
	if header == nil {
		header = http.Header{"Content-Type": {"application/json;charset=UTF-8"}}
	}
	return &http.Response{
		StatusCode: a.status,
		Header:     header,
		Body:       io.NopCloser(strings.NewReader(a.body)),
	}, nil
}

// answering is a client whose server always gives the same answer.
func answering(a reply) *reltioauth.Client {
	return &reltioauth.Client{
		ClientID:     "acme",
		ClientSecret: reltioauth.NewSecret("client-secret-canary"),
		Connect:      transport(a.RoundTrip).connect,
		Now:          clock,
	}
}

// serve starts a server on loopback and a client of it.
func serve(t *testing.T, handler http.HandlerFunc) *reltioauth.Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return &reltioauth.Client{
		AuthURL:      server.URL,
		ClientID:     "acme",
		ClientSecret: reltioauth.NewSecret("client-secret-canary"),
		Now:          clock,
	}
}

// serveRaw starts a server that does with each connection what it is told. The
// request has been read when it is called.
func serveRaw(t *testing.T, handle func(net.Conn)) *reltioauth.Client {
	t.Helper()
	address := listen(t, func(conn net.Conn) {
		if readRequest(conn) == nil {
			handle(conn)
		}
	})
	return &reltioauth.Client{
		AuthURL:      "http://" + address,
		ClientID:     "acme",
		ClientSecret: reltioauth.NewSecret("client-secret-canary"),
		Now:          clock,
	}
}

// piped is a client whose connections are pipes, for bubbles in which time is
// not real. The other end is read up to the request's end, then handled.
func piped(handle func(net.Conn)) *reltioauth.Client {
	return &reltioauth.Client{
		ClientID:     "acme",
		ClientSecret: reltioauth.NewSecret("client-secret-canary"),
		Connect: func(_ context.Context, authURL *url.URL) (reltioauth.Transport, error) {
			near, far := net.Pipe()
			go func() {
				defer func() { _ = far.Close() }()
				if readRequest(far) == nil {
					handle(far)
				}
			}()
			return reltioauth.NewTransport(near, authURL), nil
		},
	}
}

// readRequest reads one request with its body.
func readRequest(conn net.Conn) error {
	req, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, req.Body)
	return err
}

// untilClosed blocks until the other side is gone.
func untilClosed(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }

const goodAnswer = `{"access_token":"204938ca-2cf7-44b0-b11a-1b4c59984512","token_type":"bearer",
"refresh_token":"676742af-989b-4d40-b7cc-f69ccadd45ea","expires_in":3599,"scope":"configuration_api entities_api"}`

func writeJSON(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// asError is the *Error that every error of the package is.
func asError(t *testing.T, err error) *reltioauth.Error {
	t.Helper()
	var e *reltioauth.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %T (%v), want a *reltioauth.Error", err, err)
	}
	return e
}

var password = reltioauth.PasswordGrant{
	Username: "jane.doe@acme.example",
	Password: reltioauth.NewSecret("user-password-canary"),
}
