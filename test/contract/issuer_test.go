package contract_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/extension"
	"github.com/reltio-tokens/reltio-tokens/internal/local"
	"github.com/reltio-tokens/reltio-tokens/internal/telemetry"
	"github.com/reltio-tokens/reltio-tokens/internal/testkit/localtest"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// The protocols in which issuers take the contract's requests.
const (
	invokeAPI     = "Lambda's Invoke API"
	extensionHTTP = "the extension's HTTP"
)

// session proves a caller to the extension.
const session = "a-session-token"

// issuer is a program that issues tokens over the contract of issue.
type issuer struct {
	name, protocol, url string
	// revoke ends a connection's token, of which the issuer is not told.
	revoke func(t *testing.T, connection string, token reltioauth.Secret)
}

// issuers are all of them, each of which has issued nothing yet.
func issuers(t *testing.T) []issuer {
	t.Helper()
	function, behind := localtest.Start(t, local.Config{}), localtest.Start(t, local.Config{})
	standIn, standInBehind := issueServer(), issueServer()
	return []issuer{
		{"issue", invokeAPI, function.LambdaURL, revokeAt(function)},
		{"IssueServer", invokeAPI, serve(t, standIn), killAt(standIn)},
		{"extension before issue", extensionHTTP, serve(t, extensionBefore(behind.LambdaURL)), revokeAt(behind)},
		{"extension before IssueServer", extensionHTTP, serve(t, extensionBefore(serve(t, standInBehind))), killAt(standInBehind)},
	}
}

// issueServer has the connections of the local stack.
func issueServer() *reltioauthtest.IssueServer {
	s := &reltioauthtest.IssueServer{Connections: local.Connections()}
	s.Fail(person, string(issueapi.ReauthorizationRequired), personNeeded)
	return s
}

func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

// extensionBefore is the server of the extension, which invokes issue at the address.
func extensionBefore(lambdaURL string) *extension.Server {
	log := telemetry.New(io.Discard, slog.LevelError, time.Now)
	return &extension.Server{
		Tokens:  &extension.Sources{Lambda: localtest.Client(lambdaURL), Function: "issue", Log: log, Now: time.Now},
		Session: reltioauth.NewSecret(session), Log: log, Now: time.Now,
	}
}

func revokeAt(stack *local.Stack) func(*testing.T, string, reltioauth.Secret) {
	return func(t *testing.T, _ string, token reltioauth.Secret) { kill(t, stack, token) }
}

func killAt(s *reltioauthtest.IssueServer) func(*testing.T, string, reltioauth.Secret) {
	return func(t *testing.T, connection string, token reltioauth.Secret) {
		if got, want := s.Kill(connection), reltioauth.Fingerprint(token); got != want {
			t.Errorf("killed %q, want %q", got, want)
		}
	}
}

// field is a field of a request, with its value in JSON.
type field struct{ name, value string }

// request puts fields into the issuer's protocol.
func (i issuer) request(t *testing.T, fields []field, payload string) *http.Request {
	t.Helper()
	if i.protocol == extensionHTTP {
		return i.extensionRequest(t, fields)
	}
	if fields != nil {
		payload = object(fields)
	}
	return i.new(t, http.MethodPost, "/2015-03-31/functions/issue/invocations", payload)
}

func object(fields []field) string {
	members := make([]string, len(fields))
	for n, f := range fields {
		members[n] = `"` + f.name + `":` + f.value
	}
	return "{" + strings.Join(members, ",") + "}"
}

// extensionRequest is a query; or a report, if there is a fingerprint to report.
func (i issuer) extensionRequest(t *testing.T, fields []field) *http.Request {
	t.Helper()
	query := url.Values{}
	for n, f := range fields {
		if f.name == issueapi.FieldRejectedFingerprint {
			fields[n].name = issueapi.FieldFingerprint
			return i.new(t, http.MethodPost, "/rejected", object(fields))
		}
		text := f.value
		_ = json.Unmarshal([]byte(f.value), &text) // what is no string stays as it is written
		query.Add(f.name, text)
	}
	return i.new(t, http.MethodGet, "/token?"+query.Encode(), "")
}

func (i issuer) new(t *testing.T, method, path, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, i.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set(extension.SessionHeader, session) // the Invoke API does not read it
	return r
}
