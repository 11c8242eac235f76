package rig

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/reltio-tokens/reltio-tokens/test/lambdahost"
)

// CPU is how long the processors have worked for an environment's process so
// far. Unlike the time that passes it does not depend on who else uses the
// machine.
func CPU(e *lambdahost.Environment) (time.Duration, error) {
	const processClock = 2 // of all threads, by the scheduler's count
	pid := e.PID()
	if pid == 0 {
		return 0, fmt.Errorf("environment %s has no process", e.ID())
	}
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|processClock), &t); err != nil { //nolint:gosec // clock_getcpuclockid(3)
		return 0, fmt.Errorf("environment %s: %w", e.ID(), err)
	}
	return time.Duration(t.Nano()), nil
}

// Only is a function's only environment.
func (r *Rig) Only(function string) (*lambdahost.Environment, error) {
	all := r.Host.Environments(function)
	if len(all) != 1 {
		return nil, fmt.Errorf("function %s has %d environments, not one", function, len(all))
	}
	return all[0], nil
}
