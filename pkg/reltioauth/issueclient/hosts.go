package issueclient

import (
	"cmp"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// reltioHosts matches the tenants' APIs.
const reltioHosts = "*.reltio.com"

// signs decides whether a request gets the token. A request to a host that is not
// allowed is refused, so that a forgotten setting does not show as 401. A request
// that a redirect made is sent without the token, as http.Client itself does with
// an Authorization header: a download may be on another host, with its own
// signature.
func (t *Transport) signs(req *http.Request) (bool, error) {
	switch {
	case t.trusts(req.URL):
		return true, nil
	case req.Response != nil:
		return false, nil
	}
	return false, fmt.Errorf("vended: %q over %s is not in Transport.Hosts: no token goes there", req.URL.Host, req.URL.Scheme)
}

// trusts reports whether the token may be sent to the URL: to an allowed host,
// over TLS unless it is this machine.
func (t *Transport) trusts(u *url.URL) bool {
	if u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
		return false
	}
	if t.Hosts == nil {
		return matches(reltioHosts, u)
	}
	for _, pattern := range t.Hosts {
		if matches(pattern, u) {
			return true
		}
	}
	return false
}

// matches reports whether the URL's host and port are those of the pattern. If
// either names no port, it is the scheme's own.
func matches(pattern string, u *url.URL) bool {
	allowed := url.URL{Scheme: u.Scheme, Host: strings.ToLower(pattern)}
	if port(&allowed) != port(u) {
		return false
	}
	host, want := strings.ToLower(u.Hostname()), allowed.Hostname()
	if suffix, found := strings.CutPrefix(want, "*."); found {
		return strings.HasSuffix(host, "."+suffix) && len(host) > len(suffix)+1
	}
	return host != "" && host == want
}

// port is the port that the URL leads to.
func port(u *url.URL) string {
	if u.Scheme == "http" {
		return cmp.Or(u.Port(), "80")
	}
	return cmp.Or(u.Port(), "443")
}

func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback() || strings.EqualFold(host, "localhost")
}
