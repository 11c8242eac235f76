package faultinject

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/reltio-tokens/reltio-tokens/test/stack"
)

// overhear remembers the secrets in a request to Reltio.
func (w *wire) overhear(service stack.Service, r *http.Request, body []byte) {
	if service != stack.Reltio {
		return
	}
	_, secret, _ := r.BasicAuth()
	w.keep(secret)
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return
	}
	for _, name := range []string{"code", "password", "client_secret", "refresh_token", "token", "code_verifier"} {
		w.keep(form.Get(name))
	}
}

// heard remembers the secrets in an answer, and counts events.
func (w *wire) heard(service stack.Service, status int, body []byte) {
	switch service {
	case stack.Reltio:
		var token struct {
			Access  string `json:"access_token"`
			Refresh string `json:"refresh_token"`
		}
		if json.Unmarshal(body, &token) == nil {
			w.keep(token.Access)
			w.keep(token.Refresh)
		}
	case stack.EventBridge:
		if status == http.StatusOK {
			w.mu.Lock()
			w.events++
			w.mu.Unlock()
		}
	}
}

// hear counts the connections of the events in a request that was taken.
func (w *wire) hear(body []byte) {
	var in struct{ Entries []struct{ Detail string } }
	if json.Unmarshal(body, &in) != nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range in.Entries {
		var detail struct {
			Connection string `json:"connection"`
		}
		if json.Unmarshal([]byte(e.Detail), &detail) == nil {
			w.told[detail.Connection]++
		}
	}
}

// toldOf is how many events of a connection were taken.
func (w *wire) toldOf(connection string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.told[connection]
}

// published is how many events were taken.
func (w *wire) published() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.events
}

// keep remembers a secret.
func (w *wire) keep(secret string) {
	const shortest = 8 // what is shorter stands in any text
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(secret) >= shortest {
		w.secrets[secret] = true
	}
}

// leaked reports whether a text holds a secret that has come by.
func (w *wire) leaked(text string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for secret := range w.secrets {
		if strings.Contains(text, secret) {
			return true
		}
	}
	return false
}
