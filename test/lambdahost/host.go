package lambdahost

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/invokeapi"
)

// Host is a running service. It is safe for concurrent use.
type Host struct {
	config  Config
	starter *starter
	url     string
	account *Account
	// closed is closed when Close begins: whatever waits ends.
	closed chan struct{}
	// serving is what Close waits for: the server, invocations, events.
	serving sync.WaitGroup

	// mu guards what follows.
	mu        sync.Mutex
	functions map[string]*function
	former    []*function // replaced, with environments that may be busy yet
	servers   []*http.Server
	// events are asynchronous invocations that are not done with; drained is
	// closed when there are none, and nil while no call waits for that.
	events  int
	drained chan struct{}
	closing bool

	// ending is for Close alone; ended is what came of it.
	ending sync.Once
	ended  error
}

// Start starts the Invoke API.
func Start(ctx context.Context, c Config) (*Host, error) {
	if c.Now == nil {
		return nil, errNoClock
	}
	c.Region, c.Account = cmp.Or(c.Region, "us-east-1"), cmp.Or(c.Account, "123456789012")
	c.Concurrency = cmp.Or(c.Concurrency, defaultConcurrency)
	listener, err := listen(ctx, cmp.Or(c.Address, "127.0.0.1:0"))
	if err != nil {
		return nil, err
	}
	h := &Host{
		config: c, starter: newStarter(), url: "http://" + listener.Addr().String(),
		account: NewAccount(c.Concurrency),
		closed:  make(chan struct{}), functions: map[string]*function{},
	}
	if err := h.serveOn(listener, invokeapi.Handler(h, "only the Invoke API is here: POST /2015-03-31/functions/NAME/invocations", nil)); err != nil {
		return nil, err
	}
	return h, nil
}

// serveOn serves until Close.
func (h *Host) serveOn(listener net.Listener, handler http.Handler) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closing {
		return errClosing
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	h.servers = append(h.servers, server)
	h.serving.Go(func() { _ = server.Serve(listener) })
	return nil
}

// listen opens a port, on loopback and nowhere else.
func listen(ctx context.Context, address string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("lambdahost: %w", err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("lambdahost: %s is not on loopback: anybody could run programs here", address)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("lambdahost: %w", err)
	}
	return listener, nil
}

// URL is where the Invoke API is.
func (h *Host) URL() string { return h.url }

// Deploy adds a function, or takes the place of the one of that name, whose
// environments are recycled, after their invocations. Nothing is started. A host
// that is being closed takes none, nor does one whose Concurrency the reserves exceed:
// the error is an *Error.
func (h *Host) Deploy(f Function) error {
	if err := f.check(); err != nil {
		return err
	}
	added := &function{
		Function: f.withDefaults(), host: h,
		busy: map[*Environment]bool{}, retiring: map[*Environment]bool{},
	}
	if err := added.prepare(); err != nil {
		return err
	}
	former, err := h.add(added)
	if err != nil {
		return err
	}
	if former != nil {
		former.replace()
	}
	return nil
}

// add makes a function the one of its name, and returns the one that it was.
func (h *Host) add(f *function) (former *function, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closing {
		return nil, errClosing
	}
	h.former = slices.DeleteFunc(h.former, (*function).isOver)
	if err := h.account.Reserve(f.Name, f.Concurrency); err != nil {
		return nil, err
	}
	if former = h.functions[f.Name]; former != nil {
		f.starts = former.startCount()
		h.former = append(h.former, former)
	}
	h.functions[f.Name] = f
	return former, nil
}

// ARN is a function's, without a qualifier.
func (h *Host) ARN(name string) string {
	return "arn:aws:lambda:" + h.config.Region + ":" + h.config.Account + ":function:" + name
}

func (h *Host) function(name string) *function {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.functions[name]
}

func (h *Host) now() time.Time { return h.config.Now() }

func (h *Host) isClosing() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.closing
}

// enter lets an invocation of a function in, or says why not; leave is its end.
func (h *Host) enter(f *function) *Error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closing {
		return errClosing
	}
	if refused := h.account.Enter(f.Name); refused != nil {
		return refused
	}
	f.admit()
	if h.functions[f.Name] != f && !slices.Contains(h.former, f) {
		h.former = append(h.former, f) // it was found before another one took its place
	}
	h.serving.Add(1) // Close waits later
	return nil
}

// Close ends everything: what is idle in an orderly way, what is busy at once.
// Events that wait are dropped. It returns when no process is left; a second
// caller waits for that too.
func (h *Host) Close() error {
	h.ending.Do(func() { h.ended = h.close() })
	return h.ended
}

func (h *Host) close() error {
	h.mu.Lock()
	h.closing = true
	servers := h.servers // closing: none is added any more, and no function
	all := slices.AppendSeq(slices.Clone(h.former), maps.Values(h.functions))
	h.mu.Unlock()
	close(h.closed)
	var err error
	for _, s := range servers {
		err = errors.Join(err, s.Close())
	}
	served := make(chan struct{})
	go func() {
		h.serving.Wait()
		close(served)
	}()
	// An environment that was about to start a process starts it now.
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for ended := false; !ended; {
		for _, f := range all {
			f.close()
		}
		select {
		case <-served:
			ended = true
		case <-again.C:
		}
	}
	for _, f := range all {
		f.close()
	}
	h.starter.stop()
	if err != nil {
		return fmt.Errorf("lambdahost: %w", err)
	}
	return nil
}
