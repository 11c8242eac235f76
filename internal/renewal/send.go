package renewal

import (
	"context"
	"errors"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lockout"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// dial opens a new connection to the authorization server. After it only the
// slot has to be waited for and the request sent.
func (p *path) dial(ctx context.Context) (*reltioauth.Conn, error) {
	client := p.c.Client()
	client.Connect, client.Now = p.Connect, p.Now
	return client.Dial(ctx)
}

// extend gives the lease its full term again, and makes sure that lease and
// invocation last for all that follows.
func (p *path) extend(ctx context.Context) error {
	if err := p.held.Extend(ctx); err != nil {
		return err
	}
	return p.fits(ctx, ratelimit.MaxWait+requestTime+storeTime)
}

// fits refuses to begin work that the lease or the invocation does not cover.
func (p *path) fits(ctx context.Context, work time.Duration) error {
	now := p.Now()
	if !p.held.Lease().Covers(now, work) || left(ctx, now) < work {
		return errNoTime
	}
	return nil
}

// count counts a user's login before it is sent, so that a crash cannot lose
// the count. Other logins lock no user and are not counted.
func (p *path) count(ctx context.Context, s step) error {
	if s.kind != login || !p.c.HasUser() || p.counted {
		return nil
	}
	r, err := p.Lockouts.CountLogin(ctx, p.try())
	var claimed *lockout.ClaimedError
	if errors.As(err, &claimed) {
		if err := p.contest(ctx, claimed.By); err != nil {
			return err
		}
		r, err = p.Lockouts.CountLogin(ctx, p.try())
	}
	var pause *lockout.PauseError
	switch {
	case errors.Is(err, lockout.ErrAtLimit):
		return p.atLimit(r)
	case errors.As(err, &pause):
		return p.tooSoon(pause.Until)
	case errors.As(err, &claimed): // another connection has claimed the account meanwhile
		return p.claimed(claimed.By)
	}
	p.counted, p.account = err == nil, r
	return err
}

// try is the login about to be sent. A probe never takes a user's last attempt.
func (p *path) try() lockout.Try {
	t := p.tryOf(p.c)
	if p.probing {
		t.Spare = 1
	}
	return t
}

func (p *path) tryOf(c *connection.Connection) lockout.Try {
	return lockout.Try{
		AccountHash:     c.AccountHash(),
		CredentialsHash: c.CredentialsHash(),
		Connection:      c.Name,
		Limit:           p.loginAttempts(),
		Now:             p.Now(),
		Forced:          p.request.Force && !p.chosen,
	}
}

// atLimit is the end of a renewal that may not log in.
func (p *path) atLimit(r lockout.Record) error {
	if p.probing {
		p.report.atLimit = true
		return p.circuitOpen()
	}
	if !r.Exhausted(p.loginAttempts()) {
		return p.stopped(0)
	}
	return p.rejected(refusedText(true, p.g.Refusal, true), 0)
}

// tooSoon is the end of a renewal that may not log in yet, after a login whose
// response was unclear: it is tried later, and no failure is counted.
func (p *path) tooSoon(until time.Time) error {
	if p.probing {
		p.report.atLimit = true
		return p.circuitOpen()
	}
	now := p.Now()
	g := p.g
	if !g.Waiting() {
		g.Status = grant.StatusFailing
		g.LastError, g.LastErrorMessage = apierr.ReltioUnavailable, unclearText("login", g.Refusal)
	}
	g.RetryAt = until
	return &done{outcome: rotateapi.Failed, err: g.LastFailure(now), write: &g}
}

func earliest(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// contest checks whether the connection that claims the account still names it.
// If it does not, the claim moves to this connection.
func (p *path) contest(ctx context.Context, owner string) error {
	source, err := p.Connections.Connection(ctx, owner)
	switch {
	case errors.Is(err, connection.ErrNotFound):
		return p.Lockouts.MoveClaim(ctx, p.c.AccountHash(), owner, p.c.Name)
	case err != nil:
		return err
	}
	c, err := connection.Parse(owner, source, p.Hosts)
	if err == nil && c.AccountHash() != p.c.AccountHash() {
		return p.Lockouts.MoveClaim(ctx, p.c.AccountHash(), owner, p.c.Name)
	}
	// A secret that cannot be parsed may still name the account.
	return p.claimed(owner)
}

// claimed is the end of a renewal whose account belongs to another connection.
func (p *path) claimed(owner string) *done {
	e := apierr.New(apierr.InvalidConnection, "username: its account belongs to connection "+owner)
	g := p.g.Failed(grant.StatusInvalidConnection, e, p.Now(), 0, p.random())
	return &done{outcome: rotateapi.Failed, err: e, write: &g}
}

// uncount removes the count of a login that was not sent.
func (p *path) uncount(ctx context.Context, cause error) error {
	if !p.counted {
		return cause
	}
	p.counted = false
	ctx, cancel := p.storing(ctx)
	defer cancel()
	// If this write fails the login stays counted: one attempt fewer is safe.
	_ = p.Lockouts.SettleLogin(ctx, p.try(), lockout.Nothing)
	return cause
}

// wait reserves the host's next slot and waits for it. The host's record that
// it reads meanwhile replaces the one read before.
func (p *path) wait(ctx context.Context, s step) error {
	if !s.asks() {
		return p.fits(ctx, checkTime+storeTime)
	}
	began := p.Now()
	slot := ratelimit.Slot{
		Store: p.RateLimits, Host: p.c.Host(), Interval: p.interval(),
		Latest: began.Add(ratelimit.MaxWait), Now: p.Now, Seen: p.host,
	}
	at, err := slot.Reserve(ctx, began)
	if err == nil {
		err = slot.Wait(ctx, at)
		p.report.RateLimitWait, p.host = p.Now().Sub(began), slot.Seen
	}
	switch {
	case err == nil:
		return p.fits(ctx, requestTime+storeTime)
	case ctx.Err() != nil:
		return errNoTime
	default:
		return err
	}
}
