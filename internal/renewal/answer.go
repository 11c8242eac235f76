package renewal

import (
	"context"
	"errors"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lockout"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// answered stores the result of a request, and reports whether another pass
// follows. It stores what the server has given even if the caller's context has
// ended.
func (p *path) answered(ctx context.Context, s step, token *reltioauth.Token, err error) (again bool, _ error) {
	storing, cancel := p.storing(ctx)
	defer cancel()
	switch s.kind {
	case check:
		again, err = p.checked(storing, err)
	case revokeAccess:
		again, err = p.revokedAccess(storing, err)
	case revokeRefresh:
		again, err = p.revokedRefresh(storing, err)
	default:
		again, err = p.answeredToken(storing, s, token, err)
	}
	p.hostAccepts(ctx)
	if again || err != nil {
		p.onward = again && !p.repeating
		return again, err
	}
	return false, p.observe(ctx)
}

// answeredToken stores the response to a token request. The refresh token of
// any response that parses is stored first.
func (p *path) answeredToken(ctx context.Context, s step, token *reltioauth.Token, err error) (bool, error) {
	if token != nil && !token.AccessToken.IsZero() && errors.Is(err, reltioauth.ErrNoLifeLeft) {
		err = nil // a token in its last second: another one is requested in a moment
	}
	kept, keepErr := p.keep(ctx, s, token, err)
	v := judge(s.kind, p.c.HasUser(), err)
	if success(err) {
		p.g.Refusals = 0 // a success ends the row of refusals
	}
	if v != throttled {
		p.g.Throttles = 0
	}
	p.granted = v == accepted
	p.tally(v, err)
	if v == accepted {
		p.acceptCredentials(ctx)
	}
	p.settleLogin(ctx, v, err)
	if v != accepted {
		if keepErr == nil && !kept.Token.IsZero() {
			p.g = p.g.WithRefreshToken(kept, p.c.RefreshTokenLife)
		}
		return p.refused(ctx, s, v, err)
	}
	return p.accepted(ctx, s, token, kept, keepErr)
}

// tally counts for the metrics.
func (p *path) tally(v verdict, err error) {
	var e *reltioauth.Error
	if errors.As(err, &e) && !e.Sent {
		p.report.unreachable = true
		return
	}
	p.report.TokenRequests++
	p.report.unreachable = e != nil && !e.Answered()
	switch v {
	case throttled:
		p.report.Throttled++
	case refusedUser, refusedClient:
		p.report.RefusedLogins++
	}
}

// settleLogin records the outcome of a counted login, if its response was seen.
// A failed write of an acceptance is repeated for a while: with the count of an
// earlier refusal the account would be at its limit.
func (p *path) settleLogin(ctx context.Context, v verdict, err error) {
	outcome, seen := outcomeOf(v, err)
	if !p.counted || !seen {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	for p.Lockouts.SettleLogin(ctx, p.try(), outcome) != nil {
		// A count that could not be lowered stays: one attempt fewer is safe.
		// Only an acceptance can be recorded twice without lowering a count
		// twice.
		if outcome != lockout.Accepted || ratelimit.Sleep(ctx, jittered(firstRetry, p.random())) != nil {
			return
		}
	}
}

// accepted stores a new access token, or the same one again.
func (p *path) accepted(ctx context.Context, s step, token *reltioauth.Token, kept grant.RefreshToken, keepErr error) (bool, error) {
	p.old, p.oldRefresh = p.g, s.kind == refresh
	next := p.g.Accept(token)
	if text := p.useless(next, token.IssuedAt); text != "" {
		if keepErr == nil {
			p.g = p.g.WithRefreshToken(kept, p.c.RefreshTokenLife)
		}
		return false, p.ended(grant.StatusFailing, apierr.New(apierr.ReltioUnavailable, text))
	}
	next = next.Healthy()
	if s.kind == refresh { // a refresh shows nothing about logins
		next.SecondFactorVersion = p.g.SecondFactorVersion
	}
	if keepErr == nil {
		next = next.WithRefreshToken(kept, p.c.RefreshTokenLife)
	}
	if p.unkept != nil {
		next = next.Failed(grant.StatusFailing, p.unkept, p.Now(), 0, p.random())
	}
	if p.loginRefused != nil && p.old.Relogin != "" {
		next.Status = grant.StatusFailing
		next.LastError, next.LastErrorMessage = p.loginRefused.Type, p.loginRefused.Message
	}
	next = p.observed(next, token.IssuedAt)
	renewed := !token.RefreshToken.IsZero() && !token.RefreshToken.Equal(s.refresh.Token)
	next.Rotates = s.kind == refresh && (renewed || p.g.Rotates)
	next.Relogin = ""
	if s.kind == login {
		p.loggedIn = true
		if keepErr == nil { // without a stored refresh token there is none to revoke
			next.Relogin = p.reloginAfter(next)
		}
	}
	if next.Relogin == grant.ReloginRevoke {
		p.loginGrant = next
		next = next.WithoutToken()
	} else if p.reloginNext(next) {
		next.Relogin = grant.ReloginDue
	}
	return p.acceptedReported(ctx, next)
}

// useless says why an accepted token is of no use and the next request would
// give the same; empty if it can be used, or if the next request may give a
// better one.
func (p *path) useless(next grant.Grant, sent time.Time) string {
	switch {
	case p.g.Stuck(next, sent):
		return "Reltio gives a token again that has ended"
	case p.g.Fleeting(next, p.Now()):
		return "Reltio gives tokens that end before they can be used"
	}
	return ""
}

// acceptedReported stores the accepted token and decides what follows. If the
// reported token came again it is revoked, and another one is requested, once.
func (p *path) acceptedReported(ctx context.Context, next grant.Grant) (bool, error) {
	same := next.Fingerprint == p.old.Fingerprint && p.old.HasToken()
	insists := same && p.inactive
	switch {
	case insists && p.revoked:
		next = next.AskedAs(grant.Inactive, p.Now())
	case same && p.unsettled && next.Valid(p.Now()):
		next = next.AskedAs(grant.Active, p.Now())
	}
	if err := p.persist(ctx, next); err != nil {
		return false, err
	}
	p.report.Outcome, p.report.Err = rotateapi.Renewed, p.unkept
	if same {
		p.report.Outcome = rotateapi.Unchanged
	}
	switch {
	case insists && !p.revoked:
		p.reasked = true
		return true, nil
	case next.Relogin == grant.ReloginRevoke:
		return true, nil
	}
	return p.repeat(next), nil
}

// repeat reports whether this renewal requests again after a token that came
// again with no time left: if a caller waits for it, and it is due within
// seconds.
func (p *path) repeat(g grant.Grant) bool {
	now := p.Now()
	p.repeating = p.single && !g.Valid(now) && g.Due().Sub(now) <= waitForDue
	return p.repeating
}

// checked stores the result of a check of the reported token.
func (p *path) checked(ctx context.Context, err error) (bool, error) {
	now := p.Now()
	var e *reltioauth.Error
	switch {
	case err == nil:
		g := p.g.CheckedAs(grant.Active, now)
		if g.Status == grant.StatusOK {
			g.LastError, g.LastErrorMessage = "", ""
		}
		return false, &done{outcome: rotateapi.Unchanged, write: &g}
	case errors.Is(err, errInactive):
		p.inactive = true
		return true, p.write(ctx, p.g.CheckedAs(grant.Inactive, now))
	case errors.As(err, &e) && e.Answered() && !errors.Is(err, reltioauth.ErrRateLimited):
		// The server gave no verdict. Its response to the next token request
		// shows whether it accepts the token.
		p.unsettled = true
		return true, p.write(ctx, p.g.CheckedAs(grant.Unclear, now))
	}
	// No response came, so nothing is requested, and the next check waits. No
	// renewal has failed: only callers who report the token get this error.
	f := outage(err)
	f.Message = "checkToken: " + f.Message // say that it was not a token request
	g := p.g.CheckedAs(grant.Unchecked, now)
	if g.RetryAt = now.Add(grant.CheckEvery); g.Status == grant.StatusOK {
		g.LastError, g.LastErrorMessage = f.Type, f.Message
	}
	return false, &done{outcome: rotateapi.Failed, err: f, write: &g}
}

// revokedAccess continues after the revocation of an inactive token that came
// again. If the revocation gave no definite response, another request would
// give the same token.
func (p *path) revokedAccess(ctx context.Context, err error) (bool, error) {
	p.revoked = true
	g := p.g
	if err == nil || definite(err) {
		return true, p.write(ctx, g)
	}
	g = g.AskedAs(grant.Inactive, p.Now())
	return false, &done{outcome: rotateapi.Unchanged, write: &g}
}

// revokedRefresh continues after the revocation of a refresh token that a login
// gave again.
func (p *path) revokedRefresh(ctx context.Context, err error) (bool, error) {
	if err == nil || definite(err) {
		p.loginGrant = grant.Grant{} // the access token was revoked with it
		g := p.g
		g.Relogin = grant.ReloginLogin
		return true, p.write(ctx, g)
	}
	return false, p.ended(grant.StatusFailing, outage(err))
}

// restoreLoginToken publishes the access token of a login whose refresh token should
// have been revoked, when the revocation did not happen or its result is
// unknown. The refresh token is then replaced at that token's end. A grant that
// now belongs to another identity, or whose secret is missing, gets no token.
func (p *path) restoreLoginToken(d *done) {
	if !p.loginGrant.Valid(p.Now()) || p.stored.Relogin != grant.ReloginRevoke || d.outcome == rotateapi.Contended {
		return
	}
	after := p.stored
	if d.write != nil {
		after = *d.write
	}
	if p.g.Identity != p.loginGrant.Identity || after.Identity != p.loginGrant.Identity {
		return
	}
	after.AccessToken, after.RepeatedUntil = p.loginGrant.AccessToken, p.loginGrant.RepeatedUntil
	after.Relogin = grant.ReloginDue
	d.write = &after
}

// definite reports whether the response to a revocation refused the token
// itself: then it is inactive already.
func definite(err error) bool {
	return errors.Is(err, reltioauth.ErrInvalidToken) || errors.Is(err, reltioauth.ErrInvalidGrant)
}

// reloginAfter is the step that follows a login: none if it gave a new refresh
// token, else the revocation of the old one. A login after the revocation is
// the last step whatever it gives.
func (p *path) reloginAfter(next grant.Grant) grant.Relogin {
	sameRefresh := next.RefreshFingerprint != "" && next.RefreshFingerprint == p.old.RefreshFingerprint
	if sameRefresh && (p.old.Relogin == grant.ReloginDue || p.old.Relogin == grant.ReloginRevoke) {
		return grant.ReloginRevoke
	}
	return ""
}

// reloginNext reports whether the token is the last one before a connection
// that logs in without a person replaces its refresh token.
func (p *path) reloginNext(g grant.Grant) bool {
	return p.c.LogsInAlone() && g.HasRefreshToken() && !g.ReloginAt().After(g.ExpiresAt)
}

// retryAfter is how long the server wants the client to wait.
func retryAfter(err error) time.Duration {
	var e *reltioauth.Error
	if !errors.As(err, &e) {
		return 0
	}
	return ratelimit.BelievedRetryAfter(e.RetryAfter)
}
