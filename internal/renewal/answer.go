package renewal

import (
	"context"
	"errors"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/budget"
	"github.com/reltio-tokens/reltio-tokens/internal/fault"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/rotation"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// answered stores what became of a request, and says whether another pass
// follows. What the server has given is stored though the caller be gone.
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
	return false, p.learn(ctx)
}

// answeredToken stores the answer to a token request. A refresh token in any
// answer that parses comes first.
func (p *path) answeredToken(ctx context.Context, s step, token *reltioauth.Token, err error) (bool, error) {
	if err != nil && p.sameEnded(token, err) {
		err = nil // the token in hand again, at its very end
	}
	kept, keepErr := p.keep(ctx, s, token, err)
	v := judge(s.kind, err)
	if success(err) {
		p.g.LastErrorMessage = "" // whatever was refused before is not any more
	}
	p.granted = v == accepted
	p.tally(v, err)
	p.settleLogin(ctx, v, err)
	if v != accepted {
		if keepErr == nil && !kept.Token.IsZero() {
			p.g = p.g.WithRefreshToken(kept, p.c.RefreshTokenLife)
		}
		return p.refused(ctx, s, v, err)
	}
	return p.accepted(ctx, s, token, kept, keepErr)
}

// sameEnded reports whether the answer is the token in hand with nothing left
// of its life: no failure, just the same token.
func (p *path) sameEnded(token *reltioauth.Token, err error) bool {
	return token != nil && errors.Is(err, reltioauth.ErrNoLifeLeft) &&
		p.g.HasToken() && token.AccessToken.Equal(p.g.AccessToken)
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
	case refusedCredentials:
		p.report.RefusedLogins++
	}
}

// settleLogin closes the count of a login: cleared by a success, taken off by
// an answer that says nothing about the credentials.
func (p *path) settleLogin(ctx context.Context, v verdict, err error) {
	if p.counted == 0 || staysCounted(v, err, p.c.HasUser()) {
		return
	}
	// A count that could not be lowered stays: one attempt fewer is safe.
	if v == accepted {
		_ = p.Accounts.ClearLogins(ctx, p.try())
		return
	}
	_ = p.Accounts.UncountLogin(ctx, p.try())
}

// accepted stores a new access token, or the same one again.
func (p *path) accepted(ctx context.Context, s step, token *reltioauth.Token, kept grant.RefreshToken, keepErr error) (bool, error) {
	p.old, p.oldRefresh = p.g, s.kind == refresh
	next := p.g.Accept(token)
	if text := p.useless(next, token.IssuedAt); text != "" {
		if keepErr == nil {
			p.g = p.g.WithRefreshToken(kept, p.c.RefreshTokenLife)
		}
		return false, p.ended(grant.StatusFailing, fault.New(fault.ReltioUnavailable, text))
	}
	next = next.Healthy()
	if keepErr == nil {
		next = next.WithRefreshToken(kept, p.c.RefreshTokenLife)
	} else {
		next = next.Failed(grant.StatusFailing, fault.Of(keepErr), p.Now(), 0, p.chance())
	}
	if p.loginRefused != nil {
		next.Status = grant.StatusFailing
		next.LastError, next.LastErrorMessage = p.loginRefused.Type, p.loginRefused.Message
	}
	next = p.taught(next, token.IssuedAt)
	next.Relogin = ""
	if s.kind == login {
		p.loggedIn = true
		if keepErr == nil { // else nobody can say whose refresh token the grant has
			next.Relogin = p.reloginAfter(next)
		}
	}
	if next.Relogin == grant.ReloginRevoke {
		p.spare = next
		next = next.WithoutToken()
	} else if p.reloginNext(next) {
		next.Relogin = grant.ReloginDue
	}
	return p.acceptedReported(ctx, next)
}

// useless says why an accepted token would only be asked for once more, in vain;
// empty if it serves, or is the last one's end.
func (p *path) useless(next grant.Grant, sent time.Time) string {
	switch {
	case p.g.Stuck(next, sent):
		return "Reltio gives a token again that has ended"
	case p.g.Fleeting(next, p.Now()):
		return "Reltio gives tokens that end before they can be used"
	}
	return ""
}

