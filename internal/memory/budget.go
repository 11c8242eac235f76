package memory

import (
	"context"
	"strings"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/budget"
)

// Budget implements budget.Store.
func (t *Table) Budget(ctx context.Context, host string) (budget.Record, error) {
	leave, err := t.enter(ctx)
	if err != nil {
		return budget.Record{}, err
	}
	defer leave()
	return storedBudget(t.budgets[strings.ToLower(host)]), nil
}

// changeBudget changes a host's record, unless change fails, and returns what
// is stored then. A host's name has no case.
func (t *Table) changeBudget(ctx context.Context, host string, change func(*budget.Record) error) (budget.Record, error) {
	leave, err := t.enter(ctx)
	if err != nil {
		return budget.Record{}, err
	}
	defer leave()
	host = strings.ToLower(host)
	r := storedBudget(t.budgets[host])
	if err := change(&r); err != nil {
		return budget.Record{}, err
	}
	t.budgets[host] = storedBudget(r)
	return storedBudget(r), nil
}

// storedBudget is the record as it comes back from a table. Nothing in it is
// shared with r.
func storedBudget(r budget.Record) budget.Record {
	return budget.Record{
		Next:        inMillis(r.Next),
		PausedUntil: inMillis(r.PausedUntil),
		Pause:       r.Pause.Truncate(time.Millisecond),
		Throttled:   set(r.Throttled),
		Served:      set(r.Served),
		Refused:     set(r.Refused),

		RefusedSince: inMillis(r.RefusedSince),
		ProbedAt:     inMillis(r.ProbedAt),
	}
}

// Reserve implements budget.Store, in whole milliseconds.
func (t *Table) Reserve(ctx context.Context, host string, w budget.Window) (time.Time, error) {
	w = budget.Window{
		Now:      inMillis(w.Now),
		Earliest: inMillis(w.Earliest),
		Latest:   inMillis(w.Latest),
		Interval: (w.Interval + time.Millisecond - 1).Truncate(time.Millisecond),
	}
	var instant time.Time
	_, err := t.changeBudget(ctx, host, func(r *budget.Record) (err error) {
		instant, r.Next, err = budget.Reserve(*r, w)
		return err
	})
	if err != nil {
		return time.Time{}, err
	}
	return instant, nil
}

// Throttled implements budget.Store.
func (t *Table) Throttled(ctx context.Context, host string, th budget.Throttle) (budget.Record, error) {
	th.Now = inMillis(th.Now)
	return t.changeBudget(ctx, host, func(r *budget.Record) error {
		*r = budget.Pause(*r, th)
		return nil
	})
}

// Refused implements budget.Store.
func (t *Table) Refused(ctx context.Context, host, connection string, now time.Time) (budget.Record, error) {
	return t.changeBudget(ctx, host, func(r *budget.Record) error {
		*r = budget.Refuse(*r, connection, now)
		return nil
	})
}

// Succeeded implements budget.Store.
func (t *Table) Succeeded(ctx context.Context, host, client string) error {
	_, err := t.changeBudget(ctx, host, func(r *budget.Record) error {
		if _, ok := t.budgets[strings.ToLower(host)]; ok {
			*r = budget.Success(*r, client)
		}
		return nil
	})
	return err
}

// Probe implements budget.Store.
func (t *Table) Probe(ctx context.Context, host string, now time.Time) (bool, error) {
	claimed := false
	_, err := t.changeBudget(ctx, host, func(r *budget.Record) error {
		if claimed = r.MayProbe(inMillis(now)); claimed {
			r.ProbedAt = now
		}
		return nil
	})
	return claimed, err
}
