package dynamo

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
)

// Budget implements ratelimit.Store.
func (t *Table) Budget(ctx context.Context, host string) (ratelimit.Record, error) {
	i, err := t.getMended(ctx, budgetKey(host), budgetMending)
	if err != nil {
		return ratelimit.Record{}, err
	}
	return readBudget(i)
}

func readBudget(i item) (ratelimit.Record, error) {
	var r ratelimit.Record
	err := load(i, []field{
		{attrNext, asTime(&r.Next)},
		{attrPausedUntil, asTime(&r.PausedUntil)},
		{attrPause, asMillis(&r.Pause)},
		{attrThrottled, setValue{&r.Throttled}},
		{attrServed, setValue{&r.Served}},
		{attrRefused, setValue{&r.Refused}},
		{attrRefusedSince, asTime(&r.RefusedSince)},
		{attrDownSince, asTime(&r.DownSince)},
		{attrProbedAt, asTime(&r.ProbedAt)},
	})
	return r, err
}

// reserveTries bounds how often Reserve tries. The first guess may be wrong
// (one). The idle host found then may be taken by another caller (two). The
// slot after that caller's can be taken whatever others do, because the record
// only rises, until it is beyond the window or the host is paused, which ends
// Reserve (three). One more is for a record that was set back by hand.
const reserveTries = 4

// Reserve implements ratelimit.Store. Unless the caller says that the host is
// idle it guesses that the host is busy: on an idle host a second write does no
// harm, and on a busy one each slot costs one write.
func (t *Table) Reserve(ctx context.Context, host string, window ratelimit.Window) (time.Time, error) {
	window = inMillis(window)
	attempt := reserveNext
	if window.Idle && !window.Earliest.After(window.Latest) {
		attempt = reserveEarliest
	}
	for range reserveTries {
		stored, taken, err := t.updateMended(ctx, attempt(host, window), budgetMending)
		if err != nil {
			return time.Time{}, err
		}
		before, err := readBudget(stored)
		if err != nil {
			return time.Time{}, err
		}
		// ratelimit.Reserve over the stored record says what the write has taken,
		// or what the next one has to be.
		slot, _, err := ratelimit.Reserve(before, window)
		if err != nil {
			return time.Time{}, err
		}
		if taken {
			return slot, nil
		}
		attempt = reserveEarliest
		if slot.After(window.Earliest) {
			attempt = reserveNext
		}
	}
	return time.Time{}, contended()
}

// inMillis is the window in the precision of the table.
func inMillis(w ratelimit.Window) ratelimit.Window {
	return ratelimit.Window{
		Now:      moment(w.Now.UnixMilli()),
		Earliest: moment(w.Earliest.UnixMilli()),
		Latest:   moment(w.Latest.UnixMilli()),
		Interval: (w.Interval + time.Millisecond - 1).Truncate(time.Millisecond),
		Idle:     w.Idle,
	}
}

// reserveNext takes the stored next slot if it lies in the window.
func reserveNext(host string, window ratelimit.Window) *write {
	believed, _ := ratelimit.Bounds(window.Now)
	w := newReserve(host)
	w.count(attrNext, window.Interval.Milliseconds())
	w.condition = all(
		w.is(attrNext, ">", millis(window.Earliest)),
		w.is(attrNext, "<=", millis(window.Latest)),
		w.is(attrNext, "<=", millis(believed)),
		w.unpaused(window.Now),
	)
	return w
}

// reserveEarliest takes the window's first moment as the slot, if the stored
// next one lies before it or is not believed.
func reserveEarliest(host string, window ratelimit.Window) *write {
	believed, _ := ratelimit.Bounds(window.Now)
	w := newReserve(host)
	w.set(attrNext, millis(window.Earliest.Add(window.Interval)))
	idle := either(
		w.absent(attrNext),
		w.is(attrNext, "<=", millis(window.Earliest)),
		w.is(attrNext, ">", millis(believed)),
	)
	w.condition = all(idle, w.unpaused(window.Now))
	return w
}

func newReserve(host string) *write {
	w := newWrite(budgetKey(host))
	w.returns = types.ReturnValueUpdatedOld
	w.showRefusing = true
	return w
}

// unpaused holds if there is no believed pause.
func (w *write) unpaused(now time.Time) string {
	_, believed := ratelimit.Bounds(now)
	return either(
		w.absent(attrPausedUntil),
		w.is(attrPausedUntil, "<=", millis(now)),
		w.is(attrPausedUntil, ">", millis(believed)),
	)
}

// pauseTries bounds how often Throttled tries: as the only writer, then against
// a pause that another writer has just begun, then against one that already
// lasts longer, which cannot refuse the write again.
const pauseTries = 3