// acceptedReported stores the accepted token and says what follows: where the
// reported token came again it is revoked, and another one asked for, once.
func (p *path) acceptedReported(ctx context.Context, next grant.Grant) (bool, error) {
	same := next.Fingerprint == p.old.Fingerprint && p.old.HasToken()
	insists := same && p.dead
	if insists && p.revoked {
		next.ReissuedAt = p.Now()
	}
	if err := p.persist(ctx, next); err != nil {
		return false, err
	}
	p.report.Outcome, p.report.Err = rotation.Renewed, nil
	if same {
		p.report.Outcome = rotation.Unchanged
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

// repeat reports whether a token that came again with nothing left is asked
// for once more by this renewal: if somebody waits for it, and it is a matter
// of seconds.
func (p *path) repeat(g grant.Grant) bool {
	now := p.Now()
	p.repeating = p.single && !g.Living(now) && g.Due().Sub(now) <= waitForDue
	return p.repeating
}

// checked reads a check of the reported token.
func (p *path) checked(ctx context.Context, err error) (bool, error) {
	now := p.Now()
	switch {
	case err == nil:
		g := p.g.CheckedAs(grant.Alive, now)
		if g.Status == grant.StatusOK {
			g.LastError, g.LastErrorMessage = "", ""
		}
		return false, &done{outcome: rotation.Unchanged, write: &g}
	case errors.Is(err, errDead):
		p.dead = true
		return true, p.write(ctx, p.g.CheckedAs(grant.Dead, now))
	}
	// Nothing definite: nothing is renewed, and no check for a while. No renewal
	// has failed either: only those who report the token hear of it.
	e := outage(err)
	e.Message = "checkToken: " + e.Message // it is no answer to a token request
	g := p.g.CheckedAs(grant.Undecided, now)
	if g.RetryAt = now.Add(grant.CheckEvery); g.Status == grant.StatusOK {
		g.LastError, g.LastErrorMessage = e.Type, e.Message
	}
	return false, &done{outcome: rotation.Failed, err: e, write: &g}
}

// revokedAccess goes on after the revocation of a dead token that came again.
// If that gave no definite answer asking again would give nothing.
func (p *path) revokedAccess(ctx context.Context, err error) (bool, error) {
	p.revoked = true
	g := p.g
	if err == nil || definite(err) {
		return true, p.write(ctx, g)
	}
	g.ReissuedAt = p.Now()
	return false, &done{outcome: rotation.Unchanged, write: &g}
}

// revokedRefresh goes on after the revocation of a refresh token that a login
// gave again.
func (p *path) revokedRefresh(ctx context.Context, err error) (bool, error) {
	if err == nil || definite(err) {
		p.spare = grant.Grant{} // its token was revoked as well
		g := p.g
		g.Relogin = grant.ReloginLogin
		return true, p.write(ctx, g)
	}
	return false, p.ended(grant.StatusFailing, outage(err))
}

// withSpare ends a renewal that was to revoke the refresh token of its login and
// has not, as far as anybody knows: callers get the login's token, and the
// refresh token is replaced at its end. A grant that is no longer that
// identity's, because the secret is gone or another's, gets no token.
func (p *path) withSpare(d *done) {
	if !p.spare.Living(p.Now()) || p.stored.Relogin != grant.ReloginRevoke || d.outcome == rotation.Contended {
		return
	}
	after := p.stored
	if d.write != nil {
		after = *d.write
	}
	if p.g.Identity != p.spare.Identity || after.Identity != p.spare.Identity {
		return
	}
	after.AccessToken, after.RepeatedUntil = p.spare.AccessToken, p.spare.RepeatedUntil
	after.Relogin = grant.ReloginDue
	d.write = &after
}

// definite reports whether a revocation was answered with a refusal of the
// token: then it is as good as revoked.
func definite(err error) bool {
	return errors.Is(err, reltioauth.ErrInvalidToken) || errors.Is(err, reltioauth.ErrInvalidGrant)
}

// reloginAfter is the step that follows a login: none if it gave a new refresh
// token, else the old one is revoked. A login after the revocation is the last
// step whatever it gives.
func (p *path) reloginAfter(next grant.Grant) grant.Relogin {
	sameRefresh := next.RefreshFingerprint != "" && next.RefreshFingerprint == p.old.RefreshFingerprint
	if sameRefresh && (p.old.Relogin == grant.ReloginDue || p.old.Relogin == grant.ReloginRevoke) {
		return grant.ReloginRevoke
	}
	return ""
}

// reloginNext reports whether the token is the last one before a connection
// that logs in alone replaces its refresh token.
func (p *path) reloginNext(g grant.Grant) bool {
	return p.c.LogsInAlone() && g.HasRefreshToken() && !g.ReloginAt().After(g.ExpiresAt)
}

// retryAfter is how long the server wants the client to stay away.
func retryAfter(err error) time.Duration {
	var e *reltioauth.Error
	if !errors.As(err, &e) {
		return 0
	}
	return budget.BelievedRetryAfter(e.RetryAfter)
}
