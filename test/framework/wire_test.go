package framework

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// wire stands between the functions and an authorization server, and remembers
// what was said. It has its address before there is a server.
type wire struct {
	front *httptest.Server

	mu   sync.Mutex
	to   *url.URL // nil as long as no test has taken the wire
	seen []call
}

// call is one request that the functions have sent, and what they were answered.
type call struct {
	at time.Time
	// what it was: a grant type, or the last word of the path.
	what   string
	status int
	// code is the response's OAuth code, or what stands in its place.
	code string
	// fingerprint is the access token's, of the response.
	fingerprint string
	// client is the one in the Basic header.
	client string
	// basic and form say how the client authenticated itself.
	basic, form bool
	accept      string
}

func newWire() *wire {
	w := &wire{}
	w.front = httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			w.mu.Lock()
			defer w.mu.Unlock()
			r.SetURL(w.to)
			r.Out.Host = r.In.Host // the server's redirects lead through the wire
		},
		Transport: w,
	})
	return w
}

func (w *wire) host() string { return strings.TrimPrefix(w.front.URL, "http://") }

// connect lets the wire lead to a server.
func (w *wire) connect(to *url.URL) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.to = to
}

// forgetCalls forgets what was said.
func (w *wire) forgetCalls() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = nil
}

// RoundTrip implements http.RoundTripper.
func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	c := call{at: time.Now(), what: r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:], accept: r.Header.Get("Accept")}
	c.client, _, c.basic = r.BasicAuth()
	if r.Body != nil && r.Method == http.MethodPost {
		sent, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(sent))
		form, _ := url.ParseQuery(string(sent)) // what can be read
		c.form = form.Has("client_secret")
		if c.what == "token" {
			c.what = form.Get("grant_type")
		}
	}
	got, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(got.Body)
	if err != nil {
		return nil, err
	}
	_ = got.Body.Close()
	got.Body = io.NopCloser(bytes.NewReader(text))
	c.status = got.StatusCode
	var body struct {
		Error       string `json:"error"`
		AccessToken string `json:"access_token"`
	}
	if json.Unmarshal(text, &body) == nil {
		c.code = body.Error
		if body.AccessToken != "" {
			c.fingerprint = reltioauth.Fingerprint(reltioauth.NewSecret(body.AccessToken))
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = append(w.seen, c)
	return got, nil
}

// calls are those that were answered, oldest first: all but a person's, or those
// that are called one of the names.
func (w *wire) calls(names ...string) []call {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []call
	for _, c := range w.seen {
		wanted := len(names) == 0 && c.what != "sso" && c.what != "login"
		for _, name := range names {
			wanted = wanted || c.what == name
		}
		if wanted {
			all = append(all, c)
		}
	}
	return all
}

// tokens are the token requests.
func (w *wire) tokens() []call {
	return w.calls(clientCredentials, password, authorizationCode, refreshToken)
}

// story is what the calls were, for people: "password 400 ×2, refresh_token 200".
func story(calls []call) string {
	var words []string
	for i := 0; i < len(calls); {
		n := 1
		for i+n < len(calls) && calls[i+n].what == calls[i].what && calls[i+n].status == calls[i].status {
			n++
		}
		word := fmt.Sprintf("%s %d", calls[i].what, calls[i].status)
		if n > 1 {
			word += fmt.Sprintf(" ×%d", n)
		}
		words = append(words, word)
		i += n
	}
	return strings.Join(words, ", ")
}

// count is how many of the calls were answered with a status.
func count(calls []call, status int) int {
	n := 0
	for _, c := range calls {
		if c.status == status {
			n++
		}
	}
	return n
}
