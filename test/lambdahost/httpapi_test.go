package lambdahost_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/reltio-tokens/reltio-tokens/test/lambdahost"
)

// request sends a request to f behind an HTTP API.
func request(t *testing.T, api *lambdahost.HTTPAPI, path, body string, header http.Header) (*http.Response, string) {
	t.Helper()
	url, err := api.Start(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if header != nil {
		r.Header = header
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(text)
}

// answering deploys f as a program that answers every event with the same, or
// with the event if that is empty.
func answering(t *testing.T, h *lambdahost.Host, answer string) {
	t.Helper()
	deploy(t, h, func(f *lambdahost.Function) { f.Env[envChild], f.Env[envAnswer] = "answer", answer })
}

func TestARequestAsTheFunctionSeesIt(t *testing.T) {
	h := newHost(t)
	answering(t, h, "")
	api := &lambdahost.HTTPAPI{Host: h, Function: "f", DomainName: "abc.execute-api.eu-west-1.amazonaws.com"}
	_, body := request(t, api, "/a%2Fb/c?x=1&y=&x=2", "hello", http.Header{
		"Cookie": {"one=1; two=2"}, "X-Several": {"a", "b"}, "Content-Type": {"text/plain"}, "User-Agent": {"test"},
		"X-Forwarded-For": {"192.0.2.1"},
	})
	e := decode[events.APIGatewayV2HTTPRequest](t, []byte(body))
	c := e.RequestContext
	for name, pair := range map[string][2]string{
		"version": {e.Version, "2.0"}, "route": {e.RouteKey, "$default"}, "path": {e.RawPath, "/a%2Fb/c"},
		"query": {e.RawQueryString, "x=1&y=&x=2"}, "parameter": {e.QueryStringParameters["x"], "1,2"},
		"cookies": {strings.Join(e.Cookies, "|"), "one=1|two=2"}, "headers": {e.Headers["x-several"], "a,b"},
		"body": {e.Body, "hello"}, "method": {c.HTTP.Method, "POST"}, "source": {c.HTTP.SourceIP, "127.0.0.1"},
		"agent": {c.HTTP.UserAgent, "test"}, "context's path": {c.HTTP.Path, "/a%2Fb/c"}, "protocol": {c.HTTP.Protocol, "HTTP/1.1"},
		"domain": {c.DomainName, api.DomainName}, "prefix": {c.DomainPrefix, "abc"}, "stage": {c.Stage, "$default"},
		"account": {c.AccountID, "123456789012"}, "host": {e.Headers["host"], api.DomainName}, "cookie header": {e.Headers["cookie"], ""},
		"the client's word of where it came from, and the truth": {e.Headers["x-forwarded-for"], "192.0.2.1, 127.0.0.1"},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s %q, want %q", name, pair[0], pair[1])
		}
	}
	if e.IsBase64Encoded || c.RequestID == "" || time.Since(time.UnixMilli(c.TimeEpoch)) > time.Minute {
		t.Errorf("event %s", body)
	}
}

func TestAStageAndABinaryBody(t *testing.T) {
	h := newHost(t)
	answering(t, h, "")
	_, body := request(t, &lambdahost.HTTPAPI{Host: h, Function: "f", Stage: "dev"}, "/a", "\x00\xff", http.Header{"Content-Type": {"image/png"}})
	e := decode[events.APIGatewayV2HTTPRequest](t, []byte(body))
	if e.RawPath != "/dev/a" || e.RequestContext.Stage != "dev" || e.Body != "AP8=" || !e.IsBase64Encoded {
		t.Errorf("event %s", body)
	}
}

func TestAnAnswerAsTheBrowserSeesIt(t *testing.T) {
	tests := map[string]struct {
		answer string
		status int
		body   string
		header http.Header
	}{
		"whole": {
			`{"statusCode":303,"headers":{"location":"/done","content-type":"text/html"},"cookies":["a=1; Secure","b=2"],"body":"<p>"}`,
			303, "<p>",
			http.Header{"Location": {"/done"}, "Content-Type": {"text/html"}, "Set-Cookie": {"a=1; Secure", "b=2"}},
		},
		"encoded":             {`{"statusCode":200,"body":"AP8=","isBase64Encoded":true}`, 200, "\x00\xff", http.Header{"Content-Type": {"text/plain;charset=utf-8"}}},
		"without a status":    {`{"a":1}`, 200, `{"a":1}`, http.Header{"Content-Type": {"application/json"}}},
		"a wrong status":      {`{"statusCode":7}`, 500, `{"message":"Internal Server Error"}`, nil},
		"a wrong body":        {`{"statusCode":200,"body":"!","isBase64Encoded":true}`, 500, `{"message":"Internal Server Error"}`, nil},
		"a function error":    {"fail", 500, `{"message":"Internal Server Error"}`, nil},
		"no free environment": {"throttle", 503, `{"message":"Service Unavailable"}`, nil},
		"too late":            {"late", 503, `{"message":"Service Unavailable"}`, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			h := newHost(t)
			answering(t, h, test.answer)
			api := &lambdahost.HTTPAPI{Host: h, Function: "f"}
			switch test.answer {
			case "throttle":
				deploy(t, h, func(f *lambdahost.Function) { f.Concurrency = -1 })
			case "late":
				api.Timeout = 50 * time.Millisecond
			}
			response, body := request(t, api, "/", "", http.Header{"Content-Type": {"text/plain"}})
			if response.StatusCode != test.status || body != test.body {
				t.Errorf("%d %q, want %d %q", response.StatusCode, body, test.status, test.body)
			}
			for name, want := range test.header {
				if got := response.Header[name]; strings.Join(got, "|") != strings.Join(want, "|") {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
		})
	}
}

func TestTheHTTPAPIIsOnLoopbackAlone(t *testing.T) {
	if url, err := (&lambdahost.HTTPAPI{Host: newHost(t), Function: "f"}).Start(t.Context(), "0.0.0.0:0"); err == nil {
		t.Errorf("it listens on %s", url)
	}
}

// fixed is a function that answers with what it was deployed with.
type fixed string

// answer implements a lambda handler.
func (f fixed) answer(e json.RawMessage) (json.RawMessage, error) {
	switch f {
	case "":
		return e, nil
	case "fail":
		return nil, io.ErrUnexpectedEOF
	case "late":
		time.Sleep(200 * time.Millisecond)
	}
	if !json.Valid([]byte(f)) {
		return e, nil
	}
	return json.RawMessage(f), nil
}
