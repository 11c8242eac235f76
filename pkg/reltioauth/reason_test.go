package reltioauth_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

func TestReasonOfADialOverTLS(t *testing.T) {
	good, other := newAuthority(t), newAuthority(t)
	with := func(change func(*x509.Certificate)) *tls.Config {
		return &tls.Config{Certificates: []tls.Certificate{good.issue(change)}}
	}
	as := func(change func(*tls.Config)) *tls.Config {
		config := with(func(*x509.Certificate) {})
		change(config)
		return config
	}
	hello := func(conn net.Conn) { _, _ = conn.Read(make([]byte, 1<<10)) }
	for name, test := range map[string]struct{ address, want string }{
		"fine":    {serveTLS(t, with(func(*x509.Certificate) {})), ""},
		"expired": {serveTLS(t, with(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })), "certificate expired"},
		"not yet": {serveTLS(t, with(func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) })), "certificate expired"},
		"other name": {serveTLS(t, with(func(c *x509.Certificate) {
			c.IPAddresses, c.DNSNames = nil, []string{"auth.reltio.com"}
		})), "certificate for another name"},
		"no name":           {serveTLS(t, with(func(c *x509.Certificate) { c.IPAddresses = nil })), "certificate for another name"},
		"unknown authority": {serveTLS(t, &tls.Config{Certificates: []tls.Certificate{other.issue(func(*x509.Certificate) {})}}), "certificate of an unknown authority"},
		"self-signed":       {serveTLS(t, nil), "certificate of an unknown authority"},
		"of a person":       {serveTLS(t, with(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} })), "certificate of an unknown authority"},
		"TLS 1.1":           {serveTLS(t, as(func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 })), "TLS version"},
		"another refusal": {serveTLS(t, as(func(c *tls.Config) {
			c.CipherSuites, c.MaxVersion = []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}, tls.VersionTLS12
		})), "no connection"},
		"plain http":     {strings.Replace(httpServer(t), "http:", "https:", 1), "unreadable answer"},
		"garbage":        {"https://" + listen(t, func(conn net.Conn) { hello(conn); _, _ = io.WriteString(conn, "220 mail.example ESMTP\r\n") }), "unreadable answer"},
		"closed":         {"https://" + listen(t, hello), "connection lost"},
		"closed at once": {"https://" + listen(t, func(net.Conn) {}), "connection lost"},
		"reset": {"https://" + listen(t, func(conn net.Conn) {
			hello(conn)
			_ = conn.(*net.TCPConn).SetLinger(0)
		}), "connection lost"},
		"nobody listens": {closedPort(t), "connection refused"},
	} {
		client := &reltioauth.Client{AuthURL: test.address, ClientID: "a", TLS: &tls.Config{RootCAs: good.pool()}}
		_, err := client.Token(t.Context(), password)
		if test.want == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if e := asError(t, err); e.Reason() != test.want || e.Op != "dial" || e.Sent {
			t.Errorf("%s: got %q (%v), want %q", name, e.Reason(), err, test.want)
		}
	}
}

// What cannot be had on loopback is said by the Connector, as net says it.
func TestReasonOfADialThatFailsOtherwise(t *testing.T) {
	lookup := func(e net.DNSError) error { return &net.OpError{Op: "dial", Net: "tcp", Err: &e} }
	call := func(errno syscall.Errno) error {
		return &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", errno)}
	}
	for _, test := range []struct {
		err  error
		want string
	}{
		{lookup(net.DNSError{Err: "no such host", Name: "auth.invalid", IsNotFound: true}), "name not found"},
		{lookup(net.DNSError{Err: "server misbehaving", Name: "auth.invalid", IsTemporary: true}), "name server"},
		{lookup(net.DNSError{Err: "i/o timeout", Name: "auth.invalid", IsTimeout: true}), "name server"},
		{call(syscall.ECONNREFUSED), "connection refused"},
		{call(syscall.ECONNRESET), "connection lost"},
		{call(syscall.EHOSTUNREACH), "no connection"},
		{call(syscall.ENETUNREACH), "no connection"},
		{call(syscall.ETIMEDOUT), "no answer in 3 s"},
		{&net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}, "no answer in 3 s"},
		{errors.New("proxy: canary"), "no connection"},
		{errors.New("tls: server selected unsupported protocol version 301"), "TLS version"},
	} {
		client := &reltioauth.Client{ClientID: "a", Connect: func(context.Context, *url.URL) (reltioauth.Transport, error) {
			return nil, fmt.Errorf("wrapped: %w", test.err)
		}}
		_, err := client.Dial(t.Context())
		if e := asError(t, err); e.Reason() != test.want {
			t.Errorf("%v: got %q, want %q", test.err, e.Reason(), test.want)
		}
	}
}

