package clients

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// behaviour is what the stub does for the connections of the packages' own tests.
// The word before the first dash of a connection says it.
//
//	good-…            a token; the same again when it is reported
//	slow-…            the same after a second
//	dying-…           a token that the API refuses; when it is reported, one that the API takes
//	failing-<type>    a function error
func (s *stub) behaviour(w http.ResponseWriter, payload map[string]any, byExtension bool) {
	connection, _ := payload["connection"].(string)
	kind, rest, _ := strings.Cut(connection, "-")
	s.mu.Lock()
	s.requests[connection] = append(s.requests[connection], payload)
	s.mu.Unlock()
	n := 1
	switch kind {
	case "good":
	case "slow":
		time.Sleep(time.Second) // real programs wait for it
	case "dying":
		if payload["rejected_fingerprint"] != nil {
			n = 2
		}
	case "failing":
		failed := answer{ErrorType: rest, ErrorMessage: "what is wrong"}
		failed.write(w, nil, byExtension, nil)
		return
	default:
		http.Error(w, "no such connection", http.StatusBadRequest)
		return
	}
	text := fmt.Sprintf("token-of-%s-%d", connection, n)
	good := answer{Token: n, ExpiresIn: 3600, Set: map[string]any{
		"access_token": text, "fingerprint": reltioauth.Fingerprint(reltioauth.NewSecret(text)), "api_url": "https://prod.reltio.com/reltio/api/T",
	}}
	good.write(w, nil, byExtension, nil)
}

// api is a tenant's API at the stub: it knows the tokens of behaviour.
func (s *stub) api(w http.ResponseWriter, r *http.Request) {
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	switch {
	case !strings.HasPrefix(token, "token-of-"):
		w.WriteHeader(http.StatusForbidden)
	case r.URL.Path == "/api/reset":
		hangUp(w)
	case r.URL.Path == "/api/redirect":
		http.Redirect(w, r, s.other, http.StatusFound)
	case r.URL.Path == "/api/refused", strings.HasPrefix(token, "token-of-dying-") && strings.HasSuffix(token, "-1"):
		w.WriteHeader(http.StatusUnauthorized)
	default:
		_ = json.NewEncoder(w).Encode(map[string]string{"uri": "entities"})
	}
}

// elsewhere is another host, which must get no token: its answer is 204 then.
func elsewhere(t testing.TB) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(server.Close)
	return server.URL
}
