package issueclient_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueclient"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// world is an integration: a function that issues tokens, a tenant API, a client.
type world struct {
	issuer *reltioauthtest.IssueServer
	tenant *httptest.Server
	source *issueclient.Source
	client *http.Client
	// calls counts those that the tenant API let through, refused the others.
	calls, refused atomic.Int32
}

// newWorld makes one over real connections and the SDK's real client.
func newWorld(t *testing.T, api http.HandlerFunc) *world {
	t.Helper()
	w := &world{issuer: &reltioauthtest.IssueServer{}}
	lambdaAPI := httptest.NewServer(w.issuer)
	t.Cleanup(lambdaAPI.Close)
	guarded := w.issuer.Tenant(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.calls.Add(1)
		if api != nil {
			api(rw, r)
		}
	}))
	w.tenant = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		before := w.calls.Load()
		guarded.ServeHTTP(rw, r)
		if w.calls.Load() == before {
			w.refused.Add(1)
		}
	}))
	t.Cleanup(w.tenant.Close)
	w.source = &issueclient.Source{
		Lambda: lambda.New(lambda.Options{
			Region: "eu-central-1", BaseEndpoint: aws.String(lambdaAPI.URL), Credentials: aws.AnonymousCredentials{},
		}),
		Connection: "acme",
	}
	w.client = &http.Client{Transport: &issueclient.Transport{
		Source: w.source, Hosts: []string{strings.TrimPrefix(w.tenant.URL, "http://")},
	}}
	return w
}

// send sends a request and gives the answer's status and body.
func (w *world) send(t *testing.T, method string, body io.Reader) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, w.tenant.URL+"/entities", body)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := w.client.Do(req)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	return resp.StatusCode, string(text)
}

func echoBody(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }

func TestAnInactiveTokenIsReplacedDuringARequest(t *testing.T) {
	w := newWorld(t, echoBody)
	for range 3 {
		if status, text := w.send(t, "POST", strings.NewReader("the body")); status != 200 || text != "the body" {
			t.Errorf("got %d %q", status, text)
		}
	}
	if got := w.issuer.Asked("acme"); got != 1 {
		t.Errorf("%d invocations for three calls, want 1", got)
	}
	w.issuer.Kill("acme")
	if status, text := w.send(t, "POST", strings.NewReader("the body")); status != 200 || text != "the body" {
		t.Errorf("got %d %q, want the body, rewound", status, text)
	}
	if asked, refused := w.issuer.Asked("acme"), w.refused.Load(); asked != 2 || refused != 1 {
		t.Errorf("%d invocations, %d refusals, want 2 and 1", asked, refused)
	}
}

func TestAHundredRefusalsAreOneReport(t *testing.T) {
	w := newWorld(t, nil)
	w.send(t, "GET", nil)
	w.issuer.Kill("acme")
	var callers sync.WaitGroup
	for range 100 {
		callers.Go(func() {
			if status, text := w.send(t, "GET", nil); status != 200 {
				t.Errorf("got %d %s", status, text)
			}
		})
	}
	callers.Wait()
	if got := w.issuer.Asked("acme"); got != 2 {
		t.Errorf("%d invocations, want 2: one for the token, one report", got)
	}
}

func TestABodyThatCannotBeRewound(t *testing.T) {
	w := newWorld(t, echoBody)
	w.send(t, "GET", nil)
	w.issuer.Kill("acme")
	status, text := w.send(t, "POST", io.MultiReader(strings.NewReader("once")))
	if status != 401 || !strings.Contains(text, "invalid_token") {
		t.Errorf("got %d %q, want the 401 with its body", status, text)
	}
	if status, text := w.send(t, "POST", io.MultiReader(strings.NewReader("once"))); status != 200 || text != "once" {
		t.Errorf("got %d %q: the next call has no new token", status, text)
	}
	if got := w.issuer.Asked("acme"); got != 2 {
		t.Errorf("%d invocations, want 2", got)
	}
}

