package faultinject

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/reltio-tokens/reltio-tokens/test/lambdahost"
	"github.com/reltio-tokens/reltio-tokens/test/stack"
)

// wire stands between the functions of one stack and everything they call. It
// numbers the operations of one invocation, and lets one fault strike.
type wire struct {
	now       func() time.Time
	transport http.RoundTripper
	// table keeps its connections, which are many.
	table   *http.Transport
	closed  chan struct{}
	servers []*http.Server
	// host runs the functions; it is there before the first request.
	host *lambdahost.Host
	// reltio is the proxy in Reltio's place, as connections name it.
	reltio string
	// err is the first server that did not start.
	err error

	// mu guards what follows.
	mu sync.Mutex
	// function is the one whose operations count; empty: no function's.
	function string
	seen     map[string]int
	// sent are the operations by the SDK's invocation id: an attempt that is
	// repeated is the same operation.
	sent map[string]Operation
	list []Operation
	plan *plan
	down map[stack.Service]bool
	// troubles strike until they are over, whatever the plan.
	troubles []*trouble
	kept     kept
	// renewals that issue has asked for since count, by the SDK's invocation id.
	renewals map[string]bool
	// events were taken by EventBridge, told are those of each connection.
	events int
	told   map[string]int
	// secrets have come by; nothing that is written may hold one.
	secrets map[string]bool
}

// plan is a fault that is to strike, once.
type plan struct {
	Operation
	Fault
	// struck is closed when it strikes, thaw when a stopped process may go on.
	struck, thaw chan struct{}
	began        bool
}

func newWire(now func() time.Time) *wire {
	return &wire{
		now:       now,
		transport: &http.Transport{DisableKeepAlives: true},
		table:     &http.Transport{MaxIdleConnsPerHost: 16, IdleConnTimeout: time.Minute},
		closed:    make(chan struct{}), secrets: map[string]bool{}, renewals: map[string]bool{},
		told: map[string]int{},
	}
}

// via is a stack's Config.Via.
func (w *wire) via(function string, service stack.Service, upstream string) string {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		w.err = err
		return upstream
	}
	if service == stack.Reltio {
		w.reltio = l.Addr().String()
		l = &listener{Listener: l, wire: w}
	}
	server := &http.Server{
		Handler: w.proxy(function, service, upstream), ReadHeaderTimeout: time.Minute,
		ConnContext: w.opened, ConnState: w.kept.follow(function, service),
	}
	w.servers = append(w.servers, server)
	go func() { _ = server.Serve(l) }() // until close
	return "http://" + l.Addr().String()
}

func (w *wire) close() {
	close(w.closed)
	defer w.table.CloseIdleConnections()
	for _, s := range w.servers {
		_ = s.Close() // what is under way is of no interest any more
	}
}

// count begins to number the operations of a function; p, if not nil, strikes.
func (w *wire) count(function string, p *plan) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.function, w.plan, w.list = function, p, nil
	w.seen, w.sent, w.down = map[string]int{}, map[string]Operation{}, map[stack.Service]bool{}
	w.renewals = map[string]bool{}
}

// calm lets everything through again, and returns what was counted.
func (w *wire) calm() []Operation {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.function, w.plan, w.down = "", nil, nil
	return w.list
}

// asked is how many renewals issue has asked for since count.
func (w *wire) asked() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.renewals)
}

// arrive numbers an operation and returns the plan that strikes it, with the
// fault; nil: none does.
func (w *wire) arrive(function string, service stack.Service, name, id string) (*plan, Fault) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if name == invocation {
		w.renewals[id] = true
	}
	ours := function == w.function || service == stack.Reltio && w.function != issue // Reltio's proxy is for all
	if w.function == "" || !ours {
		return nil, Fault{}
	}
	p := w.plan
	if op, again := w.sent[id]; again && id != "" {
		return w.arriveAgain(service, op)
	}
	w.seen[name]++
	op := Operation{Service: service, Name: name, Nth: w.seen[name]}
	w.sent[id], w.list = op, append(w.list, op)
	switch {
	case p == nil:
		return nil, Fault{}
	case !p.began && op == p.Operation:
		return p, w.begin(p)
	case w.down[service]:
		return p, down()
	}
	return nil, Fault{}
}

