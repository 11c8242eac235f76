package operator

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/lockout"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// settleTime bounds the write of a login's outcome.
const settleTime = 3 * time.Second

// TryLogin sends one login with the connection's credentials, whether or not a
// renewal is due, and stores the tokens that it gives as a renewal does: they
// replace the present ones. The login of a user is counted before it is sent, as
// every login is, and is not sent at the limit of refused logins. A refusal is no
// error, but in the result; it changes nothing in the grant.
//
// It fails with InvalidRequest for a connection that a person authorizes, and with
// CredentialsRejected if the login may not be sent.
func (o *Service) TryLogin(ctx context.Context, name string) (Tried, error) {
	a, err := changer{o}.attempt(ctx, name)
	if err != nil {
		return Tried{}, err
	}
	if !a.c.LogsInAlone() {
		return Tried{}, apierr.New(apierr.InvalidRequest, "grant_type: is authorization_code: a person logs in, with the link of connect")
	}
	if a.c.HasUser() {
		a.login = &countedLogin{attempt: a}
	}
	return a.run(ctx)
}

// attempt reads what every attempt needs, and refuses one that could not be stored.
func (o changer) attempt(ctx context.Context, name string) (*attempt, error) {
	if err := named(name); err != nil {
		return nil, err
	}
	c, err := o.parsed(ctx, name)
	switch {
	case errors.Is(err, connection.ErrNotFound):
		return nil, unknown()
	case err != nil:
		return nil, err
	}
	if c.HasUser() {
		checked := Checked{}
		if err := reader(o).claim(ctx, c, &checked); err != nil {
			return nil, err
		}
		if err := apierr.Fields(apierr.InvalidConnection, checked.Problems); err != nil {
			return nil, err
		}
	}
	if err := awaitHost(ctx, o.RateLimits, o.Now, c.Host()); err != nil {
		return nil, err
	}
	host, err := o.RateLimits.Budget(ctx, c.Host())
	if err != nil {
		return nil, err
	}
	g, _, err := o.grantOf(ctx, name)
	return &attempt{changer: o, c: c, g: g, host: host}, err
}

// countedLogin is the login of a user in the lockout record of its account. All
// methods of a nil one do nothing: a request that locks no user is not counted.
type countedLogin struct {
	*attempt

	record  lockout.Record
	counted bool
}

func (l *countedLogin) try() lockout.Try {
	t := lockout.Try{
		AccountHash: l.c.AccountHash(), CredentialsHash: l.c.CredentialsHash(), Connection: l.c.Name,
		Limit: l.loginLimit(), Now: l.Now(), Forced: true,
	}
	if l.host.Down() || l.host.CircuitOpen() { // a probe never takes the last attempt
		t.Spare = 1
	}
	return t
}

// loginLimit is how many logins may be refused.
func (l *countedLogin) loginLimit() int {
	if l.LoginAttempts == 0 {
		return lockout.MaxAttempts
	}
	return l.LoginAttempts
}

// count counts the login before it is sent. A claim of a connection that does not
// name the account any more moves to this one.
func (l *countedLogin) count(ctx context.Context) error {
	if l == nil {
		return nil
	}
	record, err := l.Lockouts.CountLogin(ctx, l.try())
	var claimed *lockout.ClaimedError
	if errors.As(err, &claimed) { // attempt has found out that the other one does not keep it
		if err := l.Lockouts.MoveClaim(ctx, l.c.AccountHash(), claimed.By, l.c.Name); err != nil {
			return err
		}
		record, err = l.Lockouts.CountLogin(ctx, l.try())
	}
	l.record, l.counted = record, err == nil
	switch {
	case errors.Is(err, lockout.ErrAtLimit):
		return apierr.Wrap(apierr.CredentialsRejected, "not sent, to prevent a lock-out: no login with these credentials is left to try", err)
	case errors.As(err, &claimed):
		return apierr.New(apierr.InvalidConnection, "username: its account belongs to connection "+claimed.By)
	}
	return err
}

