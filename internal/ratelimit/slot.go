package ratelimit

import (
	"context"
	"time"
)

// Slot is one caller's slot for one request. Reserve takes it; Wait returns at
// it, and the caller sends at once. One goroutine uses it.
//
//	slot := &ratelimit.Slot{Store: store, Host: host, Interval: interval, Latest: now.Add(ratelimit.MaxWait), Now: clock}
//	at, err := slot.Reserve(ctx, now)
//	...                                // work that fits before the slot
//	err = slot.Wait(ctx, at)
//	send one request
//
// Wait reads the clock last. It re-reads the host's pause early enough to
// return on time, by the latency of the last call of the store, so that callers
// of a slow store are not late.
type Slot struct {
	Store Store
	// Host is the host of the rate limit, "host:port".
	Host string
	// Interval is the space between two slots.
	Interval time.Duration
	// Latest bounds the slot, and any other that is taken in its place.
	Latest time.Time
	// Now is the clock.
	Now func() time.Time
	// Seen is the host's record as last read. If the caller sets it, Reserve
	// need not guess; Wait replaces it when it reads the pause again. After a
	// short wait, and if the caller has not set it, only its Next is known.
	Seen Record
	// took is how long the last reservation took, reserved when it ended. It is never
	// more than MaxWait: a process that was frozen measures hours.
	took     time.Duration
	reserved time.Time
}

// Reserve takes the next free slot from earliest on. The error is a *LimitError
// if there is none up to Latest, or if the host is paused. Any other error is
// the store's.
func (t *Slot) Reserve(ctx context.Context, earliest time.Time) (time.Time, error) {
	now := t.Now()
	at, err := t.Store.Reserve(ctx, t.Host, Window{
		Now: now, Earliest: earliest, Latest: t.Latest, Interval: t.Interval,
		Idle: !t.Seen.Next.After(earliest),
	})
	t.reserved = t.Now()
	t.took = min(max(0, t.reserved.Sub(now)), MaxWait)
	if err == nil {
		t.Seen.Next = at.Add(t.Interval)
	}
	return at, err
}

// Wait blocks until the slot. If the slot is more than PauseSeenAgain after its
// reservation Wait reads the pause again, shortly before the end of the wait; a
// host that was paused meanwhile is a *LimitError. A slot missed by more than
// MaxLate is reserved again. The context's error says that it ended during the
// wait; any other is the store's.
func (t *Slot) Wait(ctx context.Context, at time.Time) error {
	for {
		if at.Sub(t.reserved) > PauseSeenAgain {
			if err := t.readPause(ctx, at); err != nil {
				return err
			}
		}
		if err := Sleep(ctx, at.Sub(t.Now())); err != nil {
			return err
		}
		now := t.Now()
		if now.Sub(at) <= MaxLate {
			return nil
		}
		var err error
		if at, err = t.Reserve(ctx, now.Add(t.took)); err != nil {
			return err
		}
	}
}

// readPause reads the pause again, as late as the store's latency allows: twice if
// the first read was faster than expected and much time is left.
func (t *Slot) readPause(ctx context.Context, at time.Time) error {
	for takes := t.took; ; {
		if err := Sleep(ctx, at.Sub(t.Now())-takes-MaxLate); err != nil {
			return err
		}
		asked := t.Now()
		seen, err := t.Store.Budget(ctx, t.Host)
		if err != nil {
			return err
		}
		t.Seen = seen
		now := t.Now()
		if until, paused := t.Seen.ThrottledUntil(now); paused {
			return &LimitError{Until: until, Paused: true}
		}
		takes = max(0, now.Sub(asked))
		if at.Sub(now) <= PauseSeenAgain+takes {
			return nil
		}
	}
}

// Sleep waits for d. It fails with the context's error if the context ends
// before. The packages under pkg, which import nothing of internal, have these
// lines of their own.
func Sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
