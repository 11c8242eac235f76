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
)

const (
	// After loginAfter refusals of the refresh token in a row, none of which
	// says that it has expired, a connection that can logs in.
	loginAfter = 2
	// After rejectedAfter refusals in a row of a client without a user
	// operators are told.
	rejectedAfter = 2
	// After capAfter 429s in a row, while other clients get tokens, a client
	// with Multi Token Support has reached its cap.
	capAfter = 3
)

// refused stores a response that gave no token, and reports whether another
// request follows at once.
func (p *path) refused(ctx context.Context, s step, v verdict, err error) (bool, error) {
	p.g.Refusal = refusalOf(err)
	p.report.Refusal = p.g.Refusal
	switch v {
	case refusedUser:
		return p.insteadOfLogin(ctx, p.refusedUser(ctx))
	case unclearUser:
		return p.insteadOfLogin(ctx, p.unclearUser(ctx))
	case refusedClient:
		return false, p.refusedClient(ctx)
	case unclear:
		return p.unclear(ctx, s)
	case inactiveRefreshToken:
		return p.inactiveRefreshToken(ctx, s)
	case misconfigured:
		return false, p.ended(grant.StatusInvalidConnection, serverSays(err))
	case secondFactor:
		if s.kind == refresh {
			return false, p.ended(grant.StatusMFARequired, secondFactorNeeded())
		}
		p.g.SecondFactorVersion = p.c.Version
		d := p.ended(grant.StatusMFARequired, secondFactorNeeded())
		d.refreshDecides = true
		return p.insteadOfLogin(ctx, d)
	case throttled:
		return false, p.throttled(ctx, err)
	default:
		p.g.Refusal = p.stored.Refusal // an outage is no refusal
		return false, p.ended(grant.StatusFailing, outage(err))
	}
}

func secondFactorNeeded() *apierr.Error {
	return apierr.New(apierr.MFARequired,
		"the user needs a second factor; use client credentials or the authorization code flow")
}

// ended is the end of a renewal to which Reltio gave no token.
func (p *path) ended(s grant.Status, e *apierr.Error) *done { return p.endedFor(s, e, 0) }

// endedFor is ended with the least time until the next try.
func (p *path) endedFor(s grant.Status, e *apierr.Error, wait time.Duration) *done {
	g := p.g.Failed(s, e, p.Now(), wait, p.random())
	return &done{outcome: rotateapi.Failed, err: e, write: &g}
}

// refusedUser handles a refused login of a user. After the first refusal the
// login is tried again, because the server may have erred; at the limit it is
// not.
func (p *path) refusedUser(ctx context.Context) error {
	if err := p.hostRefuses(ctx); err != nil {
		return err
	}
	if p.account.Exhausted(p.loginAttempts()) {
		return p.rejected(refusedText(true, p.g.Refusal, true), 0)
	}
	return p.ended(grant.StatusFailing, apierr.New(apierr.CredentialsRejected, refusedText(true, p.g.Refusal, false)))
}

// rejected is the end of a renewal whose user may not log in. The lockout
// record decides when the user may log in again, so the count of the grant's
// refusals restarts. insteadOfLogin keeps that count for a refresh: it is the
// refresh token's.
func (p *path) rejected(text string, wait time.Duration) *done {
	d := p.endedFor(grant.StatusCredentialsRejected, apierr.New(apierr.CredentialsRejected, text), wait)
	d.write.Refusals = 0
	return d
}

// unclearUser handles an unclear response to a user's login: the next login
// waits for minutes, and at the limit for a day.
func (p *path) unclearUser(ctx context.Context) error {
	if err := p.hostRefuses(ctx); err != nil {
		return err
	}
	after := lockout.Settle(p.account, p.try(), lockout.Unclear)
	wait := lockout.PauseAfter(after.Unclear)
	var pause *lockout.PauseError
	if _, err := lockout.Count(after, p.try()); err != nil && !errors.As(err, &pause) {
		return p.stopped(wait)
	}
	e := apierr.New(apierr.ReltioUnavailable, unclearText("login", p.g.Refusal))
	return p.endedFor(grant.StatusFailing, e, wait)
}

// stopped is the end of a renewal whose user has had as many unclear logins as
// are allowed in a day.
func (p *path) stopped(wait time.Duration) *done {
	d := p.rejected(unclearText("login; stopped to prevent a lock-out", p.g.Refusal), wait)
	d.refreshDecides = true
	return d
}

