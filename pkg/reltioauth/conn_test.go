package reltioauth_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

func TestDialLeavesNothingButTheRequest(t *testing.T) {
	var requests atomic.Int32
	accepted := make(chan struct{})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		writeJSON(w, 200, goodAnswer)
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			close(accepted)
		}
	}
	server.Start()
	defer server.Close()
	client := &reltioauth.Client{AuthURL: server.URL, ClientID: "acme"}
	conn, err := client.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	<-accepted
	if got := requests.Load(); got != 0 {
		t.Errorf("requests after Dial: got %d, want 0", got)
	}
	if err := server.Listener.Close(); err != nil { // no client can dial any more
		t.Fatal(err)
	}
	if _, err := conn.Token(t.Context(), password); err != nil {
		t.Error(err)
	}
}

func TestTLSIsDoneByDial(t *testing.T) {
	var hellos, requests atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		if r.TLS.Version < tls.VersionTLS12 || r.Proto != "HTTP/1.1" {
			t.Errorf("got %s over %s, want HTTP/1.1 over TLS 1.2 or later", r.Proto, tls.VersionName(r.TLS.Version))
		}
		writeJSON(w, 200, goodAnswer)
	}))
	server.EnableHTTP2 = true
	server.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		hellos.Add(1)
		return nil, nil
	}}
	server.StartTLS()
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	given := &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS10}
	client := &reltioauth.Client{AuthURL: server.URL, ClientID: "acme", TLS: given}

	conn, err := client.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if hellos.Load() != 1 || requests.Load() != 0 {
		t.Errorf("after Dial: got %d handshakes, %d requests; want 1, 0", hellos.Load(), requests.Load())
	}
	for range 2 {
		if _, err := conn.Token(t.Context(), password); err != nil {
			t.Fatal(err)
		}
	}
	if hellos.Load() != 1 || requests.Load() != 2 {
		t.Errorf("after Token: got %d handshakes, %d requests; want 1, 2", hellos.Load(), requests.Load())
	}
	if given.MinVersion != tls.VersionTLS10 || given.NextProtos != nil || given.ServerName != "" {
		t.Error("the caller's TLS configuration was changed")
	}
}

func TestTLSRefuses(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	server.StartTLS()
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	for name, config := range map[string]*tls.Config{
		"an old version":              {RootCAs: roots, MinVersion: tls.VersionTLS10},
		"a certificate of nobody":     nil,
		"a certificate for another":   {RootCAs: roots, ServerName: "auth.reltio.com"},
		"a pool without certificates": {RootCAs: x509.NewCertPool()},
	} {
		_, err := (&reltioauth.Client{AuthURL: server.URL, ClientID: "a", TLS: config}).Dial(t.Context())
		if e := asError(t, err); e.Code != reltioauth.ErrUnavailable || e.Sent || !strings.Contains(e.Error(), "tls") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestDialEndsWithItsContext(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	ctx, cancel := context.WithCancel(t.Context())
	go func() { // a server that takes connections and says nothing
		conn, err := listener.Accept()
		if err == nil {
			cancel()
			untilClosed(conn)
			_ = conn.Close()
		}
	}()
	_, err = (&reltioauth.Client{AuthURL: "https://" + listener.Addr().String(), ClientID: "a"}).Dial(ctx)
	if !errors.Is(err, context.Canceled) || !errors.Is(err, reltioauth.ErrUnavailable) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

func TestDialWithoutAListener(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := "http://" + listener.Addr().String()
	_ = listener.Close()
	_, err = (&reltioauth.Client{AuthURL: address, ClientID: "a"}).Token(t.Context(), password)
	if e := asError(t, err); !errors.Is(err, syscall.ECONNREFUSED) || e.Sent || e.Answered() || e.Op != "dial" {
		t.Errorf("got %v, want %v", err, syscall.ECONNREFUSED)
	}
}

func TestProxiesOfTheEnvironmentAreNotUsed(t *testing.T) {
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"} {
		t.Setenv(name, "http://127.0.0.1:1")
	}
	client := serve(t, func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, 200, goodAnswer) })
	if _, err := client.Token(t.Context(), password); err != nil {
		t.Error(err)
	}
}

func TestConnTakesRequestsWhileTheServerKeepsIt(t *testing.T) {
	connections := map[string]bool{}
	client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		connections[r.RemoteAddr] = true
		writeJSON(w, 200, goodAnswer)
	})
	conn, err := client.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := conn.Introspect(t.Context(), reltioauth.NewSecret("t")); err != nil {
			t.Fatal(err)
		}
	}
	if len(connections) != 1 {
		t.Errorf("connections: got %d, want 1", len(connections))
	}
	if err := conn.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if err := conn.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	_, err = conn.Token(t.Context(), password)
	if e := asError(t, err); e.Code != reltioauth.ErrUnavailable || e.Sent {
		t.Errorf("after Close: got %v (sent %t), want %v, not sent", err, e.Sent, reltioauth.ErrUnavailable)
	}
}

func TestConnIsNotOpenedAgain(t *testing.T) {
	var connections atomic.Int32
	client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		connections.Add(1)
		w.Header().Set("Connection", "close")
		writeJSON(w, 200, goodAnswer)
	})
	conn, err := client.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.Token(t.Context(), password); err != nil {
		t.Fatal(err)
	}
	_, err = conn.Token(t.Context(), password)
	e := asError(t, err)
	if e.Code != reltioauth.ErrUnavailable || e.Sent || !errors.Is(err, reltioauth.ErrNotSent) {
		t.Errorf("got %v (sent %t), want %v, not sent", err, e.Sent, reltioauth.ErrUnavailable)
	}
	if want := "dial again"; !strings.Contains(e.Error(), want) {
		t.Errorf("got %q, want %q in it", e, want)
	}
	if got := connections.Load(); got != 1 {
		t.Errorf("requests at the server: got %d, want 1", got)
	}
}

