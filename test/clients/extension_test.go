package clients

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/extension"
	"github.com/reltio-tokens/reltio-tokens/internal/telemetry"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueapi"
)

// words are the error types of the contract that the extension says in other
// words, which are its own contract.
var words = map[string]string{
	"InvalidAnswer":     "Internal",
	"TenantSuspended":   "Internal",
	"Runtime.ExitError": "StoreUnavailable",
	"Sandbox.Timedout":  "StoreUnavailable",
	"Extension.Crash":   "StoreUnavailable",
}

// runExtension runs a case with the extension's server, in a bubble.
func runExtension(t *testing.T, s *scenario, n int, on *stub) (all []did) {
	synctest.Test(t, func(t *testing.T) {
		began, ahead := time.Now(), time.Duration(0)
		now := func() time.Time { return time.Now().Add(ahead) }
		log := telemetry.New(io.Discard, slog.LevelError, now)
		tokens := &extension.Sources{Lambda: lambdaOf(on), Function: "issue", Log: log, Now: now}
		if v := s.Options.MaxRetryWait; v != nil {
			tokens.RetryFor = seconds(*v)
		}
		limit := time.Hour // the server has its own
		if v := s.Options.Timeout; v != nil {
			tokens.RetryFor, limit = seconds(*v), seconds(*v)
		}
		server := &extension.Server{Tokens: tokens, Session: reltioauth.NewSecret(sessionToken), Log: log, Now: now}
		for _, c := range s.Calls {
			if c.At != nil {
				ahead = seconds(*c.At) - time.Since(began)
			}
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			d := callExtension(ctx, server, c, n)
			cancel()
			d.Invocations = len(on.asked(connectionOf(n)))
			all = append(all, d)
		}
	})
	return all
}

// callExtension sends one request.
func callExtension(ctx context.Context, server http.Handler, c call, n int) did {
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/token?"+url.Values{
		"connection": {connectionOf(n)}, "min_ttl_seconds": {strconv.Itoa(c.MinTTL)},
	}.Encode(), http.NoBody)
	if c.Rejected != nil {
		body := fmt.Sprintf(`{"connection":%q,"fingerprint":%q}`, connectionOf(n), fingerprint(c.Rejected))
		r = httptest.NewRequestWithContext(ctx, http.MethodPost, "/rejected", strings.NewReader(body))
	}
	r.Host = "localhost"
	r.Header.Set(extension.SessionHeader, sessionToken)
	began, w := time.Now(), httptest.NewRecorder()
	server.ServeHTTP(w, r)
	d := did{Waited: time.Since(began).Seconds()}
	d.Took = d.Waited
	if w.Code != http.StatusOK {
		var e issueapi.Error
		if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil {
			d.Got = err.Error()
			return d
		}
		d.Got, d.Message = string(e.Type), e.Message
		return d
	}
	var token map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &token); err != nil {
		d.Got = err.Error()
		return d
	}
	d.Got = "token " + strings.TrimPrefix(fmt.Sprint(token["access_token"]), "token-")
	d.Fields = token
	delete(token, "access_token")
	return d
}

// forExtension is the case as the extension has it, and how that differs: its
// errors have issue's types, and a response has whole seconds.
func (s scenario) forExtension() (scenario, string) {
	note := ""
	calls := slices.Clone(s.Calls)
	for i := range calls {
		if own, differs := s.Extension.Calls[strconv.Itoa(i)]; differs {
			calls[i], note = own, s.Extension.Why
		}
		word := words[calls[i].Want]
		if calls[i].Want == "InvalidRequest" && s.Answers[0].Status != 0 {
			word = "Internal"
		}
		if word != "" {
			calls[i].Want, calls[i].Message, note = word, nil, "✓, as "+word
		}
	}
	s.Calls = calls
	return s, note
}
