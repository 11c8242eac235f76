package reltioauth_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// proxy is a real one for tunnels; each responds as handle says.
func proxy(t *testing.T, handle func(w http.ResponseWriter, r *http.Request)) *url.URL {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(handle))
	t.Cleanup(server.Close)
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// forward connects the client with the target, as a proxy does.
func forward(w http.ResponseWriter, r *http.Request) {
	target, err := net.Dial("tcp", r.Host)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	client, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	_, _ = io.WriteString(client, "HTTP/1.1 200 Connection established\r\n\r\n")
	go func() { _, _ = io.Copy(target, client); _ = target.Close() }()
	_, _ = io.Copy(client, target)
	_ = client.Close()
}

// Through a proxy, real TLS reaches a real server, and the proxy sees its name
// alone.
func TestTokenThroughAProxy(t *testing.T) {
	ca := newAuthority(t)
	server := serveTLS(t, &tls.Config{Certificates: []tls.Certificate{ca.issue(func(*x509.Certificate) {})}})
	for name, user := range map[string]*url.Userinfo{"without a password": nil, "with a password": url.UserPassword("ann", "s3cret:%")} {
		t.Run(name, func(t *testing.T) {
			var seen atomic.Pointer[http.Request]
			via := proxy(t, func(w http.ResponseWriter, r *http.Request) {
				seen.Store(r.Clone(t.Context()))
				forward(w, r)
			})
			via.User = user
			c := &reltioauth.Client{AuthURL: server, ClientID: "a"}
			c.Connect = reltioauth.Network{TLS: &tls.Config{RootCAs: ca.pool()}, Proxy: http.ProxyURL(via)}.Connect
			if token, err := c.Token(t.Context(), reltioauth.ClientCredentialsGrant{}); err != nil || token.AccessToken.IsZero() {
				t.Fatal(err)
			}
			r := seen.Load()
			if r == nil || r.Method != http.MethodConnect || "https://"+r.Host != server {
				t.Fatalf("the proxy got %+v", r)
			}
			username, password, sent := (&http.Request{Header: http.Header{"Authorization": r.Header["Proxy-Authorization"]}}).BasicAuth()
			if want, _ := user.Password(); sent != (user != nil) || sent && (username != "ann" || password != want) {
				t.Errorf("credentials sent: %t", sent)
			}
		})
	}
}

// What a proxy does wrong ends the dial within its time, before anything was sent,
// and without a word of the proxy's address or password.
func TestBadProxies(t *testing.T) {
	ca := newAuthority(t)
	server := serveTLS(t, &tls.Config{Certificates: []tls.Certificate{ca.issue(func(*x509.Certificate) {})}})
	status := func(code int) *url.URL {
		return proxy(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) })
	}
	says := func(text string) *url.URL {
		address := "https://" + listen(t, func(conn net.Conn) {
			_, _ = conn.Read(make([]byte, 1024))
			_, _ = io.WriteString(conn, text)
		})
		return &url.URL{Scheme: "http", Host: strings.TrimPrefix(strings.TrimPrefix(address, "https://"), "http://")}
	}
	fails := func(*http.Request) (*url.URL, error) { return nil, errors.New("invalid proxy s3cret") }
	for name, choose := range map[string]func(*http.Request) (*url.URL, error){
		"it wants a password":      http.ProxyURL(status(http.StatusProxyAuthRequired)),
		"it forbids":               http.ProxyURL(status(http.StatusForbidden)),
		"it finds nobody":          http.ProxyURL(status(http.StatusBadGateway)),
		"it says nothing":          http.ProxyURL(says("")),
		"it is no proxy":           http.ProxyURL(says("SSH-2.0-OpenSSH_9.6\r\n")),
		"it talks on":              http.ProxyURL(says("HTTP/1.1 200 OK\r\n\r\nand this")),
		"its header does not end":  http.ProxyURL(says("HTTP/1.1 200 OK\r\nA: " + strings.Repeat("a", 64<<10))),
		"it is not there":          http.ProxyURL(&url.URL{Scheme: "http", Host: "127.0.0.1:1"}),
		"it speaks another scheme": http.ProxyURL(&url.URL{Scheme: "socks5", Host: "127.0.0.1:1", User: url.UserPassword("ann", "s3cret")}),
		"the environment is wrong": fails,
	} {
		t.Run(name, func(t *testing.T) {
			c := &reltioauth.Client{AuthURL: server, ClientID: "a"}
			c.Connect = reltioauth.Network{TLS: &tls.Config{RootCAs: ca.pool()}, Proxy: choose}.Connect
			began := time.Now()
			_, err := c.Token(t.Context(), reltioauth.ClientCredentialsGrant{})
			var e *reltioauth.Error
			if !errors.As(err, &e) || e.Code != reltioauth.ErrUnavailable || e.Sent {
				t.Fatalf("%v", err)
			}
			if strings.Contains(err.Error(), "s3cret") {
				t.Errorf("the error shows the password: %v", err)
			}
			if took := time.Since(began); took > 3*reltioauth.DialTimeout {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// A server on this machine, which has no TLS, is never reached through a proxy.
func TestNoProxyWithoutTLS(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, 200, goodAnswer) }))
	defer server.Close()
	c := &reltioauth.Client{AuthURL: server.URL, ClientID: "a"}
	c.Connect = reltioauth.Network{Proxy: func(*http.Request) (*url.URL, error) {
		t.Error("the proxy is asked for")
		return nil, nil //nolint:nilnil // none
	}}.Connect
	if _, err := c.Token(t.Context(), reltioauth.ClientCredentialsGrant{}); err != nil {
		t.Error(err)
	}
}
