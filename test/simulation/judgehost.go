package simulation

import (
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
	"github.com/reltio-tokens/reltio-tokens/internal/renewal"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
)

// troubled reports whether a host refuses everyone, or did a while ago; mu is
// held.
func (w *World) troubled(h *host) bool {
	return h.refusing || w.now().Before(h.troubled)
}

// judgePaused notes that a host asked for a pause.
func (w *World) judgePaused(name string, until time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	h := w.hosts[name]
	if _, believed := ratelimit.Bounds(w.now()); until.After(believed.Add(w.tolerance())) {
		return // a wrong clock's
	}
	h.pausedUntil = later(h.pausedUntil, until)
	w.disturbLocked(name, until.Add(w.tolerance()))
	w.noteLocked(nil, step{op: OpThrottled, about: name, text: "paused until " + until.Format("15:04:05.000")})
}

// judgeRefusing notes that a host refuses, by our own record: then most wait.
//
// I3: what a host refuses counts against it only if it had accepted the same
// credentials before: a mistake in one secret makes no other connection wait.
func (w *World) judgeRefusing(name, connection string, r ratelimit.Record) {
	w.mu.Lock()
	defer w.mu.Unlock()
	h := w.hosts[name]
	w.noteLocked(nil, step{op: OpRefused, about: name, n: int64(len(r.Refused))})
	if c := w.conns[connection]; !c.acceptedEver() {
		w.broken("I3", c, "the refusal of new credentials counts against %s", name)
	}
	if r.CircuitOpen() && !h.refusing {
		h.refusing, h.refusingSince = true, w.now()
	}
}

// judgeSucceeded notes that a host refuses no longer, by our own record.
func (w *World) judgeSucceeded(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	h := w.hosts[name]
	if h.refusing {
		h.workedAt = w.now()
		h.refusing, h.troubled = false, later(h.troubled, w.now().Add(3*tickEvery))
	}
	w.noteLocked(nil, step{op: OpSucceeded, about: name})
}

// judgeSweep counts a sweep.
func (w *World) judgeSweep(s renewal.Swept) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range s.Reports {
		w.countUnstored(r)
	}
	r := s.Result
	w.figures.Sweeps++
	w.figures.Renewed += r.Renewed
	w.figures.LeftOver += r.LeftOver
	w.figures.Failed += r.Failed
}

// judgeRenewed counts a single renewal.
func (w *World) judgeRenewed(_ *Instance, r renewal.Report) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.countUnstored(r)
	switch r.Outcome {
	case rotateapi.Renewed:
		w.figures.Renewed++
	case rotateapi.Failed:
		w.figures.Failed++
	default:
	}
}

// countUnstored counts what the metric of that name does.
func (w *World) countUnstored(r renewal.Report) {
	if r.Parked {
		w.figures.Unstored++
	}
}
