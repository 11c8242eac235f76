package reltioauthtest_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// The Invoke API by hand, as an SDK in any language speaks it.
func ExampleIssueServer() {
	issuer := &reltioauthtest.IssueServer{}
	lambdaAPI, tenant := httptest.NewServer(issuer), httptest.NewServer(issuer.Tenant(nil))
	defer lambdaAPI.Close()
	defer tenant.Close()

	resp, err := http.Post(lambdaAPI.URL+"/2015-03-31/functions/issue/invocations", "", strings.NewReader(`{"connection":"acme-prod"}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = resp.Body.Close() }()
	var token struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&token); err != nil {
		fmt.Println(err)
		return
	}
	for range 2 {
		req, _ := http.NewRequest(http.MethodGet, tenant.URL, http.NoBody)
		req.Header.Set("Authorization", "Bearer "+token.AccessToken)
		answer, err := http.DefaultClient.Do(req)
		if err != nil {
			fmt.Println(err)
			return
		}
		_ = answer.Body.Close()
		fmt.Println(answer.StatusCode)
		issuer.Kill("acme-prod")
	}
	// Output:
	// 200
	// 401
}

// issueResponse is what the Invoke API gave.
type issueResponse struct {
	status int
	kind   string // of a refusal, or of a function error
	body   map[string]any
}

func ask(t *testing.T, v *reltioauthtest.IssueServer, payload string) issueResponse {
	t.Helper()
	w := httptest.NewRecorder()
	v.ServeHTTP(w, httptest.NewRequest("POST", "/2015-03-31/functions/issue:team-a/invocations", strings.NewReader(payload)))
	a := issueResponse{status: w.Code, kind: w.Header().Get("X-Amzn-Errortype")}
	if err := json.Unmarshal(w.Body.Bytes(), &a.body); err != nil {
		t.Fatalf("%s: %v", w.Body, err)
	}
	if w.Header().Get("X-Amz-Function-Error") != "" {
		a.kind, _ = a.body["errorType"].(string)
	}
	return a
}

const acme = `{"connection":"acme"}`

func TestIssueServerTokens(t *testing.T) {
	now := time.Date(2026, 11, 23, 16, 0, 0, 500e6, time.UTC)
	v := &reltioauthtest.IssueServer{Now: func() time.Time { return now }, APIURL: "https://api.example", TenantID: "t1"}
	first := ask(t, v, acme).body
	secret := reltioauth.NewSecret(first["access_token"].(string))
	want := map[string]any{
		"connection": "acme", "access_token": secret.Reveal(), "token_type": "bearer", "scope": "", "expires_in": 3600.0,
		"expires_at": "2026-11-23T17:00:00Z", "fingerprint": reltioauth.Fingerprint(secret), "version": 1.0,
		"outcome": "renewed", "min_ttl_met": true, "warnings": []any{},
		"api_url": "https://api.example", "tenant_id": "t1",
	}
	if diff := cmp.Diff(want, first); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
	report := `{"connection":"acme","rejected_fingerprint":"` + reltioauth.Fingerprint(secret) + `"}`
	for _, step := range []struct {
		name    string
		before  func()
		payload string
		outcome string
		version float64
		left    float64
	}{
		{"again", func() {}, acme, "cached", 1, 3600},
		{"reported, alive", func() {}, report, "cached", 1, 3600},
		{"more life, too early", func() { now = now.Add(30 * time.Minute) }, `{"connection":"acme","min_ttl_seconds":3600}`, "cached", 1, 1800},
		{"more life, in its second half", func() { now = now.Add(time.Second) }, `{"connection":"acme","min_ttl_seconds":3600}`, "renewed", 2, 3600},
		{"the one before reported", func() {}, report, "cached", 2, 3600},
		{"dead, unreported", func() { v.Kill("acme") }, acme, "cached", 2, 3600},
		{"renewed by the schedule", func() { v.Renew("acme") }, acme, "cached", 3, 3600},
		{"in its last second but one", func() { now = now.Add(3598*time.Second + 1) }, acme, "cached", 3, 1},
		{"in its last second", func() { now = now.Add(time.Second) }, acme, "renewed", 4, 3600},
	} {
		step.before()
		got := ask(t, v, step.payload).body
		if got["outcome"] != step.outcome || got["version"] != step.version || got["expires_in"] != step.left {
			t.Errorf("%s: %v, version %v, %v s left, want %s, %v, %v s",
				step.name, got["outcome"], got["version"], got["expires_in"], step.outcome, step.version, step.left)
		}
	}
	if v.Valid(secret) {
		t.Error("the first token outlives its hour")
	}
	if got := v.Kill("nobody"); got != "" {
		t.Errorf("killed %q of nobody", got)
	}
}

func TestIssueServerFailures(t *testing.T) {
	v := &reltioauthtest.IssueServer{Connections: []string{"acme", "zeta"}}
	if got := ask(t, v, `{"connection":"nope"}`); got.kind != "UnknownConnection" || got.status != 200 {
		t.Errorf("unknown: %d %s", got.status, got.kind)
	}
	v.Fail("acme", "RateLimited", "retry after 3 s")
	if got := ask(t, v, acme); got.kind != "RateLimited" || got.body["errorMessage"] != "retry after 3 s" || len(got.body) != 2 {
		t.Errorf("failing: %s %v", got.kind, got.body)
	}
	if got := ask(t, v, `{"connection":"zeta"}`); got.kind != "" {
		t.Errorf("another one fails too: %s", got.kind)
	}
	v.Fail("acme", "", "")
	v.Throttle(2)
	for i, want := range []int{429, 429, 200, 200} {
		if got := ask(t, v, acme); got.status != want {
			t.Errorf("invocation %d: status %d %s, want %d", i, got.status, got.kind, want)
		}
	}
	if got := v.Asked("acme"); got != 3 {
		t.Errorf("asked %d times, want 3: throttled invocations do not run", got)
	}
}

func TestOnlyTheInvokeAPI(t *testing.T) {
	v := &reltioauthtest.IssueServer{}
	for name, test := range map[string]struct {
		method, path, body string
		want               int
		kind               string
	}{
		"an ARN":          {"POST", "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-central-1%3A1%3Afunction%3Aissue%3Alive/invocations", acme, 200, ""},
		"a qualifier":     {"POST", "/2015-03-31/functions/issue/invocations?Qualifier=live", acme, 200, ""},
		"another method":  {"GET", "/2015-03-31/functions/issue/invocations", "", 404, "ResourceNotFoundException"},
		"another path":    {"POST", "/2015-03-31/functions/issue", "", 404, "ResourceNotFoundException"},
		"another version": {"POST", "/2014-11-13/functions/issue/invoke-async/", "", 404, "ResourceNotFoundException"},
		"no name":         {"POST", "/2015-03-31/functions//invocations", acme, 404, "ResourceNotFoundException"},
		"no JSON":         {"POST", "/2015-03-31/functions/issue/invocations", "{", 400, "InvalidRequestContentException"},
		"too much":        {"POST", "/2015-03-31/functions/issue/invocations", strings.Repeat(" ", 6<<20+1), 413, "RequestTooLargeException"},
	} {
		t.Run(name, func(t *testing.T) {
			w := httptest.NewRecorder()
			v.ServeHTTP(w, httptest.NewRequest(test.method, test.path, strings.NewReader(test.body)))
			if got := w.Header().Get("X-Amzn-Errortype"); w.Code != test.want || got != test.kind {
				t.Errorf("got %d %s, want %d %s", w.Code, got, test.want, test.kind)
			}
		})
	}
}

func TestTenant(t *testing.T) {
	v := &reltioauthtest.IssueServer{}
	token, _ := ask(t, v, acme).body["access_token"].(string)
	api := v.Tenant(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "the API") }))
	for name, test := range map[string]struct {
		header string
		want   int
		body   string
	}{
		"alive":      {"Bearer " + token, 200, "the API"},
		"unknown":    {"Bearer x", 401, `{"error":"invalid_token","error_description":"Token is invalid: x"}`},
		"no token":   {"", 401, `{"error":"unauthorized","error_description":"Full authentication is required to access this resource"}`},
		"not bearer": {"Basic " + token, 401, `{"error":"unauthorized","error_description":"Full authentication is required to access this resource"}`},
	} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("GET", "/", http.NoBody)
		r.Header.Set("Authorization", test.header)
		api.ServeHTTP(w, r)
		if w.Code != test.want || w.Body.String() != test.body {
			t.Errorf("%s: got %d %s, want %d %s", name, w.Code, w.Body, test.want, test.body)
		}
	}
}
