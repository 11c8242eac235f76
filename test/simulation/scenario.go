package simulation

import (
	"context"
	"strings"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/issue"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/renewal"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// What a scenario does by hand. Each returns when it is done.

// Sweep is one tick, now.
func (w *World) Sweep() { w.queued(w.sweep) }

// Renew renews a connection in a process of its own, which may be killed on the way:
// then ok is false.
func (w *World) Renew(name string, force bool) (report renewal.Report, ok bool) {
	i := w.spawn("rotate")
	r := rotateapi.Request{Connection: name, Force: force}
	i.request, i.forced = &r, force
	done := make(chan renewal.Report, 1)
	w.running.Go(func() {
		ctx, cancel := context.WithTimeout(w.ctx, rotateTimeout)
		defer cancel()
		renewer := i.renewer()
		report := renewer.Renew(ctx, r)
		i.rest(renewer)
		done <- report
	})
	select {
	case report = <-done:
		return report, true
	case <-i.killed:
		return report, false
	}
}

// Issue is one call of the issue function.
func (w *World) Issue(name string, r issue.Request) (issue.Answer, error) {
	return w.issue(w.environmentAt(int(w.now().Unix())%len(w.environments)), w.conns[name], r)
}

// Correct writes a connection's secret again, with the password that the server takes.
func (w *World) Correct(name string) {
	c := w.conns[name]
	w.mu.Lock()
	c.password = c.takes
	w.mu.Unlock()
	w.writeSecret(c)
}

// Server is the first authorization server.
func (w *World) Server() *reltioauthtest.Server { return w.hostList[0].server }

// Grant is what the table holds of a connection.
func (w *World) Grant(name string) grant.Grant {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.conns[name].stored
}

// Until runs the world until a moment: ticks, callers, whatever is
// planned.
func (w *World) Until(end time.Time) { w.until(end) }

// Rest waits until no process is left.
func (w *World) Rest() { w.running.Wait() }

// Born plans the first call for each connection, spread over a while.
func (w *World) Born(over time.Duration) {
	for i, c := range w.connList {
		w.after(time.Duration(i)*over/time.Duration(len(w.connList)), func() { w.firstCall(c) })
	}
}

// Plant gives every connection a grant of a fleet that is past its first days:
// its mode was learned at some time in the last week, and its first token is due
// at some time within the given while.
func (w *World) Plant(mode grant.Mode, over time.Duration) error {
	i := w.spawn(operatorKind)
	now := w.now()
	for n, c := range w.connList {
		parsed, err := w.parsed(w.ctx, c)
		if err != nil {
			return err
		}
		held, err := w.table().TakeLease(w.ctx, lease.Request{Connection: c.name, Owner: lease.NewOwner(), Now: now, Until: now})
		if err != nil {
			return err
		}
		ch := w.draw("plant", c.name)
		g := grant.Grant{Connection: c.name}.Reset(parsed.IdentityHash())
		g = g.WithMode(false, mode, now.Add(-ch.between(0, grant.TestEvery)))
		g.RetryAt = now.Add(time.Duration(n) * over / time.Duration(len(w.connList)))
		g = g.Indexed(now)
		if err := w.table().PutGrant(w.ctx, held, g); err != nil {
			return err
		}
		w.judgePut(i, held, nil)
	}
	return nil
}

// Story is what happened to a connection.
func (w *World) Story(name string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var b strings.Builder
	for _, e := range w.conns[name].ring.all() {
		b.WriteString("  " + e.String() + "\n")
	}
	return b.String()
}
