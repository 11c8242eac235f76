package simulation

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/renewal"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
)

// Instance is one process: an invocation of rotate, or an environment of the
// issue function. It has a clock of its own, and everything that it does
// outside itself goes through it.
type Instance struct {
	w    *World
	id   int
	kind string
	// skew is how far its clock is off, and until offUntil, if it is wrong, by off.
	skew, off time.Duration
	offUntil  time.Time
	// request is that of a single renewal, forced tells that an operator sent
	// it.
	request *rotateapi.Request
	forced  bool
	// open are logins that are counted and not settled, by connection; guarded by
	// the world's mu.
	open map[string]*counted
	// began is when it did.
	began time.Time
	// renewal is the environment of an invocation of rotate.
	renewal *renewal.Renewer
	// killed is closed at the process's end by a kill.
	killed chan struct{}

	// mu guards what follows.
	mu      sync.Mutex
	ended   bool
	thaw    time.Time
	number  int
	touched map[string]time.Time
	// faulted is when something last went wrong with each connection; lost is the
	// same without operations of Secrets Manager.
	faulted, lost map[string]time.Time
}

// spawn makes a process. It is called at moments of their own, so that its
// number is the same in each run.
func (w *World) spawn(kind string) *Instance {
	w.mu.Lock()
	w.made++
	id := w.made
	w.mu.Unlock()
	c := w.draw("skew", fmt.Sprint(kind, id))
	skew := w.cfg.skew()
	i := &Instance{
		w: w, id: id, kind: kind, skew: c.between(-skew, skew), killed: make(chan struct{}),
		open: map[string]*counted{}, touched: map[string]time.Time{},
		faulted: map[string]time.Time{}, lost: map[string]time.Time{}, began: w.now(),
	}
	i.off, i.offUntil = w.wrongClock(kind, id)
	return i
}

// wrong reports whether the process's clock is wrong now.
func (i *Instance) wrong() bool { return i.off != 0 && i.w.now().Before(i.offUntil) }

// apart is how far its clock is off now.
func (i *Instance) apart() time.Duration {
	if i.wrong() {
		return i.skew + i.off
	}
	return i.skew
}

// Now is the process's clock. A frozen process reads it when it has thawed.
func (i *Instance) Now() time.Time {
	i.gate()
	return i.w.now().Add(i.apart())
}

// Rand is for jitter: the same in each run.
func (i *Instance) Rand() float64 {
	c := i.w.draw("jitter", i.kind)
	return c.float()
}

// gate ends the goroutine of a killed process, and lets that of a frozen one wait
// until it has thawed. It reports whether it had to wait.
func (i *Instance) gate() (waited bool) {
	for {
		i.mu.Lock()
		dead, wait := i.ended, i.thaw.Sub(i.w.now())
		i.mu.Unlock()
		switch {
		case dead:
			runtime.Goexit()
		case wait <= 0:
			return waited
		}
		waited = true
		// All wake in one moment, and what they do next is told apart by what
		// it is about: so their order does not matter.
		time.Sleep(wait)
	}
}

// pass is gate for a process that is about to act: one that had to wait acts in a
// moment of its own.
func (i *Instance) pass(c *generator) {
	for i.gate() {
		i.w.sleep(c.between(time.Microsecond, fastest))
	}
}

// kill ends the process: none of its goroutines comes back from its operation.
func (i *Instance) kill() {
	i.spoil(i.w.now().Add(lease.Term))
	i.w.mu.Lock()
	i.w.figures.Deaths++
	i.w.mu.Unlock()
	i.mu.Lock()
	if !i.ended {
		i.ended = true
		close(i.killed)
	}
	i.mu.Unlock()
	runtime.Goexit()
}

// freeze stops the process for a while.
func (i *Instance) freeze(d time.Duration) {
	until := i.w.now().Add(d)
	i.spoil(until.Add(lease.Term))
	i.mu.Lock()
	i.thaw = until
	i.mu.Unlock()
	i.gate()
}

// spoil notes that all that the process was busy with in the last minutes went
// wrong.
func (i *Instance) spoil(until time.Time) {
	const busy = 2 * time.Minute
	i.mu.Lock()
	names := make([]string, 0, len(i.touched))
	for name, at := range i.touched {
		if until.Sub(at) < busy || i.w.now().Sub(at) < busy {
			names = append(names, name)
			i.faulted[name], i.lost[name] = until, until
		}
	}
	i.mu.Unlock()
	for _, name := range names {
		i.w.disturb(name, until)
	}
}

// spoilt reports whether something went wrong for the process with the
// connection since a moment.
func (i *Instance) spoilt(name string, since time.Time) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	at, ok := i.faulted[name]
	return ok && !at.Before(since) || i.outlived(since)
}

// outlived reports whether the table was swapped under the process since a
// moment.
func (i *Instance) outlived(since time.Time) bool {
	swapped := i.w.swapped.Load()
	return i.began.UnixNano() < swapped && swapped >= since.UnixNano()
}

