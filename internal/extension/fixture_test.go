package extension_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/extension"
	"github.com/reltio-tokens/reltio-tokens/internal/telemetry"
	"github.com/reltio-tokens/reltio-tokens/internal/testkit/logtest"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueapi"
)

// The canaries: none may be in a log line, the session in no answer either.
const (
	session = "kanari-session"
	token   = "kanari-token"
)

const print1 = "sha256:0123456789abcdef0123456789abcdef"

var now = time.Date(2026, 11, 23, 16, 0, 0, 0, time.UTC)

// answer is the fake source's response for acme-prod.
func answer() issueapi.Response {
	return issueapi.Response{
		Connection: "acme-prod", AccessToken: token, TokenType: "bearer", Scope: "a b",
		ExpiresIn: 52 * 60, ExpiresAt: now.Add(52 * time.Minute).Format(time.RFC3339), Fingerprint: print1, Version: 41,
		Outcome: "cached", MinTTLMet: true, Warnings: []issueapi.Warning{issueapi.RenewalFailing},
		APIURL: "https://api.example", TenantID: "t1",
	}
}

// asked is one call of a source.
type asked struct {
	Connection  string
	MinTTL      time.Duration
	Fingerprint string
}

// source gives the set response, and records the calls.
type source struct {
	answer func(context.Context, asked) (issueapi.Response, error)

	mu    sync.Mutex // guards calls
	calls []asked
}

func (v *source) call(ctx context.Context, a asked) (issueapi.Response, error) {
	v.mu.Lock()
	v.calls = append(v.calls, a)
	v.mu.Unlock()
	if v.answer == nil {
		return answer(), nil
	}
	return v.answer(ctx, a)
}

// Token implements extension.TokenSource.
func (v *source) Token(ctx context.Context, connection string, minTTL time.Duration) (issueapi.Response, error) {
	return v.call(ctx, asked{Connection: connection, MinTTL: minTTL})
}

// Rejected implements extension.TokenSource.
func (v *source) Rejected(ctx context.Context, connection, fingerprint string) (issueapi.Response, error) {
	return v.call(ctx, asked{Connection: connection, Fingerprint: fingerprint})
}

// world is a server with its source and its log.
type world struct {
	source *source
	server *extension.Server
	log    *logtest.Buffer
}

func newWorld() *world {
	w := &world{source: &source{}, log: &logtest.Buffer{}}
	w.server = &extension.Server{
		Tokens: w.source, Session: reltioauth.NewSecret(session),
		Log: telemetry.New(w.log, slog.LevelDebug, func() time.Time { return now }),
		Now: func() time.Time { return now },
	}
	return w
}

// ask sends a request with the session, unless it is changed.
func (w *world) ask(method, target, body string, change ...func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Host = "localhost:2775"
	r.Header.Set(extension.SessionHeader, session)
	for _, c := range change {
		c(r)
	}
	recorder := httptest.NewRecorder()
	w.server.ServeHTTP(recorder, r)
	return recorder
}

// problem is the errorType and errorMessage of a body.
func problem(t *testing.T, body *bytes.Buffer) (kind, message string) {
	t.Helper()
	var e map[string]string
	if err := json.Unmarshal(body.Bytes(), &e); err != nil || len(e) != 2 {
		t.Fatalf("body %s: %v", body, err)
	}
	return e["errorType"], e["errorMessage"]
}
