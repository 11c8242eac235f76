package simulation

import (
	"context"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/renewal"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
)

// environment of the rotate function: what it remembers outlives an invocation. One
// invocation has it at a time, and one that is killed takes it with it.
func (i *Instance) renewer() *renewal.Renewer {
	w, p := i.w, i.ports()
	w.mu.Lock()
	r := &renewal.Renewer{Hosts: w.allowed, PerSecond: w.cfg.PerSecond, Concurrency: w.cfg.Concurrency}
	if n := len(w.warm); n > 0 {
		r, w.warm = w.warm[n-1], w.warm[:n-1]
	}
	w.mu.Unlock()
	r.Grants, r.Leases, r.Lockouts, r.RateLimits = p.Grants, p.Leases, p.Lockouts, p.RateLimits
	r.Connections, r.RefreshTokens, r.Parking, r.Events = p.Connections, p.RefreshTokens, p.Parking, p.Events
	r.Batches = p.Batches
	r.Connect, r.Now, r.Rand = p.Connect, p.Now, i.Rand
	i.renewal = r
	return r
}

// rest keeps the environment for the next invocation.
func (i *Instance) rest(r *renewal.Renewer) {
	i.w.mu.Lock()
	defer i.w.mu.Unlock()
	i.w.warm = append(i.w.warm, r)
}

// rotate is one invocation of rotate for a connection, in a process of its own.
// It returns when the process ends, one way or another, or when the caller's
// context does; the process goes on then. The error is RateLimited if the account has
// no place for it.
func (w *World) rotate(ctx context.Context, r rotateapi.Request, forced bool) (rotateapi.Result, error) {
	leave, err := w.enter(rotateFunction)
	if err != nil {
		return rotateapi.Result{}, err
	}
	i := w.spawn("rotate")
	i.request, i.forced = &r, forced
	done := make(chan renewal.Report, 1)
	w.running.Go(func() {
		defer leave()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rotateTimeout)
		defer cancel()
		renewer := i.renewer()
		report := renewer.Renew(ctx, r)
		i.rest(renewer)
		w.judgeRenewed(i, report)
		done <- report
	})
	select {
	case report := <-done:
		if report.Unstored {
			return rotateapi.Result{}, report.Err
		}
		return rotateapi.Single(report.Outcome, report.Err), nil
	case <-i.killed:
		return rotateapi.Result{}, apierr.New(apierr.StoreUnavailable, "rotate died")
	case <-ctx.Done():
		return rotateapi.Result{}, apierr.Wrap(apierr.StoreUnavailable, "rotate did not answer", ctx.Err())
	}
}

// sweep is one tick. The error is RateLimited if the account has no place for it.
func (w *World) sweep() error {
	leave, err := w.enter(rotateFunction)
	if err != nil {
		return err
	}
	defer leave()
	i := w.spawn("sweep")
	ctx, cancel := context.WithTimeout(w.ctx, rotateTimeout)
	defer cancel()
	renewer := i.renewer()
	swept, err := renewer.Sweep(ctx)
	i.mu.Lock()
	dead := i.ended
	i.mu.Unlock()
	if !dead {
		i.rest(renewer)
	}
	if err == nil {
		w.judgeSweep(swept)
	}
	return nil
}

// invoker is rotate as the issue function reaches it.
type invoker struct{ i *Instance }

// Rotate implements rotateapi.Function.
func (v *invoker) Rotate(ctx context.Context, r rotateapi.Request) (rotateapi.Result, error) {
	return perform(ctx, v.i, OpInvoke, r.Connection, func(ctx context.Context) (rotateapi.Result, error) {
		return v.i.w.rotate(ctx, r, false)
	})
}

// The asynchronous queue's manners.
const (
	twice  = 0.05 // of the events are delivered a second time
	often  = 0.5  // in a stormy world
	late   = 0.01 // of them wait for minutes
	latest = 6 * time.Minute
)

// RotateLater implements rotateapi.Function: the step is delivered soon or
// late, once or twice.
func (v *invoker) RotateLater(ctx context.Context, r rotateapi.Request) error {
	w := v.i.w
	return do(ctx, v.i, OpLater, r.Connection, func(ctx context.Context) error {
		ctx = context.WithoutCancel(ctx)
		c := w.draw("delivery", r.Connection)
		wait := c.between(20*time.Millisecond, 200*time.Millisecond)
		if !w.cfg.Calm && c.is(late) {
			wait = c.between(time.Second, latest)
			w.disturb(r.Connection, w.now().Add(wait))
		}
		w.deliver(ctx, wait, r)
		again := twice
		if w.cfg.Stormy {
			again = often
		}
		if !w.cfg.Calm && c.is(again) {
			most := latest
			if c.is(0.5) {
				most = time.Second // both at once
			}
			w.deliver(ctx, c.between(20*time.Millisecond, most), r)
		}
		return nil
	})
}

func (w *World) deliver(ctx context.Context, wait time.Duration, r rotateapi.Request) {
	w.running.Go(func() {
		w.sleep(wait)
		w.queued(func() error {
			_, err := w.rotate(ctx, r, false)
			return err
		})
	})
}
