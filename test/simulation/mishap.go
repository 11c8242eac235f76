package simulation

import (
	"fmt"
	"maps"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/memstore"
)

// Mishaps are what operators and Amazon do to what is stored.

// mishap is one of them.
func (w *World) mishap() {
	if !w.stormy() {
		return
	}
	r := w.random
	c := w.connList[r.IntN(len(w.connList))]
	wait := time.Duration(1+r.IntN(240)) * time.Minute
	switch r.IntN(8) {
	case 0, 1:
		w.Restore(w.Backup(), wait, r.IntN(2) == 0)
	case 2:
		w.Empty()
		if r.IntN(2) == 0 { // meanwhile an operator gives connections to other identities
			w.after(away/2, func() {
				for _, c := range w.connList[r.IntN(len(w.connList)):] {
					w.anotherUser(c)
				}
			})
		}
	case 3:
		w.purge(w.connList)
	case 4:
		w.deleteToken(c)
	default:
		w.Absent(c.name, wait/4)
	}
}

// Backup is a copy of the table, and of what the judge knows by it.
type Backup struct {
	table  *memstore.Table
	judged map[*conn]judged
	at     time.Time
}

// Backup takes one.
func (w *World) Backup() *Backup {
	w.mu.Lock()
	defer w.mu.Unlock()
	b := &Backup{table: w.table().Copy(), judged: make(map[*conn]judged, len(w.connList)), at: w.now()}
	for _, c := range w.connList {
		b.judged[c] = c.copied()
	}
	return b
}

func (j judged) copied() judged {
	j.accepted, j.unseen, j.unclear = maps.Clone(j.accepted), maps.Clone(j.unseen), maps.Clone(j.unclear)
	return j
}

// away is how long there is no table while operators copy a backup into it; no
// process outlives that.
const away = 6 * time.Minute

// Restore puts a backup in the table's place after a while, and purges what Amazon
// may have purged from Secrets Manager by then.
func (w *World) Restore(b *Backup, wait time.Duration, purge bool) {
	w.after(wait, func() {
		w.swap(b.table.Copy(), b.judged, "the table is restored as of "+b.at.Format("Jan 02 15:04:05"))
		if purge {
			w.after(away, func() { w.purge(w.connList) })
		}
	})
}

// Empty puts an empty table in the place of the one that there is.
func (w *World) Empty() {
	w.swap(new(memstore.Table), nil, "the table is emptied")
}

// swap replaces the table, while nothing reaches it. What is parked in it is lost
// for good: so no operator replaces one in which there is something.
func (w *World) swap(next *memstore.Table, before map[*conn]judged, what string) {
	if !w.stormy() {
		return
	}
	w.begin(weather{from: w.now(), until: w.now().Add(away), kind: stormGone, rate: 1})
	w.after(away-time.Second, func() {
		if !w.stormy() || w.anyParked() {
			return
		}
		w.mu.Lock()
		w.tables.Store(next)
		w.swapped.Store(w.now().UnixNano())
		w.tell(what)
		w.forgot(before)
		for _, h := range w.hosts {
			h.downSince, h.asked = time.Time{}, nil
		}
		var paused []*conn
		for _, c := range w.connList {
			if c.stored.Status == grant.StatusPaused && !c.paused {
				paused = append(paused, c)
			}
		}
		w.mu.Unlock()
		for _, c := range paused {
			w.running.Go(func() { w.unpause(c) })
		}
	})
}

// anyParked reports whether the table has a refresh token that Secrets Manager does not have.
func (w *World) anyParked() bool {
	for _, c := range w.connList {
		if _, err := w.table().Parked(w.ctx, c.name); err == nil {
			return true
		}
	}
	return false
}

// tell writes down what is done to all; mu is held.
func (w *World) tell(what string) {
	w.journal.add(step{at: w.now(), kind: operatorKind, about: "-", op: "mishap", text: what}, keptUsually)
}

