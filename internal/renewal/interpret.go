package renewal

import (
	"errors"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lockout"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// result is what follows from a response.
type result struct {
	// progress is that of the next pass; grant the grant's next state.
	progress progress
	grant    grant.Grant
	// store: the grant is written before anything else. given: Reltio has given
	// what it holds, so that the write is repeated for as long as storing may take.
	store, given bool
	// again: another pass follows. end is the renewal's end, or, if another pass
	// follows, what it has reached so far; nil: nothing.
	again bool
	end   *end
	// lesson is what the renewal may show about the mode; asked about once the
	// grant is stored.
	lesson *lesson
}

// unstored is the result when the grant could not be written. What Reltio gave is
// then known to this process alone, if no newer holder has written.
func (r result) unstored(err error, v view) result {
	e := v.endOf(err)
	if r.given && !errors.Is(err, grant.ErrFenced) {
		e = &end{outcome: rotateapi.Failed, err: apierr.Of(err), unstored: true}
	}
	return result{progress: r.progress, grant: r.grant, end: e}
}

// lesson is a question about the mode: is the old token still active, now that
// there is a new one?
type lesson struct {
	old     grant.Grant
	refresh bool
}

// interpret says what follows from the response to a step. It reads nothing and
// writes nothing: what the response means to the refresh token, the lockout record
// and the host's record has been stored, and stands in the observation and the
// response.
func interpret(o observation, p progress, s step, r response) result {
	i := interpretation{view: view{o, p}, step: s, response: r}
	i.challenge = reltioauth.Secret{} // it serves for one second step
	if r.notSent != nil {
		return i.notSent()
	}
	if !s.challenge.IsZero() {
		i.codeAt = o.now
	}
	switch s.kind {
	case check:
		return i.checked()
	case revokeAccess:
		return i.revokedAccess()
	case revokeRefresh:
		return i.revokedRefresh()
	case knock:
		return i.knocked()
	default:
		return i.token()
	}
}

// interpretation is one response with what was known when it came.
type interpretation struct {
	view
	step     step
	response response
}

// ends is the result of a response that ends the renewal.
func (i interpretation) ends(e *end) result {
	return result{progress: i.progress, grant: i.grant, end: e}
}

// again is the result of a response after which g is stored and another request
// follows at once.
func (i interpretation) again(g grant.Grant) result {
	return result{progress: i.then(continuing), grant: g, store: true, again: true}
}

// notSent handles a step whose request was not sent. A login that may not be sent
// is replaced by a refresh, unless it was to be the host's one probe.
func (i interpretation) notSent() result {
	err := i.response.notSent
	var pause *lockout.PauseError
	var claim *lockout.ClaimedError
	var e *end
	atLimit, soon := errors.Is(err, lockout.ErrAtLimit), errors.As(err, &pause)
	if r, ok := i.notProbed(atLimit, soon); ok {
		return r
	}
	switch {
	case atLimit && i.response.account.Exhausted(i.loginAttempts):
		e = i.rejected(refusedText(true, i.grant.Refusal, true), 0)
	case atLimit:
		e = i.stopped(0)
	case soon:
		e = i.tooSoon(pause.Until)
	case errors.As(err, &claim):
		e = i.claimed(claim.By)
	default:
		return i.ends(i.endOf(err))
	}
	if i.step.probe > 0 {
		return i.ends(e)
	}
	return i.insteadOfLogin(e)
}

// notProbed handles a request that was not sent because it was to be the host's one
// probe: another one was it, or the user has too few logins left.
func (i interpretation) notProbed(atLimit, soon bool) (result, bool) {
	switch {
	case errors.Is(i.response.notSent, errProbed):
		return i.ends(i.hostDown(i.host.NextProbe(i.now))), true
	case !i.probing:
		return result{}, false
	case i.step.probesDown():
		if !atLimit || i.response.account.Exhausted(i.loginAttempts) {
			return result{}, false
		}
		i.probing, i.lastLogin = false, true
		return i.again(i.grant), true
	case atLimit || soon:
		e := i.circuitOpen()
		e.atLimit = true
		return i.ends(e), true
	}
	return result{}, false
}

// token handles the response to a token request. The refresh token of any response
// that parses was stored before.
func (i interpretation) token() result {
	r := i.response
	if success(r.err) {
		i.grant.Refusals = 0 // a success ends the row of refusals
	}
	if r.verdict == throttled {
		i.grant.Throttles++
	} else {
		i.grant.Throttles = 0
	}
	if r.verdict == accepted {
		return acceptance{interpretation: i, old: i.grant}.result()
	}
	if r.keepErr == nil && !r.kept.Token.IsZero() {
		i.grant = i.grant.WithRefreshToken(r.kept, i.connection.RefreshTokenLife)
	}
	return i.refused()
}

// checked handles the response to a check of the reported token.
func (i interpretation) checked() result {
	err := i.response.err
	var e *reltioauth.Error
	switch {
	case err == nil:
		g := i.grant.CheckedAs(grant.Active, i.now)
		if g.Status == grant.StatusOK {
			g.LastError, g.LastErrorMessage = "", ""
		}
		return i.ends(&end{outcome: rotateapi.Unchanged, write: &g})
	case errors.Is(err, errInactive):
		i.progress.token = inactive
		return i.again(i.grant.CheckedAs(grant.Inactive, i.now))
	case errors.As(err, &e) && e.Answered() && !errors.Is(err, reltioauth.ErrRateLimited):
		// The server gave no verdict. Its response to the next token request
		// shows whether it accepts the token.
		i.progress.token = unsettled
		return i.again(i.grant.CheckedAs(grant.Unclear, i.now))
	}
	// No response came, so nothing is requested, and the next check waits. No
	// renewal has failed: only callers who report the token get this error.
	f := outage(err)
	f.Message = "checkToken: " + f.Message // say that it was not a token request
	g := i.grant.CheckedAs(grant.Unchecked, i.now)
	if g.RetryAt = i.now.Add(grant.CheckEvery); g.Status == grant.StatusOK {
		g.LastError, g.LastErrorMessage = f.Type, f.Message
	}
	return i.ends(&end{outcome: rotateapi.Failed, err: f, write: &g})
}

// revokedAccess handles the response to the revocation of an inactive token that
// came again. If it is not definite, another request would give the same token.
func (i interpretation) revokedAccess() result {
	i.progress.token = revoked
	if i.response.err == nil || definite(i.response.err) {
		return i.again(i.grant)
	}
	g := i.grant.AskedAs(grant.Inactive, i.now)
	return i.ends(&end{outcome: rotateapi.Unchanged, write: &g})
}

// revokedRefresh handles the response to the revocation of a refresh token that a
// login gave again.
func (i interpretation) revokedRefresh() result {
	if i.response.err == nil || definite(i.response.err) {
		i.loginGrant = grant.Grant{} // the access token was revoked with it
		g := i.grant
		g.Relogin = grant.ReloginLogin
		return i.again(g)
	}
	return i.ends(i.ended(grant.StatusFailing, outage(i.response.err)))
}

// knocked handles the response to a request that only asks whether the host
// responds.
func (i interpretation) knocked() result {
	if down(i.response.err) {
		return i.ends(i.hostDown(i.now.Add(i.step.probe)))
	}
	return i.again(i.grant)
}

// definite reports whether the response to a revocation refused the token itself:
// then it is inactive already.
func definite(err error) bool {
	return errors.Is(err, reltioauth.ErrInvalidToken) || errors.Is(err, reltioauth.ErrInvalidGrant)
}
