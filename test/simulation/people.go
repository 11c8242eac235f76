package simulation

import (
	"context"
	"errors"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/issue"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// callbackKind and operatorKind are processes that people start.
const (
	callbackKind = "callback"
	operatorKind = "operator"
)

// firstCall makes a connection known.
func (w *World) firstCall(c *conn) {
	e := w.environmentAt(w.random.IntN(len(w.environments)))
	w.running.Go(func() { _, _ = w.issue(e, c, issue.Request{}) })
}

// crowd is many calls for one connection at a time.
func (w *World) crowd() {
	c := w.connList[w.random.IntN(len(w.connList))]
	for range 50 {
		e := w.environmentAt(w.random.IntN(len(w.environments)))
		wait := time.Duration(w.random.Int64N(int64(3 * time.Second)))
		w.running.Go(func() {
			w.sleep(wait)
			_, _ = w.issue(e, c, issue.Request{})
		})
	}
}

// callPeople is what an event does: a person or an operator comes, hours or
// days later. mu is held.
func (w *World) callPeople(c *conn) {
	if c.mending || c.Wrong || w.calling == nil {
		return
	}
	c.mending = true
	ch := w.draw("person", c.name)
	wait := ch.between(time.Minute, 3*time.Hour)
	if ch.is(0.2) {
		wait = ch.between(12*time.Hour, 4*Day)
	}
	w.running.Go(func() {
		if w.fair.Load() {
			wait = time.Minute
		}
		_ = w.pause(w.calling, wait)
		w.sleep(ch.between(time.Second, time.Minute))
		w.putRight(c)
	})
}

// putRight is everything that a person or an operator can do about a connection.
func (w *World) putRight(c *conn) {
	w.mu.Lock()
	defer func() {
		w.mu.Lock()
		c.mending = false
		w.mu.Unlock()
	}()
	wrong := !c.clientRight() || !c.passwordRight() || c.gone || c.broken
	paused, status := c.paused, c.stored.Status
	rejected := status == grant.StatusCredentialsRejected || c.stored.LastError == apierr.CredentialsRejected
	c.clientSecret, c.password = c.takesClient, c.takes
	if c.Type != connection.Password {
		c.password = c.takes
	}
	c.gone, c.broken, c.paused = false, false, false
	if c.Wrong {
		wrong = false
		c.mistake()
	}
	if wrong && c.stored.Waiting() && status != grant.StatusReauthorize {
		c.mended = w.now()
	}
	w.mu.Unlock()
	if wrong {
		w.writeSecret(c)
	}
	switch {
	case paused:
		w.unpause(c)
	case status == grant.StatusReauthorize: // with a secret that is right again
		w.authorize(c)
	case wrong:
	case rejected && !c.Wrong:
		w.resume(c)
	}
}

// authorize is a person who follows an invitation, and again until it works.
func (w *World) authorize(c *conn) {
	for range 300 {
		done := make(chan error, 1)
		i := w.spawn(callbackKind)
		w.running.Go(func() { done <- w.callback(i, c) })
		select {
		case err := <-done:
			if err == nil {
				w.mu.Lock()
				w.figures.People++
				w.mu.Unlock()
				return
			}
		case <-i.killed:
		}
		w.sleep(5 * time.Minute)
		if w.stopped.Load() {
			return
		}
	}
}

// callback is what that function does at the end of a person's way. It stands
// in for the verb: dial, a seized lease, a slot, one exchange,
// the refresh token stored before the grant.
func (w *World) callback(i *Instance, c *conn) error {
	ctx, cancel := context.WithTimeout(w.ctx, callbackTimeout)
	defer cancel()
	p := i.ports()
	parsed, err := w.parsed(ctx, c)
	if err != nil {
		return err
	}
	client := parsed.Client()
	client.Connect, client.Now = p.Connect, p.Now
	line, err := client.Dial(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = line.Close() }()
	held, err := p.Leases.SeizeLease(ctx, lease.Request{
		Connection: c.name, Owner: lease.NewOwner(), Now: p.Now(), Until: p.Now().Add(lease.Term),
	})
	if err != nil {
		return err
	}
	defer func() { _ = p.Leases.ReleaseLease(context.WithoutCancel(ctx), held) }()
	g, err := p.Grants.Grant(ctx, c.name, grant.Strong)
	if err != nil {
		return err
	}
	if err := w.awaitSlot(ctx, p, parsed.Host()); err != nil {
		return err
	}
	w.mu.Lock()
	ask := reltioauth.PasswordGrant{Username: c.user, Password: reltioauth.NewSecret(c.takes)}
	w.mu.Unlock()
	token, err := line.Token(ctx, ask)
	if err != nil {
		return err
	}
	return w.keep(context.WithoutCancel(ctx), p, held, parsed, g, token)
}

// awaitSlot waits for a slot of the rate limit.
func (w *World) awaitSlot(ctx context.Context, p Ports, host string) error {
	for {
		now := p.Now()
		at, err := p.RateLimits.Reserve(ctx, host, ratelimit.Window{
			Now: now, Earliest: now, Latest: now.Add(ratelimit.MaxWait), Interval: ratelimit.Interval(ratelimit.MaxPerSecond),
		})
		if err != nil {
			return err
		}
		w.sleep(at.Sub(p.Now()))
		if late := p.Now().Sub(at); late <= ratelimit.MaxLate {
			return ctx.Err()
		}
	}
}

// keep stores what a person brought.
func (w *World) keep(ctx context.Context, p Ports, held lease.Lease, c *connection.Connection, g grant.Grant, token *reltioauth.Token) error {
	current, err := p.RefreshTokens.Current(ctx, c.Name)
	if err != nil && !errors.Is(err, grant.ErrNotFound) {
		return err
	}
	r := grant.RefreshToken{Token: token.RefreshToken, LoggedInAt: token.IssuedAt, Epoch: max(held.Epoch, current.Epoch+1), Identity: c.IdentityHash()}
	if current.Token.Equal(r.Token) && current.LoggedInAt.Add(c.RefreshTokenLife).After(token.IssuedAt) {
		r = current
	} else if r.Version, err = p.RefreshTokens.Put(ctx, c.Name, r); err != nil {
		return err
	}
	before := g
	if g.Identity != c.IdentityHash() {
		g = g.Reset(c.IdentityHash())
	}
	g = g.Accept(token).Healthy().WithRefreshToken(r, c.RefreshTokenLife)
	g.ConnectionVersion, g.Aliases, g.Relogin = c.Version, c.Aliases, ""
	g = g.Announced(before, p.Now(), true)
	return p.Grants.PutGrant(ctx, held, g.Indexed(p.Now()))
}