func TestConnectionCutOff(t *testing.T) {
	for _, test := range []struct {
		name, bytes string
		wantStatus  int
		wantToken   string
		wantRefresh string
	}{
		{name: "without an answer"},
		{name: "in the status line", bytes: "HTTP/1.1 20"},
		{name: "in the header", bytes: "HTTP/1.1 200 OK\r\nContent-Ty"},
		{name: "with nonsense", bytes: "EHLO canary\r\n\r\n"},
		{name: "at the body's start", bytes: "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", wantStatus: 200},
		{name: "in the body", bytes: "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + `{"refresh_token":"r","access_token":"a`, wantStatus: 200, wantRefresh: "r"},
		{name: "behind both tokens", bytes: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n28\r\n" + `{"refresh_token":"r","access_token":"a",`, wantStatus: 200, wantRefresh: "r", wantToken: "a"},
		{name: "behind the object", bytes: "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + `{"refresh_token":"r","access_token":"a"}`, wantStatus: 200, wantRefresh: "r", wantToken: "a"},
		{name: "in a refusal", bytes: "HTTP/1.1 400 Bad Request\r\nContent-Length: 100\r\n\r\n" + `{"error":"invalid_grant"}`, wantStatus: 400},
	} {
		t.Run(test.name, func(t *testing.T) {
			var requests atomic.Int32
			client := serveRaw(t, func(conn net.Conn) {
				requests.Add(1)
				_, _ = io.WriteString(conn, test.bytes)
			})
			token, err := client.Token(t.Context(), password)
			e := asError(t, err)
			if e.Code != reltioauth.ErrUnavailable || !e.Sent || e.StatusCode != test.wantStatus || e.Permanent() {
				t.Errorf("got %v (sent %t), want %v, sent, status %d", err, e.Sent, reltioauth.ErrUnavailable, test.wantStatus)
			}
			if e.Err == nil || e.Answered() != (test.wantStatus != 0) || e.CutOff() != e.Answered() {
				t.Errorf("got cause %v, answered %t, cut off %t", e.Err, e.Answered(), e.CutOff())
			}
			if token == nil {
				token = &reltioauth.Token{}
			}
			if token.AccessToken.Reveal() != test.wantToken || token.RefreshToken.Reveal() != test.wantRefresh {
				t.Errorf("token: got %q, %q; want %q, %q", token.AccessToken.Reveal(), token.RefreshToken.Reveal(), test.wantToken, test.wantRefresh)
			}
			if got := requests.Load(); got != 1 {
				t.Errorf("requests: got %d, want 1", got)
			}
		})
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("the other host was contacted")
	}))
	defer other.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		var requests atomic.Int32
		client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			requests.Add(1)
			w.Header().Set("Location", other.URL+"/oauth/token")
			writeJSON(w, status, goodAnswer)
		})
		token, err := client.Token(t.Context(), password)
		if e := asError(t, err); token != nil || e.Code != reltioauth.ErrUnavailable || e.StatusCode != status {
			t.Errorf("%d: got %v, %v; want %v", status, token, err, reltioauth.ErrUnavailable)
		}
		_, err = client.Introspect(t.Context(), reltioauth.NewSecret("t"))
		if !errors.Is(err, reltioauth.ErrUnavailable) {
			t.Errorf("%d: Check: got %v, want %v", status, err, reltioauth.ErrUnavailable)
		}
		if got := requests.Load(); got != 2 {
			t.Errorf("%d: requests: got %d, want 2", status, got)
		}
	}
}

func TestAnswersThatAreTooLarge(t *testing.T) {
	body := func(size int) string {
		const frame = `{"refresh_token":"r","access_token":"a","expires_in":60,"x":""}`
		return strings.Replace(frame, `"x":"`, `"x":"`+strings.Repeat("x", size-len(frame)), 1)
	}
	for _, test := range []struct {
		name   string
		status int
		size   int
		want   reltioauth.ErrorCode
	}{
		{"1 MiB", 200, reltioauth.MaxBody, ""},
		{"one more", 200, reltioauth.MaxBody + 1, reltioauth.ErrInvalidResponse},
		{"many more", 200, 3 * reltioauth.MaxBody, reltioauth.ErrInvalidResponse},
		{"a refusal", 400, reltioauth.MaxBody + 1, reltioauth.ErrUnavailable},
	} {
		client := serve(t, func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, test.status, body(test.size)) })
		token, err := client.Token(t.Context(), password)
		if test.want == "" {
			if err != nil {
				t.Errorf("%s: %v", test.name, err)
			}
			continue
		}
		if !errors.Is(err, test.want) || !strings.Contains(err.Error(), "more than 1 MiB") {
			t.Errorf("%s: got %v, want %v", test.name, err, test.want)
		}
		if test.status == 200 && (token == nil || token.RefreshToken.Reveal() != "r") {
			t.Errorf("%s: the refresh token was lost", test.name)
		}
	}
}

func TestHeaderThatIsTooLarge(t *testing.T) {
	client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		for i := range 2 {
			w.Header().Set("X-"+strconv.Itoa(i), strings.Repeat("x", reltioauth.MaxHeader/2))
		}
		writeJSON(w, 200, goodAnswer)
	})
	_, err := client.Token(t.Context(), password)
	if e := asError(t, err); e.Code != reltioauth.ErrUnavailable || !e.Sent {
		t.Errorf("got %v, want %v", err, reltioauth.ErrUnavailable)
	}
}
