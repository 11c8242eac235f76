package simulation

import (
	"slices"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
)

// What punctuality allows beyond the tick itself.
const (
	// work is what a tick takes to come to a renewal and to make it.
	work = 15 * time.Second
	// daily is how often an event is repeated, look how often a grant that waits is
	// looked at.
	daily = 24 * time.Hour
	look  = grant.LookEvery
)

// judgeDelay is I8 where a renewal comes: no due renewal waits longer than a
// tick plus the backlog's time. It counts from the moment at which it is due,
// or was last served (a token may come again with nothing left), or at which
// the last disturbance was over that kept it from being served: a missed
// tick, a pause of the host, a process that was killed with the lease. Where clocks
// differ by more than 50 ms it is not judged.
func (w *World) judgeDelay(i *Instance, c *conn) {
	if i.wrong() {
		return
	}
	since, ok := w.overdueSince(c)
	if !ok {
		return
	}
	delay := w.now().Sub(since)
	w.figures.Latest = max(w.figures.Latest, delay)
	if delay <= tickEvery+work || w.cfg.Loose {
		return
	}
	if allowed := w.allowance(c); delay > allowed {
		w.broken("I8", c, "renewed %s after it was due; with the backlog it may be %s", delay, allowed)
	}
}

// overdueSince is the moment from which a connection could have been served.
func (w *World) overdueSince(c *conn) (time.Time, bool) {
	g := c.stored
	if c.storedAt.IsZero() || g.Status == grant.StatusPaused || g.Status == grant.StatusUnknown || w.troubled(c.host) {
		return time.Time{}, false
	}
	if c.dueFrom.IsZero() && g.DueAt.After(w.now()) {
		return time.Time{}, false // the index is never later than it is due
	}
	due := g.Due()
	switch {
	case !c.dueFrom.IsZero():
		due = c.dueFrom
	case due.IsZero():
		due = c.storedAt
	}
	since := later(later(due, c.foundAt), later(c.last.at, w.disturbance(c)))
	return since, since.Before(w.now())
}

// allowance is a tick and the backlog's time: of the largest one that a
// connection which is served now may have waited in.
func (w *World) allowance(c *conn) time.Duration {
	h, now := c.host, w.now()
	largest := 0
	h.backlogs = slices.DeleteFunc(h.backlogs, func(b backlog) bool {
		seen := now.Sub(b.at) <= 2*tickEvery+time.Duration(b.n)*w.each()
		if seen {
			largest = max(largest, b.n)
		}
		return !seen
	})
	return tickEvery + work + time.Duration(largest)*w.each()
}

// backlog is how many were overdue at a moment.
type backlog struct {
	at time.Time
	n  int
}

// countBacklogs notes how many are overdue, for each host; mu is held.
func (w *World) countBacklogs() {
	now := w.now()
	overdue := make(map[*host]int, len(w.hostList))
	for _, c := range w.connList {
		if _, ok := w.overdueSince(c); ok {
			overdue[c.host]++
		}
	}
	for h, n := range overdue {
		h.backlogs = append(h.backlogs, backlog{at: now, n: n})
	}
}

// each is what one renewal of a backlog takes: the rate limit's interval, with room
// for slots that are missed.
func (w *World) each() time.Duration {
	perSecond := w.cfg.PerSecond
	if perSecond == 0 {
		perSecond = ratelimit.MaxPerSecond
	}
	return ratelimit.Interval(perSecond) * 13 / 10
}

// inspect is what no event would show: that something did not happen.
//
// I3: trouble at a server is over when it is over.
//
// I8: no connection is forgotten.
//
// I12: a person that is needed is asked for within a tick of the refusal, again
// every day, and when the cause has been put right the connection is back within
// the five minutes of the next look and a tick.
func (w *World) inspect() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.countBacklogs()
	for _, c := range w.connList {
		now, calm := w.now(), w.disturbance(c)
		overdue := func(since time.Time, d time.Duration) bool {
			return !since.IsZero() && now.Sub(later(since, calm)) > d
		}
		if since, ok := w.overdueSince(c); ok && !w.cfg.Loose && now.Sub(since) > 2*tickEvery && now.Sub(since) > w.allowance(c)+tickEvery {
			w.broken("I8", c, "due since %s and forgotten: %s", now.Sub(since), describe(c.stored))
		}
		w.judgeRecovery(c)
		w.inspectStores(c, calm)
		if w.troubled(c.host) || c.gone || c.paused || c.broken {
			continue
		}
		switch {
		case now.Before(c.absentUntil.Add(absentAfter)), c.thoughtGone():
		case overdue(c.mended, look+2*tickEvery+work) && !c.believed(now).Valid(now):
			w.broken("I12", c, "put right %s ago and still %s", now.Sub(c.mended), c.stored.Status)
		case now.Before(later(w.mute, c.mute)):
		case overdue(c.refusedAt, tickEvery+work):
			w.broken("I12", c, "refused %s ago, and nobody is told: %s", now.Sub(c.refusedAt), c.stored.Status)
		case !c.needy.IsZero() && c.announced.IsZero() && overdue(c.needy, tickEvery+work):
			w.broken("I12", c, "somebody is needed since %s and was not told", now.Sub(c.needy))
		case !c.needy.IsZero() && overdue(c.announced, daily+look+2*tickEvery):
			w.broken("I12", c, "somebody is needed and was last told %s ago", now.Sub(c.announced))
		}
	}
}

// judgeEnd looks at the world after hours without trouble: a connection that has
// the right credentials and is not paused has a valid token, or is about to be renewed
// (I5, I8).
func (w *World) judgeEnd() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.connList {
		if c.gone || c.paused || c.broken || c.Wrong || !c.clientRight() || !c.passwordRight() || c.mending {
			continue
		}
		now := w.now()
		g := c.believed(now)
		if c.storedAt.IsZero() || g.Valid(now) && !g.Waiting() {
			continue
		}
		if g.Status == grant.StatusOK && now.Sub(g.ExpiresAt) < tickEvery+work {
			continue
		}
		if c.Type == connection.AuthorizationCode && c.row > 0 && now.Sub(c.rowSince) < grant.TryEvery && !w.takesStored(c) {
			continue // its refresh token has ended, in words that are not believed for an hour
		}
		w.broken("I5", c, "after hours of peace: %s", describe(g))
	}
}