// A name server that does not answer takes the whole of the limit, and is told
// from a server that does not.
func TestReasonOfANameServerThatIsSilent(t *testing.T) {
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}}
	synctest.Test(t, func(t *testing.T) {
		client := &reltioauth.Client{ClientID: "a", Connect: func(ctx context.Context, u *url.URL) (reltioauth.Transport, error) {
			_, err := resolver.LookupHost(ctx, u.Hostname())
			return nil, err
		}}
		_, err := client.Dial(t.Context())
		if e := asError(t, err); e.Reason() != "name server" {
			t.Errorf("got %q (%v), want the name server", e.Reason(), err)
		}
	})
}

func TestReasonSaysWhichLimitEnded(t *testing.T) {
	silent := func(ctx context.Context, _ *url.URL) (reltioauth.Transport, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	secret := reltioauth.NewSecret("t")
	token := func(ctx context.Context, c *reltioauth.Client) error { _, err := c.Token(ctx, password); return err }
	hasty := func(d time.Duration) func(context.Context, *reltioauth.Client) error {
		return func(ctx context.Context, c *reltioauth.Client) error { c.TokenTimeout = d; return token(ctx, c) }
	}
	check := func(ctx context.Context, c *reltioauth.Client) error { _, err := c.Introspect(ctx, secret); return err }
	revoke := func(ctx context.Context, c *reltioauth.Client) error { return c.Revoke(ctx, secret, "") }
	for _, test := range []struct {
		name    string
		dials   bool // or dialling already gets no response
		caller  time.Duration
		request func(context.Context, *reltioauth.Client) error
		want    string
	}{
		{"token, dial", false, 0, token, "no answer in 3 s"},
		{"token", true, 0, token, "no answer in 25 s"},
		{"token, the client's limit", true, 0, hasty(8 * time.Second), "no answer in 8 s"},
		{"token, a longer limit of the client's", true, 0, hasty(time.Hour), "no answer in 25 s"},
		{"check, dial", false, 0, check, "no answer in 3 s"},
		{"check", true, 0, check, "no answer in 3 s"},
		{"revoke", true, 0, revoke, "no answer in 3 s"},
		{"token, a later limit of the caller", true, time.Minute, token, "no answer in 25 s"},
		{"token, the caller's limit", true, time.Second, token, "no answer in time"},
		{"token, the caller's limit, dial", false, time.Second, token, "no answer in time"},
		{"check, the caller's limit", true, time.Second, check, "no answer in time"},
	} {
		synctest.Test(t, func(t *testing.T) {
			for name, server := range map[string]func(net.Conn){"silence": untilClosed, "trickle": trickle} {
				client := piped(server)
				if !test.dials {
					client.Connect = silent
				}
				ctx, cancel := t.Context(), context.CancelFunc(func() {})
				if test.caller != 0 {
					ctx, cancel = context.WithTimeout(ctx, test.caller)
				}
				err := test.request(ctx, client)
				cancel()
				if e := asError(t, err); e.Reason() != test.want {
					t.Errorf("%s, %s: got %q, want %q", test.name, name, e.Reason(), test.want)
				}
			}
			pass(time.Hour)
		})
	}
}

func TestReasonOfACancellation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		_, err := piped(func(conn net.Conn) { cancel(); untilClosed(conn) }).Token(ctx, password)
		if e := asError(t, err); e.Reason() != "no answer in time" {
			t.Errorf("got %q (%v)", e.Reason(), err)
		}
	})
}