// arriveAgain is arrive for an SDK's further attempt; mu is held.
func (w *wire) arriveAgain(service stack.Service, op Operation) (*plan, Fault) {
	p := w.plan
	switch {
	case p != nil && p.began && op == p.Operation && p.lasts():
		return p, p.Fault
	case w.down[service]:
		return p, down()
	}
	return nil, Fault{}
}

// begin lets the plan strike. Of a process that is killed or stopped nothing more is
// counted: what follows is its successor's.
func (w *wire) begin(p *plan) Fault {
	p.began = true
	close(p.struck)
	if p.Kind == Down {
		w.down[p.Service] = true
		return down()
	}
	return p.Fault
}

// proxy passes requests on.
func (w *wire) proxy(function string, service stack.Service, upstream string) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // its sender is gone
		}
		w.overhear(service, r, body)
		name := nameOf(service, r, body)
		p, f := w.arrive(function, service, name, r.Header.Get("Amz-Sdk-Invocation-Id"))
		send := func() *reply { return w.send(service, r, upstream, body) }
		if t := w.troubled(function, service, name, r); t != nil {
			t.answer(w, rw, r, send)
			return
		}
		if p == nil {
			send().write(rw)
			return
		}
		w.strike(rw, p, f, service, send)
	})
}

// strike does what is to be done in an operation's place.
func (w *wire) strike(rw http.ResponseWriter, p *plan, f Fault, service stack.Service, send func() *reply) {
	switch f.Kind {
	case KillBefore:
		w.kill()
	case KillAfter:
		send()
		w.kill()
	case FreezeBefore:
		w.freeze(p)()
		send().write(rw)
		return
	case FreezeAfter:
		answer := send()
		w.freeze(p)()
		answer.write(rw)
		return
	case Cut, CutOnce:
		send()
	case Slow, Late, Later, TooLate:
		answer := send()
		w.wait(f.late())
		answer.write(rw)
		return
	default:
		header, body := f.answer(service)
		(&reply{status: f.Status, header: header, body: []byte(body)}).write(rw)
		return
	}
	(*reply)(nil).write(rw)
}

func (w *wire) wait(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-w.closed:
	}
}

// victim is the environment whose operations count; it is the one that is busy.
// From now on nothing counts.
func (w *wire) victim() *lambdahost.Environment {
	w.mu.Lock()
	function := w.function
	w.function = ""
	w.mu.Unlock()
	for _, e := range w.host.Environments(function) {
		if e.Busy() {
			return e
		}
	}
	return nil
}

func (w *wire) kill() {
	if e := w.victim(); e != nil {
		e.Kill()
	}
}

// freeze stops the process, and returns what waits for the plan's thaw and lets
// it go on.
func (w *wire) freeze(p *plan) (wait func()) {
	e := w.victim()
	if e == nil {
		return func() {}
	}
	e.Freeze()
	return func() {
		select {
		case <-p.thaw:
		case <-w.closed:
		}
		e.Thaw()
	}
}

// reply is what the other side has answered; nil: nothing.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// send asks the service, whether or not the caller still waits for the response.
func (w *wire) send(service stack.Service, r *http.Request, upstream string, body []byte) *reply {
	ctx := context.WithoutCancel(r.Context())
	out, err := http.NewRequestWithContext(ctx, r.Method, upstream+r.URL.RequestURI(), bytes.NewReader(body)) //nolint:gosec // upstream is the stack's
	if err != nil {
		return nil
	}
	out.Header = r.Header.Clone()
	transport := w.transport
	if service == stack.DynamoDB {
		transport = w.table
	}
	response, err := transport.RoundTrip(out)
	if err != nil {
		return nil
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return nil
	}
	w.heard(service, response.StatusCode, answer)
	if service == stack.EventBridge && response.StatusCode == http.StatusOK {
		w.hear(body)
	}
	return &reply{status: response.StatusCode, header: response.Header, body: answer}
}

// write answers; without an answer it hangs up.
func (a *reply) write(rw http.ResponseWriter) {
	if a == nil {
		if h, ok := rw.(http.Hijacker); ok {
			if conn, _, err := h.Hijack(); err == nil {
				_ = conn.Close()
			}
		}
		return
	}
	header := rw.Header()
	for name, values := range a.header {
		header[name] = values
	}
	rw.WriteHeader(a.status)
	_, _ = rw.Write(a.body) // the caller may be gone
}
