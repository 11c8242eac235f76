package extension_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/extension"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueapi"
)

func TestATokenHasThirteenKeys(t *testing.T) {
	w := newWorld()
	got := w.ask("GET", "/token?connection=acme-prod&min_ttl_seconds=300", "")
	want := `{"connection":"acme-prod","access_token":"kanari-token","token_type":"bearer","scope":"a b",` +
		`"expires_in":3120,"expires_at":"2026-11-23T16:52:00Z","fingerprint":"` + print1 + `","version":41,` +
		`"outcome":"cached","min_ttl_met":true,"warnings":["renewal_failing"],"api_url":"https://api.example","tenant_id":"t1"}`
	if got.Code != http.StatusOK || got.Body.String() != want {
		t.Errorf("status %d, body\n%s, want\n%s", got.Code, got.Body, want)
	}
	for name, want := range map[string]string{"Content-Type": "application/json", "Cache-Control": "no-store"} {
		if got := got.Header().Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if diff := cmp.Diff([]asked{{Connection: "acme-prod", MinTTL: 5 * time.Minute}}, w.source.calls); diff != "" {
		t.Error(diff)
	}
}

func TestWarningsAreAList(t *testing.T) {
	w := newWorld()
	w.source.answer = func(context.Context, asked) (issueapi.Response, error) {
		a := answer()
		a.Warnings = []issueapi.Warning{}
		return a, nil
	}
	if got := w.ask("GET", "/token?connection=acme-prod", "").Body.String(); !strings.Contains(got, `"warnings":[],`) {
		t.Errorf("body %s, want an empty list", got)
	}
}

func TestARejectedTokenIsReported(t *testing.T) {
	w := newWorld()
	got := w.ask("POST", "/rejected", `{"connection":"acme-prod","fingerprint":"`+print1+`"}`)
	if got.Code != http.StatusOK || !strings.Contains(got.Body.String(), token) {
		t.Errorf("status %d, body %s", got.Code, got.Body)
	}
	if diff := cmp.Diff([]asked{{Connection: "acme-prod", Fingerprint: print1}}, w.source.calls); diff != "" {
		t.Error(diff)
	}
}

// hostile are requests that no client sends, except by mistake. None may reach
// the TokenSource.
var hostile = map[string]struct {
	method, target, body string
	change               func(*http.Request)
	status               int
	message              string
}{
	"no session": {
		"GET", "/token?connection=acme-prod", "", func(r *http.Request) { r.Header.Del(extension.SessionHeader) },
		403, "X-Reltio-Tokens-Session: must be the function's AWS_SESSION_TOKEN",
	},
	"empty session": {
		"GET", "/token?connection=acme-prod", "", func(r *http.Request) { r.Header.Set(extension.SessionHeader, "") },
		403, "X-Reltio-Tokens-Session: must be the function's AWS_SESSION_TOKEN",
	},
	"wrong session": {
		"GET", "/token?connection=acme-prod", "", func(r *http.Request) { r.Header.Set(extension.SessionHeader, "kanari-sessioN") },
		403, "X-Reltio-Tokens-Session: must be the function's AWS_SESSION_TOKEN",
	},
	"two sessions": {
		"GET", "/token?connection=acme-prod", "", func(r *http.Request) { r.Header.Add(extension.SessionHeader, session) },
		403, "X-Reltio-Tokens-Session: must be the function's AWS_SESSION_TOKEN",
	},
	"no session, another path": {
		"GET", "/", "", func(r *http.Request) { r.Header.Del(extension.SessionHeader) },
		403, "X-Reltio-Tokens-Session: must be the function's AWS_SESSION_TOKEN",
	},
	"another host": {
		"GET", "/token?connection=acme-prod", "", func(r *http.Request) { r.Host = "evil.example" },
		421, "host: must be localhost or 127.0.0.1",
	},
	"another host that begins well": {
		"GET", "/token?connection=acme-prod", "", func(r *http.Request) { r.Host = "localhost.evil.example:2775" },
		421, "host: must be localhost or 127.0.0.1",
	},
	"an address that means every machine": {
		"GET", "/token?connection=acme-prod", "", func(r *http.Request) { r.Host = "0.0.0.0:2775" },
		421, "host: must be localhost or 127.0.0.1",
	},
	"no host": {
		"GET", "/token?connection=acme-prod", "", func(r *http.Request) { r.Host = "" },
		421, "host: must be localhost or 127.0.0.1",
	},
	"another path":   {"GET", "/tokens?connection=acme-prod", "", nil, 404, "path: there are GET /token and POST /rejected"},
	"a longer path":  {"GET", "/token/?connection=acme-prod", "", nil, 404, "path: there are GET /token and POST /rejected"},
	"a crooked path": {"GET", "//token?connection=acme-prod", "", nil, 404, "path: there are GET /token and POST /rejected"},
	"another method": {"POST", "/token?connection=acme-prod", "", nil, 405, "method: must be GET"},
	"HEAD":           {"HEAD", "/token?connection=acme-prod", "", nil, 405, "method: must be GET"},
	"GET a report":   {"GET", "/rejected", "", nil, 405, "method: must be POST"},

	"no connection":       {"GET", "/token", "", nil, 400, "connection: is required"},
	"an empty connection": {"GET", "/token?connection=", "", nil, 400, "connection: must be a name like acme-prod: lower-case letters, digits, dots, dashes and underscores, at most 64"},
	"a token as name":     {"GET", "/token?connection=KANARI", "", nil, 400, "connection: must be a name like acme-prod: lower-case letters, digits, dots, dashes and underscores, at most 64"},
	"two connections":     {"GET", "/token?connection=a&connection=b", "", nil, 400, "connection: is repeated"},
	"unknown parameters": {
		"GET", "/token?connection=a&minttl=5&Connection=KANARI&x=1", "", nil,
		400, "a parameter: is not known here; minttl: is not known here; x: is not known here",
	},
	"a life of words":     {"GET", "/token?connection=a&min_ttl_seconds=KANARI", "", nil, 400, "min_ttl_seconds: must be a whole number from 0 to 86400"},
	"a life with a sign":  {"GET", "/token?connection=a&min_ttl_seconds=%2B5", "", nil, 400, "min_ttl_seconds: must be a whole number from 0 to 86400"},
	"a life below zero":   {"GET", "/token?connection=a&min_ttl_seconds=-1", "", nil, 400, "min_ttl_seconds: must be a whole number from 0 to 86400"},
	"a life of ages":      {"GET", "/token?connection=a&min_ttl_seconds=86401", "", nil, 400, "min_ttl_seconds: must be a whole number from 0 to 86400"},
	"an empty life":       {"GET", "/token?connection=a&min_ttl_seconds=", "", nil, 400, "min_ttl_seconds: must be a whole number from 0 to 86400"},
	"a query of nonsense": {"GET", "/token?connection=a;b=%zz", "", nil, 400, "query: cannot be read"},
	"a token with a body": {"GET", "/token?connection=a", "{}", nil, 400, "body: is not read here"},

	"an empty report":        {"POST", "/rejected", "", nil, 400, "body: must be one JSON object"},
	"a report of nothing":    {"POST", "/rejected", "{}", nil, 400, "connection: is required; fingerprint: is required"},
	"a report with a query":  {"POST", "/rejected?connection=a", "{}", nil, 400, "query: is not read here"},
	"a report of two":        {"POST", "/rejected", `{"connection":"a","connection":"b","fingerprint":"` + print1 + `"}`, nil, 400, "connection: is repeated"},
	"a report of more":       {"POST", "/rejected", `{"connection":"a","fingerprint":"` + print1 + `","min_ttl_seconds":1}`, nil, 400, "min_ttl_seconds: is not known here"},
	"a report with the rest": {"POST", "/rejected", `{"connection":"a","fingerprint":"` + print1 + `"}{}`, nil, 400, "body: must be one JSON object and nothing after it"},
	"the token itself":       {"POST", "/rejected", `{"connection":"a","fingerprint":"kanari-token"}`, nil, 400, "fingerprint: must be the fingerprint of an answer: sha256: and 32 hexadecimal digits"},
	"null":                   {"POST", "/rejected", `{"connection":null,"fingerprint":null}`, nil, 400, "connection: must be a string; fingerprint: must be a string"},
	"a form":                 {"POST", "/rejected", `connection=a`, nil, 400, "body: must be one JSON object"},
	"too much":               {"POST", "/rejected", `{"connection":"` + strings.Repeat("a", 5000) + `"}`, nil, 413, "body: must be at most 4096 bytes"},
}

func TestHostileRequestsGetNoToken(t *testing.T) {
	for name, test := range hostile {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			if test.change == nil {
				test.change = func(*http.Request) {}
			}
			got := w.ask(test.method, test.target, test.body, test.change)
			kind, message := problem(t, got.Body)
			want := "InvalidRequest"
			if test.status == http.StatusForbidden {
				want = "AccessDenied"
			}
			if got.Code != test.status || kind != want || message != test.message {
				t.Errorf("status %d, %s: %s, want %d, %s: %s", got.Code, kind, message, test.status, want, test.message)
			}
			if len(w.source.calls) > 0 {
				t.Errorf("the vendor was asked: %v", w.source.calls)
			}
			if out := strings.ToLower(w.log.String()); strings.Contains(out, "kanari") {
				t.Errorf("the log holds what was sent: %s", out)
			}
			if allow := got.Header().Get("Allow"); (allow != "") != (test.status == http.StatusMethodNotAllowed) {
				t.Errorf("Allow: %q", allow)
			}
		})
	}
}

