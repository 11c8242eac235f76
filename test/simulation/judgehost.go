package simulation

import (
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
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
func (w *World) judgeRefusing(name, refused string, r ratelimit.Record) {
	w.mu.Lock()
	defer w.mu.Unlock()
	h := w.hosts[name]
	w.noteLocked(nil, step{op: OpRefused, about: name, n: int64(len(r.Refused))})
	if c := w.conns[refused]; !c.acceptedEver() {
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
	h.downSince = time.Time{}
	if h.refusing {
		h.workedAt = w.now()
		h.refusing, h.troubled = false, later(h.troubled, w.now().Add(3*tickEvery))
	}
	w.noteLocked(nil, step{op: OpSucceeded, about: name})
}

// judgeOutage notes that a host is down, or up again, by our own record.
func (w *World) judgeOutage(i *Instance, name string, down bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	h := w.hosts[name]
	if down { // a sweep sends it no more, and leaves the rest for the next tick
		w.disturbLocked(name, w.now().Add(2*tickEvery))
	}
	switch {
	case !down || i.wrong(): // what a wrong clock wrote is doubted
		h.downSince, h.asked = time.Time{}, nil
	case h.downSince.IsZero():
		h.downSince, h.asked = w.now(), nil
	}
}

// judgeDown is I2 and I3 at a host that is down by our own record. All connections
// together send it one request in 5 s, in 15 s after ten minutes; a request may be sent
// as late after it was decided as dialling and its slot take. And the last login that a
// user may have refused is never sent to it.
func (w *World) judgeDown(i *Instance, h *host, c *conn, s sent) {
	const (
		window = time.Minute
		late   = 10 * time.Second
		long   = 10 * time.Minute
	)
	since := s.at.Sub(h.downSince)
	if h.downSince.IsZero() || since < late || i.wrong() || i.spoilt(c.name, s.at.Add(-lease.Term)) {
		return
	}
	for len(h.asked) > 0 && s.at.Sub(h.asked[0]) >= window {
		h.asked = h.asked[1:]
	}
	h.asked = append(h.asked, s.at)
	every := ratelimit.DownProbeEvery
	if since > long+window+late {
		every = ratelimit.LongDownProbeEvery
	}
	if most := 1 + int((window+late)/every); len(h.asked) > most {
		w.broken("I2", c, "%s has been down for %s, and was asked %d times in a minute", h.name, since, len(h.asked))
	}
	if s.login != 0 && c.Type == connection.Password && w.refusalsOf(h, s).refused+1 >= mostRefused {
		w.broken("I3", c, "a user's last login was sent to %s, which had been down for %s", h.name, since)
	}
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
