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

// admit lets an invocation in, or says why not.
func (f *function) admit() *Error {
	if f.Concurrency < 0 {
		return throttled("ReservedFunctionConcurrentInvocationLimitExceeded")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.Concurrency > 0 && f.running >= f.Concurrency {
		return throttled("ReservedFunctionConcurrentInvocationLimitExceeded")
	}
	f.running++
	return nil
}

// serve runs an invocation that was let in.
func (f *function) serve(inv *invocation) {
	defer f.host.serving.Done()
	e, init, failed := f.environment(inv)
	if failed != nil {
		inv.settle(f.host.now(), statusFailure, failed.payload(inv.id))
		f.release(nil)
		close(inv.done)
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

// environment is an idle one, or a new one; init is how long that took. If init
// fails there is a second attempt, in the invocation's own time.
func (f *function) environment(inv *invocation) (e *Environment, init time.Duration, failed *failure) {
	now := f.host.now()
	if e := f.takeIdle(); e != nil {
		inv.delivered, inv.deadline = now, now.Add(f.Timeout)
		return e, 0, nil
	}
	late := &failure{kind: "Sandbox.Timedout", message: "init timed out"}
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
	f.write(e, fmt.Appendf(nil, "INIT_REPORT Init Duration: %.2f ms\tPhase: %s\tStatus: %s\n",
		float64(f.host.now().Sub(began))/float64(time.Millisecond), phase, status))
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
	f.host.leave()
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
	case failed.kind == "Sandbox.Timedout":
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

// reap ends an environment that died while it was idle.
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

// write passes on lines of an environment's log.
func (f *function) write(e *Environment, lines []byte) {
	f.logLock.Lock()
	defer f.logLock.Unlock()
	if f.Log != nil {
		_, _ = f.Log.Write(lines) // whoever asked for them has the error
	}
	if e.tail != nil {
		_, _ = e.tail.Write(lines) // it never fails
	}
}

// begin writes START. What processes have written before is not the
// invocation's.
func (f *function) begin(e *Environment, inv *invocation) {
	if inv.log != nil {
		e.logs.sync()
	}
	f.logLock.Lock()
	e.tail = inv.log
	f.logLock.Unlock()
	if f.Log != nil || inv.log != nil {
		f.write(e, fmt.Appendf(nil, "START RequestId: %s Version: %s\n", inv.id, f.Version))
	}
}

// finish writes END and REPORT.
func (f *function) finish(e *Environment, inv *invocation, init time.Duration) {
	if f.Log == nil && inv.log == nil && f.Report == nil {
		return
	}
	ended := f.host.now()
	r := Report{
		Function: f.Name, RequestID: inv.id, Status: inv.status, Init: init,
		Answered: inv.answered.Sub(inv.delivered), Duration: ended.Sub(inv.delivered),
	}
	r.Billed = billed(r.Init + r.Duration)
	_, r.MaxMemory = e.memory()
	var text []byte
	if inv.status == statusTimeout {
		text = fmt.Appendf(text, "%s %s Task timed out after %.2f seconds\n\n", ended.UTC().Format("2006-01-02T15:04:05.000Z"), inv.id, f.Timeout.Seconds())
	}
	text = fmt.Appendf(text, "END RequestId: %s\n%s", inv.id, r.line(f.MemoryMB))
	f.write(e, text)
	f.logLock.Lock()
	e.tail = nil
	f.logLock.Unlock()
	if f.Report != nil {
		f.Report(r)
	}
}

// logTail is what the caller is shown.
func (f *function) logTail(inv *invocation) []byte {
	f.logLock.Lock()
	defer f.logLock.Unlock()
	if inv.log == nil {
		return nil
	}
	return slices.Clone(inv.log.last())
}