// Throttled implements ratelimit.Store.
func (t *Table) Throttled(ctx context.Context, host string, th ratelimit.Throttle) (ratelimit.Record, error) {
	th.Now = moment(th.Now.UnixMilli())
	stored, err := t.getMended(ctx, budgetKey(host), budgetMending)
	if err != nil {
		return ratelimit.Record{}, err
	}
	for range pauseTries {
		before, err := readBudget(stored)
		if err != nil {
			return ratelimit.Record{}, err
		}
		w := pause(host, th, stored, before)
		if w == nil {
			return before, nil
		}
		var taken bool
		if stored, taken, err = t.updateMended(ctx, w, budgetMending); err != nil {
			return ratelimit.Record{}, err
		}
		if taken {
			return readBudget(stored)
		}
	}
	return ratelimit.Record{}, contended()
}

// pause is the write of a 429 over a stored record; nil if it changes nothing.
func pause(host string, th ratelimit.Throttle, stored item, before ratelimit.Record) *write {
	after := ratelimit.RecordThrottle(before, th)
	isNew := len(after.Throttled) > len(before.Throttled)
	restarted := len(after.Served) < len(before.Served)
	changed := !after.PausedUntil.Equal(before.PausedUntil) || after.Pause != before.Pause
	if !isNew && !restarted && !changed {
		return nil
	}
	w := newWrite(budgetKey(host))
	w.returns = types.ReturnValueAllNew
	w.showRefusing = true
	if isNew {
		w.add(attrThrottled, th.Client)
	}
	if restarted {
		w.set(attrServed, nil)
	}
	if changed {
		w.set(attrPausedUntil, millis(after.PausedUntil))
		w.set(attrPause, asMillis(&after.Pause).save())
		w.condition = all(
			w.unchanged(attrPause, stored[attrPause]),
			w.pausedAs(th.Now, stored, before, after),
		)
	}
	return w
}

// pausedAs holds while the rule gives the same result for the stored pause as
// for the one that was read: while the pause is unchanged, or, if it was in
// force, while the stored pause in force ends before the new one.
func (w *write) pausedAs(now time.Time, stored item, before, after ratelimit.Record) string {
	unchanged := w.unchanged(attrPausedUntil, stored[attrPausedUntil])
	if _, paused := before.ThrottledUntil(now); !paused {
		return unchanged
	}
	inForce := w.is(attrPausedUntil, ">", millis(now))
	shorter := w.is(attrPausedUntil, "<", millis(after.PausedUntil))
	return either(unchanged, "("+all(inForce, shorter)+")")
}

// Refused implements ratelimit.Store. A full list refuses the write and is
// returned as it is.
func (t *Table) Refused(ctx context.Context, host, connection string, now time.Time) (ratelimit.Record, error) {
	w := newWrite(budgetKey(host))
	w.add(attrRefused, connection)
	w.setFirst(attrRefusedSince, millis(now))
	w.condition = either(w.absent(attrRefused), w.smaller(attrRefused, ratelimit.MaxRefused))
	w.returns = types.ReturnValueAllNew
	w.showRefusing = true
	stored, _, err := t.updateMended(ctx, w, budgetMending)
	if err != nil {
		return ratelimit.Record{}, err
	}
	return readBudget(stored)
}

// Succeeded implements ratelimit.Store. A full list of those served refuses the
// first write; the second leaves the list as it is.
func (t *Table) Succeeded(ctx context.Context, host, client string) error {
	w := newSuccess(host)
	w.add(attrServed, client)
	w.condition = all(w.condition, either(w.absent(attrServed), w.smaller(attrServed, ratelimit.MaxServed)))
	if _, taken, err := t.updateMended(ctx, w, budgetMending); err != nil || taken {
		return err
	}
	_, _, err := t.updateMended(ctx, newSuccess(host), budgetMending)
	return err
}

// newSuccess clears what a success ends, of a host that has a record.
func newSuccess(host string) *write {
	w := newWrite(budgetKey(host))
	for _, attr := range []string{attrRefused, attrRefusedSince, attrThrottled, attrPause, attrDownSince} {
		w.set(attr, nil)
	}
	w.condition = w.exists(attrKey)
	return w
}

// Unanswered implements ratelimit.Store.
func (t *Table) Unanswered(ctx context.Context, host string, now time.Time) error {
	w := newWrite(budgetKey(host))
	w.setFirst(attrDownSince, millis(now))
	w.set(attrProbedAt, millis(now))
	_, _, err := t.updateMended(ctx, w, budgetMending)
	return err
}

// Answered implements ratelimit.Store.
func (t *Table) Answered(ctx context.Context, host string) error {
	w := newWrite(budgetKey(host))
	w.set(attrDownSince, nil)
	w.condition = w.exists(attrDownSince)
	_, _, err := t.updateMended(ctx, w, budgetMending)
	return err
}

// Probe implements ratelimit.Store. If the response was lost the caller does
// not probe: the next probe is one interval away.
func (t *Table) Probe(ctx context.Context, host string, now time.Time, every time.Duration) (bool, error) {
	w := newWrite(budgetKey(host))
	w.set(attrProbedAt, millis(now))
	w.condition = either(
		w.absent(attrProbedAt),
		w.is(attrProbedAt, "<=", millis(now.Add(-every))),
		w.is(attrProbedAt, ">", millis(now.Add(every))),
	)
	w.showRefusing = true
	_, taken, err := t.updateMended(ctx, w, budgetMending)
	return taken, err
}
