package simulation

import (
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/issue"
)

// The functions of the world as an account of AWS counts them.
const (
	issueFunction  = "issue"
	rotateFunction = "rotate"
)

// The times of Lambda.
const (
	// atLeast is what an invocation takes that finds all in memory, Lambda's own part
	// included.
	atLeast = 5 * time.Millisecond
	// eventAge is when the template gives an event for rotate up, and a tick.
	eventAge = time.Minute
	// throttledWait is how long Lambda waits until it tries a throttled event again;
	// it doubles.
	throttledWait = time.Second
)

// enter takes a place of the account for an invocation; leave gives it back. The
// error is what the caller of a function gets that finds none.
func (w *World) enter(function string) (leave func(), err error) {
	a := w.cfg.Account
	if a == nil {
		return func() {}, nil
	}
	if refused := a.Enter(function); refused != nil {
		return nil, apierr.New(apierr.RateLimited, "retry after 1 s")
	}
	return func() { a.Leave(function) }, nil
}

// queued tries an asynchronous invocation until it finds a place, or is too old.
func (w *World) queued(run func() error) {
	accepted := w.now()
	for wait := throttledWait; ; wait *= 2 {
		if err := run(); err == nil || apierr.Of(err).Type != apierr.RateLimited {
			return
		}
		w.sleep(wait)
		if w.now().Sub(accepted) > eventAge {
			return
		}
	}
}

// Invoke is one invocation of the issue function, in an environment that is idle, or
// in a new one. It is false if Lambda refuses it.
func (w *World) Invoke(name string, r issue.Request) (a issue.Answer, taken bool, err error) {
	leave, refused := w.enter(issueFunction)
	if refused != nil {
		return issue.Answer{}, false, nil
	}
	defer leave()
	w.mu.Lock()
	var e *environment
	if n := len(w.idle); n > 0 {
		e, w.idle = w.idle[n-1], w.idle[:n-1]
	}
	w.mu.Unlock()
	if e == nil {
		e = w.environment()
	}
	w.sleep(atLeast)
	a, err = w.issue(e, w.conns[name], r)
	w.mu.Lock()
	w.idle = append(w.idle, e)
	w.mu.Unlock()
	return a, true, err
}
