package renewal

import (
	"context"
	"errors"

	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/lockout"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// ledger is what the lockout record of a user and the record of a host are told of
// one request: before it is sent, and once its response is there.
type ledger struct {
	r    *run
	step step
	// counted: the login is counted, and its response is open. account is the
	// lockout record as it was counted, or why it could not be.
	counted bool
	account lockout.Record
}

func (l *ledger) try() lockout.Try {
	l.r.observed()
	t := view{l.r.o, l.r.p}.try()
	t.Forced = t.Forced || !l.step.challenge.IsZero() // the pause was before the first step
	return t
}

func (l *ledger) settle(ctx context.Context, o lockout.Outcome) error {
	return l.r.Lockouts.SettleLogin(ctx, l.try(), o)
}

// claimProbe claims the host's one probe. A login is counted first: one that may
// not be sent must not use up the probe.
func (l *ledger) claimProbe(ctx context.Context) error {
	if err := l.count(ctx); err != nil {
		return err
	}
	now := l.r.Now()
	mine, err := l.r.RateLimits.Probe(ctx, l.r.o.connection.Host(), now, l.step.probe)
	switch {
	case err != nil:
		return l.uncount(ctx, err)
	case !mine && l.step.probesDown():
		return l.uncount(ctx, errProbed)
	case !mine:
		return l.uncount(ctx, &ratelimit.LimitError{Until: l.r.o.host.NextProbe(l.r.Now()), Paused: true})
	}
	return nil
}

// count counts a user's login before it is sent, so that a crash cannot lose the
// count. Other logins lock no user and are not counted. The error is one of package
// lockout if the login may not be sent.
func (l *ledger) count(ctx context.Context) error {
	if l.step.kind != login || !l.r.o.connection.HasUser() || l.counted {
		return nil
	}
	account, err := l.r.Lockouts.CountLogin(ctx, l.try())
	var claimed *lockout.ClaimedError
	if errors.As(err, &claimed) {
		if err := l.contest(ctx, claimed); err != nil {
			return err
		}
		account, err = l.r.Lockouts.CountLogin(ctx, l.try())
	}
	l.counted, l.account = err == nil, account
	return err
}

// contest checks whether the connection that claims the account still names it. If
// it does not, the claim moves to this connection. A secret that cannot be parsed
// may still name the account.
func (l *ledger) contest(ctx context.Context, claimed *lockout.ClaimedError) error {
	r, mine := l.r, l.r.o.connection
	source, err := r.Connections.Connection(ctx, claimed.By)
	switch {
	case errors.Is(err, connection.ErrNotFound):
		return r.Lockouts.MoveClaim(ctx, mine.AccountHash(), claimed.By, mine.Name)
	case err != nil:
		return err
	}
	c, err := connection.Parse(claimed.By, source, r.Hosts)
	if err == nil && c.AccountHash() != mine.AccountHash() {
		return r.Lockouts.MoveClaim(ctx, mine.AccountHash(), claimed.By, mine.Name)
	}
	return claimed
}

// uncount removes the count of a login that was not sent, and returns the cause. If
// the write fails the login stays counted: one attempt fewer is safe.
func (l *ledger) uncount(ctx context.Context, cause error) error {
	if !l.counted {
		return cause
	}
	l.counted = false
	ctx, cancel := l.r.storing(ctx)
	defer cancel()
	_ = l.settle(ctx, lockout.Nothing)
	return cause
}

// tell tells the stores what the response to a token request means: the refresh
// token is kept first, then the lockout record and the host's record learn of it.
func (l *ledger) tell(ctx context.Context, a *response) {
	if a.token != nil && !a.token.AccessToken.IsZero() && errors.Is(a.err, reltioauth.ErrNoLifeLeft) {
		a.err = nil // a token in its last second: another one is requested in a moment
	}
	a.kept, a.keepErr = l.r.keeper().keep(ctx, l.step, a.token, a.err)
	a.verdict = judge(l.step.kind, l.r.o.connection.HasUser(), a.err)
	l.tally(a)
	if a.verdict == accepted {
		l.acceptCredentials(ctx)
	}
	l.settleLogin(ctx, a.verdict, a.err)
	switch a.verdict {
	case refusedUser, unclearUser, refusedClient, unclear:
		a.circuit = l.hostRefuses(ctx)
	case throttled:
		a.capped = l.r.o.capped()
		a.recordErr = l.hostThrottles(ctx, a.err, a.capped)
	}
	if a.verdict != accepted { // a token shows it once it is stored
		l.tellHealth(ctx, a.err)
	}
}

// tellHealth records whether a response, or none, shows that the host is up or down.
func (l *ledger) tellHealth(ctx context.Context, err error) {
	if down(err) {
		l.hostDown(ctx)
	} else {
		l.hostUp(ctx)
	}
}

// tally counts for the metrics.
func (l *ledger) tally(a *response) {
	l.r.report.asked = true
	if a.verdict != accepted {
		l.r.report.Refusal = refusalOf(a.err)
	}
	var e *reltioauth.Error
	if errors.As(a.err, &e) && !e.Sent {
		return
	}
	l.r.report.TokenRequests++
	switch a.verdict {
	case throttled:
		l.r.report.Throttled++
	case refusedUser, refusedClient:
		l.r.report.RefusedLogins++
	}
}

// settleLogin records the outcome of a counted login, if its response was seen. A
// failed write of an acceptance is repeated for a while: with the count of an
// earlier refusal the account would be at its limit.
func (l *ledger) settleLogin(ctx context.Context, v verdict, err error) {
	outcome, seen := outcomeOf(v, err)
	if !l.counted || !seen {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	for l.settle(ctx, outcome) != nil {
		// A count that could not be lowered stays: one attempt fewer is safe.
		// Only an acceptance can be recorded twice without lowering a count
		// twice.
		if outcome != lockout.Accepted || ratelimit.Sleep(ctx, jittered(firstRetry, l.r.random())) != nil {
			return
		}
	}
}
