package contract_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/internal/local"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// answer is what two answers must have in common.
type answer struct {
	Status        int
	FunctionError string
	Members       []string // name and JSON type
	ErrorType     string
	Outcome       any
	MinTTLMet     any
	Warnings      any
	Version       any
}

// function is issue, or what stands in for it.
type function struct {
	url  string
	last map[string]any
}

// ask sends a payload; %s in it is the fingerprint of the last token.
func (f *function) ask(t *testing.T, payload string) answer {
	t.Helper()
	if strings.Contains(payload, "%s") {
		payload = fmt.Sprintf(payload, f.last["fingerprint"])
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.url+"/2015-03-31/functions/issue/invocations", strings.NewReader(payload))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var body map[string]any
	if err := json.Unmarshal(data, &body); err != nil {
		t.Fatalf("%d %s: %v", resp.StatusCode, data, err)
	}
	if body["fingerprint"] != nil {
		f.last = body
	}
	a := answer{
		Status: resp.StatusCode, FunctionError: resp.Header.Get("X-Amz-Function-Error"), Outcome: body["outcome"],
		MinTTLMet: body["min_ttl_met"], Warnings: body["warnings"], Version: body["version"],
	}
	a.ErrorType, _ = body["errorType"].(string)
	for _, name := range slices.Sorted(maps.Keys(body)) {
		a.Members = append(a.Members, fmt.Sprintf("%s %T", name, body[name]))
	}
	if resp.StatusCode != http.StatusOK {
		a.ErrorType = resp.Header.Get("X-Amzn-Errortype")
	}
	return a
}

func (f *function) token() reltioauth.Secret {
	text, _ := f.last["access_token"].(string)
	return reltioauth.NewSecret(text)
}

// The stand-in answers as the function does, one request after the other.
func TestTheIssueServerAnswersAsIssueDoes(t *testing.T) {
	stack := start(t, 0)
	vendor := &reltioauthtest.IssueServer{Connections: local.Connections()}
	server := httptest.NewServer(vendor)
	t.Cleanup(server.Close)
	issue, standIn := &function{url: stack.LambdaURL}, &function{url: server.URL}

	const asks = `{"connection":"` + demo + `"`
	for _, step := range []struct{ name, payload string }{
		{"the first token", asks + `}`},
		{"the same again", asks + `}`},
		{"with white space", " \n" + asks + ` }`},
		{"more life than there is", asks + `,"min_ttl_seconds":86400}`},
		{"life that there is", asks + `,"min_ttl_seconds":60}`},
		{"alive, reported", asks + `,"rejected_fingerprint":"%s"}`},
		{"another one reported", asks + `,"rejected_fingerprint":"sha256:00000000000000000000000000000000"}`},
		{"no such connection", `{"connection":"nope"}`},
		{"nothing", ``},
		{"no JSON", `{"connection"`},
		{"something behind it", asks + `} x`},
		{"a list", `[]`},
		{"null", `null`},
		{"no connection", `{}`},
		{"a connection that is null", `{"connection":null}`},
		{"a name that none has", `{"connection":"Acme"}`},
		{"a member in another case", `{"Connection":"` + demo + `"}`},
		{"a member twice", asks + `,"connection":"` + demo + `"}`},
		{"a member too many", asks + `,"force":true}`},
		{"too much life", asks + `,"min_ttl_seconds":86401}`},
		{"less than no life", asks + `,"min_ttl_seconds":-1}`},
		{"half a second", asks + `,"min_ttl_seconds":0.5}`},
		{"life in words", asks + `,"min_ttl_seconds":"60"}`},
		{"no life that is null", asks + `,"min_ttl_seconds":null}`},
		{"no fingerprint", asks + `,"rejected_fingerprint":"sha256:"}`},
		{"an empty fingerprint", asks + `,"rejected_fingerprint":""}`},
	} {
		t.Run(step.name, func(t *testing.T) {
			if diff := cmp.Diff(issue.ask(t, step.payload), standIn.ask(t, step.payload)); diff != "" {
				t.Errorf("the stand-in answers otherwise (-issue +stand-in):\n%s", diff)
			}
		})
	}
}

func TestTheIssueServerReplacesARevokedTokenAsIssueDoes(t *testing.T) {
	stack := start(t, 0)
	vendor := &reltioauthtest.IssueServer{}
	server := httptest.NewServer(vendor)
	t.Cleanup(server.Close)
	issue, standIn := &function{url: stack.LambdaURL}, &function{url: server.URL}
	const asks = `{"connection":"` + demo + `"`
	issue.ask(t, asks+`}`)
	standIn.ask(t, asks+`}`)

	kill(t, stack, issue.token())
	if got, want := vendor.Kill(demo), standIn.last["fingerprint"]; got != want {
		t.Errorf("killed %q, want %q", got, want)
	}
	for _, payload := range []string{asks + `}`, asks + `,"rejected_fingerprint":"%s"}`, asks + `}`} {
		if diff := cmp.Diff(issue.ask(t, payload), standIn.ask(t, payload)); diff != "" {
			t.Errorf("%s (-issue +stand-in):\n%s", payload, diff)
		}
	}
	if !vendor.Valid(standIn.token()) {
		t.Error("the replacement is dead")
	}
}