// lostIt is spoilt without operations of Secrets Manager: what that does not take is
// kept in the table.
func (i *Instance) lostIt(name string, since time.Time) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	at, ok := i.lost[name]
	return ok && !at.Before(since) || i.outlived(since)
}

// hit notes a fault of one operation. That of something shared may concern
// whatever the process is busy with.
func (i *Instance) hit(op Op, about string, until time.Time) {
	if i.w.conns[about] == nil {
		i.spoil(until)
		return
	}
	i.mu.Lock()
	i.faulted[about] = until
	if op.system() != secretStore {
		i.lost[about] = until
	}
	i.mu.Unlock()
	i.w.disturb(about, until)
}

// enter is the beginning of an operation.
func (i *Instance) enter(ctx context.Context, op Op, about string) (Fault, generator) {
	i.gate()
	i.mu.Lock()
	i.number++
	n := i.number
	i.touched[about] = i.w.now()
	thawing := i.thaw.Equal(i.w.now())
	i.mu.Unlock()
	busy := about
	switch {
	case i.w.cfg.Calm:
	case op == OpTake || op == OpAdopt || op == OpSeize:
		i.w.nowBusyWith(about)
	case thawing && i.w.conns[about] == nil:
		busy = i.w.busyWith()
	}
	c := i.w.draw(string(op), about+busy)
	f := i.w.fault(Operation{Op: op, About: about, By: i, Number: n}, &c)
	if f.Kind != None {
		if op.system() != network || f.Kind == KillBefore || f.Kind == KillAfter || f.Kind == Freeze {
			if i.w.conns[about] == nil {
				busy = i.w.busyWith()
			}
			i.hit(op, cmp.Or(busy, about), i.w.now().Add(f.For+lease.Term))
		}
		if f.Kind == Absent {
			i.w.notFound(about)
		}
		i.w.note(i, step{op: op, about: about, fault: f})
		if op == OpPublish {
			i.w.muted(about)
		}
		if call := callOf(ctx); call != nil && op.system() == table {
			call.tableFailed = true
		}
	}
	if i.wrong() {
		i.misdates(op, about)
	}
	return f, c
}

// busyWith is the connection that the goroutine is busy with: what it last took
// a lease of. By it an operation on something shared is told apart from that of
// another goroutine in the same moment.
func (w *World) busyWith() string {
	id := goroutine()
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.busy[id]
}

// nowBusyWith notes it.
func (w *World) nowBusyWith(name string) {
	const most = 50000 // goroutines come and go; almost all of these are gone
	id := goroutine()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.busy) > most {
		clear(w.busy)
	}
	w.busy[id] = name
}

// goroutine is the number of the running one: slow, so asked for seldom.
func goroutine() string {
	var b [32]byte
	return string(bytes.Fields(b[:runtime.Stack(b[:], false)])[1]) // "goroutine 7 [running"
}

// The latency of the table and of Secrets Manager.
const (
	fastest = time.Millisecond
	slowest = 12 * time.Millisecond
	// tardy is the slowest of one in two hundred.
	tardy = 400 * time.Millisecond
)

// perform is one operation on table, Secrets Manager or bus: what goes wrong, the time it
// takes, the act.
func perform[T any](ctx context.Context, i *Instance, op Op, about string, act func(context.Context) (T, error)) (T, error) {
	var none T
	f, c := i.enter(ctx, op, about)
	latency := c.between(fastest, slowest)
	if c.below(200) == 0 && !i.w.cfg.Calm {
		latency = c.between(slowest, tardy)
	}
	// Only now, in a moment of its own, anything may happen to the process.
	i.w.sleep(latency)
	switch f.Kind {
	case KillBefore:
		i.kill()
	case Freeze:
		i.freeze(f.For)
	case Stall:
		if err := i.w.pause(ctx, f.For); err != nil {
			return none, unavailable(err)
		}
	case Before:
		return none, unavailable(nil)
	case Absent:
		return none, connection.ErrNotFound
	}
	i.pass(&c)
	v, err := act(ctx)
	switch f.Kind {
	case KillAfter:
		i.kill()
	case After:
		return none, unavailable(nil)
	}
	return v, err
}

// do is perform for what answers nothing.
func do(ctx context.Context, i *Instance, op Op, about string, act func(context.Context) error) error {
	_, err := perform(ctx, i, op, about, func(ctx context.Context) (struct{}, error) { return struct{}{}, act(ctx) })
	return err
}

func unavailable(cause error) error {
	return apierr.Wrap(apierr.StoreUnavailable, "the simulation's weather", cause)
}

// call is one call of issue, carried by its context.
type call struct {
	// tableFailed: an operation on the table went wrong on its way.
	tableFailed bool
}

type callKey struct{}

func callOf(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	return c
}
