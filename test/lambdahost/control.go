package lambdahost

import (
	"fmt"
	"syscall"
	"time"
)

// ID names the environment; it is in its log stream's name.
func (e *Environment) ID() string { return e.id }

// PID is the runtime's process, which leads a process group; 0 before it has
// started.
func (e *Environment) PID() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.runtime == nil {
		return 0
	}
	return e.runtime.pid
}

// Busy reports whether an invocation is under way.
func (e *Environment) Busy() bool { return e.f.busyWith(e) }

// Invocations is how many it has been given.
func (e *Environment) Invocations() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.served
}

// InitDuration is how long it took to start; zero while it does.
func (e *Environment) InitDuration() time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.initTook
}

// Kill ends all its processes at once, as a crash of the machine would, and
// returns when they are gone. An invocation under way fails.
func (e *Environment) Kill() {
	e.signal(syscall.SIGKILL)
	for _, p := range e.processes() {
		<-p.exited
	}
	if e.f.retire(e) {
		e.end(shutdownFailure)
	}
}

// Freeze stops all its processes where they are, and returns when none of their
// threads runs any more. Time passes for them: an invocation under way ends at
// its deadline, thawed or not.
func (e *Environment) Freeze() {
	e.stopping.Lock()
	defer e.stopping.Unlock()
	e.freeze()
	again := time.NewTicker(time.Millisecond) // the system tells only the waiter for its end, which is os/exec
	defer again.Stop()
	for _, p := range e.processes() {
		for !p.stopped() {
			select {
			case <-p.exited:
			case <-again.C:
			}
		}
	}
}

// Thaw lets them run again.
func (e *Environment) Thaw() {
	e.stopping.Lock()
	defer e.stopping.Unlock()
	e.signal(syscall.SIGCONT)
}

// RSS is the resident memory of its processes, in bytes.
func (e *Environment) RSS() (int64, error) {
	now, _ := e.memory()
	if now == 0 {
		return 0, fmt.Errorf("lambdahost: environment %s has no process", e.id)
	}
	return now, nil
}

func (e *Environment) memory() (now, peak int64) {
	for _, p := range e.processes() {
		n, most := Memory(p.pid)
		now, peak = now+n, peak+most
	}
	return now, peak
}

// Recycle ends the environment in an orderly way, after the invocation that is
// under way, if there is one: extensions hear of the shutdown. It returns at
// once if there is one, else when nothing is left.
func (e *Environment) Recycle() {
	if e.f.retire(e) {
		e.end(spindown)
	}
}

// Environments are those of a function that have been started and have not
// ended, in the order of their start.
func (h *Host) Environments(name string) []*Environment {
	f := h.function(name)
	if f == nil {
		return nil
	}
	return f.environments()
}

// Starts is how many environments a function was given, since it was first
// deployed, those included whose init failed.
func (h *Host) Starts(name string) int {
	f := h.function(name)
	if f == nil {
		return 0
	}
	return f.startCount()
}

// Recycle ends all environments of a function, as Environment.Recycle does.
func (h *Host) Recycle(name string) {
	for _, e := range h.Environments(name) {
		e.Recycle()
	}
}
