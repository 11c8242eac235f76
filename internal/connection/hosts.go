package connection

import (
	"cmp"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Hosts are the authorization servers that a connection may name, each as
// "host:port" in lower case. Credentials are sent to no other host, whatever a
// secret says.
type Hosts []string

// ParseHosts reads a comma-separated list of "host" or "host:port"; a host
// without a port stands for port 443. Loopback must be listed like any other.
func ParseHosts(list string) (Hosts, error) {
	var hosts Hosts
	for entry := range strings.SplitSeq(list, ",") {
		entry = strings.ToLower(strings.TrimSpace(entry))
		host, port := entry, "443"
		if h, p, err := net.SplitHostPort(entry); err == nil {
			host, port = h, p
		} else if strings.HasPrefix(entry, "[") && strings.HasSuffix(entry, "]") {
			host = entry[1 : len(entry)-1]
		}
		host, ok := normalHost(host)
		nameInBrackets := strings.HasPrefix(entry, "[") && !strings.Contains(host, ":")
		if !ok || !validPort(port) || nameInBrackets {
			return nil, errors.New("must be a comma-separated list of host or host:port")
		}
		hosts = append(hosts, net.JoinHostPort(host, port))
	}
	return hosts, nil
}

// Allow reports whether "host:port" is one of the hosts.
func (h Hosts) Allow(host string) bool { return slices.Contains(h, host) }

// normalURL checks that text is scheme and host alone, and returns it in lower
// case without the scheme's default port, together with its "host:port".
func normalURL(text string) (normal, host string, err error) {
	u, err := url.Parse(text)
	if err != nil || u.Opaque != "" || u.User != nil || (u.Path != "" && u.Path != "/") ||
		u.RawQuery != "" || u.ForceQuery || strings.Contains(text, "#") {
		return "", "", errors.New("must be a scheme and a host, nothing more")
	}
	name, ok := normalHost(u.Hostname())
	if !ok {
		return "", "", errors.New("must be a scheme and a host, nothing more")
	}
	usual := "443"
	switch {
	case u.Scheme == "http" && Loopback(name):
		usual = "80"
	case u.Scheme != "https":
		return "", "", errors.New("must be https (http is for loopback alone)")
	}
	port := cmp.Or(u.Port(), usual)
	if !validPort(port) {
		return "", "", errors.New("must have a port from 1 to 65535")
	}
	host = net.JoinHostPort(name, port)
	return u.Scheme + "://" + strings.TrimSuffix(host, ":"+usual), host, nil
}

// normalHost is a host's name or address in the one form that is compared.
func normalHost(host string) (string, bool) {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.String(), addr.Zone() == ""
	}
	host = strings.ToLower(host)
	if host == "" || len(host) > 253 {
		return "", false
	}
	odd := strings.ContainsFunc(host, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '.'
	})
	return host, !odd
}

func validPort(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0
}

// Loopback reports whether a host is this machine.
func Loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}