func TestBothNamesOfThisMachineWillDo(t *testing.T) {
	for _, host := range []string{"localhost", "localhost:2775", "LOCALHOST:2775", "127.0.0.1", "127.0.0.1:2775"} {
		got := newWorld().ask("GET", "/token?connection=acme-prod", "", func(r *http.Request) { r.Host = host })
		if got.Code != http.StatusOK {
			t.Errorf("%s: status %d, want 200", host, got.Code)
		}
	}
}

func TestEachErrorTypeHasItsStatus(t *testing.T) {
	want := map[apierr.Type]int{
		apierr.InvalidRequest: 400, apierr.AccessDenied: 403, apierr.UnknownConnection: 404,
		apierr.InvalidConnection: 409, apierr.CredentialsRejected: 409, apierr.MFARequired: 409,
		apierr.ReauthorizationRequired: 409, apierr.ConnectionPaused: 409,
		apierr.TokenLimitReached: 429, apierr.RateLimited: 429,
		apierr.ReltioUnavailable: 502, apierr.StoreUnavailable: 503, apierr.Internal: 500,
	}
	for kind, status := range want {
		w := newWorld()
		w.source.answer = func(context.Context, asked) (issueapi.Response, error) {
			return issueapi.Response{}, apierr.New(kind, "a message")
		}
		got := w.ask("GET", "/token?connection=acme-prod", "")
		gotKind, message := problem(t, got.Body)
		if got.Code != status || gotKind != string(kind) || message != "a message" {
			t.Errorf("%s: status %d, %s: %s, want %d", kind, got.Code, gotKind, message, status)
		}
		if got.Header().Get("Retry-After") != "" {
			t.Errorf("%s: Retry-After without a time", kind)
		}
	}
}

