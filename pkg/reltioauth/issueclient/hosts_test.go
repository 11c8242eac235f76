package issueclient_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueclient"
)

func TestWhereATokenMayGo(t *testing.T) {
	reltio := []string(nil)
	ported := []string{"Plain.example:443", "*.below.example:443", "other.example:80", "localhost:80", "[::1]:8080"}
	own := []string{"api.acme.example", "API2.acme.example:8443", "*.tenants.example", "127.0.0.1:9999", "localhost", "*"}
	for _, test := range []struct {
		url   string
		hosts []string
		want  bool
	}{
		{"https://prod.reltio.com/x", reltio, true},
		{"https://PROD.Reltio.com/x", reltio, true},
		{"https://prod.reltio.com:443/x", reltio, true},
		{"https://eu.prod.reltio.com/x", reltio, true},
		{"https://prod.reltio.com:8443/x", reltio, false},
		{"http://prod.reltio.com/x", reltio, false},
		{"https://reltio.com/x", reltio, false},
		{"https://.reltio.com/x", reltio, false},
		{"https://reltio.com.evil.example/x", reltio, false},
		{"https://evilreltio.com/x", reltio, false},
		{"https://prod.reltio.com@evil.example/x", reltio, false},
		{"https://prod.reltio.com./x", reltio, false},
		{"https://127.0.0.1/x", reltio, false},
		{"https://prod.reltio.com/x", []string{}, false},
		{"https://prod.reltio.com/x", own, false},
		{"https://api.acme.example/x", own, true},
		{"https://api.acme.example:8443/x", own, false},
		{"https://api2.acme.example:8443/x", own, true},
		{"https://api2.acme.example/x", own, false},
		{"https://a.tenants.example/x", own, true},
		{"https://tenants.example/x", own, false},
		{"http://127.0.0.1:9999/x", own, true},
		{"http://127.0.0.1:9998/x", own, false},
		{"http://127.0.0.1/x", own, false},
		{"http://localhost:80/x", own, true},
		{"http://api.acme.example/x", own, false},
		{"ftp://api.acme.example/x", own, false},
		{"https:///x", own, false},
		{"https://plain.example/x", ported, true},
		{"https://plain.example:443/x", ported, true},
		{"https://Plain.example:/x", ported, true},
		{"https://plain.example:80/x", ported, false},
		{"https://a.below.example/x", ported, true},
		{"https://a.below.example:8443/x", ported, false},
		{"https://below.example/x", ported, false},
		{"https://other.example/x", ported, false}, // its port 80 is not https's
		{"http://localhost/x", ported, true},
		{"https://localhost/x", ported, false},
		{"http://[::1]:8080/x", ported, true},
		{"http://[::1]/x", ported, false},
		{"https://anything.example/x", own, false},
	} {
		t.Run(test.url, func(t *testing.T) {
			base := &scripted{statuses: []int{200}}
			transport := &issueclient.Transport{Source: source(always(token(1, 60))), Base: base, Hosts: test.hosts}
			req, err := http.NewRequestWithContext(t.Context(), "GET", test.url, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			_, err = transport.RoundTrip(req)
			if got := err == nil; got != test.want || len(base.seen) != base.opened {
				t.Errorf("error %v, want it to be sent: %t", err, test.want)
			}
			if !test.want && base.opened > 0 {
				t.Errorf("sent all the same: %q", base.seen)
			}
		})
	}
}

// A redirect to elsewhere is followed, and the token stays behind.
func TestARedirectTakesNoTokenAlong(t *testing.T) {
	seen := map[string]string{}
	base := roundTripper(func(r *http.Request) (*http.Response, error) {
		seen[r.URL.Scheme+"://"+r.URL.Host] = r.Header.Get("Authorization")
		resp := &http.Response{StatusCode: 307, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("")), Request: r}
		switch r.URL.Host + r.URL.Path {
		case "prod.reltio.com/export":
			resp.Header.Set("Location", "https://files.reltio.com/export")
		case "files.reltio.com/export":
			resp.Header.Set("Location", "http://files.reltio.com/plain")
		case "files.reltio.com/plain":
			resp.Header.Set("Location", "https://bucket.s3.example/export?signed=1")
		default:
			resp.StatusCode = 401 // and nothing is reported because of it
		}
		return resp, nil
	})
	f := always(token(1, 60))
	client := &http.Client{Transport: &issueclient.Transport{Source: source(f), Base: base, Retry: true}}
	resp, err := client.Get("https://prod.reltio.com/export")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	want := map[string]string{
		"https://prod.reltio.com": "Bearer token-1", "https://files.reltio.com": "Bearer token-1",
		"http://files.reltio.com": "", "https://bucket.s3.example": "",
	}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("Authorization (-want +got):\n%s", diff)
	}
	f.invocations(t, 1)
}