func TestA401ThatIsNotTheTokens(t *testing.T) {
	calls := 0
	w := newWorld(t, func(rw http.ResponseWriter, _ *http.Request) {
		calls++
		rw.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(rw, "not for you")
	})
	for range 3 {
		if status, text := w.send(t, "GET", nil); status != 401 || text != "not for you" {
			t.Errorf("got %d %q, want the 401 itself", status, text)
		}
	}
	if asked := w.issuer.Asked("acme"); calls != 3 || asked != 2 {
		t.Errorf("%d calls, %d invocations, want 3 and 2: a token, and one report of it", calls, asked)
	}
}

func TestA401WithoutAnotherToken(t *testing.T) {
	w := newWorld(t, nil)
	w.send(t, "GET", nil)
	w.issuer.Kill("acme")
	w.issuer.Fail("acme", "ReauthorizationRequired", "a person must log in")
	resp, err := w.client.Get(w.tenant.URL)
	if err == nil {
		_ = resp.Body.Close()
	}
	if !errors.Is(err, issueclient.ErrReauthorizationRequired) {
		t.Errorf("error %v, want ReauthorizationRequired", err)
	}
	w.issuer.Fail("acme", "", "")
	if got := w.refused.Load(); got != 1 {
		t.Errorf("%d refusals, want 1", got)
	}
}

// scripted is a tenant API without a network: it responds with the statuses in
// order; the last one stays.
type scripted struct {
	statuses []int
	header   http.Header

	mu     sync.Mutex // guards the rest
	seen   []string   // method, Authorization and body of each request
	opened int        // answers
	closed int        // of them, read to the end and closed
}

// RoundTrip implements http.RoundTripper.
func (s *scripted) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		_ = r.Body.Close()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, strings.TrimSpace(r.Method+" "+r.Header.Get("Authorization")+" "+string(body)))
	s.opened++
	status := s.statuses[min(len(s.seen), len(s.statuses))-1]
	return &http.Response{
		StatusCode: status, Header: s.header, Request: r,
		Body: &answerBody{Reader: strings.NewReader("the answer"), of: s},
	}, nil
}

type answerBody struct {
	*strings.Reader
	of *scripted
}

func (b *answerBody) Close() error {
	b.of.mu.Lock()
	defer b.of.mu.Unlock()
	if b.Len() == 0 {
		b.of.closed++
	}
	return nil
}

func (s *scripted) tries() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.seen)
}

// trip sends one request through a Transport over base.
func trip(t *testing.T, transport *issueclient.Transport, method string, body io.Reader, change func(*http.Request)) (*http.Response, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "https://prod.reltio.com/reltio/api/T/entities", body)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(req)
	}
	return transport.RoundTrip(req)
}

// repeated is how often the status is tried until it is given back.
func repeated(t *testing.T, status int, retry bool, method string, body io.Reader, change func(*http.Request)) int {
	t.Helper()
	base := &scripted{statuses: []int{status}}
	transport := &issueclient.Transport{Source: source(always(token(1, 86400))), Base: base, Retry: retry}
	resp, err := trip(t, transport, method, body, change)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != status || string(text) != "the answer" {
		t.Errorf("got %d %q, %v, want the last answer", resp.StatusCode, text, err)
	}
	if base.closed != base.opened-1 {
		t.Errorf("%d of %d answers that nobody saw were read and closed", base.closed, base.opened-1)
	}
	return base.tries()
}

func TestReltiosTable(t *testing.T) {
	for status, want := range map[int]int{
		200: 1, 400: 1, 403: 1, 404: 1, 429: 1, 500: 1, 501: 1, 502: 10, 503: 12, 504: 5, 505: 1,
	} {
		bubble(t, http.StatusText(status), func(t *testing.T) {
			began, least := time.Now(), time.Duration(0)
			if got := repeated(t, status, true, "GET", nil, nil); got != want {
				t.Errorf("%d tries, want %d", got, want)
			}
			for n := 1; n < want; n++ {
				least += time.Duration(1<<n-1) * time.Second
			}
			took(t, began, least, least+least/5)
		})
	}
	bubble(t, "switched off", func(t *testing.T) {
		if got := repeated(t, 503, false, "GET", nil, nil); got != 1 {
			t.Errorf("%d tries, want 1", got)
		}
	})
}

