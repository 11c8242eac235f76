package e2e_test

import (
	"fmt"
	"maps"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// thirteen are the members of every answer, and their JSON types in Go.
func thirteen() map[string]string {
	return map[string]string{
		"connection": "string", "access_token": "string", "token_type": "string", "scope": "string",
		"expires_in": "float64", "expires_at": "string", "fingerprint": "string", "version": "float64",
		"outcome": "string", "min_ttl_met": "bool", "warnings": "[]interface {}",
		"api_url": "string", "tenant_id": "string",
	}
}

func TestAnAnswerHasThirteenMembers(t *testing.T) {
	t.Parallel()
	w := start(t)
	s := w.server(t)
	for _, grantType := range []fields{s.clientCredentials(), s.password("ann")} {
		name := w.add(t, grantType)
		for i, outcome := range []string{"renewed", "cached", "cached"} {
			a := w.ask(t, name)
			wantToken(t, a)
			types := map[string]string{}
			for member, value := range a.Body {
				types[member] = fmt.Sprintf("%T", value)
			}
			if diff := cmp.Diff(thirteen(), types); diff != "" {
				t.Errorf("members (-want +got):\n%s", diff)
			}
			token := reltioauth.NewSecret(a.text("access_token"))
			want := map[string]any{
				"connection": name, "token_type": "bearer", "scope": "entities_api relations_api",
				"fingerprint": reltioauth.Fingerprint(token), "version": 1.0, "outcome": outcome,
				"min_ttl_met": true, "warnings": []any{},
			}
			got := maps.Clone(a.Body)
			maps.DeleteFunc(got, func(member string, _ any) bool { _, ok := want[member]; return !ok })
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("answer %d (-want +got):\n%s", i+1, diff)
			}
			wantDeadline(t, a, time.Hour)
			if !s.Valid(token) {
				t.Errorf("answer %d: the server does not know the token", i+1)
			}
		}
	}
	if got := s.TokenRequests(time.Time{}, time.Time{}); got != 2 {
		t.Errorf("%d token requests for two connections, want 2", got)
	}
}

