package lambdahost

import (
	"net/http"
	"sync"
	"syscall"
	"time"
)

// Environment is an execution environment. Its methods are for tests, and safe
// for concurrent use.
type Environment struct {
	id   string
	f    *function
	api  *http.Server
	addr string
	logs *logPipe
	cpu  *cpuGroup // nil: the processor is not shared out

	// tail is of the invocation under way, or nil; the function's logLock
	// guards it.
	tail *tail
	// recycle ends it when it was idle for too long; the function's mu guards
	// it.
	recycle *time.Timer
	// stopping is held until a test's Freeze has stopped everything, and by
	// what would let it continue meanwhile. It guards nothing else.
	stopping sync.Mutex
	// ending is for end alone; ended is closed when nothing is left.
	ending sync.Once
	ended  chan struct{}

	// mu guards what follows. changed is closed, and made again, whenever any
	// of it changes.
	mu         sync.Mutex
	changed    chan struct{}
	runtime    *process
	extensions []*extension
	waiting    bool        // the runtime waits for its next event
	asked      bool        // it has, at least once
	offered    *invocation // for the runtime to fetch
	current    *invocation // fetched
	over       *failure    // why no more will come of this environment
	closing    bool        // it is being ended: nothing is a failure any more
	initTook   time.Duration
	served     int
}

// change changes what mu guards, and wakes all that wait for it.
func (e *Environment) change(what func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	what()
	close(e.changed)
	e.changed = make(chan struct{})
}

// await waits until done reports true, and reports false if the time ends
// first. done is called under mu.
func (e *Environment) await(until <-chan time.Time, done func() bool) bool {
	for {
		e.mu.Lock()
		ok, changed := done(), e.changed
		e.mu.Unlock()
		if ok {
			return true
		}
		select {
		case <-changed:
		case <-until:
			return false
		}
	}
}

// fail says why this environment is over. The first reason counts.
func (e *Environment) fail(f *failure) {
	e.change(func() {
		if e.over == nil && !e.closing {
			e.over = f
		}
	})
}

// failed is why it is over, or nil.
func (e *Environment) failed() *failure {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.over
}

// begin starts the processes and waits until all have asked for their first
// event. A failure is why that did not happen; the environment must then be
// ended. late is the failure of one that takes longer than it may: the first
// attempt and the second are called differently.
func (e *Environment) begin(within time.Duration, late *failure) *failure {
	began := e.f.host.now()
	timer := time.NewTimer(within)
	defer timer.Stop()
	if f := e.startExtensions(timer.C, late); f != nil {
		return f
	}
	if err := e.startRuntime(); err != nil {
		return &failure{kind: "Runtime.InvalidEntrypoint", message: err.Error()}
	}
	ready := e.await(timer.C, func() bool { return e.over != nil || e.waiting && e.extensionsReady() })
	if f := e.failed(); f != nil {
		return f
	}
	if !ready {
		return late
	}
	e.change(func() { e.initTook = e.f.host.now().Sub(began) })
	if e.cpu != nil {
		if err := e.cpu.limit(e.f.CPU); err != nil {
			return &failure{kind: "Sandbox.Failure", message: err.Error()}
		}
	}
	return nil
}

func (e *Environment) startRuntime() error {
	p, err := e.start(e.f.program, e.f.Command, e.f.variables(e.shared(), e.runtimeOnly()))
	if err != nil {
		return err
	}
	e.change(func() { e.runtime = p })
	go func() {
		<-p.exited
		message := "Runtime exited without providing a reason"
		if reason := p.reason(); reason != "" {
			message = "Runtime exited with error: " + reason
		}
		e.fail(&failure{kind: "Runtime.ExitError", message: message})
		e.f.reap(e)
	}()
	return nil
}

// invoke delivers the event and returns when the environment can take another
// one, or is over. answered is called when the caller can be told: before that
// if extensions take longer.
func (e *Environment) invoke(inv *invocation, answered func()) {
	timer := time.NewTimer(inv.deadline.Sub(e.f.host.now()))
	defer timer.Stop()
	e.Thaw()
	e.change(func() {
		e.offered, e.current = inv, nil
		e.served++
		e.offerExtensions(inv)
	})
	inTime := e.await(timer.C, func() bool { return e.over != nil || !inv.answered.IsZero() && e.waiting })
	if inTime && e.failed() == nil && !e.extensionsDone() {
		e.logs.sync()
		answered()
		inTime = e.await(timer.C, func() bool { return e.over != nil || e.extensionsReady() })
	}
	switch f := e.failed(); {
	case f != nil:
		e.settle(inv, statusFailure, f)
	case !inTime:
		f := timedOut(e.f.Timeout)
		e.fail(f)
		e.settle(inv, statusTimeout, f)
		e.killRuntime()
	default:
		e.freeze()
	}
}

// settle answers for a function that does so no more. What it said before
// stands, but it has failed.
func (e *Environment) settle(inv *invocation, status string, f *failure) {
	e.change(func() {
		inv.settle(e.f.host.now(), status, f.payload(inv.id))
		e.current, e.offered = nil, nil
	})
}

// extensionsDone is extensionsReady for those who do not hold mu.
func (e *Environment) extensionsDone() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.extensionsReady()
}

// processes are all that were started.
func (e *Environment) processes() []*process {
	e.mu.Lock()
	defer e.mu.Unlock()
	var all []*process
	if e.runtime != nil {
		all = append(all, e.runtime)
	}
	for _, x := range e.extensions {
		if x.process != nil {
			all = append(all, x.process)
		}
	}
	return all
}

func (e *Environment) signal(s syscall.Signal) {
	for _, p := range e.processes() {
		p.signal(s)
	}
}

// freeze does not wait until they have stopped.
func (e *Environment) freeze() { e.signal(syscall.SIGSTOP) }

// killRuntime ends the function, not its extensions, and returns when it has.
func (e *Environment) killRuntime() {
	e.mu.Lock()
	p := e.runtime
	e.mu.Unlock()
	if p != nil {
		p.signal(syscall.SIGKILL)
		<-p.exited
	}
}
