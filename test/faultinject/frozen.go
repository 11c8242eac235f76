package faultinject

import (
	"context"
	"fmt"
	"time"

	"github.com/reltio-tokens/reltio-tokens/test/stack"
)

// A connection that was idle for so long is not used any more: Go's HTTP transport
// compares the wall clock with the moment at which it became idle, so that an
// environment that was frozen for an hour does the same as one that was for two
// minutes.
const idleTimeout = 90 * time.Second

const (
	// busy is what a busy machine adds to the cost of a broken connection.
	busy = time.Second
	// noticed is the least cost that the table shows.
	noticed = 500 * time.Millisecond
)

// beginsLater reports whether the walk begins after its environment was frozen: what
// comes before it is the work of another function; or it would not last so long, and
// uses no kept connection either.
func (r *round) beginsLater() bool {
	return r.Length == LongFrozen || r.Length == Frozen && r.Walk.Function == issue
}

// wake breaks kept connections, leaves the environment frozen, and invokes it. Between
// two invocations its processes are stopped, as Lambda stops them.
func (r *round) wake(ctx context.Context) {
	if r.Walk.Function == rotate {
		r.see(r.Walk.act(ctx, r.scene)) // opens the connections
		r.rest(ctx)
	}
	r.strike()
	r.sleep(ctx, r.Length.frozen())
	if r.beginsLater() && r.Walk.begin != nil {
		if err := r.begin(ctx, r.Walk); err != nil {
			r.problem("it could not be tried: " + err.Error())
			return
		}
	}
	r.longest.Store(0)
	r.see(r.Walk.act(ctx, r.scene))
	r.over(ctx)
	r.inTime()
	r.Next = r.Walk.next(ctx, r.scene)
	r.rest(ctx)
}

// inTime checks what a broken connection has cost: a silent one the first time limit,
// one that is gone no more than another attempt.
func (r *round) inTime() {
	used := r.trouble.struck()
	switch {
	case r.Kind == KeptReset: // it is gone before the environment continues
	case r.Length.frozen() > idleTimeout || r.Service == stack.Lambda && len(r.Walk.keeps) == 0:
		r.Missed = false
		if used {
			r.problem("a connection was used that should not have been kept")
		}
	case !used:
		return
	}
	cost := r.trouble.costs()
	if len(r.Walk.keeps) > 0 && used { // rotate is invoked once: the caller gets the token that is there
		cost = r.waited()
	}
	if most := r.most() + busy; cost > most {
		r.problem(fmt.Sprintf("it cost %v, want %v at most", cost.Round(10*time.Millisecond), most))
	}
	if cost > noticed {
		r.see(fmt.Sprintf("%.0f s later", cost.Seconds()))
	}
}

// most is what a broken connection may cost: the time limit of the first attempt, if
// nothing comes back, and the pause before the second one.
func (r *round) most() time.Duration {
	pause := time.Second // the SDK's first pause, at most
	if r.Walk.Function == issue {
		pause = 200 * time.Millisecond
	}
	switch {
	case r.Kind != KeptSilent:
		return pause
	case r.Service == stack.SecretsManager:
		return 3*time.Second + pause
	}
	return 2*time.Second + pause
}
