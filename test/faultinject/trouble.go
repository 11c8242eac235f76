package faultinject

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/reltio-tokens/reltio-tokens/test/stack"
)

// Kinds of an outage, other than Answer.
const (
	// Reset resets the connection (RST) in place of the answer.
	Reset Kind = "connection reset"
	// Silent takes the request and never answers.
	Silent Kind = "no answer"
	// KeptReset resets the connections that are kept from earlier requests, before
	// the next request.
	KeptReset Kind = "kept connections reset"
	// KeptForgotten resets a connection that is kept when the next request comes over
	// it: the other side, or what is between, does not know the connection any more.
	KeptForgotten Kind = "kept connections reset at their next use"
	// KeptSilent answers nothing on connections that are kept; new ones work.
	KeptSilent Kind = "kept connections silent"
)

// trouble is what one kind of operation meets until it is over.
type trouble struct {
	function string
	service  stack.Service
	name     string
	Fault
	// after: the other side acts, and its answer is lost.
	after bool
	// once: the next request alone. Else it lasts so long from the first one; 0:
	// until it is taken away.
	once  bool
	lasts time.Duration

	// mu guards what follows.
	mu    sync.Mutex
	began time.Time
	ended bool
	// set is when the connections that are kept must be older than.
	set time.Time
	// met are the requests that have met it and were not repeated yet, by the SDK's
	// invocation id; cost is how much later they were repeated, all together.
	met  map[string]time.Time
	cost time.Duration
}

// meets reports whether a request meets the trouble.
func (t *trouble) meets(function string, service stack.Service, name string, opened, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended || t.function != function || t.service != service || t.name != name && t.name != "" {
		return false
	}
	if (t.Kind == KeptSilent || t.Kind == KeptForgotten) && !opened.Before(t.set) {
		return false
	}
	if t.began.IsZero() {
		t.began = now
	}
	t.ended = t.once || t.lasts > 0 && now.Sub(t.began) > t.lasts
	return t.once || !t.ended
}

// meet notes that a request has met the trouble.
func (t *trouble) meet(id string, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.met == nil {
		t.met = map[string]time.Time{}
	}
	t.met[id] = now
}

// repeated notes that a request that had met the trouble comes again.
func (t *trouble) repeated(id string, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if at, ok := t.met[id]; ok {
		t.cost += now.Sub(at)
		delete(t.met, id)
	}
}

// costs is how much time the requests that met the trouble have lost.
func (t *trouble) costs() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.cost
}

// struck reports whether a request has met it; left is how long it lasts still.
func (t *trouble) struck() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return !t.began.IsZero()
}

func (t *trouble) left(now time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.began.IsZero() || t.lasts == 0 {
		return 0
	}
	return t.began.Add(t.lasts).Sub(now)
}

// trouble lets troubles strike from now on, in place of those before.
func (w *wire) trouble(all ...*trouble) {
	now := w.now()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.troubles = all
	for _, t := range all {
		t.set = now
		if t.Kind == KeptReset {
			w.kept.reset(t.function, t.service)
			t.began, t.ended = now, true
		}
	}
}

// troubled is the trouble that a request meets; nil: none.
func (w *wire) troubled(function string, service stack.Service, name string, r *http.Request) *trouble {
	w.mu.Lock()
	all := w.troubles
	w.mu.Unlock()
	opened, _ := r.Context().Value(openedKey{}).(time.Time)
	id, now := r.Header.Get("Amz-Sdk-Invocation-Id"), w.now()
	for _, t := range all {
		t.repeated(id, now)
		if t.meets(function, service, name, opened, now) {
			t.meet(id, now)
			return t
		}
	}
	return nil
}

// answer does what the trouble does to a request.
func (t *trouble) answer(w *wire, rw http.ResponseWriter, r *http.Request, send func() *reply) {
	if t.after {
		send()
	}
	switch t.Kind {
	case Reset, KeptForgotten:
		reset(rw)
	case Silent, KeptSilent:
		select {
		case <-r.Context().Done():
		case <-w.closed:
		}
		reset(rw)
	default:
		header, body := t.Fault.answer(t.service)
		(&reply{status: t.Status, header: header, body: []byte(body)}).write(rw)
	}
}

// reset ends a request's connection with a RST.
func reset(rw http.ResponseWriter) {
	h, ok := rw.(http.Hijacker)
	if !ok {
		return
	}
	if conn, _, err := h.Hijack(); err == nil {
		drop(conn)
	}
}

func drop(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // else it is a FIN
	}
	_ = conn.Close()
}

// openedKey is the context's key of the moment at which a connection was opened.
type openedKey struct{}

func (w *wire) opened(ctx context.Context, _ net.Conn) context.Context {
	return context.WithValue(ctx, openedKey{}, w.now())
}

// kept are the connections on which nothing is under way, by who has them.
type kept struct {
	mu   sync.Mutex
	idle map[owner]map[net.Conn]bool
}

type owner struct {
	function string
	service  stack.Service
}

// follow is a server's ConnState.
func (k *kept) follow(function string, service stack.Service) func(net.Conn, http.ConnState) {
	o := owner{function, service}
	return func(conn net.Conn, state http.ConnState) {
		k.mu.Lock()
		defer k.mu.Unlock()
		if state != http.StateIdle {
			delete(k.idle[o], conn)
			return
		}
		if k.idle == nil {
			k.idle = map[owner]map[net.Conn]bool{}
		}
		if k.idle[o] == nil {
			k.idle[o] = map[net.Conn]bool{}
		}
		k.idle[o][conn] = true
	}
}

func (k *kept) reset(function string, service stack.Service) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for conn := range k.idle[owner{function, service}] {
		drop(conn)
	}
}
