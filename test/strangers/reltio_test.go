package strangers_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// asReltio is prod.reltio.com for the stranger's programs: a server with a
// certificate of that name, which they trust, and a proxy to it. Its tenant is that
// of `make run`, at lambda, and the entity of the README is there.
func (s *stranger) asReltio(t *testing.T, lambda string) {
	t.Helper()
	upstream, err := url.Parse(lambda)
	if err != nil {
		t.Fatal(err)
	}
	tenant := httptest.NewUnstartedServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(upstream)
		r.Out.URL.Path = strings.NewReplacer("TENANT", "demo-tenant", "1a2b3c", "ada").Replace(r.In.URL.Path)
	}})
	certificate := certificateOf(t, "prod.reltio.com")
	tenant.TLS = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificate}}
	tenant.StartTLS()
	t.Cleanup(tenant.Close)
	at := tenant.Listener.Addr().String()
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect || r.Host != "prod.reltio.com:443" {
			http.Error(w, "only prod.reltio.com is here", http.StatusForbidden)
			return
		}
		tunnel(w, at)
	}))
	t.Cleanup(proxy.Close)
	file := filepath.Join(t.TempDir(), "reltio.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]})
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(at)
	s.set("SSL_CERT_FILE", file)
	s.set("NODE_EXTRA_CA_CERTS", file)
	s.set("PROXY", proxy.URL)
	s.set("TENANT_PORT", port)
	s.set("API_URL", "https://prod.reltio.com/reltio/api/TENANT")
}

// tunnel connects a proxy's client with an address.
func tunnel(w http.ResponseWriter, address string) {
	there, err := net.Dial("tcp", address)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer func() { _ = there.Close() }()
	here, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer func() { _ = here.Close() }()
	if _, err := io.WriteString(here, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		return
	}
	go func() {
		_, _ = io.Copy(there, here) // ends with either connection
		_ = there.Close()
	}()
	_, _ = io.Copy(here, there)
}

// certificateOf makes a certificate that signs itself.
func certificateOf(t *testing.T, name string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
