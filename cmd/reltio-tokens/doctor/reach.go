package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/connection"
)

const (
	// hostTime bounds one page, name look-up and TLS included.
	hostTime = 5 * time.Second
	// pageSize bounds how much of a page is read.
	pageSize = 64 << 10
)

// browser opens pages: without credentials or cookies, and without following
// redirects.
func browser() *http.Client {
	return &http.Client{
		Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, TLSHandshakeTimeout: hostTime, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       hostTime,
	}
}

// page is what is kept of a page: nothing of its text.
type page struct {
	status int
	header http.Header
	// tls is the name of the TLS version; empty without TLS.
	tls string
}

// open gets a page, and records its server's clock.
func (e *examination) open(ctx context.Context, address, server string) (page, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return page{}, err
	}
	request.Header.Set("User-Agent", "reltio-tokens doctor")
	response, err := e.pages.Do(request)
	if err != nil {
		return page{}, err
	}
	received := e.Now()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, pageSize)) // only the headers matter
	_ = response.Body.Close()
	if date, err := http.ParseTime(response.Header.Get("Date")); err == nil {
		e.skews = append(e.skews, skew{server, ahead(date, received)})
	}
	p := page{status: response.StatusCode, header: response.Header}
	if response.TLS != nil {
		p.tls = tls.VersionName(response.TLS.Version)
	}
	return p, nil
}

// hosts checks whether the authorization servers respond at the token endpoint.
// Any response but a success is right: the request has no credentials, and an
// authorization server refuses it.
func (e *examination) hosts(ctx context.Context) {
	for _, host := range e.about.AuthHosts {
		check := "auth host " + host
		scheme := "https://"
		if name, _, err := net.SplitHostPort(host); err == nil && connection.Loopback(name) {
			scheme = "http://" // the sandbox
		}
		p, err := e.open(ctx, scheme+host+"/oauth/token", host)
		if err != nil {
			e.found(check, Failed, "is not reached from this machine: "+trouble(err),
				"look at the name (AUTH_HOSTS) and at this machine's network; the functions have their own way to it")
			continue
		}
		how := "without TLS, on this machine"
		if p.tls != "" {
			how = "over " + p.tls
		}
		if p.status < http.StatusBadRequest {
			e.found(check, Warning, fmt.Sprintf("answers %s with HTTP %d at /oauth/token, which no authorization server does", how, p.status),
				"is it the authorization server's host, and not the tenant's? Look at AUTH_HOSTS, and at auth_url in the secrets")
			continue
		}
		e.found(check, OK, fmt.Sprintf("answers %s (HTTP %d)", how, p.status), "")
	}
}

// trouble says why a server was not reached.
func trouble(err error) string {
	var dns *net.DNSError
	var verify *tls.CertificateVerificationError
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var timeout net.Error
	switch {
	case errors.As(err, &dns):
		return "its name is not known"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens there"
	case errors.As(err, &unknown), errors.As(err, &name), errors.As(err, &verify):
		return "its certificate is not trusted"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "no answer in time"
	default:
		return "no usable answer"
	}
}

// wanted are headers of the callback function, with a text that each has to
// contain, so that another server at that address is noticed.
func wanted() map[string]string {
	return map[string]string{
		"Cache-Control": "no-store", "Content-Security-Policy": "default-src 'none'", "Referrer-Policy": "no-referrer",
		"X-Content-Type-Options": "nosniff", "X-Robots-Tag": "noindex",
	}
}

// callback checks whether browsers reach the callback function.
func (e *examination) callback(ctx context.Context) {
	base := e.about.CallbackURL
	switch {
	case base == "" && e.needPerson():
		e.found("callback", Warning, "a connection needs a person's login, and nobody said where the callback function answers",
			"give --stack, or --callback-url (CALLBACK_BASE_URL)")
		return
	case base == "":
		e.found("callback", Skipped, "nobody said where it answers, and no connection needs it", "")
		return
	}
	p, err := e.open(ctx, base+"/done", "the callback")
	if err != nil {
		e.found("callback", Failed, base+"/done is not reached from this machine: "+trouble(err), "look at --callback-url, at the domain's DNS record and certificate")
		return
	}
	if p.status != http.StatusOK {
		e.found("callback", Failed, fmt.Sprintf("%s/done answers HTTP %d, want 200", base, p.status), "look at --callback-url, at the API and at the callback function's log")
		return
	}
	for name, value := range wanted() {
		if !strings.Contains(p.header.Get(name), value) {
			e.found("callback", Failed, base+"/done answers without the callback function's header "+name, "look at --callback-url: something else answers there, or changes headers")
			return
		}
	}
	e.found("callback", OK, "answers; to be registered at Reltio as redirect URI: "+base+"/callback", "")
}

// needPerson reports whether a connection is authorized by a person.
func (e *examination) needPerson() bool {
	if e.connections == nil {
		return false
	}
	for _, s := range e.connections.Connections {
		if s.GrantType == connection.AuthorizationCode {
			return true
		}
	}
	return false
}
