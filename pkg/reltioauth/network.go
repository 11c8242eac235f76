package reltioauth

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// Network says how connections to the authorization server are opened: each one is
// new. Connect is a Connector. The zero value dials the server itself, with the
// system's roots.
type Network struct {
	// TLS is the configuration towards the authorization server; nil means the
	// system's roots and Go's defaults. It is copied. Versions below 1.2 are never
	// used, and the protocol is HTTP/1.1.
	TLS *tls.Config

	// Proxy chooses the proxy for a request, as the field of http.Transport does:
	// http.ProxyFromEnvironment is one. Nil, or a nil URL, means none. The proxy's
	// scheme is http or https; user and password in its URL are sent to it by Basic
	// authentication. Through a proxy there is a tunnel (CONNECT, RFC 9110, section
	// 9.3.6): the proxy sees the server's name and nothing of what is said. A server
	// without TLS, which is on this machine, is never reached through a proxy.
	Proxy func(*http.Request) (*url.URL, error)
}

// Errors of a proxy. Neither names it: its address may hold a password.
const (
	errProxyScheme constError = "the proxy is no http or https URL"
	errProxyEarly  constError = "the proxy sent more than its response"
)

// maxProxyHeader is how much of a proxy's response is read: 16 KiB.
const maxProxyHeader = 16 << 10

var _ Connector = Network{}.Connect

// Connect implements Connector.
func (n Network) Connect(ctx context.Context, authURL *url.URL) (Transport, error) {
	conn, err := n.dial(ctx, authURL)
	if err != nil {
		return nil, err
	}
	if authURL.Scheme == "https" {
		if conn, err = handshake(ctx, conn, tlsConfig(n.TLS, authURL.Hostname())); err != nil {
			return nil, err
		}
	}
	return newTransport(conn, authURL), nil
}

// dial opens a connection to the server, or a tunnel to it.
func (n Network) dial(ctx context.Context, authURL *url.URL) (net.Conn, error) {
	proxy, err := n.proxy(authURL)
	if err != nil {
		return nil, err
	}
	if proxy == nil {
		return new(net.Dialer).DialContext(ctx, "tcp", hostPort(authURL))
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", hostPort(proxy))
	if err != nil {
		return nil, fmt.Errorf("the proxy: %w", err)
	}
	if proxy.Scheme == "https" {
		if conn, err = handshake(ctx, conn, tlsConfig(nil, proxy.Hostname())); err != nil {
			return nil, fmt.Errorf("the proxy: %w", err)
		}
	}
	if err := tunnel(ctx, conn, proxy.User, hostPort(authURL)); err != nil {
		return nil, errors.Join(fmt.Errorf("the proxy: %w", err), conn.Close())
	}
	return conn, nil
}

func (n Network) proxy(authURL *url.URL) (*url.URL, error) {
	if n.Proxy == nil || authURL.Scheme != "https" {
		return nil, nil //nolint:nilnil // no proxy, as http.Transport has it
	}
	proxy, err := n.Proxy(&http.Request{Method: http.MethodPost, URL: authURL})
	switch {
	case err != nil:
		return nil, errProxyScheme // its text may hold the URL
	case proxy != nil && proxy.Scheme != "http" && proxy.Scheme != "https":
		return nil, errProxyScheme
	}
	return proxy, nil
}

// handshake makes a connection secure, or closes it.
func handshake(ctx context.Context, conn net.Conn, config *tls.Config) (net.Conn, error) {
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return secure, nil
}

// tunnel asks a proxy to connect to the target. When the context ends it stops.
func tunnel(ctx context.Context, conn net.Conn, user *url.Userinfo, target string) error {
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) }) // long past: reads and writes end
	defer stop()
	request := "CONNECT " + target + " HTTP/1.1\r\nHost: " + target + "\r\n"
	if user != nil {
		password, _ := user.Password()
		credentials := base64.StdEncoding.EncodeToString([]byte(user.Username() + ":" + password))
		request += "Proxy-Authorization: Basic " + credentials + "\r\n"
	}
	if _, err := io.WriteString(conn, request+"\r\n"); err != nil {
		return cmp.Or(ctx.Err(), err)
	}
	read := bufio.NewReader(io.LimitReader(conn, maxProxyHeader))
	resp, err := http.ReadResponse(read, &http.Request{Method: http.MethodConnect})
	if err != nil {
		return cmp.Or(ctx.Err(), err)
	}
	_ = resp.Body.Close() // there is none before the tunnel
	switch {
	case resp.StatusCode/100 != 2:
		return fmt.Errorf("HTTP %d", resp.StatusCode)
	case read.Buffered() > 0:
		return errProxyEarly // TLS servers wait for the client
	case !stop():
		return ctx.Err()
	}
	return nil
}
