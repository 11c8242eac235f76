package e2e_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// published stands before EventBridge and keeps the events that it took.
type published struct {
	server *httptest.Server
	mu     sync.Mutex
	events []sent
}

// sent is an event as it was put on the bus.
type sent struct {
	Source       string
	DetailType   string
	Detail       string
	EventBusName string
}

func newPublished(endpoint string) *published {
	p := &published{}
	upstream, err := url.Parse(endpoint)
	if err != nil {
		panic(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(upstream)
	p.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		answered := httptest.NewRecorder()
		proxy.ServeHTTP(answered, r)
		if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".PutEvents") {
			p.keep(body, answered.Body.Bytes())
		}
		for name, values := range answered.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(answered.Code)
		_, _ = w.Write(answered.Body.Bytes())
	}))
	return p
}

// keep remembers what EventBridge has accepted.
func (p *published) keep(request, response []byte) {
	var put struct{ Entries []sent }
	var taken struct{ FailedEntryCount *int }
	if json.Unmarshal(request, &put) != nil || json.Unmarshal(response, &taken) != nil {
		return
	}
	if taken.FailedEntryCount == nil || *taken.FailedEntryCount > 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.events = append(p.events, put.Entries...)
}

// of are the events of a connection, in their order.
func (p *published) of(connection string) []sent {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(p.events), func(e sent) bool {
		return !strings.Contains(e.Detail, `"`+connection+`"`)
	})
}
