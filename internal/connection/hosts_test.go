package connection_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/internal/connection"
)

func TestParseHosts(t *testing.T) {
	for name, test := range map[string]struct {
		list string
		want connection.Hosts
	}{
		"one":                        {"auth.reltio.com", connection.Hosts{"auth.reltio.com:443"}},
		"several, with spaces":       {" auth.reltio.com , b.example ", connection.Hosts{"auth.reltio.com:443", "b.example:443"}},
		"upper case":                 {"Auth.Reltio.COM", connection.Hosts{"auth.reltio.com:443"}},
		"a port":                     {"auth.reltio.com:8443", connection.Hosts{"auth.reltio.com:8443"}},
		"the usual port":             {"auth.reltio.com:443", connection.Hosts{"auth.reltio.com:443"}},
		"loopback by name":           {"localhost:3002", connection.Hosts{"localhost:3002"}},
		"loopback by address":        {"127.0.0.1:3002", connection.Hosts{"127.0.0.1:3002"}},
		"IPv6 in brackets, a port":   {"[::1]:3002", connection.Hosts{"[::1]:3002"}},
		"IPv6 in brackets, no port":  {"[::1]", connection.Hosts{"[::1]:443"}},
		"IPv6 without brackets":      {"::1", connection.Hosts{"[::1]:443"}},
		"every letter and digit":     {"abcdefghijklmnopqrstuvwxyz-0123456789.example", connection.Hosts{"abcdefghijklmnopqrstuvwxyz-0123456789.example:443"}},
		"a name without dots":        {"auth", connection.Hosts{"auth:443"}},
		"the lowest, highest port":   {"a:1,a:65535", connection.Hosts{"a:1", "a:65535"}},
		"the longest name":           {strings.Repeat("a", 253), connection.Hosts{strings.Repeat("a", 253) + ":443"}},
		"nothing":                    {"", nil},
		"an entry of nothing":        {"auth.reltio.com,", nil},
		"spaces alone":               {"  ", nil},
		"a URL":                      {"https://auth.reltio.com", nil},
		"a path":                     {"auth.reltio.com/x", nil},
		"a user":                     {"u@auth.reltio.com", nil},
		"a space inside":             {"auth.reltio com", nil},
		"an underscore":              {"auth_reltio.com", nil},
		"another alphabet":           {"аuth.reltio.com", nil},
		"a star":                     {"*.reltio.com", nil},
		"port 0":                     {"auth.reltio.com:0", nil},
		"a port beyond all":          {"auth.reltio.com:65536", nil},
		"no port after the colon":    {"auth.reltio.com:", nil},
		"a port that is no number":   {"auth.reltio.com:https", nil},
		"a port with a sign":         {"auth.reltio.com:+443", nil},
		"no host before the colon":   {":443", nil},
		"a name too long":            {strings.Repeat("a", 254), nil},
		"a name in brackets":         {"[auth.reltio.com]", nil},
		"a bracket not closed":       {"[::1:443", nil},
		"IPv6 written out":           {"[0:0:0:0:0:0:0:1]:3002", connection.Hosts{"[::1]:3002"}},
		"separated by semicolons":    {"a;b", nil},
		"one good entry, one bad":    {"auth.reltio.com,a:b", nil},
		"a list with a line of text": {"auth.reltio.com\nevil", nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := connection.ParseHosts(test.list)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("hosts (-want +got):\n%s", diff)
			}
			if want := "must be a comma-separated list of host or host:port"; test.want == nil && (err == nil || err.Error() != want) {
				t.Errorf("error %v, want %q", err, want)
			}
		})
	}
}

func TestAllow(t *testing.T) {
	hosts := connection.Hosts{"auth.reltio.com:443", "[::1]:3002"}
	for host, want := range map[string]bool{
		"auth.reltio.com:443":      true,
		"[::1]:3002":               true,
		"auth.reltio.com":          false,
		"auth.reltio.com:8443":     false,
		"xauth.reltio.com:443":     false,
		"auth.reltio.com:443.evil": false,
		"":                         false,
	} {
		if got := hosts.Allow(host); got != want {
			t.Errorf("Allow(%q) = %v, want %v", host, got, want)
		}
	}
	if connection.Hosts(nil).Allow("auth.reltio.com:443") {
		t.Error("no hosts allow one")
	}
}

func TestLoopback(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "127.0.0.1": true, "127.8.9.10": true, "::1": true,
		"localhost.example": false, "128.0.0.1": false, "0.0.0.0": false, "::": false, "": false, "127.0.0.1.nip.io": false,
	} {
		if got := connection.Loopback(host); got != want {
			t.Errorf("Loopback(%q) = %v, want %v", host, got, want)
		}
	}
}