func TestReasonOfAnAnswer(t *testing.T) {
	for _, test := range []struct {
		name   string
		status int
		body   string
		want   string
	}{
		{"page", 200, `<html>Welcome</html>`, "a web page with HTTP 200: is auth_url right?"},
		{"page behind a mark", 200, bom + "\n<!DOCTYPE html>", "a web page with HTTP 200: is auth_url right?"},
		{"packed page", 203, packed(`<html>`), "a web page with HTTP 203: is auth_url right?"},
		{"page with an error", 503, `<html>`, "HTTP 503"},
		{"page with a refusal", 403, `<html>`, "HTTP 403"},
		{"redirect", 302, ``, "HTTP 302"},
		{"redirect with a page", 302, `<html>`, "HTTP 302"},
		{"server error", 500, `{"error":"server_error"}`, "HTTP 500"},
		{"odd status", 599, ``, "HTTP 599"},
		{"rate", 429, ``, "HTTP 429"},
		{"refusal", 400, `{"error":"invalid_grant"}`, "HTTP 400"},
		{"the server's invalid_request", 400, `{"error":"invalid_request"}`, "HTTP 400"},
		{"nothing", 200, ``, "unreadable answer"},
		{"text", 200, `OK`, "unreadable answer"},
		{"no token", 200, `{}`, "unreadable answer"},
		{"a life that is negative", 200, `{"access_token":"a","expires_in":-1}`, "unreadable answer"},
		{"too large", 200, strings.Repeat("x", reltioauth.MaxBody+1), "unreadable answer"},
		{"badly packed", 200, "\x1f\x8b\x08xxxxxxxxxxxxx", "unreadable answer"},
		{"second factor", 200, `{"state_token":"s"}`, ""},
	} {
		_, err := answering(reply{status: test.status, body: test.body}).Token(t.Context(), password)
		if e := asError(t, err); e.Reason() != test.want {
			t.Errorf("%s: got %q (%v), want %q", test.name, e.Reason(), err, test.want)
		}
	}
	for name, sent := range map[string]string{
		"nothing":        "",
		"no http":        "EHLO canary\r\n\r\n",
		"cut success":    "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{",
		"cut page":       "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n<",
		"cut refusal":    "HTTP/1.1 401 Unauthorized\r\nContent-Length: 9\r\n\r\n{",
		"no known words": "HTTP/1.1 twohundred OK\r\n\r\n",
	} {
		_, err := serveRaw(t, func(conn net.Conn) { _, _ = io.WriteString(conn, sent) }).Token(t.Context(), password)
		if e := asError(t, err); e.Reason() != "connection lost" {
			t.Errorf("%s: got %q (%v)", name, e.Reason(), err)
		}
	}
	cut := "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 9\r\n\r\n"
	_, err := serveRaw(t, func(conn net.Conn) { _, _ = io.WriteString(conn, cut) }).Token(t.Context(), password)
	if e := asError(t, err); e.Reason() != "HTTP 503" || !e.CutOff() {
		t.Errorf("a 503 cut off: got %q, cut off %t", e.Reason(), e.CutOff())
	}
}

func TestReasonAndSummaryOfErrorsMadeByHand(t *testing.T) {
	for _, test := range []struct {
		e               reltioauth.Error
		reason, summary string
	}{
		{reltioauth.Error{Code: reltioauth.ErrInvalidRequest}, "", "(no answer)"},
		{reltioauth.Error{Code: reltioauth.ErrUnavailable}, "no connection", "(no answer)"},
		{reltioauth.Error{Code: reltioauth.ErrUnavailable, Sent: true}, "connection lost", "(no answer)"},
		{reltioauth.Error{Code: reltioauth.ErrUnavailable, StatusCode: 503}, "HTTP 503", "(no OAuth error, HTTP 503)"},
		{reltioauth.Error{Code: reltioauth.ErrInvalidResponse, StatusCode: 200}, "unreadable answer", "(no OAuth error, HTTP 200)"},
		{reltioauth.Error{Code: reltioauth.ErrMFARequired, StatusCode: 200}, "", "(no OAuth error, HTTP 200)"},
		{reltioauth.Error{Code: reltioauth.ErrRateLimited, StatusCode: 429}, "HTTP 429", "(no OAuth error, HTTP 429)"},
		{reltioauth.Error{Code: reltioauth.ErrInvalidGrant, StatusCode: 400}, "HTTP 400", "(invalid_grant, HTTP 400)"},
		{reltioauth.Error{Code: reltioauth.ErrUnauthorized, StatusCode: 401}, "HTTP 401", "(unauthorized, HTTP 401)"},
	} {
		if got := test.e.Reason(); got != test.reason {
			t.Errorf("%v: got reason %q, want %q", &test.e, got, test.reason)
		}
		if got := test.e.OAuthSummary(); got != test.summary {
			t.Errorf("%v: got summary %q, want %q", &test.e, got, test.summary)
		}
	}
}
