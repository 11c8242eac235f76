package handler_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// What a network or a server does wrong is said to callers in words of a closed
// list; what caused it is in rotate's line alone. The servers are real.
func TestWhatIsWrongWithTheNetworkIsSaid(t *testing.T) {
	for name, test := range map[string]struct {
		serve     func(net.Conn) // nil: no server listens
		plain     bool           // http
		resolver  *net.Resolver  // that finds no address
		want      string
		cause     string // a part of it
		fromABody bool   // what was received is the cause, which has no error
	}{
		"expired":           {serve: secured(t, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }, 0), want: "certificate expired", cause: "x509: certificate has expired"},
		"another name":      {serve: secured(t, func(c *x509.Certificate) { c.IPAddresses, c.DNSNames = nil, []string{"auth.example"} }, 0), want: "certificate for another name", cause: "x509: "},
		"unknown authority": {serve: secured(t, nil, 0), want: "certificate of an unknown authority", cause: "x509: certificate signed by unknown authority"},
		"old TLS":           {serve: secured(t, nil, tls.VersionTLS11), want: "TLS version", cause: "protocol version"},
		"nobody listens":    {want: "connection refused", cause: "connect: connection refused"},
		"reset": {serve: func(conn net.Conn) {
			_, _ = conn.Read(make([]byte, 1<<10))
			_ = conn.(*net.TCPConn).SetLinger(0)
		}, want: "connection lost", cause: "reset by peer"},
		"closed":       {serve: func(conn net.Conn) { _, _ = conn.Read(make([]byte, 1<<10)) }, want: "connection lost"},
		"not TLS":      {serve: says("220 mail.example ESMTP\r\n"), want: "unreadable answer", cause: "tls: "},
		"no such name": {resolver: resolving(t), want: "name not found", cause: "no such host"},
		"cut body":     {serve: says("HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{"), plain: true, want: "connection lost", cause: "unexpected EOF"},
		"a page": {
			serve: says("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>"), plain: true,
			want: "a web page with HTTP 200: is auth_url right?", fromABody: true,
		},
		"503": {serve: says("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"), plain: true, want: "HTTP 503", fromABody: true},
	} {
		t.Run(name, func(t *testing.T) {
			address := listening(t, test.serve)
			w := newWorld(t)
			w.rotate.Renewer.Hosts, w.rotate.Renewer.Connect = connection.Hosts{address}, nil
			if test.resolver != nil {
				w.rotate.Renewer.Connect = func(ctx context.Context, _ *url.URL) (reltioauth.Transport, error) {
					_, err := test.resolver.LookupHost(ctx, "auth.example")
					return nil, err
				}
			}
			scheme := "https"
			if test.plain {
				scheme = "http"
			}
			w.connect("acme", strings.Replace(byClient, `{`, `{"auth_url":"`+scheme+`://`+address+`",`, 1))
			_, err := w.ask(`{"connection":"acme"}`)
			message := functionError(t, err).Message
			if message != "Reltio gave no token: "+test.want {
				t.Errorf("message %q, want the words %q", message, test.want)
			}
			all := w.log.take(t)
			for _, line := range of(all, "issue") {
				if _, said := line["reltio_cause"]; said || line["error_message"] != message {
					t.Errorf("issue's line %v", line)
				}
			}
			line := of(all, "rotate")[0]
			cause, _ := line["reltio_cause"].(string)
			if line["error_message"] != message || !strings.Contains(cause, test.cause) || (cause == "") != test.fromABody {
				t.Errorf("message %q and cause %q, want %q", line["error_message"], cause, test.cause)
			}
		})
	}
}

// listening is the address of a server on loopback, which does the same to each
// connection.
func listening(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	if serve == nil {
		_ = l.Close()
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				serve(conn)
				_ = conn.Close()
			}()
		}
	}()
	return l.Addr().String()
}

// says reads the beginning of a request and sends a text.
func says(text string) func(net.Conn) {
	return func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 1<<12))
		_, _ = io.WriteString(conn, text)
	}
}

// secured shakes hands over TLS, of a version at most (0: any), with a certificate
// for loopback that no authority has signed, changed as wanted (nil: not).
func secured(t *testing.T, change func(*x509.Certificate), version uint16) func(net.Conn) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if change != nil {
		change(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{
		MinVersion: tls.VersionTLS10, MaxVersion: version,
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
	}
	return func(conn net.Conn) { _ = tls.Server(conn, config).HandshakeContext(context.Background()) }
}

// resolving asks a name server that knows no name.
func resolving(t *testing.T) *net.Resolver {
	t.Helper()
	server, err := new(net.ListenConfig).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	go func() {
		message := make([]byte, 1<<10)
		for {
			n, from, err := server.ReadFrom(message)
			if err != nil {
				return
			}
			const response, noSuchName = 0x81, 0x83 // RFC 1035, section 4.1.1
			message[2], message[3] = response, noSuchName
			_, _ = server.WriteTo(message[:n], from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", server.LocalAddr().String())
	}}
}
