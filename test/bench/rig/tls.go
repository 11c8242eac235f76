package rig

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// authority is a certificate authority for this run, and the servers that show
// its certificates: a root, an intermediate and a leaf with RSA keys of 2048
// bits, as AWS's are.
type authority struct {
	folder string
	chain  tls.Certificate

	// mu guards fronts, by the endpoint that is behind each.
	mu     sync.Mutex
	fronts map[string]*front
}

// front speaks TLS in front of an endpoint.
type front struct {
	url    string
	server *http.Server
	count  atomic.Int64
}

// newAuthority makes keys and the root store: the system's roots, and its own.
func newAuthority(now time.Time) (*authority, error) {
	dir, err := folder()
	if err != nil {
		return nil, err
	}
	a := &authority{folder: dir, fronts: map[string]*front{}}
	root, rootKey, err := certify(now, "root", nil, nil)
	if err != nil {
		return nil, err
	}
	middle, middleKey, err := certify(now, "intermediate", root, rootKey)
	if err != nil {
		return nil, err
	}
	leaf, leafKey, err := certify(now, "", middle, middleKey)
	if err != nil {
		return nil, err
	}
	a.chain = tls.Certificate{Certificate: [][]byte{leaf.Raw, middle.Raw}, PrivateKey: leafKey}
	roots, err := systemRoots()
	if err != nil {
		return nil, err
	}
	roots = append(roots, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Raw})...)
	return a, errors.Join(
		os.WriteFile(filepath.Join(dir, "roots.pem"), roots, 0o600),
		os.Mkdir(filepath.Join(dir, "none"), 0o700),
	)
}

// certify makes a certificate signed by parent; without one it signs itself,
// and without a name it is loopback's.
func certify(now time.Time, name string, parent *x509.Certificate, signer *rsa.PrivateKey) (*x509.Certificate, *rsa.PrivateKey, error) {
	const bits = 2048
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		return nil, nil, err
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()),
		Subject:      pkix.Name{CommonName: "bench " + name},
		NotBefore:    now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
		IsCA: name != "", BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign,
	}
	if name == "" {
		c.KeyUsage, c.IPAddresses = x509.KeyUsageDigitalSignature, []net.IP{net.IPv4(127, 0, 0, 1)}
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	}
	if parent == nil {
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		return nil, nil, err
	}
	made, err := x509.ParseCertificate(der)
	return made, key, err
}

// systemRoots are this machine's, from one of the places where Go looks.
func systemRoots() ([]byte, error) {
	var err error
	for _, name := range []string{"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"} {
		var text []byte
		if text, err = os.ReadFile(filepath.Clean(name)); err == nil {
			return text, nil
		}
	}
	return nil, err
}

// variables let a function trust the authority.
func (a *authority) variables() map[string]string {
	return map[string]string{
		"SSL_CERT_FILE": filepath.Join(a.folder, "roots.pem"),
		"SSL_CERT_DIR":  filepath.Join(a.folder, "none"),
	}
}

// front is the URL of TLS in front of an endpoint.
func (a *authority) front(ctx context.Context, endpoint string) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if f := a.fronts[endpoint]; f != nil {
		return f.url, nil
	}
	to, err := url.Parse(endpoint)
	if err != nil {
		return "", err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	f := &front{url: "https://" + listener.Addr().String()}
	proxy := &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(to); f.count.Add(1) },
		Transport: &http.Transport{MaxIdleConnsPerHost: 1000, DisableCompression: true},
		ErrorLog:  slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	f.server = &http.Server{
		Handler: proxy, ReadHeaderTimeout: time.Minute,
		ErrorLog:  slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{a.chain}, NextProtos: []string{"http/1.1"}},
	}
	go func() { _ = f.server.ServeTLS(listener, "", "") }() // it ends with close
	a.fronts[endpoint] = f
	return f.url, nil
}

func (a *authority) calls(endpoint string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	if f := a.fronts[endpoint]; f != nil {
		return int(f.count.Load())
	}
	return 0
}

func (a *authority) close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	var err error
	for _, f := range a.fronts {
		err = errors.Join(err, f.server.Close())
	}
	return errors.Join(err, os.RemoveAll(a.folder))
}