// forgot lets the judge know by the table what the table knows now: what it knew
// at a backup, or nothing. What it knows of servers and people stays; mu is held.
func (w *World) forgot(before map[*conn]judged) {
	now := w.now()
	w.refusals = map[string]map[uint64]*logins{}
	for _, c := range w.connList {
		j, known := before[c]
		j = j.copied()
		if !known {
			j = judged{}
			j.begin()
		}
		j.given, j.secrets, j.ring, j.loggedIn = c.given, c.secrets, c.ring, c.loggedIn
		j.storedBy, j.seized, j.resumedAt, j.disturbed = w.restorer, now, now, now.Add(2*tickEvery)
		j.last, j.tokenGone, j.absentUntil = attempt{at: now}, c.tokenGone, c.absentUntil
		j.refresh, j.refusedToken, j.refusedAt, j.mended, j.dueFrom = heardRefresh{}, refusedRefresh{}, time.Time{}, time.Time{}, time.Time{}
		for _, t := range j.given {
			t.replaced, t.invalid = time.Time{}, time.Time{}
			t.allowed += 2
		}
		c.judged = j
	}
	for _, h := range w.hostList {
		r, _ := w.table().Budget(w.ctx, h.name) // it does not fail
		h.refusing, h.workedAt, h.probed = r.CircuitOpen(), time.Time{}, time.Time{}
		h.refusingSince, h.trouble = now, trouble{}
	}
	w.disturbLocked("mishap", now.Add(2*tickEvery))
}

// purge deletes all versions of grants' secrets but the newest.
func (w *World) purge(conns []*conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tell("all versions of grants' secrets are purged but the newest")
	for _, c := range conns {
		_ = w.secrets.PurgeGrant(w.ctx, c.name) // it does not fail
	}
}

// deleteToken deletes a grant's secret for good. Where a person has to bring
// another refresh token, that is no fault of ours.
func (w *World) deleteToken(c *conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.mending || w.cfg.Stores && c.Type == connection.AuthorizationCode {
		return
	}
	c.tokenGone = w.now()
	c.disturbed = later(c.disturbed, w.now().Add(4*tickEvery))
	w.noteLocked(nil, step{op: "operator", about: c.name, text: "deletes the grant's secret"})
	_ = w.secrets.DeleteGrant(w.ctx, c.name) // it does not fail
}

// Absent deletes a connection's secret and restores it after a while, as it was.
func (w *World) Absent(name string, lasts time.Duration) {
	c := w.conns[name]
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.gone || c.mending {
		return
	}
	until := w.now().Add(lasts)
	c.absentUntil = until
	c.disturbed = later(c.disturbed, until.Add(absentAfter))
	w.noteLocked(nil, step{op: "operator", about: c.name, text: fmt.Sprintf("deletes the secret and restores it at %s", until.Format("15:04:05"))})
}

// absentAfter is how long after it is back a secret that was absent may be thought
// to be so.
const absentAfter = grant.UnknownFor + 2*tickEvery

// secondLook is how much later a secret that was not found is looked for again.
const secondLook = time.Minute

// notFound notes that a process did not find a connection's secret: that is
// believed, or not, at a second look.
func (w *World) notFound(name string) {
	w.disturb(name, w.now().Add(secondLook+w.tolerance()))
	w.mu.Lock()
	defer w.mu.Unlock()
	if c := w.conns[name]; c != nil {
		c.notFoundAt = w.now()
	}
}

// thoughtGone reports whether a secret that is there was not found twice: then its
// grant is out of the index until a caller asks.
func (c *conn) thoughtGone() bool {
	return c.stored.Status == grant.StatusUnknown && c.storedAt.Sub(c.notFoundAt) < tickEvery
}

// absent reports whether a connection's secret is not found now.
func (w *World) absent(name string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.conns[name]
	return c != nil && w.now().Before(c.absentUntil)
}
