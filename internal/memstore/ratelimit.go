package memstore

import (
	"context"
	"strings"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
)

// Budget implements ratelimit.Store.
func (t *Table) Budget(ctx context.Context, host string) (ratelimit.Record, error) {
	leave, err := t.enter(ctx)
	if err != nil {
		return ratelimit.Record{}, err
	}
	defer leave()
	return storedRecord(t.budgets[strings.ToLower(host)]), nil
}

// changeRecord changes a host's record, unless change fails, and returns what
// is stored then. A host's name has no case.
func (t *Table) changeRecord(ctx context.Context, host string, change func(*ratelimit.Record) error) (ratelimit.Record, error) {
	leave, err := t.enter(ctx)
	if err != nil {
		return ratelimit.Record{}, err
	}
	defer leave()
	host = strings.ToLower(host)
	r := storedRecord(t.budgets[host])
	if err := change(&r); err != nil {
		return ratelimit.Record{}, err
	}
	t.budgets[host] = storedRecord(r)
	return storedRecord(r), nil
}

// storedRecord is the record as it comes back from a table. Nothing in it is
// shared with r.
func storedRecord(r ratelimit.Record) ratelimit.Record {
	return ratelimit.Record{
		Next:        inMillis(r.Next),
		PausedUntil: inMillis(r.PausedUntil),
		Pause:       r.Pause.Truncate(time.Millisecond),
		Throttled:   set(r.Throttled),
		Served:      set(r.Served),
		Refused:     set(r.Refused),

		RefusedSince: inMillis(r.RefusedSince),
		DownSince:    inMillis(r.DownSince),
		ProbedAt:     inMillis(r.ProbedAt),
	}
}

// Reserve implements ratelimit.Store, in whole milliseconds.
func (t *Table) Reserve(ctx context.Context, host string, w ratelimit.Window) (time.Time, error) {
	w = ratelimit.Window{
		Now:      inMillis(w.Now),
		Earliest: inMillis(w.Earliest),
		Latest:   inMillis(w.Latest),
		Interval: (w.Interval + time.Millisecond - 1).Truncate(time.Millisecond),
	}
	var slot time.Time
	_, err := t.changeRecord(ctx, host, func(r *ratelimit.Record) (err error) {
		slot, r.Next, err = ratelimit.Reserve(*r, w)
		return err
	})
	if err != nil {
		return time.Time{}, err
	}
	return slot, nil
}

// Throttled implements ratelimit.Store.
func (t *Table) Throttled(ctx context.Context, host string, th ratelimit.Throttle) (ratelimit.Record, error) {
	th.Now = inMillis(th.Now)
	return t.changeRecord(ctx, host, func(r *ratelimit.Record) error {
		*r = ratelimit.RecordThrottle(*r, th)
		return nil
	})
}

// Refused implements ratelimit.Store.
func (t *Table) Refused(ctx context.Context, host, connection string, now time.Time) (ratelimit.Record, error) {
	return t.changeRecord(ctx, host, func(r *ratelimit.Record) error {
		*r = ratelimit.RecordRefusal(*r, connection, now)
		return nil
	})
}

// Succeeded implements ratelimit.Store.
func (t *Table) Succeeded(ctx context.Context, host, client string) error {
	_, err := t.changeRecord(ctx, host, func(r *ratelimit.Record) error {
		if _, ok := t.budgets[strings.ToLower(host)]; ok {
			*r = ratelimit.RecordSuccess(*r, client)
		}
		return nil
	})
	return err
}

// Unanswered implements ratelimit.Store.
func (t *Table) Unanswered(ctx context.Context, host string, now time.Time) error {
	_, err := t.changeRecord(ctx, host, func(r *ratelimit.Record) error {
		*r = ratelimit.RecordOutage(*r, now)
		return nil
	})
	return err
}

// Answered implements ratelimit.Store.
func (t *Table) Answered(ctx context.Context, host string) error {
	_, err := t.changeRecord(ctx, host, func(r *ratelimit.Record) error {
		if _, ok := t.budgets[strings.ToLower(host)]; ok {
			r.DownSince = time.Time{}
		}
		return nil
	})
	return err
}

// Probe implements ratelimit.Store.
func (t *Table) Probe(ctx context.Context, host string, now time.Time, every time.Duration) (bool, error) {
	claimed := false
	_, err := t.changeRecord(ctx, host, func(r *ratelimit.Record) error {
		if claimed = r.MayProbe(inMillis(now), every); claimed {
			r.ProbedAt = now
		}
		return nil
	})
	return claimed, err
}