// What a secret may say under auth_url, and what becomes of it.
func TestAuthURL(t *testing.T) {
	hosts := connection.Hosts{
		"auth.reltio.com:443", "auth.reltio.com:8443", "auth.reltio.com:80",
		"localhost:80", "localhost:3002", "127.0.0.1:3002", "[::1]:3002", "[::1]:443", "[2001:db8::1]:443",
	}
	const (
		shape    = "auth_url: must be a scheme and a host, nothing more"
		insecure = "auth_url: must be https (http is for loopback alone)"
		port     = "auth_url: must have a port from 1 to 65535"
		stranger = "auth_url: its host is not in AUTH_HOSTS"
		control  = "auth_url: must not have control characters"
	)
	for name, test := range map[string]struct{ text, url, host, problem string }{
		"usual":                       {"https://auth.reltio.com", "https://auth.reltio.com", "auth.reltio.com:443", ""},
		"slash at the end":            {"https://auth.reltio.com/", "https://auth.reltio.com", "auth.reltio.com:443", ""},
		"upper case":                  {"HTTPS://AUTH.Reltio.com", "https://auth.reltio.com", "auth.reltio.com:443", ""},
		"the usual port":              {"https://auth.reltio.com:443", "https://auth.reltio.com", "auth.reltio.com:443", ""},
		"nothing after the colon":     {"https://auth.reltio.com:", "https://auth.reltio.com", "auth.reltio.com:443", ""},
		"another port":                {"https://auth.reltio.com:8443", "https://auth.reltio.com:8443", "auth.reltio.com:8443", ""},
		"the usual port of http":      {"https://auth.reltio.com:80", "https://auth.reltio.com:80", "auth.reltio.com:80", ""},
		"loopback by name":            {"http://localhost:3002", "http://localhost:3002", "localhost:3002", ""},
		"loopback, the usual port":    {"http://localhost", "http://localhost", "localhost:80", ""},
		"loopback by address":         {"http://127.0.0.1:3002", "http://127.0.0.1:3002", "127.0.0.1:3002", ""},
		"loopback by IPv6":            {"http://[::1]:3002", "http://[::1]:3002", "[::1]:3002", ""},
		"https on loopback":           {"https://[::1]", "https://[::1]", "[::1]:443", ""},
		"IPv6":                        {"https://[2001:DB8::1]:443", "https://[2001:db8::1]", "[2001:db8::1]:443", ""},
		"a path":                      {"https://auth.reltio.com/oauth", "", "", shape},
		"two slashes at the end":      {"https://auth.reltio.com//", "", "", shape},
		"a query":                     {"https://auth.reltio.com?a=b", "", "", shape},
		"a question mark":             {"https://auth.reltio.com?", "", "", shape},
		"a fragment":                  {"https://auth.reltio.com#a", "", "", shape},
		"an empty fragment":           {"https://auth.reltio.com#", "", "", shape},
		"a user":                      {"https://user@auth.reltio.com", "", "", shape},
		"a user and a password":       {"https://user:pass@auth.reltio.com", "", "", shape},
		"an empty user":               {"https://@auth.reltio.com", "", "", shape},
		"no scheme":                   {"auth.reltio.com", "", "", shape},
		"no scheme, slashes":          {"//auth.reltio.com", "", "", insecure},
		"scheme alone":                {"https://", "", "", shape},
		"scheme without slashes":      {"https:auth.reltio.com", "", "", shape},
		"port alone":                  {"https://:443", "", "", shape},
		"empty":                       {"", "", "", "auth_url: must be a text that is not empty"},
		"a space before":              {" https://auth.reltio.com", "", "", shape},
		"a space after":               {"https://auth.reltio.com ", "", "", shape},
		"a line break":                {"https://auth.reltio.com\n", "", "", control},
		"percent signs":               {"https://auth%2ereltio.com", "", "", shape},
		"an underscore":               {"https://auth_reltio.com", "", "", shape},
		"another alphabet":            {"https://аuth.reltio.com", "", "", shape},
		"port 0":                      {"https://auth.reltio.com:0", "", "", port},
		"a port beyond all":           {"https://auth.reltio.com:65536", "", "", port},
		"a port that is no number":    {"https://auth.reltio.com:https", "", "", shape},
		"http":                        {"http://auth.reltio.com", "", "", insecure},
		"http on what looks like it":  {"http://localhost.evil.example", "", "", insecure},
		"http on every interface":     {"http://0.0.0.0:3002", "", "", insecure},
		"another scheme":              {"ftp://auth.reltio.com", "", "", insecure},
		"another host":                {"https://auth.example", "", "", stranger},
		"a host with ours in front":   {"https://auth.reltio.com.evil.example", "", "", stranger},
		"a host with ours at the end": {"https://xauth.reltio.com", "", "", stranger},
		"our host, another port":      {"https://auth.reltio.com:444", "", "", stranger},
		"our host with a dot":         {"https://auth.reltio.com.", "", "", stranger},
		"loopback that is not listed": {"http://127.0.0.2:3002", "", "", stranger},
		"loopback on another port":    {"http://localhost:3003", "", "", stranger},
		"a very long text":            {"https://" + strings.Repeat("a", 4096), "", "", "auth_url: must have at most 4096 bytes"},
		"a very long name":            {"https://" + strings.Repeat("a", 254), "", "", shape},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := connection.Parse("acme", secret(with(minimal(connection.ClientCredentials), "auth_url", test.text)), hosts)
			if test.problem != "" {
				wantProblems(t, err, test.problem)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if c.AuthURL != test.url || c.Host() != test.host {
				t.Errorf("URL %q and host %q, want %q and %q", c.AuthURL, c.Host(), test.url, test.host)
			}
		})
	}
}

func TestAuthURLWithoutOne(t *testing.T) {
	source := secret(minimal(connection.ClientCredentials))
	c, err := connection.Parse("acme", source, connection.Hosts{"auth.reltio.com:443"})
	if err != nil {
		t.Fatal(err)
	}
	if c.AuthURL != "https://auth.reltio.com" || c.Host() != "auth.reltio.com:443" {
		t.Errorf("URL %q and host %q, want Reltio's", c.AuthURL, c.Host())
	}
	_, err = connection.Parse("acme", source, connection.Hosts{"localhost:3002"})
	wantProblems(t, err, "auth_url: its host is not in AUTH_HOSTS")
}
