package simulation

import (
	"context"
	"fmt"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/memstore"
	"github.com/reltio-tokens/reltio-tokens/internal/operator"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// resume is the operator's word that the credentials are right; before that the
// operator has checked whether the user is locked at the server.
func (w *World) resume(c *conn) {
	c.host.server.UnlockUser(c.account())
	w.mu.Lock()
	delete(w.refusals, c.host.name+"/"+c.user)
	delete(w.refusals, c.host.name+" "+c.client)
	delete(c.unseen, c.account())
	delete(c.unclear, c.account())
	c.clientRefused, c.row, c.heldBack, c.failures, c.notBefore = 0, 0, false, 0, time.Time{}
	if c.stored.Waiting() {
		c.mended = w.now()
	}
	mended := c.mended
	w.mu.Unlock()
	resumed := w.operate(c, (*operator.Service).Resume)
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.resumedAt = w.now(); resumed {
		return
	}
	if c.mended.Equal(mended) {
		c.mended = time.Time{} // the operator gives up, and comes again when told again
	}
}

// operate is a command of an operator, given again until it works, ten times at
// most.
func (w *World) operate(c *conn, verb func(*operator.Service, context.Context, string) (operator.Change, error)) bool {
	s := w.spawn(operatorKind).ports()
	o := &operator.Service{
		Grants: s.Grants, Leases: s.Leases, Hosts: w.allowed, Now: s.Now,
		Lockouts: s.Lockouts, Connections: seenConnections{s.Connections, &w.secrets},
	}
	ctx, cancel := context.WithTimeout(w.ctx, time.Minute)
	defer cancel()
	for range 10 {
		_, err := verb(o, ctx, c.name)
		if err == nil || apierr.Of(err).Type != apierr.StoreUnavailable {
			return true
		}
		w.sleep(3 * time.Second)
	}
	return false
}

// seenConnections are the connections, with what else an operator can see.
type seenConnections struct {
	connection.Secrets
	secrets *memstore.Secrets
}

func (s seenConnections) List(ctx context.Context) ([]string, error) { return s.secrets.List(ctx) }

// accident is what operators and people do to a connection.
func (w *World) accident() {
	if !w.stormy() {
		return
	}
	c := w.connList[w.random.IntN(len(w.connList))]
	w.mu.Lock()
	busy, fingerprint, user := c.mending || c.gone || c.broken || c.paused, c.stored.Fingerprint, c.user
	w.mu.Unlock()
	if busy {
		return
	}
	wait := time.Duration(w.random.Int64N(int64(3 * time.Hour)))
	switch w.random.IntN(11) {
	case 0, 1:
		c.host.server.LoginElsewhere(user)
	case 2:
		c.host.server.Kill(fingerprint)
	case 3:
		w.changePassword(c)
	case 4:
		w.changeClientSecret(c)
		w.after(wait/6, func() { w.running.Go(func() { w.putRight(c) }) })
	case 5:
		w.changeSecret(c, func() { c.gone = true })
		w.after(wait, func() { w.running.Go(func() { w.putRight(c) }) })
	case 6:
		w.changeSecret(c, func() { c.broken = true })
		w.after(wait, func() { w.running.Go(func() { w.putRight(c) }) })
	case 7:
		w.pauseConnection(c, wait)
	case 8:
		w.running.Go(func() { _, _ = w.rotate(w.ctx, rotateapi.Request{Connection: c.name, Force: true}, true) })
	case 9:
		w.anotherUser(c)
	case 10:
		w.writeSecret(c)
	}
}

func (w *World) changePassword(c *conn) {
	if c.Type != connection.Password {
		return
	}
	w.mu.Lock()
	c.made++
	c.takes = fmt.Sprintf("password-%d", c.made+1)
	w.noteLocked(nil, step{op: "user", about: c.name, text: "changes the password"})
	w.mu.Unlock()
	for _, user := range []string{c.first(), c.other()} {
		c.host.server.SetPassword(user, reltioauth.NewSecret(c.takes))
	}
}

func (w *World) changeClientSecret(c *conn) {
	w.mu.Lock()
	c.made++
	c.takesClient = fmt.Sprintf("client-secret-%d", c.made+1)
	c.mending = true
	w.noteLocked(nil, step{op: "operator", about: c.name, text: "changes the client's secret at the server"})
	w.mu.Unlock()
	c.host.server.SetClientSecret(c.client, reltioauth.NewSecret(c.takesClient))
}

// changeSecret breaks or deletes the secret.
func (w *World) changeSecret(c *conn, change func()) {
	w.mu.Lock()
	change()
	c.mending = true
	gone := c.gone
	c.wrote(w.now(), c.identity())
	w.noteLocked(nil, step{op: "operator", about: c.name, text: fmt.Sprintf("deletes (%t) or breaks the secret", gone)})
	w.mu.Unlock()
	if gone {
		_ = w.secrets.DeleteConnection(w.ctx, c.name) // it was there
		return
	}
	w.writeSecret(c)
}

// pauseConnection pauses it for a while.
func (w *World) pauseConnection(c *conn, wait time.Duration) {
	w.mu.Lock()
	c.paused, c.mending = true, true
	w.mu.Unlock()
	w.running.Go(func() {
		w.operate(c, (*operator.Service).Pause)
		_ = w.pause(w.calling, wait)
		w.putRight(c)
	})
}

// unpause takes it back into the service, however long that takes: no other process
// would.
func (w *World) unpause(c *conn) {
	for !w.operate(c, (*operator.Service).Unpause) && !w.stopped.Load() {
		w.sleep(time.Minute)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	c.row, c.failures, c.notBefore = 0, 0, time.Time{}
}

// anotherUser gives the connection to another user, or back.
func (w *World) anotherUser(c *conn) {
	w.mu.Lock()
	if c.Type != connection.Password || c.mending || c.gone || c.broken || c.paused {
		w.mu.Unlock()
		return
	}
	if c.user == c.other() {
		c.user = c.first()
	} else {
		c.user = c.other()
	}
	w.mu.Unlock()
	w.writeSecret(c)
}

func (w *World) parsed(ctx context.Context, c *conn) (*connection.Connection, error) {
	source, err := w.secrets.Connection(ctx, c.name)
	if err != nil {
		return nil, err
	}
	return connection.Parse(c.name, source, w.allowed)
}
