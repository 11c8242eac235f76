package clients

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// sessionToken is that of the clients' environment.
const sessionToken = "canary-session-token"

// answer is one answer of the stub: exactly one of its kinds.
type answer struct {
	// Token is the number of the token in an answer of issue, in which Set changes
	// and Drop removes keys. Pad makes the answer so many bytes longer.
	Token     int
	ExpiresIn int `json:"expires_in"`
	Set       map[string]any
	Drop      []string
	Pad       int
	// Raw is an answer as it is.
	Raw *string
	// ErrorType and ErrorMessage are a function error; FunctionError is one as it is.
	ErrorType, ErrorMessage string
	FunctionError           *string `json:"function_error"`
	// Status is Lambda's own error.
	Status  int
	Type    string
	Headers map[string]string
	// Reset closes the connection, Silence says nothing, Half says the first half of
	// an answer.
	Reset, Silence, Half bool
	// Takes is how many seconds pass by the client's clock. The runners let them pass.
	Takes float64
}

// stub is Lambda's Invoke API, and the address of the extension: it answers as the
// cases say. It knows the case by the connection that is asked for.
type stub struct {
	cases []scenario
	other string        // the address of another host
	done  chan struct{} // closed when the stub ends, for those that it leaves in silence

	mu       sync.Mutex // guards requests
	requests map[string][]map[string]any
}

func newStub(cases []scenario) *stub {
	return &stub{cases: cases, done: make(chan struct{}), requests: map[string][]map[string]any{}}
}

// serve starts a stub until the test ends.
func (s *stub) serve(t testing.TB) *httptest.Server {
	t.Helper()
	s.other = elsewhere(t)
	server := httptest.NewServer(s)
	t.Cleanup(func() {
		close(s.done)
		server.CloseClientConnections()
		server.Close()
	})
	return server
}

// asked are the requests for a connection.
func (s *stub) asked(connection string) []map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests[connection]
}

func (s *stub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var payload map[string]any
	var err error
	byExtension := true
	switch path := r.URL.Path; {
	case path == "/count":
		_, _ = fmt.Fprint(w, len(s.asked(r.URL.Query().Get("connection"))))
		return
	case strings.HasPrefix(path, "/api/"):
		s.api(w, r)
		return
	case path == "/token", path == "/rejected":
		if r.Header.Get("X-Reltio-Tokens-Session") != sessionToken {
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, `{"errorType":"AccessDenied","errorMessage":"no session token"}`)
			return
		}
		payload, err = extensionRequest(r)
	default:
		byExtension = false
		err = json.NewDecoder(r.Body).Decode(&payload)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	a, known := s.next(payload)
	if !known {
		s.behaviour(w, payload, byExtension)
		return
	}
	a.write(w, r, byExtension, s.done)
}

// extensionRequest is a request to the extension in the words of issue.
func extensionRequest(r *http.Request) (map[string]any, error) {
	if r.Method == http.MethodGet {
		payload := map[string]any{"connection": r.URL.Query().Get("connection")}
		if text := r.URL.Query().Get("min_ttl_seconds"); text != "" && text != "0" {
			seconds, err := strconv.ParseFloat(text, 64)
			if err != nil {
				return nil, err
			}
			payload["min_ttl_seconds"] = seconds
		}
		return payload, nil
	}
	var body struct{ Connection, Fingerprint string }
	err := json.NewDecoder(r.Body).Decode(&body)
	return map[string]any{"connection": body.Connection, "rejected_fingerprint": body.Fingerprint}, err
}

// next remembers a request and finds its answer; the last answer of a case stays.
func (s *stub) next(payload map[string]any) (answer, bool) {
	connection, _ := payload["connection"].(string)
	number, isCase := strings.CutPrefix(connection, "case-")
	n, err := strconv.Atoi(number)
	if !isCase || err != nil || n < 0 || n >= len(s.cases) {
		return answer{}, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests[connection] = append(s.requests[connection], payload)
	answers := s.cases[n].Answers
	return answers[min(len(s.requests[connection]), len(answers))-1], true
}

func (a *answer) write(w http.ResponseWriter, r *http.Request, byExtension bool, done <-chan struct{}) {
	switch {
	case a.Reset:
		hangUp(w)
	case a.Silence:
		_, _ = io.Copy(io.Discard, r.Body)
		waitFor(r, done)
	case a.Half:
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, `{"access_token":"canary-`)
		_ = http.NewResponseController(w).Flush()
		waitFor(r, done)
	case a.Status != 0:
		for name, value := range a.Headers {
			w.Header().Set(name, value)
		}
		if a.Type != "" {
			w.Header().Set("X-Amzn-Errortype", a.Type)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(a.Status)
		_, _ = io.WriteString(w, `{"Message":"what Lambda says","message":"what Lambda says"}`)
	default:
		payload, failed := a.payload()
		switch {
		case failed && byExtension:
			w.WriteHeader(http.StatusInternalServerError)
		case failed:
			w.Header().Set("X-Amz-Function-Error", "Unhandled")
		}
		_, _ = w.Write(payload)
	}
}

// payload is what the function answers, and whether that is a function error.
func (a *answer) payload() (payload []byte, failed bool) {
	switch {
	case a.Raw != nil:
		return []byte(*a.Raw), false
	case a.FunctionError != nil:
		return []byte(*a.FunctionError), true
	case a.ErrorType != "":
		payload, _ = json.Marshal(map[string]string{"errorType": a.ErrorType, "errorMessage": a.ErrorMessage})
		return payload, true
	}
	members := map[string]any{
		"connection": "acme", "access_token": fmt.Sprintf("token-%d", a.Token), "token_type": "bearer", "scope": "a",
		"expires_in": a.ExpiresIn, "expires_at": "2026-11-23T17:00:00Z", "fingerprint": fingerprint(a.Token), "version": a.Token,
		"outcome": "cached", "min_ttl_met": true, "warnings": []string{}, "api_url": "", "tenant_id": "",
	}
	maps.Copy(members, a.Set)
	for _, name := range a.Drop {
		delete(members, name)
	}
	payload, _ = json.Marshal(members) // made of what JSON was read to
	return append(payload, bytes.Repeat([]byte(" "), a.Pad)...), false
}

// hangUp resets the connection.
func hangUp(w http.ResponseWriter) {
	connection, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	if tcp, ok := connection.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = connection.Close()
}

// waitFor waits until the client or the test has ended.
func waitFor(r *http.Request, done <-chan struct{}) {
	select {
	case <-r.Context().Done():
	case <-done:
	}
}