// refusedClient handles a refused login without a user. It cannot lock a user,
// so it is repeated at growing pauses. Operators are told of the second refusal
// in a row.
func (p *path) refusedClient(ctx context.Context) error {
	if err := p.hostRefuses(ctx); err != nil {
		return err
	}
	p.refusedOnceMore()
	status := grant.StatusFailing
	if p.g.Refusals >= rejectedAfter {
		status = grant.StatusCredentialsRejected
	}
	e := apierr.New(apierr.CredentialsRejected, refusedText(false, p.g.Refusal, false))
	return p.endedFor(status, e, p.refusalPause())
}

func (p *path) refusedOnceMore() {
	p.g = p.g.Refused(p.Now())
	p.refusedNow = true
}

// refusalPause is the pause after the refusals in a row so far.
func (p *path) refusalPause() time.Duration {
	return jittered(grant.RefusalPause(p.g.Refusals, p.g.Life()), p.random())
}

// unclear handles an unclear response to a request that cannot lock a user: the
// request is repeated at growing pauses. After two unclear refreshes in a row
// the connection logs in. If only a person can log in, one is asked to after an
// hour.
func (p *path) unclear(ctx context.Context, s step) (bool, error) {
	if err := p.hostRefuses(ctx); err != nil {
		return false, err
	}
	p.refusedOnceMore()
	what := "login"
	if s.kind == refresh {
		what, p.refreshUnclear = "refresh", true
		switch {
		case p.c.LogsInAlone() && p.g.Refusals >= loginAfter && p.loginRefused == nil:
			return true, p.write(ctx, p.g)
		case p.loginRefused != nil && p.g.Refusals >= loginAfter && p.loginEnd.write != nil && p.told(p.loginEnd):
			// The login is not possible either: its error is the one that
			// operators need.
			return false, p.endedFor(p.loginEnd.write.Status, p.loginRefused, p.refusalPause())
		case !p.c.LogsInAlone() && p.g.RefusedForLong():
			return false, p.reauthorize()
		}
	}
	return false, p.unclearEnd(what)
}

// unclearEnd is the end of a renewal whose request got an unclear response that
// cannot lock a user.
func (p *path) unclearEnd(what string) *done {
	e := apierr.New(apierr.ReltioUnavailable, unclearText(what, p.g.Refusal))
	return p.endedFor(grant.StatusFailing, e, p.refusalPause())
}

// told reports whether operators are told why no login may be sent, while the
// refresh token gets unclear refusals.
func (p *path) told(loginEnd *done) bool { return !loginEnd.refreshDecides || p.g.RefusedForLong() }

// inactiveRefreshToken continues with the other stored refresh token, then with a
// login in the next pass; if only a person can log in the renewal ends. The
// refused token stays stored, because servers err. The refusal does not count
// against the host.
func (p *path) inactiveRefreshToken(ctx context.Context, s step) (bool, error) {
	p.spent = append(p.spent, s.refresh.Fingerprint())
	_, other := p.refreshToken()
	if !other && !p.c.LogsInAlone() {
		return false, p.reauthorize()
	}
	p.probing = false // the probe was this one request
	g := p.g
	if g.Waiting() {
		g.ConnectionVersion = p.knownVersion // a new version of the secret was not tried completely yet
	}
	if g.Waiting() && other {
		g.TriedAt = p.Now() // without another refresh token the login sets it, now or after the circuit has closed
	}
	return true, p.write(ctx, g)
}

// throttled pauses the host for a short time, and this connection by its own
// back-off.
func (p *path) throttled(ctx context.Context, err error) error {
	client, wait := p.c.ClientKey(), retryAfter(err)
	first := p.g.Throttles == 0
	p.g.Throttles++
	atCap := p.c.GrantType == connection.ClientCredentials && p.g.Throttles >= capAfter && p.host.OthersServed(client)
	t := ratelimit.Throttle{Client: client, Now: p.Now(), RetryAfter: wait, First: first}
	if atCap {
		t.RetryAfter = 0 // the client's own cap is no reason for others to wait
	}
	if _, err := p.RateLimits.Throttled(ctx, p.c.Host(), t); err != nil {
		return err
	}
	if atCap {
		e := apierr.New(apierr.TokenLimitReached, "the client holds as many tokens as Reltio allows it")
		return p.endedFor(grant.StatusTokenLimit, e, wait)
	}
	d := p.endedFor(grant.StatusFailing, apierr.New(apierr.RateLimited, "Reltio throttled the client"), wait)
	d.err = d.write.Error(p.Now())
	return d
}