// wantDeadline checks that expires_at and expires_in say the same, and are at
// most life away.
func wantDeadline(t *testing.T, a answer, life time.Duration) {
	t.Helper()
	text := a.text("expires_at")
	if !regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$`).MatchString(text) {
		t.Errorf("expires_at %q is no RFC 3339 in UTC and whole seconds", text)
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Error(err)
	}
	in, _ := a.Body["expires_in"].(float64)
	left := time.Until(at)
	if in != float64(int64(in)) || in < 1 || left > life || left < life-30*time.Second {
		t.Errorf("expires_in %v, expires_at in %v; want almost %v", in, left, life)
	}
	if apart := time.Duration(in)*time.Second - left; apart < -2*time.Second || apart > 2*time.Second {
		t.Errorf("expires_in %v and expires_at (in %v) differ by %v", in, left, apart)
	}
}

func TestWhatTheServerLeavesOut(t *testing.T) {
	t.Parallel()
	w := start(t)
	s := w.server(t)
	s.Configure(func(c *reltioauthtest.Config) {
		c.Behaviour = reltioauthtest.Behaviour{OmitTokenType: true, OmitScope: true, OmitExpiresIn: true, LongTokens: true}
	})
	a := w.ask(t, w.add(t, s.clientCredentials()))
	wantToken(t, a)
	if a.text("token_type") != "bearer" || a.Body["scope"] != "" {
		t.Errorf("token_type %q, scope %q; want bearer and nothing", a.text("token_type"), a.Body["scope"])
	}
	if diff := cmp.Diff([]any{"expires_in_missing"}, a.Body["warnings"]); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
	wantDeadline(t, a, 300*time.Second)
	if n := len(a.text("access_token")); n < 2000 {
		t.Errorf("a token of %d characters, want a long one", n)
	}
}

func TestInvalidRequests(t *testing.T) {
	t.Parallel()
	w := start(t)
	name := w.add(t, w.server(t).clientCredentials())
	fingerprint := "sha256:" + strings.Repeat("0f", 16)
	ok := `"connection":"` + name + `"`
	for state, test := range map[string]struct {
		payload string
		message string // a pattern; empty: the request is good
	}{
		"only the connection":     {`{` + ok + `}`, ""},
		"everything":              {`{` + ok + `,"min_ttl_seconds":300,"rejected_fingerprint":"` + fingerprint + `"}`, ""},
		"space around":            {" \n{" + ok + "}\t\n", ""},
		"an escaped key":          {`{"c\u006fnnection":"` + name + `"}`, ""},
		"no time at all":          {`{` + ok + `,"min_ttl_seconds":0}`, ""},
		"the longest time":        {`{` + ok + `,"min_ttl_seconds":86400}`, ""},
		"nothing":                 {`{}`, `^connection: .+`},
		"no object":               {`[]`, `^\w+: .+`},
		"null":                    {`null`, `^\w+: .+`},
		"a text":                  {`"` + name + `"`, `^\w+: .+`},
		"a number":                {`7`, `^\w+: .+`},
		"an unknown key":          {`{` + ok + `,"ttl":1}`, `^ttl: .+`},
		"another case":            {`{"Connection":"` + name + `"}`, `connection: `},
		"another case, as well":   {`{` + ok + `,"CONNECTION":"` + name + `"}`, `.+: .+`},
		"a repeated key":          {`{` + ok + `,` + ok + `}`, `^connection: .+`},
		"a repeated unknown key":  {`{` + ok + `,"a":1,"a":2}`, `^a: .+`},
		"null for the connection": {`{"connection":null}`, `^connection: .+`},
		"null for a time":         {`{` + ok + `,"min_ttl_seconds":null}`, `^min_ttl_seconds: .+`},
		"null for a fingerprint":  {`{` + ok + `,"rejected_fingerprint":null}`, `^rejected_fingerprint: .+`},
		"a number for a name":     {`{"connection":7}`, `^connection: .+`},
		"a list of names":         {`{"connection":["` + name + `"]}`, `^connection: .+`},
		"an empty name":           {`{"connection":""}`, `^connection: .+`},
		"a name in upper case":    {`{"connection":"Acme"}`, `^connection: .+`},
		"a name with a dash first": {
			`{"connection":"-acme"}`, `^connection: .+`,
		},
		"a name with a slash":        {`{"connection":"acme/prod"}`, `^connection: .+`},
		"a name with a line end":     {`{"connection":"acme\n"}`, `^connection: .+`},
		"a name of 65 characters":    {`{"connection":"` + strings.Repeat("a", 65) + `"}`, `^connection: .+`},
		"a time below zero":          {`{` + ok + `,"min_ttl_seconds":-1}`, `^min_ttl_seconds: .+`},
		"a time above a day":         {`{` + ok + `,"min_ttl_seconds":86401}`, `^min_ttl_seconds: .+`},
		"a time with a fraction":     {`{` + ok + `,"min_ttl_seconds":1.5}`, `^min_ttl_seconds: .+`},
		"a time as text":             {`{` + ok + `,"min_ttl_seconds":"300"}`, `^min_ttl_seconds: .+`},
		"an endless time":            {`{` + ok + `,"min_ttl_seconds":1e400}`, `^min_ttl_seconds: .+`},
		"a fingerprint in capitals":  {`{` + ok + `,"rejected_fingerprint":"` + strings.ToUpper(fingerprint) + `"}`, `^rejected_fingerprint: .+`},
		"a fingerprint without head": {`{` + ok + `,"rejected_fingerprint":"` + strings.Repeat("0", 32) + `"}`, `^rejected_fingerprint: .+`},
		"a fingerprint cut short":    {`{` + ok + `,"rejected_fingerprint":"` + fingerprint[:38] + `"}`, `^rejected_fingerprint: .+`},
		"a fingerprint and more":     {`{` + ok + `,"rejected_fingerprint":"` + fingerprint + `0"}`, `^rejected_fingerprint: .+`},
		"an empty fingerprint":       {`{` + ok + `,"rejected_fingerprint":""}`, `^rejected_fingerprint: .+`},
		"several faults":             {`{"connection":"","min_ttl_seconds":-1,"x":0}`, `^connection: [^;]+; min_ttl_seconds: [^;]+; x: [^;]+$`},
	} {
		t.Run(state, func(t *testing.T) {
			a := w.invoke(t, "issue:live", test.payload)
			if test.message == "" {
				wantToken(t, a)
				return
			}
			a.wantFailed(t, "InvalidRequest", test.message)
		})
	}
}

// What is no JSON Lambda itself refuses; what is left for the function to
// refuse comes in an event.
func TestTrailingBytesGetNoToken(t *testing.T) {
	t.Parallel()
	w := start(t)
	name := w.add(t, w.server(t).clientCredentials())
	for _, payload := range []string{`{"connection":"` + name + `"}x`, `{"connection":"` + name + `"}{}`, `{"connection":`} {
		a := w.invoke(t, "issue:live", payload)
		if a.Refused != "InvalidRequestContentException" && a.errorType() != "InvalidRequest" {
			t.Errorf("got %v", a)
		}
	}
}

// reporting is what a caller adds whose token was refused.
func reporting(a answer) fields { return fields{"rejected_fingerprint": a.text("fingerprint")} }

func TestAliasesDecideWhoGetsWhat(t *testing.T) {
	t.Parallel()
	w := start(t)
	s := w.server(t)
	named := w.add(t, s.clientCredentials().with(fields{"aliases": []string{"team-a", "live"}}))
	open := w.add(t, s.clientCredentials())
	for _, test := range []struct {
		function, connection, want string // want: an errorType, empty for a token
	}{
		{"issue", named, "AccessDenied"}, // the first call may make the grant
		{"issue:$LATEST", named, "AccessDenied"},
		{"issue:team-b", named, "AccessDenied"},
		{"issue:team-a", named, ""},
		{"issue:live", named, ""},
		{"issue:team-b", named, "AccessDenied"}, // though the token is in memory by now
		{"arn:aws:lambda:us-east-1:123456789012:function:issue:team-b", named, "AccessDenied"},
		{"arn:aws:lambda:us-east-1:123456789012:function:issue:team-a", named, ""},
		{"issue", open, ""},
		{"issue:team-b", open, ""},
	} {
		a := w.invoke(t, test.function, fields{"connection": test.connection})
		if a.errorType() != test.want || (test.want == "") != (a.text("access_token") != "") {
			t.Errorf("%s: got %v, want %q", test.function, a, test.want)
		}
		if strings.Contains(a.Text, `"access_token"`) != (test.want == "") {
			t.Errorf("%s: a token in an error", test.function)
		}
	}
}

// newTokens is a server that gives a new token whenever it is asked, while the
// old one is valid on.
func newTokens(c *reltioauthtest.Config) {
	c.Behaviour.Login, c.Behaviour.Refresh = reltioauthtest.NewToken, reltioauthtest.NewToken
}

// More life than is left is worth a renewal only of a token past half its life,
// and only where an early renewal brings a new one.
func TestMinTTL(t *testing.T) {
	t.Parallel()
	w := start(t)
	s := w.server(t)
	s.Configure(newTokens)
	name := w.add(t, s.clientCredentials())
	first := w.ask(t, name)
	wantToken(t, first)
	for _, test := range []struct {
		seconds int
		met     bool
	}{{0, true}, {300, true}, {3000, true}, {3601, false}, {86400, false}} {
		a := w.ask(t, name, fields{"min_ttl_seconds": test.seconds})
		wantToken(t, a)
		if a.Body["min_ttl_met"] != test.met || a.Body["version"] != 1.0 || a.text("outcome") != "cached" {
			t.Errorf("%d s: got %v, want the young token and min_ttl_met %v", test.seconds, a, test.met)
		}
	}
	if got := s.TokenRequests(time.Time{}, time.Time{}); got != 1 {
		t.Errorf("%d token requests, want 1", got)
	}
	// Past half its life, in mode overlap: the table says so, as if time had passed.
	w.set(t, "grant#"+name, "issued_at", ms(time.Now().Add(-50*time.Minute)))
	w.set(t, "grant#"+name, "expires_at", ms(time.Now().Add(25*time.Minute)))
	w.set(t, "grant#"+name, "login_mode", "overlap")
	w.Host.Recycle("issue")
	w.Host.Recycle("rotate")
	a := w.ask(t, name, fields{"min_ttl_seconds": 1200})
	if a.Body["version"] != 1.0 {
		t.Errorf("enough was left: %v", a)
	}
	a = w.ask(t, name, fields{"min_ttl_seconds": 1800})
	wantToken(t, a)
	if a.text("outcome") != "renewed" || a.Body["min_ttl_met"] != true || a.Body["version"] != 2.0 {
		t.Errorf("past half its life: got %v", a)
	}
}

// While the token is valid, nothing that fails is seen but as a warning.
func TestAValidTokenHidesEveryFailure(t *testing.T) {
	t.Parallel()
	w := start(t)
	s := w.server(t)
	name := w.add(t, s.clientCredentials())
	first := w.ask(t, name)
	wantToken(t, first)
	s.Outage(reltioauthtest.Outage{Fault: reltioauthtest.Fault{Kind: reltioauthtest.FaultStatus}})
	forced := w.rotate(t, fields{"connection": name, "force": true})
	if forced.text("outcome") != "failed" {
		t.Fatalf("rotate: %v", forced)
	}
	w.Host.Recycle("issue")
	a := w.ask(t, name)
	wantToken(t, a)
	if a.text("access_token") != first.text("access_token") {
		t.Error("another token")
	}
	if diff := cmp.Diff([]any{"renewal_failing"}, a.Body["warnings"]); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

// Callers that find no token at the same time cause one request.
func TestCallersAtTheSameTime(t *testing.T) {
	t.Parallel()
	w := start(t)
	s := w.server(t)
	name := w.add(t, s.password("ann"))
	var mu sync.Mutex
	tokens := map[string]int{}
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			a, err := w.call(t.Context(), "issue:live", `{"connection":"`+name+`"}`)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			tokens[a.text("access_token")]++
		})
	}
	all.Wait()
	if len(tokens) != 1 || tokens[""] > 0 {
		t.Errorf("%d different tokens, %d callers without", len(tokens), tokens[""])
	}
	if got := s.TokenRequests(time.Time{}, time.Time{}); got != 1 {
		t.Errorf("%d token requests, want 1", got)
	}
}
