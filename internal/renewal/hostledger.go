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
)

// acceptCredentials records that credentials without a user were accepted, if the
// grant does not show it. A user's are recorded with the count of the login. If the
// write fails a refusal is not counted against the host, until the next success.
func (l *ledger) acceptCredentials(ctx context.Context) {
	if l.counted || l.r.o.connection.HasUser() || l.r.o.wellBefore() {
		return
	}
	_ = l.settle(ctx, lockout.Accepted)
}

// acceptedBefore reports whether the server has accepted the present credentials:
// the lockout record says so, or, for a connection without a user, the grant was
// healthy with this version of the secret.
func (l *ledger) acceptedBefore(ctx context.Context) bool {
	c := l.r.o.connection
	if l.counted {
		return l.account.AcceptedHash == c.CredentialsHash()
	}
	account, err := l.r.Lockouts.Account(ctx, c.AccountHash())
	if err != nil {
		return false
	}
	if account.AcceptedHash == c.CredentialsHash() {
		return true
	}
	if c.HasUser() || !l.r.o.wellBefore() {
		return false
	}
	// If this write fails the next refusal is not counted against the host.
	_ = l.settle(ctx, lockout.Accepted)
	return true
}

// hostRefuses records a refusal of credentials that the host had accepted before.
// If the circuit is open, before or after that, the refusal shows nothing about
// this connection. A failed count must not hide the refusal.
func (l *ledger) hostRefuses(ctx context.Context) circuit {
	r, open := l.r, l.r.o.host.CircuitOpen()
	if !l.acceptedBefore(ctx) {
		if open {
			return circuitHeld
		}
		return circuitClosed
	}
	host, err := r.RateLimits.Refused(ctx, r.o.connection.Host(), r.name, r.Now())
	if err != nil {
		return circuitClosed
	}
	r.o.host = host
	switch {
	case !host.CircuitOpen():
		return circuitClosed
	case open:
		return circuitHeld
	}
	return circuitOpened
}

// hostThrottles pauses the host for a short time. The client's own cap is no reason
// for others to wait.
func (l *ledger) hostThrottles(ctx context.Context, err error, capped bool) error {
	r := l.r
	t := ratelimit.Throttle{
		Client: r.o.connection.ClientKey(), Now: r.Now(), RetryAfter: retryAfter(err), First: r.o.grant.Throttles == 0,
	}
	if capped {
		t.RetryAfter = 0
	}
	_, err = r.RateLimits.Throttled(ctx, r.o.connection.Host(), t)
	return err
}

// errProbed says that another caller has claimed the probe of a host that is down.
var errProbed = errors.New("renewal: another one asks the host")

// hostDown records that there was no response, a 5xx, or a success that cannot be
// read. A connection backs off alone if the write fails, or if it has failed so
// before and the host has responded to another one since: then the fault is with this
// connection, and no other one waits for it.
func (l *ledger) hostDown(ctx context.Context) {
	r := l.r
	again := r.o.stored.Failures > 0 && r.o.stored.LastError == apierr.ReltioUnavailable
	if again && !r.o.host.Down() && !r.p.lastLogin { // before a last login this renewal got the response itself
		return
	}
	if now := r.Now(); r.RateLimits.Unanswered(ctx, r.o.connection.Host(), now) == nil {
		r.o.host = ratelimit.RecordOutage(r.o.host, now)
	}
}

// hostUp records that a host that was down has responded, with whatever. What this
// renewal sends next is no probe.
func (l *ledger) hostUp(ctx context.Context) {
	r := l.r
	if !r.o.host.Down() {
		return
	}
	if r.RateLimits.Answered(ctx, r.o.connection.Host()) == nil { // else the next response does it
		r.o.host.DownSince, r.p.probing = time.Time{}, false
	}
}

// hostAccepts clears, after a token was stored, what the host's record holds
// against the host, and makes the connections due that the host had refused. It
// reads their list now, because the host may have refused others during this
// request. If the write fails the next success clears the record. It reports whether
// the record could be read.
func (l *ledger) hostAccepts(ctx context.Context) (known bool) {
	r, c := l.r, l.r.o.connection
	ctx, cancel := r.storing(ctx)
	defer cancel()
	host, err := r.RateLimits.Budget(ctx, c.Host())
	if err == nil {
		r.o.host, known = host, true
	} else {
		r.report.HostErr = apierr.Of(err)
	}
	if !r.o.host.Troubled() {
		return known
	}
	if err := r.RateLimits.Succeeded(ctx, c.Host(), c.ClientKey()); err != nil {
		r.report.HostErr = apierr.Of(err)
	}
	r.o.host.DownSince = time.Time{}
	if !r.o.host.CircuitOpen() {
		return known
	}
	for _, name := range r.o.host.Refused {
		if name == c.Name || ctx.Err() != nil {
			continue
		}
		l.endPause(ctx, name)
		if g, err := r.Grants.Grant(ctx, name, grant.Eventual); err == nil && g.Retrying(r.Now()) {
			_ = r.free(ctx, g) // if this fails the grant is tried when its pause ends
		}
	}
	return known
}

// endPause ends the pause after unclear logins of a user whom the host refused
// while its circuit was open. The counts stay. If the write fails the pause stays.
func (l *ledger) endPause(ctx context.Context, name string) {
	r := l.r
	source, err := r.Connections.Connection(ctx, name)
	if err != nil {
		return
	}
	c, err := connection.Parse(name, source, r.Hosts)
	if err != nil {
		return
	}
	r.observed()
	t := view{r.o, r.p}.tryOf(c)
	if !r.p.loggedIn || !r.o.connection.HasUser() {
		t.Spare = 1 // only a user's login shows that the server's user store works
	}
	_ = r.Lockouts.SettleLogin(ctx, t, lockout.Forgiven)
}
