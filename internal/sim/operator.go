package sim

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/rotation"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// resume is the operator's word that the credentials are right.
func (w *World) resume(c *conn) {
	w.mu.Lock()
	delete(w.refusals, c.host.name+"/"+c.user)
	delete(w.refusals, c.host.name+" "+c.client)
	delete(c.unseen, c.account())
	c.clientRefused, c.failures, c.notBefore = 0, 0, time.Time{}
	if c.stored.Waiting() {
		c.mended = w.now()
	}
	w.mu.Unlock()
	w.operate(c, true, func(g grant.Grant, now time.Time) grant.Grant {
		g.Status, g.RetryAt, g.TriedAt = grant.StatusFailing, now, time.Time{}
		return g
	})
}

// operate is a write of an operator, under a lease taken over anyone's head;
// with forget, the account's count begins anew.
func (w *World) operate(c *conn, forget bool, change func(grant.Grant, time.Time) grant.Grant) {
	i := w.spawn(operatorKind)
	ctx, cancel := context.WithTimeout(w.ctx, time.Minute)
	defer cancel()
	for range 10 {
		err := func() error {
			s := i.ports()
			held, err := s.Leases.SeizeLease(ctx, lease.Request{
				Connection: c.name, Owner: lease.NewOwner(), Now: i.Now(), Until: i.Now().Add(lease.Term),
			})
			if err != nil {
				return err
			}
			defer func() { _ = s.Leases.ReleaseLease(ctx, held) }()
			g, err := s.Grants.Grant(ctx, c.name, grant.Strong)
			if errors.Is(err, grant.ErrNotFound) {
				return nil
			}
			if err != nil {
				return err
			}
			if parsed, err := w.parsed(ctx, c); err == nil && forget {
				if err := s.Accounts.DropClaim(ctx, parsed.Account(), c.name); err != nil {
					return err
				}
			}
			return s.Grants.PutGrant(ctx, held, change(g, i.Now()).Indexed(i.Now()))
		}()
		if err == nil {
			return
		}
		w.sleep(3 * time.Second)
	}
}

func (w *World) parsed(ctx context.Context, c *conn) (*connection.Connection, error) {
	source, err := w.secrets.Connection(ctx, c.name)
	if err != nil {
		return nil, err
	}
	return connection.Parse(c.name, source, w.allowed)
}

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
		w.pauseConnection(c)
		w.after(wait, func() { w.running.Go(func() { w.putRight(c) }) })
	case 8:
		w.running.Go(func() { _, _ = w.rotate(w.ctx, rotation.Request{Connection: c.name, Force: true}, true) })
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
	c.host.server.SetPassword(c.user, reltioauth.NewSecret(c.takes))
	c.host.server.SetPassword(c.other(), reltioauth.NewSecret(c.takes))
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

func (w *World) pauseConnection(c *conn) {
	w.mu.Lock()
	c.paused, c.mending = true, true
	w.mu.Unlock()
	w.running.Go(func() {
		w.operate(c, false, func(g grant.Grant, _ time.Time) grant.Grant {
			g.Status = grant.StatusPaused
			return g
		})
	})
}

// anotherUser gives the connection to somebody else, or back.
func (w *World) anotherUser(c *conn) {
	if c.Type != connection.Password {
		return
	}
	w.mu.Lock()
	if c.user == c.other() {
		c.user = "user-" + c.name
	} else {
		c.user = c.other()
	}
	w.mu.Unlock()
	w.writeSecret(c)
}