func TestALimitSaysForHowLong(t *testing.T) {
	w := newWorld()
	w.source.answer = func(context.Context, asked) (issueapi.Response, error) {
		return issueapi.Response{}, apierr.Limited(7 * time.Second)
	}
	if got := w.ask("GET", "/token?connection=acme-prod", "").Header().Get("Retry-After"); got != "7" {
		t.Errorf("Retry-After %q, want 7", got)
	}
}

func TestADefectSaysARequestAndNothingMore(t *testing.T) {
	tests := map[string]func(context.Context, asked) (issueapi.Response, error){
		"panic": func(context.Context, asked) (issueapi.Response, error) { panic("kanari") },
		"foreign error": func(context.Context, asked) (issueapi.Response, error) {
			return issueapi.Response{}, errors.New("kanari")
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.source.answer = test
			got := w.ask("GET", "/token?connection=acme-prod", "")
			kind, message := problem(t, got.Body)
			id, ok := strings.CutPrefix(message, "request ")
			if got.Code != 500 || kind != "Internal" || !ok || id == "" {
				t.Errorf("status %d, %s: %q, want 500, Internal: request …", got.Code, kind, message)
			}
			out := w.log.String()
			if strings.Contains(out, "kanari") || !strings.Contains(out, id) {
				t.Errorf("log %s, want the request's id and no text of others", out)
			}
		})
	}
}

func TestNoTokenIsLogged(t *testing.T) {
	w := newWorld()
	w.ask("GET", "/token?connection=acme-prod", "")
	out := w.log.String()
	if strings.Contains(out, "kanari") {
		t.Errorf("a secret in %s", out)
	}
	var line map[string]any
	if err := json.Unmarshal([]byte(out), &line); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"connection", "fingerprint", "version", "outcome", "duration_ms"} {
		if _, ok := line[key]; !ok {
			t.Errorf("the line has no %s: %s", key, out)
		}
	}
}

