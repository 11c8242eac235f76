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
	// loginAfter refusals of the refresh token in a row, none of which says that
	// it has ended, a connection that can logs in.
	loginAfter = 2
	// rejectedAfter refusals in a row of a client without a user an operator is
	// told.
	rejectedAfter = 2
	// capAfter 429s in a row, while other clients get tokens, a client with
	// Multi Token Support has reached its cap.
	capAfter = 3
)

// refused stores a response that gave no token, and says whether another way is
// tried at once.
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
	case deadRefreshToken:
		return p.deadRefreshToken(ctx, s)
	case misconfigured:
		return false, p.ended(grant.StatusInvalidConnection, serverSays(err))
	case secondFactor:
		if s.kind == refresh {
			return false, p.ended(grant.StatusMFARequired, secondFactorNeeded())
		}
		p.g.SecondFactorVersion = p.c.Version
		return p.insteadOfLogin(ctx, p.ended(grant.StatusMFARequired, secondFactorNeeded()))
	case throttled:
		return false, p.throttled(ctx, err)
	default:
		p.g.Refusal = p.stored.Refusal // an outage refuses nobody
		return false, p.ended(grant.StatusFailing, outage(err))
	}
}

func secondFactorNeeded() *apierr.Error {
	return apierr.New(apierr.MFARequired,
		"the user needs a second factor; use client credentials or the authorization code flow")
}

// ended is the end of a renewal that Reltio did not grant.
func (p *path) ended(s grant.Status, e *apierr.Error) *done { return p.endedFor(s, e, 0) }

// endedFor is ended with the least time until the next try.
func (p *path) endedFor(s grant.Status, e *apierr.Error, wait time.Duration) *done {
	g := p.g.Failed(s, e, p.Now(), wait, p.random())
	return &done{outcome: rotateapi.Failed, err: e, write: &g}
}

// refusedUser: the first refusal may be a mistake of the server, the one at the
// limit is the last.
func (p *path) refusedUser(ctx context.Context) error {
	if err := p.hostRefuses(ctx); err != nil {
		return err
	}
	if p.account.Exhausted(p.loginAttempts()) {
		return p.rejected(refusedText(true, p.g.Refusal, true), 0)
	}
	return p.ended(grant.StatusFailing, apierr.New(apierr.CredentialsRejected, refusedText(true, p.g.Refusal, false)))
}

// rejected is the end of a renewal whose user may not log in: the account
// decides when he may, not the row of refusals, which begins anew. The row is
// kept for a refresh on the same way: it is the refresh token's.
func (p *path) rejected(text string, wait time.Duration) *done {
	d := p.endedFor(grant.StatusCredentialsRejected, apierr.New(apierr.CredentialsRejected, text), wait)
	d.write.Refusals = 0
	return d
}

// unclearUser: the login waits for minutes, and at the limit for a day.
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

// stopped is the end of a renewal whose account has had as many unclear logins
// as it may have in a day.
func (p *path) stopped(wait time.Duration) *done {
	if p.refreshesOn() {
		e := apierr.New(apierr.ReltioUnavailable, unclearText("login", p.g.Refusal))
		return p.endedFor(grant.StatusFailing, e, p.refusalPause())
	}
	return p.rejected(unclearText("login; stopped to prevent a lock-out", p.g.Refusal), wait)
}

// refreshesOn reports whether a refresh token that was refused in unclear words is
// tried on at the pauses of its own refusals: nobody is told for an hour.
func (p *path) refreshesOn() bool {
	_, refreshes := p.refreshToken()
	return refreshes && p.g.Refusals >= loginAfter && !p.g.RefusedForLong()
}

// refusedClient: refusals of a client lock nobody, so it is tried on, at growing
// pauses. The second in a row is told to operators.
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

// unclear: the request is repeated at growing pauses. A refresh is replaced by a
// login after the second in a row, and after an hour of them, where no login is
// possible without one, a person is asked.
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
		case p.loginRefused != nil && p.g.Refusals >= loginAfter && p.loginEnd.write != nil:
			// No login either: why not is what somebody has to be told.
			return false, p.endedFor(p.loginEnd.write.Status, p.loginRefused, p.refusalPause())
		case !p.c.LogsInAlone() && p.g.RefusedForLong():
			return false, p.reauthorize()
		}
	}
	e := apierr.New(apierr.ReltioUnavailable, unclearText(what, p.g.Refusal))
	return false, p.endedFor(grant.StatusFailing, e, p.refusalPause())
}

// deadRefreshToken goes on to the other stored version, then to a login of its
// own pass; where that needs a person, it is said. The refused token is kept:
// servers err. It says nothing about the server.
func (p *path) deadRefreshToken(ctx context.Context, s step) (bool, error) {
	p.spent = append(p.spent, s.refresh.Fingerprint())
	_, other := p.refreshToken()
	if !other && !p.c.LogsInAlone() {
		return false, p.reauthorize()
	}
	p.probing = false // it was this one request
	g := p.g
	if g.Waiting() {
		g.ConnectionVersion = p.knownVersion // a new one was not tried to the end yet
	}
	if g.Waiting() && other {
		g.TriedAt = p.Now() // else the login decides, now or when the host lets it through
	}
	return true, p.write(ctx, g)
}

// throttled pauses the host a little, and this connection by its own back-off.
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