func TestWhatIsRepeated(t *testing.T) {
	rewindable := func() io.Reader { return strings.NewReader("the body") }
	for name, test := range map[string]struct {
		method string
		body   io.Reader
		change func(*http.Request)
		want   int
	}{
		"GET":                        {"GET", nil, nil, 5},
		"HEAD":                       {"HEAD", nil, nil, 5},
		"OPTIONS":                    {"OPTIONS", nil, nil, 5},
		"DELETE":                     {"DELETE", nil, nil, 5},
		"PUT":                        {"PUT", rewindable(), nil, 5},
		"PUT, not rewindable":        {"PUT", io.MultiReader(rewindable()), nil, 1},
		"POST":                       {"POST", rewindable(), nil, 1},
		"POST without a body":        {"POST", nil, nil, 1},
		"PATCH":                      {"PATCH", rewindable(), nil, 1},
		"POST that may be repeated":  {"POST", rewindable(), func(r *http.Request) { r.Header["Idempotency-Key"] = nil }, 5},
		"POST with a key":            {"POST", rewindable(), func(r *http.Request) { r.Header.Set("X-Idempotency-Key", "7") }, 5},
		"POST that may, and can not": {"POST", io.MultiReader(rewindable()), func(r *http.Request) { r.Header["Idempotency-Key"] = nil }, 1},
	} {
		bubble(t, name, func(t *testing.T) {
			if got := repeated(t, 504, true, test.method, test.body, test.change); got != test.want {
				t.Errorf("%d tries, want %d", got, test.want)
			}
		})
	}
}

func TestRetryWait(t *testing.T) {
	now := time.Date(2026, 11, 23, 17, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		try    int
		after  string
		jitter float64
		want   time.Duration
	}{
		"the first":                  {1, "", 0, time.Second},
		"the third, at most":         {3, "", 1, 8400 * time.Millisecond},
		"the eleventh":               {11, "", 0, 2047 * time.Second},
		"the last":                   {12, "", 0, 0},
		"asked for more":             {2, "10", 0, 10 * time.Second},
		"asked for less":             {4, "10", 0, 15 * time.Second},
		"asked for too much":         {1, "86400", 0, 5 * time.Minute},
		"asked for until a moment":   {1, "Mon, 23 Nov 2026 17:00:20 GMT", 0, 20 * time.Second},
		"asked for until the past":   {1, "Mon, 23 Nov 2026 16:00:20 GMT", 0, time.Second},
		"asked for until doomsday":   {1, "Mon, 23 Nov 2099 16:00:20 GMT", 0, 5 * time.Minute},
		"asked for nobody knows how": {1, "soon", 0, time.Second},
	} {
		resp := &http.Response{StatusCode: 503, Header: http.Header{"Retry-After": {test.after}}}
		if got := issueclient.RetryWait(resp, test.try, now, test.jitter); got != test.want {
			t.Errorf("%s: got %v, want %v", name, got, test.want)
		}
	}
}

func TestContextsAndRetries(t *testing.T) {
	bubble(t, "no wait is begun that cannot end", func(t *testing.T) {
		base := &scripted{statuses: []int{503}}
		client := &http.Client{Timeout: 10 * time.Second, Transport: &issueclient.Transport{
			Source: source(always(token(1, 3600))), Base: base, Retry: true,
		}}
		began := time.Now()
		resp, err := client.Get("https://prod.reltio.com/")
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != 503 || string(text) != "the answer" {
			t.Errorf("got %d %q, %v", resp.StatusCode, text, err)
		}
		took(t, began, 4*time.Second, 5*time.Second) // 1 s, 3 s, and 7 s would be too long
	})
	bubble(t, "cancelled while it waits", func(t *testing.T) {
		base := &scripted{statuses: []int{503}}
		ctx, cancel := context.WithCancel(t.Context())
		defer time.AfterFunc(2*time.Second, cancel).Stop()
		transport := &issueclient.Transport{Source: source(always(token(1, 3600))), Base: base, Retry: true}
		_, err := trip(t, transport, "GET", nil, func(r *http.Request) { *r = *r.WithContext(ctx) })
		if !errors.Is(err, context.Canceled) || base.closed != base.opened {
			t.Errorf("error %v, %d of %d answers closed", err, base.closed, base.opened)
		}
	})
	bubble(t, "401 amid 503", func(t *testing.T) {
		base := &scripted{statuses: []int{503, 401, 503, 401}}
		transport := &issueclient.Transport{Source: source(script(token(1, 3600), token(2, 3600), token(3, 3600))), Base: base, Retry: true}
		resp, err := trip(t, transport, "PUT", strings.NewReader("b"), nil)
		if err != nil || resp.StatusCode != 401 {
			t.Fatalf("got %v, %v, want the second 401", resp, err)
		}
		want := []string{"PUT Bearer token-1 b", "PUT Bearer token-1 b", "PUT Bearer token-2 b", "PUT Bearer token-2 b"}
		if diff := cmp.Diff(want, base.seen); diff != "" {
			t.Errorf("requests (-want +got):\n%s", diff)
		}
	})
	bubble(t, "no other token for the second 401", func(t *testing.T) {
		base := &scripted{statuses: []int{401}}
		transport := &issueclient.Transport{Source: source(script(token(1, 3600), token(2, 3600), token(3, 3600))), Base: base}
		resp, err := trip(t, transport, "GET", nil, nil)
		if err != nil || resp.StatusCode != 401 || base.tries() != 2 {
			t.Errorf("got %v, %v after %d tries, want the 401 after 2", resp, err, base.tries())
		}
	})
}