func TestACallerThatWaitsForeverIsAnswered(t *testing.T) {
	w := newWorld()
	w.source.answer = func(ctx context.Context, _ asked) (issueapi.Response, error) {
		deadline, ok := ctx.Deadline()
		if left := time.Until(deadline); !ok || left > 30*time.Second || left < 25*time.Second {
			t.Errorf("patience %v, want a little more than issue's 25 s", left)
		}
		return answer(), nil
	}
	if got := w.ask("GET", "/token?connection=acme-prod", ""); got.Code != 200 {
		t.Errorf("status %d, want 200", got.Code)
	}
}

// The function's start ends after ten seconds, whatever issue does: a request that
// comes meanwhile gets its response before.
func TestARequestDuringTheStartIsAnsweredInTime(t *testing.T) {
	for name, test := range map[string]struct {
		age, want time.Duration // of the environment, of the request
	}{
		"at once":                       {0, 8 * time.Second},
		"later":                         {5 * time.Second, 3 * time.Second},
		"late":                          {7900 * time.Millisecond, time.Second},
		"after the start":               {8 * time.Second, 28 * time.Second},
		"long after":                    {time.Hour, 28 * time.Second},
		"with a clock that is set back": {-time.Hour, 28 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.server.Started, w.server.Now = time.Now().Add(-test.age), time.Now
				w.source.answer = func(ctx context.Context, _ asked) (issueapi.Response, error) {
					<-ctx.Done()
					return issueapi.Response{}, apierr.Wrap(apierr.StoreUnavailable, "issue: no answer in time", ctx.Err())
				}
				start := time.Now()
				got := w.ask("GET", "/token?connection=acme-prod", "")
				if took := time.Since(start); got.Code != http.StatusServiceUnavailable || took != test.want {
					t.Errorf("status %d after %v, want 503 after %v", got.Code, took, test.want)
				}
			})
		})
	}
}

// pipe is a net.Listener with one connection.
type pipe struct {
	conns chan net.Conn
}

// Accept implements net.Listener.
func (p pipe) Accept() (net.Conn, error) {
	c, ok := <-p.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}

// Close implements net.Listener.
func (p pipe) Close() error {
	close(p.conns)
	return nil
}

// Addr implements net.Listener.
func (pipe) Addr() net.Addr { return &net.TCPAddr{} }

// A caller that says it sends a body, and does not, holds nothing up; one that does
// is not cut off while issue takes its time.
func TestASlowBody(t *testing.T) {
	head := " HTTP/1.1\r\nHost: localhost\r\n" + extension.SessionHeader + ": " + session + "\r\nContent-Length: "
	body := `{"connection":"acme-prod","fingerprint":"` + print1 + `"}`
	for name, test := range map[string]struct {
		request string
		status  string
		most    time.Duration
	}{
		"of a report":               {"POST /rejected" + head + "90\r\n\r\n{", "400", 6 * time.Second},
		"where none is read":        {"GET /token?connection=acme-prod" + head + "9\r\n\r\n", "400", 6 * time.Second},
		"of another path":           {"POST /else" + head + "9\r\n\r\n", "404", 6 * time.Second},
		"a whole one, a slow issue": {"POST /rejected" + head + strconv.Itoa(len(body)) + "\r\n\r\n" + body, "200", 20 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.server.Now = time.Now
				w.source.answer = func(ctx context.Context, _ asked) (issueapi.Response, error) {
					select {
					case <-time.After(20 * time.Second):
						return answer(), nil
					case <-ctx.Done():
						return issueapi.Response{}, ctx.Err()
					}
				}
				listener := pipe{make(chan net.Conn, 1)}
				server := &http.Server{Handler: w.server, IdleTimeout: -1}
				go func() { _ = server.Serve(listener) }()
				client, conn := net.Pipe()
				listener.conns <- conn
				start := time.Now()
				go func() { _, _ = io.WriteString(client, test.request) }()
				line := make([]byte, 12)
				_, err := io.ReadFull(client, line)
				if took := time.Since(start); err != nil || string(line) != "HTTP/1.1 "+test.status || took > test.most {
					t.Errorf("%q, %v after %v, want %s within %v", line, err, took, test.status, test.most)
				}
				_ = client.Close()
				_ = server.Close()
			})
		})
	}
}
