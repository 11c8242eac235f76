package renewal

import (
	"errors"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lockout"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
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

// refused handles a response that gave no token.
func (i interpretation) refused() result {
	err := i.response.err
	i.grant.Refusal = refusalOf(err)
	if i.response.circuit == circuitOpened && i.announces {
		i.grant = i.grant.WithEvent(grant.ServerRefusing)
	}
	if i.response.circuit != circuitClosed { // the refusal shows nothing about this connection
		return i.ends(i.circuitOpen())
	}
	switch i.response.verdict {
	case refusedUser:
		return i.insteadOfLogin(i.refusedUser())
	case unclearUser:
		return i.insteadOfLogin(i.unclearUser())
	case refusedClient:
		return i.refusedClient()
	case unclear:
		return i.unclear()
	case inactiveRefreshToken:
		return i.inactiveRefreshToken()
	case misconfigured:
		return i.ends(i.ended(grant.StatusInvalidConnection, serverSays(err)))
	case secondFactor:
		return i.secondFactor()
	case throttled:
		return i.throttled()
	default:
		i.grant.Refusal = i.stored.Refusal // an outage is no refusal
		e := i.ended(grant.StatusFailing, outage(err))
		if i.host.Down() && down(err) { // the host's probes are few enough for all connections together
			e.write.RetryAt = i.host.NextProbe(i.now)
		}
		return i.ends(e)
	}
}

// refusedUser handles a refused login of a user. After the first refusal the login
// is tried again, because the server may have erred; at the limit it is not.
func (i interpretation) refusedUser() *end {
	if i.response.account.Exhausted(i.loginAttempts) {
		return i.rejected(refusedText(true, i.grant.Refusal, true), 0)
	}
	return i.ended(grant.StatusFailing, apierr.New(apierr.CredentialsRejected, refusedText(true, i.grant.Refusal, false)))
}

// unclearUser handles an unclear response to a user's login: the next login waits
// for minutes, and at the limit for a day.
func (i interpretation) unclearUser() *end {
	after := lockout.Settle(i.response.account, i.try(), lockout.Unclear)
	wait := lockout.PauseAfter(after.Unclear)
	var pause *lockout.PauseError
	if _, err := lockout.Count(after, i.try()); err != nil && !errors.As(err, &pause) {
		return i.stopped(wait)
	}
	return i.endedFor(grant.StatusFailing, apierr.New(apierr.ReltioUnavailable, unclearText("login", i.grant.Refusal)), wait)
}

// insteadOfLogin continues with the refresh token, while it is valid, when a login
// that was to replace it is refused or may not be sent. Otherwise e is the end. At
// ReloginLogin the refresh token was revoked.
func (i interpretation) insteadOfLogin(e *end) result {
	_, refreshes := i.refreshToken(i.spent)
	refreshes = refreshes && i.grant.Relogin != grant.ReloginLogin
	switch {
	case !refreshes, i.loginEnd != nil, e.err == nil:
		return i.ends(e)
	case i.progress.refused == refreshUnclear:
		return i.ends(i.noLaterThanRefresh(e))
	}
	i.loginEnd = e
	i.grant.LastError, i.grant.LastErrorMessage = e.err.Type, e.err.Message
	return i.again(i.grant)
}

// noLaterThanRefresh is the end of a renewal whose refresh and login were both
// refused: the refresh, which cannot lock a user, does not wait as long as the
// login, and goes on for an hour where nothing is known against the user.
func (i interpretation) noLaterThanRefresh(e *end) *end {
	if !i.told(e) {
		return i.unclearEnd("refresh")
	}
	if e.write != nil && !e.write.Waiting() {
		e.write.RetryAt = earliest(e.write.RetryAt, i.now.Add(i.refusalPause()))
	}
	return e
}

func earliest(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// refusedClient handles a refused login without a user. It cannot lock a user, so
// it is repeated at growing pauses. Operators are told of the second refusal in a
// row.
func (i interpretation) refusedClient() result {
	i = i.onceMore(refusedNow)
	status := grant.StatusFailing
	if i.grant.Refusals >= rejectedAfter {
		status = grant.StatusCredentialsRejected
	}
	e := apierr.New(apierr.CredentialsRejected, refusedText(false, i.grant.Refusal, false))
	return i.ends(i.endedFor(status, e, i.refusalPause()))
}

// onceMore counts a refusal that cannot lock a user.
func (i interpretation) onceMore(s refusedState) interpretation {
	i.grant = i.grant.Refused(i.now)
	i.progress.refused = max(i.progress.refused, s)
	return i
}

// unclear handles an unclear response to a request that cannot lock a user: the
// request is repeated at growing pauses. After two unclear refreshes in a row the
// connection logs in. If only a person can log in, one is asked to after an hour.
func (i interpretation) unclear() result {
	if i.step.kind != refresh {
		i = i.onceMore(refusedNow)
		return i.ends(i.unclearEnd("login"))
	}
	i = i.onceMore(refreshUnclear)
	noLogin := i.noLogin()
	often := i.grant.Refusals >= loginAfter
	switch {
	case i.connection.LogsInAlone() && often && noLogin == nil:
		return i.again(i.grant)
	case noLogin != nil && often && noLogin.write != nil && i.told(noLogin):
		// The login is not possible either: its error is the one that operators
		// need.
		return i.ends(i.endedFor(noLogin.write.Status, noLogin.err, i.refusalPause()))
	case !i.connection.LogsInAlone() && i.grant.RefusedForLong():
		return i.ends(i.reauthorize())
	}
	return i.ends(i.unclearEnd("refresh"))
}

// inactiveRefreshToken continues with the other stored refresh token, then with a
// login in the next pass; if only a person can log in the renewal ends. The refused
// token stays stored, because servers err. The refusal does not count against the
// host, and the probe, if this was one, was this one request.
func (i interpretation) inactiveRefreshToken() result {
	i.progress = i.without(i.step.refresh)
	_, other := i.refreshToken(i.spent)
	if !other && !i.connection.LogsInAlone() {
		return i.ends(i.reauthorize())
	}
	i.probing = false
	g := i.grant
	if g.Waiting() {
		g.ConnectionVersion = i.found.ConnectionVersion // a new version of the secret was not tried completely yet
	}
	if g.Waiting() && other {
		g.TriedAt = i.now // without another refresh token the login sets it, now or after the circuit has closed
	}
	return i.again(g)
}

// secondFactor handles a demand for a second factor. No other login is sent with
// this version of the secret.
func (i interpretation) secondFactor() result {
	if i.step.kind == refresh {
		return i.ends(i.ended(grant.StatusMFARequired, secondFactorNeeded()))
	}
	if token, can := i.secondStep(); can {
		i.challenge = token
		return result{progress: i.then(continuing), grant: i.grant, again: true}
	}
	i.grant.SecondFactorVersion = i.connection.Version
	e := i.ended(grant.StatusMFARequired, secondFactorNeeded())
	e.refreshDecides = true
	return i.insteadOfLogin(e)
}

// throttled handles a 429: this connection waits for its own back-off.
func (i interpretation) throttled() result {
	if i.response.recordErr != nil {
		return i.ends(i.endOf(i.response.recordErr))
	}
	wait := retryAfter(i.response.err)
	if i.response.capped {
		e := apierr.New(apierr.TokenLimitReached, "the client holds as many tokens as Reltio allows it")
		return i.ends(i.endedFor(grant.StatusTokenLimit, e, wait))
	}
	e := i.endedFor(grant.StatusFailing, apierr.New(apierr.RateLimited, "Reltio throttled the client"), wait)
	e.err = e.write.Error(i.now)
	return i.ends(e)
}

// retryAfter is how long the server wants the client to wait.
func retryAfter(err error) time.Duration {
	var e *reltioauth.Error
	if !errors.As(err, &e) {
		return 0
	}
	return ratelimit.BelievedRetryAfter(e.RetryAfter)
}