// onlyOnce is a body that says when it was closed.
type onlyOnce struct {
	io.Reader
	closed bool
}

func (b *onlyOnce) Close() error { b.closed = true; return nil }

func TestTheRequestIsLeftAsItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := &scripted{statuses: []int{200}}
		transport := &issueclient.Transport{Source: source(always(token(1, 3600))), Base: base}
		var sent *http.Request
		resp, err := trip(t, transport, "GET", nil, func(r *http.Request) {
			sent = r
			r.Header.Set("Authorization", "Basic of-the-caller")
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := sent.Header.Get("Authorization"); got != "Basic of-the-caller" || base.seen[0] != "GET Bearer token-1" {
			t.Errorf("the caller's header is %q, sent was %q", got, base.seen[0])
		}
		if resp.Request != sent {
			t.Error("the answer shows another request than the caller's: one with a token")
		}
	})
	for name, transport := range map[string]*issueclient.Transport{
		"no source":  {},
		"no token":   {Source: source(always(failed("AccessDenied", "")))},
		"other host": {Source: source(always(token(1, 60))), Hosts: []string{}},
	} {
		bubble(t, "closed: "+name, func(t *testing.T) {
			body := &onlyOnce{Reader: strings.NewReader("x")}
			if _, err := trip(t, transport, "POST", body, nil); err == nil || !body.closed {
				t.Errorf("error %v, body closed %t, want an error and a closed body", err, body.closed)
			}
		})
	}
	bubble(t, "a body that fails to rewind", func(t *testing.T) {
		base := &scripted{statuses: []int{401}}
		transport := &issueclient.Transport{Source: source(script(token(1, 60), token(2, 60))), Base: base}
		broken := errors.New("broken")
		_, err := trip(t, transport, "POST", bytes.NewReader([]byte("x")), func(r *http.Request) {
			r.GetBody = func() (io.ReadCloser, error) { return nil, broken }
		})
		if !errors.Is(err, broken) || base.closed != 1 {
			t.Errorf("error %v, want %v, and the answer closed", err, broken)
		}
	})
	bubble(t, "no other token", func(t *testing.T) {
		base := &scripted{statuses: []int{401}}
		transport := &issueclient.Transport{Source: source(script(token(1, 60), failed("AccessDenied", ""))), Base: base}
		if _, err := trip(t, transport, "GET", nil, nil); !errors.Is(err, issueclient.ErrAccessDenied) || base.closed != 1 {
			t.Errorf("error %v, want AccessDenied, and the answer closed", err)
		}
	})
	bubble(t, "a line that breaks", func(t *testing.T) {
		broken := errors.New("broken")
		transport := &issueclient.Transport{Source: source(always(token(1, 60))), Retry: true, Base: roundTripper(func(*http.Request) (*http.Response, error) {
			return nil, broken
		})}
		if _, err := trip(t, transport, "GET", nil, nil); !errors.Is(err, broken) {
			t.Errorf("error %v, want %v", err, broken)
		}
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
