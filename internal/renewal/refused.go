package renewal

import (
	"context"
	"slices"
	"strings"

	"github.com/reltio-tokens/reltio-tokens/internal/account"
	"github.com/reltio-tokens/reltio-tokens/internal/budget"
	"github.com/reltio-tokens/reltio-tokens/internal/fault"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/rotation"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// What is stored of a 429. The third in a row, while others succeed, means that
// the client's own cap is reached; how many there were before is told by the
// message of the last failure.
const (
	throttledOnce  = "Reltio throttled the client"
	throttledTwice = "Reltio throttled the client twice in a row"
)

// refused stores an answer that gave no token, and says whether another way is
// tried at once.
func (p *path) refused(ctx context.Context, s step, v verdict, err error) (bool, error) {
	switch v {
	case refusedCredentials:
		return p.insteadOfLogin(ctx, p.refusedCredentials(ctx, s))
	case deadRefreshToken:
		return p.deadRefreshToken(ctx, s)
	case misconfigured:
		return false, p.ended(grant.StatusInvalidConnection, serverSays(err))
	case secondFactor:
		return p.insteadOfLogin(ctx, p.ended(grant.StatusMFARequired, fault.New(fault.MFARequired,
			"the user needs a second factor; use client credentials or the authorization code flow")))
	case throttled:
		return false, p.throttled(ctx, err)
	default:
		return false, p.ended(grant.StatusFailing, outage(err))
	}
}

// ended is the end of a renewal that Reltio did not grant.
func (p *path) ended(s grant.Status, e *fault.Error) *done {
	g := p.g.Failed(s, e, p.Now(), 0, p.chance())
	return &done{outcome: rotation.Failed, err: e, write: &g}
}

// refusedCredentials: the first refusal may be a mistake of the server, the one
// at the limit is the last.
func (p *path) refusedCredentials(ctx context.Context, s step) error {
	if err := p.hostRefuses(ctx); err != nil {
		return err
	}
	attempts, limit := p.counted, p.loginAttempts()
	if !p.c.HasUser() {
		limit = account.MaxAttempts
	}
	if s.kind == refresh {
		limit = account.MaxAttempts
		attempts = 1
		if p.refusedBefore() {
			attempts = limit
		}
	}
	if attempts >= limit {
		return p.ended(grant.StatusCredentialsRejected,
			fault.New(fault.CredentialsRejected, p.refusalText()+"; stopped to prevent a lock-out"))
	}
	return p.ended(grant.StatusFailing, fault.New(fault.CredentialsRejected, p.refusalText()))
}

// refusedBefore reports whether the last answer about the credentials was a
// refusal, with no success since. Refreshes are not counted with the account,
// since they lock nobody: the message of the last failure tells, and is read
// here alone. A 429 in between takes its place, and the row begins anew.
func (p *path) refusedBefore() bool {
	return p.g.Failures > 0 && strings.HasPrefix(p.g.LastErrorMessage, p.refusalText())
}

// stillRefused keeps a refusal in the message of a failure that says nothing
// about the credentials. g is the grant to store; nil if nothing changed.
func (p *path) stillRefused(g *grant.Grant) {
	if g == nil || p.c == nil || !p.refusedBefore() || strings.HasPrefix(g.LastErrorMessage, p.refusalText()) {
		return
	}
	if g.LastError == fault.ReltioUnavailable || g.LastError == fault.StoreUnavailable {
		g.LastErrorMessage = p.refusalText() + "; then: " + g.LastErrorMessage
	}
}

// mayRefresh lets the refresh of a connection that was refused twice through
// once an hour, or with new credentials, whatever is forced.
func (p *path) mayRefresh() error {
	now := p.Now()
	rejected := p.g.Status == grant.StatusCredentialsRejected && p.knownVersion == p.c.Version
	if !rejected || p.g.TryDue(now) || p.report.TokenRequests > 0 {
		return nil
	}
	g := p.g.Looked(now)
	return &done{outcome: rotation.Failed, err: g.Error(now), write: &g}
}

// deadRefreshToken goes on to the other stored version, then to a login of its
// own pass; where that needs a person, it is said. The refused token is kept:
// servers err.
func (p *path) deadRefreshToken(ctx context.Context, s step) (bool, error) {
	p.spent = append(p.spent, s.refresh.Fingerprint())
	_, other := p.refreshToken()
	last := !other && !p.c.LogsInAlone()
	if p.probing || last {
		if err := p.hostRefuses(ctx); err != nil {
			return false, err
		}
	}
	if last {
		return false, p.reauthorize()
	}
	p.probing = false // it was this one request
	g := p.g
	if g.Waiting() {
		g.ConnectionVersion = p.knownVersion // a new one was not tried to the end yet
	}
	if g.Waiting() && other {
		g = g.Tried(p.Now()) // else the login decides, now or when the host lets it through
	}
	return true, p.write(ctx, g)
}

// throttled pauses the host a little, and this connection by its own back-off.
func (p *path) throttled(ctx context.Context, err error) error {
	client, wait := p.c.ClientKey(), retryAfter(err)
	before := p.host
	atCap := p.g.LastErrorMessage == throttledTwice || p.g.Status == grant.StatusTokenLimit
	own := atCap && before.Alone(client)
	t := budget.Throttle{Client: client, Now: p.Now(), RetryAfter: wait}
	if own {
		t.RetryAfter = 0 // the client's own cap is no reason for others to wait
	}
	if _, err := p.Budgets.Throttled(ctx, p.c.Host(), t); err != nil {
		return err
	}
	status, e := grant.StatusFailing, fault.New(fault.RateLimited, throttledOnce)
	switch {
	case own:
		status = grant.StatusTokenLimit
		e = fault.New(fault.TokenLimitReached, "the client holds as many tokens as Reltio allows it")
	case atCap, p.g.LastErrorMessage == throttledOnce:
		e.Message = throttledTwice
	}
	g := p.g.Failed(status, e, p.Now(), wait, p.chance())
	if e.Type == fault.RateLimited {
		e = g.Error(p.Now())
	}
	return &done{outcome: rotation.Failed, err: e, write: &g}
}

// keep stores the refresh token of an answer before anything else, and returns
// the one that the grant has from now on. It tries again for as long as storing
// may take: a refresh token that is lost may need a person.
//
// Of an answer that failed only a refresh token counts: that there is none says
// nothing.
func (p *path) keep(ctx context.Context, s step, token *reltioauth.Token, failed error) (grant.RefreshToken, error) {
	if !p.c.Refreshes() || token == nil || failed != nil && token.RefreshToken.IsZero() {
		return grant.RefreshToken{}, nil
	}
	next, write := p.refreshTokenOf(s, token)
	if !write {
		return next, nil
	}
	next.Epoch = p.nextEpoch()
	ctx, cancel := context.WithTimeout(ctx, keepTime)
	defer cancel()
	for wait := firstRetry; ; wait = min(2*wait, longestRetry) {
		version, err := p.Vault.Put(ctx, p.c.Name, next)
		if err == nil {
			next.Version, p.highest = version, next.Epoch
			return next, nil
		}
		if budget.Sleep(ctx, jittered(wait, p.chance())) != nil {
			return grant.RefreshToken{}, err
		}
	}
}

// refreshTokenOf is the refresh token after an answer, and whether it has to be
// written. One that did not change is not; a refresh does not restart its
// clock, and neither does a login that gives it again.
func (p *path) refreshTokenOf(s step, token *reltioauth.Token) (next grant.RefreshToken, write bool) {
	given := token.RefreshToken
	if s.kind == refresh {
		if given.IsZero() || given.Equal(s.refresh.Token) {
			// Written again only to come before one that was refused.
			return s.refresh, s.refresh.Epoch < p.highest
		}
		return grant.RefreshToken{Token: given, LoggedInAt: s.refresh.LoggedInAt}, true
	}
	if given.IsZero() {
		// A login without a refresh token ends the ones before. A tombstone
		// that is there already is pointed at still.
		return grant.RefreshToken{LoggedInAt: token.IssuedAt, Version: p.g.SecretVersion}, len(p.tokens) > 0
	}
	for i, known := range p.tokens {
		ended := !known.LoggedInAt.Add(p.c.RefreshTokenLife).After(token.IssuedAt)
		spent := slices.Contains(p.spent, known.Fingerprint())
		if known.Token.Equal(given) && !ended && !spent && p.g.Relogin != grant.ReloginLogin {
			return known, i > 0
		}
	}
	return grant.RefreshToken{Token: given, LoggedInAt: token.IssuedAt}, true
}