// uncount takes off the count of a login that was not sent, and returns the cause.
// If that fails it stays counted: one attempt fewer is safe.
func (l *countedLogin) uncount(ctx context.Context, cause error) error {
	if l == nil || !l.counted {
		return cause
	}
	l.write(ctx, lockout.Nothing)
	return cause
}

// settle records the outcome of the login, if its response was seen.
func (l *countedLogin) settle(ctx context.Context, failed error) {
	if l == nil {
		return
	}
	if outcome, seen := loginOutcome(failed); seen {
		l.write(ctx, outcome)
	}
}

func (l *countedLogin) write(ctx context.Context, o lockout.Outcome) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	for l.Lockouts.SettleLogin(ctx, l.try(), o) != nil {
		// Only an acceptance can be recorded twice without lowering a count twice.
		if o != lockout.Accepted || ratelimit.Sleep(ctx, putPause) != nil {
			return
		}
	}
	l.record = lockout.Settle(l.record, l.try(), o)
}

// acceptedBefore reports whether the server has accepted these credentials before
// this login.
func (l *countedLogin) acceptedBefore() bool {
	return l.record.AcceptedHash == l.c.CredentialsHash()
}

// refused is the number of refused logins that are counted; nil if none is.
func (l *countedLogin) refused() *int {
	if l == nil {
		return nil
	}
	return &l.record.Attempts
}

// loginOutcome is what the response to a user's login means for the account; false
// if its response was not seen, so that it stays counted. It agrees with what a
// renewal makes of the same response: a whole 400 is a refusal, unless its code is
// about the request; any other whole 4xx is unclear.
func loginOutcome(failed error) (lockout.Outcome, bool) {
	var e *reltioauth.Error
	switch {
	case failed == nil:
		return lockout.Accepted, true
	case !errors.As(failed, &e), !e.Sent:
		return lockout.Nothing, true
	}
	switch e.Code {
	case reltioauth.ErrInvalidRequest, reltioauth.ErrInvalidScope, reltioauth.ErrUnsupportedGrantType,
		reltioauth.ErrMFARequired, reltioauth.ErrRateLimited:
		return lockout.Nothing, true
	}
	switch {
	case !e.Answered(), e.CutOff() && e.StatusCode/100 == 4:
		return lockout.Nothing, false
	case e.StatusCode/100 != 4, e.StatusCode == statusRequestTimeout:
		return lockout.Nothing, true
	case e.StatusCode == http.StatusBadRequest:
		return lockout.Refused, true
	}
	return lockout.Unclear, true
}

// authenticator is the type of a challenge that a code of the user's authenticator
// completes (documented by Reltio).
const authenticator = "AUTHENTICATOR"

// challenge is the server's demand for a code, if the connection has the key of the
// user's authenticator; nil if there is none.
func (a *attempt) challenge(failed error) *reltioauth.MFAChallenge {
	var e *reltioauth.Error
	if a.login == nil || a.c.TOTPSecret.IsZero() || !errors.As(failed, &e) || e.MFA == nil {
		return nil
	}
	if e.MFA.Type != authenticator || e.MFA.StateToken.IsZero() {
		return nil
	}
	return e.MFA
}

// secondStep sends a code of the user's authenticator: at the beginning of a
// period, so that it is none that a renewal has sent.
func (a *attempt) secondStep(ctx context.Context, c *reltioauth.MFAChallenge) (token *reltioauth.Token, failed, err error) {
	const longest = 10 * time.Second
	now := a.Now()
	for wait := now.Truncate(connection.TOTPPeriod).Add(connection.TOTPPeriod).Sub(now); wait > 0; wait -= longest {
		if err := a.held.Extend(ctx); err != nil {
			return nil, nil, leaseLost(err)
		}
		if err := ratelimit.Sleep(ctx, min(wait, longest)); err != nil {
			return nil, nil, apierr.Wrap(apierr.StoreUnavailable, "no time was left to wait for a code; try again, with a longer --timeout", err)
		}
	}
	code, err := a.c.TOTP(a.Now())
	if err != nil {
		return nil, nil, err
	}
	return a.send(ctx, reltioauth.MFAGrant{StateToken: c.StateToken, TOTP: code})
}
