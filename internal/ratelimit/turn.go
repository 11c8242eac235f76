package ratelimit

import (
	"context"
	"time"
)

// Turn is one caller's way to its instant. Reserve takes it; Wait returns at
// it, and the caller sends at once. It is used by one goroutine, for one
// request.
//
//	turn := &ratelimit.Turn{Store: store, Host: host, Interval: interval, Latest: now.Add(ratelimit.MaxWait), Now: clock}
//	at, err := turn.Reserve(ctx, now)
//	...                                // what has time until then
//	err = turn.Wait(ctx, at)
//	send one request
//
// Nothing but a glance at the clock stands between the instant and Wait's
// return. So that a slow store lets its callers through all the same, what is
// asked of it is asked as much earlier as it took to answer the last time.
type Slot struct {
	Store Store
	// Host is that of the budget, "host:port".
	Host string
	// Interval is the space between two instants.
	Interval time.Duration
	// Latest bounds the instant, and any that is taken in its place.
	Latest time.Time
	// Now is the clock.
	Now func() time.Time
	// Seen is the host's record as last read. What the caller puts here saves
	// the store a guess; Wait replaces it when it reads the pause again. After a
	// short wait, with nothing put here, all of it but Next is unknown.
	Seen Record
	// took is how long the last reservation took, which ended at reserved.
	took     time.Duration
	reserved time.Time
}

// Reserve takes the next free instant from earliest on. There is none up to
// Latest, or the host is paused: a *BusyError. Else an error is the store's.
func (t *Slot) Reserve(ctx context.Context, earliest time.Time) (time.Time, error) {
	now := t.Now()
	at, err := t.Store.Reserve(ctx, t.Host, Window{
		Now: now, Earliest: earliest, Latest: t.Latest, Interval: t.Interval,
		Idle: !t.Seen.Next.After(earliest),
	})
	t.reserved = t.Now()
	t.took = max(0, t.reserved.Sub(now))
	if err == nil {
		t.Seen.Next = at.Add(t.Interval)
	}
	return at, err
}

// Wait blocks until the instant. More than PauseSeenAgain after its reservation
// it has read the pause again, shortly before the end of the wait; a host paused
// meanwhile is a *BusyError. An instant missed by more than MaxLate is taken
// anew. The context's error says that it ended during the wait, any other is
// the store's.
func (t *Slot) Wait(ctx context.Context, at time.Time) error {
	for {
		if at.Sub(t.reserved) > PauseSeenAgain {
			if err := t.look(ctx, at); err != nil {
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

// look reads the pause again, as late as the store allows: once more if it
// answered sooner than the last time, and much is left.
func (t *Slot) look(ctx context.Context, at time.Time) error {
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

// Sleep waits, or fails with the context's error when it ends before.
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
