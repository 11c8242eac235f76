package lambdahost

import (
	"fmt"
	"slices"
	"sync"
	"syscall"
	"time"
)

// function is a deployed one.
type function struct {
	Function
	host              *Host
	program, root     string
	extensionPrograms []string

	// logLock guards what is written: Function.Log, and the tails.
	logLock sync.Mutex

	// mu guards what follows.
	mu       sync.Mutex
	all      []*Environment // in the order of their start
	idle     []*Environment // the one used last stands last
	busy     map[*Environment]bool
	retiring map[*Environment]bool // busy ones that are to be recycled
	running  int                   // invocations
	starts   int
	replaced bool
}

// admit counts an invocation that the account has let in.
func (f *function) admit() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.running++
}

// serve runs an invocation that was let in.
func (f *function) serve(inv *invocation) {
	defer f.host.serving.Done()
	e, init, failed := f.environment(inv)
	if failed != nil {
		f.fail(inv, failed)
		return
	}
	f.begin(e, inv)
	var told sync.Once
	tell := func() {
		told.Do(func() {
			inv.logTail = f.logTail(inv)
			close(inv.done)
		})
	}
	e.invoke(inv, tell)
	e.logs.sync()
	f.finish(e, inv, init)
	over := f.release(e)
	tell()
	if over != "" {
		e.end(over)
	}
}

// fail ends an invocation for which no environment has started. Its log is
// Lambda's lines: what the processes wrote came before START.
func (f *function) fail(inv *invocation, why *failure) {
	status := statusFailure
	if why.kind == kindTimedOut {
		status = statusTimeout
	}
	inv.settle(f.host.now(), status, why.payload(inv.id))
	f.writeStart(inv)
	f.finish(nil, inv, 0)
	f.release(nil)
	inv.logTail = f.logTail(inv)
	close(inv.done)
}

// environment is an idle one, or a new one; init is how long that took. If init
// fails there is a second attempt, in the invocation's own time.
func (f *function) environment(inv *invocation) (e *Environment, init time.Duration, failed *failure) {
	now := f.host.now()
	if e := f.takeIdle(); e != nil {
		inv.delivered, inv.deadline = now, now.Add(f.Timeout)
		return e, 0, nil
	}
	late := &failure{kind: kindTimedOut, message: "init timed out"}
	if e, failed = f.startNew(f.InitTimeout, late, "init"); failed != nil {
		now = f.host.now()
		inv.delivered, inv.deadline = now, now.Add(f.Timeout)
		e, failed = f.startNew(f.Timeout, timedOut(f.Timeout), "invoke")
		return e, 0, failed
	}
	now = f.host.now()
	inv.delivered, inv.deadline = now, now.Add(f.Timeout)
	init = e.InitDuration()
	return e, init, nil
}

// startNew starts an environment.
func (f *function) startNew(within time.Duration, late *failure, phase string) (*Environment, *failure) {
	if f.host.isClosing() {
		return nil, &failure{kind: "Sandbox.Failure", message: "the host is closing"}
	}
	began := f.host.now()
	e, err := f.newEnvironment()
	if err != nil {
		return nil, &failure{kind: "Sandbox.Failure", message: err.Error()}
	}
	f.mu.Lock()
	f.all, f.busy[e] = append(f.all, e), true
	f.starts++
	f.mu.Unlock()
	failed := e.begin(within, late)
	if failed == nil {
		return e, nil
	}
	e.end(shutdownFailure)
	status := "error\tError Type: " + failed.kind
	if failed == late {
		status = "timeout"
	}
	f.write(fmt.Appendf(nil, "INIT_REPORT Init Duration: %.2f ms\tPhase: %s\tStatus: %s\n",
		float64(f.host.now().Sub(began))/float64(time.Millisecond), phase, status), nil)
	return nil, failed
}

// takeIdle is the one used last, or nil.
func (f *function) takeIdle() *Environment {
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.idle) > 0 {
		e := f.idle[len(f.idle)-1]
		f.idle = f.idle[:len(f.idle)-1]
		if e.recycle != nil {
			e.recycle.Stop()
		}
		if e.failed() != nil {
			go e.end(shutdownFailure)
			continue
		}
		f.busy[e] = true
		return e
	}
	return nil
}

// release ends an invocation; its environment is idle again, or is to be ended:
// over is the reason.
func (f *function) release(e *Environment) (over string) {
	f.host.account.Leave(f.Name)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.running--
	if e == nil {
		return ""
	}
	retiring := f.retiring[e] || f.replaced
	delete(f.busy, e)
	delete(f.retiring, e)
	switch failed := e.failed(); {
	case failed == nil && retiring:
		return spindown
	case failed == nil:
		f.idle = append(f.idle, e)
		if f.MaxIdle > 0 {
			e.recycle = time.AfterFunc(f.MaxIdle, e.Recycle)
		}
		return ""
	case failed.kind == kindTimedOut:
		return shutdownTimeout
	default:
		return shutdownFailure
	}
}

// retire takes an environment out. idle says that it was idle, and is the
// caller's to end; a busy one is ended after its invocation.
func (f *function) retire(e *Environment) (idle bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if i := slices.Index(f.idle, e); i >= 0 {
		f.idle = slices.Delete(f.idle, i, i+1)
		return true
	}
	if f.busy[e] {
		f.retiring[e] = true
	}
	return false
}

// reap ends an environment whose process ended while it was idle.
func (f *function) reap(e *Environment) {
	f.mu.Lock()
	i := slices.Index(f.idle, e)
	if i >= 0 {
		f.idle = slices.Delete(f.idle, i, i+1)
	}
	f.mu.Unlock()
	if i >= 0 {
		e.end(shutdownFailure)
	}
}

// forget drops what has ended.
func (f *function) forget(e *Environment) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all = slices.DeleteFunc(f.all, func(other *Environment) bool { return other == e })
	delete(f.busy, e)
	delete(f.retiring, e)
}

func (f *function) environments() []*Environment {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.all)
}

func (f *function) busyWith(e *Environment) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.busy[e]
}

func (f *function) startCount() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.starts
}

// isOver reports whether nothing runs, and nothing will: another one has taken
// this one's place.
func (f *function) isOver() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.replaced && f.running == 0 && len(f.all) == 0
}

// replace recycles all environments: another version takes this one's place.
func (f *function) replace() {
	f.mu.Lock()
	f.replaced = true
	f.mu.Unlock()
	for _, e := range f.environments() {
		e.Recycle()
	}
}

// close ends what is idle in an orderly way, and kills what is busy.
func (f *function) close() {
	f.mu.Lock()
	f.replaced = true
	f.mu.Unlock()
	var ending sync.WaitGroup
	for _, e := range f.environments() {
		if f.busyWith(e) {
			e.signal(syscall.SIGKILL)
			continue
		}
		ending.Go(func() {
			f.retire(e)
			e.end(spindown)
		})
	}
	ending.Wait()
}
