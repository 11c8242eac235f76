package local_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/local"
)

// operate sends a call as the operator's command does; change may say more.
func operate(t *testing.T, stack *local.Stack, call string, change func(*http.Request)) (status int, body string) {
	t.Helper()
	return send(t, stack, http.MethodPost, "/local/operate", call, change)
}

// send sends JSON to the stack; change may say more.
func send(t *testing.T, stack *local.Stack, method, path, content string, change func(*http.Request)) (status int, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, stack.LambdaURL+path, strings.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	if change != nil {
		change(request)
	}
	response, err := new(http.Client).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

func TestOperate(t *testing.T) {
	stack, client := start(t)
	demo := []byte(`{"connection":"demo-password"}`)
	_, issued := invoke(t, client, &lambda.InvokeInput{FunctionName: aws.String("issue"), Payload: demo})
	steps := []struct{ call, want string }{
		{`{"verb":"status","connections":["demo-password"]}`, `"status":"ok"`},
		{`{"verb":"pause","connection":"demo-password"}`, `"before":"ok","status":"paused","changed":true`},
		{`{"verb":"rotate","connection":"demo-password","force":true}`, `"type":"ConnectionPaused"`},
		{`{"verb":"status"}`, `"status":"paused"`},
		{`{"verb":"unpause","connection":"demo-password"}`, `"status":"ok","changed":true`},
		{`{"verb":"check","connection":"demo-password"}`, `"ok":true`},
		{`{"verb":"resume","connection":"demo-password"}`, `"changed":false`},
		{`{"verb":"resume_all"}`, `"result":[],"error":null`},
		{`{"verb":"pause","connection":"nope"}`, `"type":"UnknownConnection"`},
		{`{"verb":"dance"}`, `"type":"InvalidRequest"`},
		{`{"verb":"connect","connection":"demo-authorization-code"}`, `"link":"` + stack.CallbackURL + `/authorize?invitation=`},
		{`{"verb":"connect","connection":"demo-password"}`, `"type":"InvalidRequest"`},
		{`{"verb":"disconnect","connection":"demo-password","delete_secret":true,"revoke":true}`, `"revoked":"refresh_token","not_revoked":null,"ends_at":null,"shares_client_with":["demo-authorization-code","demo-client-credentials"],"ended_for":[],"secret_deleted":true`},
		{`{"verb":"sharing","connection":"demo-client-credentials"}`, `"result":["demo-authorization-code"],"error":null`},
		{`{"verb":"add","connection":"mine","secret":"{\"grant_type\":\"client_credentials\",\"client_id\":\"a\",\"client_secret\":\"b\",\"auth_url\":\"` + stack.ReltioURL + `\"}"}`, `"replaced":false`},
		{`{"verb":"add","connection":"mine","secret":"demo-secret"}`, `"type":"InvalidRequest"`},
	}
	for _, step := range steps {
		status, body := operate(t, stack, step.call, nil)
		if status != http.StatusOK || !strings.Contains(body, step.want) {
			t.Errorf("%s: %d %s, want %s", step.call, status, body, step.want)
		}
		token, _ := issued["access_token"].(string)
		if token == "" || strings.Contains(body, token) || strings.Contains(body, "demo-secret") {
			t.Errorf("%s: the answer holds a secret", step.call)
		}
	}
}

// A page in a browser can reach a port on this machine, but cannot do without
// an Origin, or with another Host, or with JSON that it was not allowed.
func TestOperateTakesCallsOfThisMachineAlone(t *testing.T) {
	stack, _ := start(t)
	const pause = `{"verb":"pause","connection":"demo-password"}`
	port := mustParse(t, stack.LambdaURL).Port()
	for name, test := range map[string]struct {
		call   string
		change func(*http.Request)
		want   int
	}{
		"this machine by name": {`{"verb":"status"}`, func(r *http.Request) { r.Host = "localhost:" + port }, 200},
		"this machine in IPv6": {`{"verb":"status"}`, func(r *http.Request) { r.Host = "[::1]:" + port }, 200},
		"another host":         {pause, func(r *http.Request) { r.Host = "evil.example.com" }, 403},
		"another host's port":  {pause, func(r *http.Request) { r.Host = "evil.example.com:" + port }, 403},
		"a host that looks so": {pause, func(r *http.Request) { r.Host = "localhost.example.com" }, 403},
		"a page":               {pause, func(r *http.Request) { r.Header.Set("Origin", "https://evil.example.com") }, 403},
		"a page of this stack": {pause, func(r *http.Request) { r.Header.Set("Origin", stack.LambdaURL) }, 403},
		"a page without one":   {pause, func(r *http.Request) { r.Header.Set("Origin", "null") }, 403},
		"a form":               {pause, func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, 415},
		"no type":              {pause, func(r *http.Request) { r.Header.Del("Content-Type") }, 415},
		"no JSON":              {`{`, nil, 400},
		"an unknown field":     {`{"verb":"pause","name":"demo-password"}`, nil, 400},
		"too much":             {`{"verb":"` + strings.Repeat("x", 1<<20) + `"}`, nil, 400},
		"to look":              {``, func(r *http.Request) { r.Method = http.MethodGet }, 404},
	} {
		t.Run(name, func(t *testing.T) {
			if status, body := operate(t, stack, test.call, test.change); status != test.want {
				t.Errorf("%d %s, want %d", status, body, test.want)
			}
		})
	}
	if _, body := operate(t, stack, `{"verb":"status"}`, nil); strings.Contains(body, "paused") {
		t.Errorf("something was paused: %s", body)
	}
}

func mustParse(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// The stack keeps the last hundred events, and logs them without their links.
func TestEvents(t *testing.T) {
	var log lines
	stack, err := local.Start(t.Context(), local.Config{CallbackPort: -1, LambdaPort: -1, ReltioPort: -1, Log: &log})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 120 {
		if err := local.Publish(t.Context(), stack, grant.Event{
			Type: grant.ReauthorizationRequired, Connection: fmt.Sprint("c-", i), Link: "https://example.com/?invitation=c4n4ry",
		}); err != nil {
			t.Fatal(err)
		}
	}
	if err := stack.Close(); err != nil {
		t.Error(err)
	}
	kept := stack.Events()
	if len(kept) != 100 || kept[0].Connection != "c-20" || kept[99].Connection != "c-119" || kept[99].Link == "" {
		t.Errorf("%d events, the last %+v; want the last hundred", len(kept), kept[len(kept)-1])
	}
	var line map[string]any
	if err := json.Unmarshal([]byte(log.last()), &line); err != nil {
		t.Fatal(err)
	}
	if line["message"] != "event" || line["detail_type"] != "ReauthorizationRequired" || line["connection"] != "c-119" || line["link"] != true {
		t.Errorf("the last line is %v", line)
	}
	if strings.Contains(log.String(), "c4n4ry") {
		t.Error("a link is in the log")
	}
}

// lines are what was logged.
type lines struct{ strings.Builder }

func (l *lines) last() string {
	all := strings.Split(strings.TrimSpace(l.String()), "\n")
	return all[len(all)-1]
}
