package config_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/config"
)

// certificate is an authority's, and as PEM.
func certificate(t *testing.T) (*x509.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "a company's own authority"}, IsCA: true,
		BasicConstraintsValid: true, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return parsed, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// The certificates count beside the system's, for rotate and callback alike.
func TestOwnCertificates(t *testing.T) {
	own, text := certificate(t)
	path := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(path, []byte("# ours\n"+text), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"PEM": text, "a file": path} {
		set := least.with(environment{"AUTH_CA_CERTIFICATES": value})
		rotate, err := config.Rotate(set.getenv)
		callback, err2 := config.Callback(set.getenv)
		if err != nil || err2 != nil || rotate.Network.TLS == nil || callback.Network.TLS == nil {
			t.Fatalf("%s: %v, %v", name, err, err2)
		}
		if _, err := own.Verify(x509.VerifyOptions{Roots: rotate.Network.TLS.RootCAs, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		system, err := x509.SystemCertPool()
		if err == nil && rotate.Network.TLS.RootCAs.Equal(system) {
			t.Errorf("%s: nothing was added", name)
		}
	}
	if rotate, err := config.Rotate(least.getenv); err != nil || rotate.Network.TLS != nil || rotate.Network.Proxy == nil {
		t.Errorf("without the variable: %+v, %v", rotate.Network.TLS, err)
	}
}

func TestWrongNetworks(t *testing.T) {
	const (
		shape = "AUTH_CA_CERTIFICATES: must be certificates in PEM, or the path of a file with them"
		file  = "AUTH_CA_CERTIFICATES: the file cannot be read"
		proxy = "HTTPS_PROXY: must be the address of a proxy: http:// or https://, host and port"
	)
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, value, want string }{
		{"AUTH_CA_CERTIFICATES", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", shape},
		{"AUTH_CA_CERTIFICATES", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", shape},
		{"AUTH_CA_CERTIFICATES", empty, shape},
		{"AUTH_CA_CERTIFICATES", "/nonexistent", file},
		{"AUTH_CA_CERTIFICATES", t.TempDir(), file},
		{"HTTPS_PROXY", "http://ann:s3cret@proxy.example:3128", ""},
		{"HTTPS_PROXY", "https://proxy.example", ""},
		{"NO_PROXY", "localhost,10.0.0.0/8,.example.com,[::1]:80,*", ""},
		{"NO_PROXY", "a.example b.example", "NO_PROXY: must be hosts, separated by commas"},
		{"HTTPS_PROXY", "proxy.example:3128", ""},
		{"HTTPS_PROXY", "socks5://ann:s3cret@proxy.example:1080", proxy},
		{"HTTPS_PROXY", "http://", proxy},
		{"HTTPS_PROXY", "http://s3cret%zz@", proxy},
	} {
		_, err := config.Rotate(least.with(environment{c.name: c.value}).getenv)
		if got := message(err); !strings.Contains(got, c.want) || (got == "") != (c.want == "") || strings.Contains(got, "s3cret") {
			t.Errorf("%s=%q: %q, want %q", c.name, c.value, got, c.want)
		}
		if _, err := config.Issue(least.with(environment{c.name: c.value}).getenv); err != nil {
			t.Errorf("issue, which asks no server: %v", err)
		}
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
