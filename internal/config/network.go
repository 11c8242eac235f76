package config

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// maxCertificates bounds AUTH_CA_CERTIFICATES; a bundle of all public authorities
// has a quarter of it.
const maxCertificates = 1 << 20

// network reads how the authorization server is reached: through a proxy
// (HTTPS_PROXY, NO_PROXY, as everywhere), and whose certificates count beside those
// of the system's roots (AUTH_CA_CERTIFICATES: PEM, or the path of a file).
func (r *reader) network() reltioauth.Network {
	n := reltioauth.Network{Proxy: http.ProxyFromEnvironment}
	r.proxy()
	if strings.ContainsAny(r.getenv(NoProxy), " \t\r\n;") {
		r.fault(NoProxy, "must be hosts, separated by commas")
	}
	given := r.getenv(AuthCACertificates)
	if given == "" {
		return n
	}
	pem := []byte(given)
	if !strings.Contains(given, "-----BEGIN") {
		info, err := os.Stat(given)
		if err != nil || info.Size() > maxCertificates {
			r.fault(AuthCACertificates, "the file cannot be read")
			return n
		}
		if pem, err = os.ReadFile(given); err != nil { //nolint:gosec // the operator names the file
			r.fault(AuthCACertificates, "the file cannot be read")
			return n
		}
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(pem) {
		r.fault(AuthCACertificates, "must be certificates in PEM, or the path of a file with them")
	}
	n.TLS = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	return n
}

// proxy judges HTTPS_PROXY, which net/http reads itself, once for the process.
func (r *reader) proxy() {
	text := r.getenv(HTTPSProxy)
	if text == "" {
		return
	}
	if !strings.Contains(text, "://") {
		text = "http://" + text // as net/http does
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		r.fault(HTTPSProxy, "must be the address of a proxy: http:// or https://, host and port")
	}
}
