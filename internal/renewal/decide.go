package renewal

import (
	"context"
	"errors"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// due ends a renewal that is not due. It needs the grant alone. A single
// renewal that is due within seconds waits for it.
func (p *path) due(ctx context.Context) error {
	now := p.Now()
	if p.onward {
		p.onward = false
		return nil
	}
	if p.repeating {
		// From the second request on only the due moment counts.
		p.repeating, p.request.Force, p.request.MinTTLSeconds = false, false, 0
	}
	if p.reported() {
		return p.dueReported(ctx, now)
	}
	if p.request.Force || p.request.MinTTLSeconds > 0 && p.g.UsedHalf(now, p.needed()) {
		return nil
	}
	ahead := p.g.Due().Sub(now)
	if ahead > 0 && (!p.single || ahead > waitForDue) {
		if err := p.ending(ctx, now); err != nil {
			return err
		}
		return p.unchanged(now)
	}
	if err := ratelimit.Sleep(ctx, ahead); err != nil {
		return errNoTime
	}
	return p.look(ctx)
}

// reported reports whether the request names the stored token as rejected, and
// its deadline has not passed.
func (p *path) reported() bool {
	return p.request.RejectedFingerprint != "" && p.g.Unexpired(p.Now()) &&
		p.g.Fingerprint == p.request.RejectedFingerprint
}

func (p *path) needed() time.Duration {
	return time.Duration(p.request.MinTTLSeconds) * time.Second
}

// dueReported decides about a reported token. It is checked; or it is renewed
// if this check or an earlier one found it inactive and no renewal followed. A
// waiting grant is checked only if it may be tried: otherwise the token could
// not be replaced.
func (p *path) dueReported(ctx context.Context, now time.Time) error {
	switch {
	case p.request.Force:
		return nil
	case p.g.Retrying(now):
		return p.unchanged(now) // before RetryAt Reltio is not asked, whatever the reason
	case p.inactive:
		return p.look(ctx)
	case p.g.Checkable(now):
		return p.look(ctx)
	}
	return p.unchanged(now)
}

// unchanged is the end of a renewal that had nothing to do. After an adoption
// the lease of a grant with a valid token is kept until it expires: callers in
// the early window would only start another renewal.
func (p *path) unchanged(now time.Time) *done {
	d := &done{outcome: rotateapi.Unchanged}
	valid := p.g.Valid(now)
	d.idle = p.request.Lease != nil && valid
	if !valid {
		d.err = p.g.Error(now)
	}
	if !p.single && !p.stored.DueAt.After(now) {
		d.write = &p.stored // its index entry is wrong
	}
	return d
}

// look handles a grant that waits for a person or new credentials: Reltio is
// asked only if the secret has a new version, or when TryDue allows it.
func (p *path) look(ctx context.Context) error {
	now := p.Now()
	if !p.g.Waiting() || p.g.TryDue(now) {
		return nil
	}
	version, err := p.Connections.ConnectionVersion(ctx, p.request.Connection)
	if errors.Is(err, connection.ErrNotFound) {
		return p.gone(ctx)
	}
	if err != nil {
		return err
	}
	if version != p.g.ConnectionVersion {
		return nil
	}
	g := p.g.SecretFound().LookedAt(now)
	return &done{outcome: rotateapi.Unchanged, err: g.Error(now), write: &g}
}

// decide chooses the one request that this pass sends.
func (p *path) decide(ctx context.Context) (step, error) {
	if err := p.readHost(ctx); err != nil {
		return step{}, err
	}
	if p.reported() && !p.inactive && !p.unsettled && !p.request.Force {
		return step{kind: check, token: p.g.AccessToken}, nil
	}
	if p.inactive && p.reasked && !p.revoked {
		return step{kind: revokeAccess, token: p.g.AccessToken}, nil
	}
	if p.c.Refreshes() {
		if err := p.readRefreshTokens(ctx, p.g.SecretVersion); err != nil {
			return step{}, err
		}
	}
	s, err := p.choose()
	if err == nil && s.kind == refresh {
		err = p.notYet(s.refresh)
	}
	if err != nil {
		return s, err
	}
	if s, err = p.mayRotate(ctx, s); err != nil {
		return s, err
	}
	return s, p.probe(ctx, s)
}

// notYet ends a renewal whose refresh would make a valid token inactive that
// callers have: the refresh can wait for that token's end. There are three
// cases. A grant that waited would be refreshed only to test whether the repair
// worked. A grant whose secret was unreadable is healthy once the secret can be
// read. A refresh token that was found in Secrets Manager and was unknown to
// the grant makes the token due later than a login would have. A renewal that
// an operator forces is not held back.
func (p *path) notYet(t grant.RefreshToken) error {
	now := p.Now()
	if p.request.Force || p.reported() || !p.g.Valid(now) || p.g.ModeOf(true) == grant.Overlap {
		return nil
	}
	if p.held.Found().Waiting() && p.held.Found().Failures > 0 {
		g := p.stored.LookedAt(now)
		if g.Status == grant.StatusInvalidConnection && g.Refusal.Status == 0 {
			g = p.g.Healthy()
		}
		return &done{outcome: rotateapi.Unchanged, err: g.Error(now), write: &g}
	}
	if p.g.HasRefreshToken() {
		return nil
	}
	g := p.g.WithRefreshToken(t, p.c.RefreshTokenLife)
	if g.LastError == apierr.StoreUnavailable {
		g = g.Healthy()
	}
	return &done{outcome: rotateapi.Unchanged, write: &g}
}

// choose chooses among token requests: the refresh token, then the other stored
// one, then a login; without a login the renewal ends and a person is needed.
// After repeated unclear refusals of the refresh token a connection that can
// logs in.
func (p *path) choose() (step, error) {
	if p.awaitsFactor() && p.loginRefused == nil {
		p.loginRefused = secondFactorNeeded()
		p.loginEnd = p.stillAwaitsFactor()
	}
	t, refreshes := p.refreshToken()
	waits := refreshes && p.loginWaits()
	logsIn := p.c.LogsInAlone() && p.loginRefused == nil && !waits
	doubted := logsIn && p.g.Refusals >= loginAfter
	if logsIn {
		switch p.g.Relogin {
		case grant.ReloginRevoke:
			if refreshes && p.loggedIn {
				return step{kind: revokeRefresh, refresh: t}, p.open()
			}
			return step{kind: login, grant: p.c.Login()}, nil
		case grant.ReloginDue, grant.ReloginLogin:
			return step{kind: login, grant: p.c.Login()}, nil
		}
	}
	switch {
	case refreshes && !doubted:
		ask := reltioauth.RefreshTokenGrant{RefreshToken: t.Token}
		return step{kind: refresh, grant: ask, refresh: t}, nil
	case p.loginRefused != nil:
		return step{}, p.loginEnd
	case p.c.LogsInAlone():
		return step{kind: login, grant: p.c.Login()}, nil
	default:
		return step{}, p.reauthorize()
	}
}

// loginWaits reports whether a login that is to replace a refresh token would
// wait because the host's circuit is open, while refreshes go on.
func (p *path) loginWaits() bool {
	return p.host.CircuitOpen() && p.c.HasUser() && p.g.Relogin != grant.ReloginLogin // at ReloginLogin the refresh token was revoked
}

// awaitsFactor reports whether a login with this version of the secret was
// answered by a demand for a second factor, and no operator has resumed the
// connection since: Reltio would send a code at each further login.
func (p *path) awaitsFactor() bool {
	return p.c.HasUser() && p.g.SecondFactorVersion != "" && p.g.SecondFactorVersion == p.c.Version
}

// stillAwaitsFactor is the end of a renewal that sends no login, because the
// user needs a second factor.
func (p *path) stillAwaitsFactor() *done {
	g := p.g
	if g.Status == grant.StatusMFARequired {
		g = g.LookedAt(p.Now())
	} else {
		g = g.Failed(grant.StatusMFARequired, secondFactorNeeded(), p.Now(), 0, p.random())
	}
	return &done{outcome: rotateapi.Failed, err: secondFactorNeeded(), write: &g, refreshDecides: true}
}

// open refuses to revoke while the login that has to follow would wait too long
// for its slot.
func (p *path) open() error {
	now := p.Now()
	believed, _ := ratelimit.Bounds(now)
	if next := p.host.Next; next.After(now.Add(ratelimit.MaxWait)) && !next.After(believed) {
		return &ratelimit.LimitError{Until: next}
	}
	return nil
}

// insteadOfLogin continues with the refresh token, while it is valid, when a
// login that was to replace it is refused or may not be sent. Otherwise it
// returns err as the end.
func (p *path) insteadOfLogin(ctx context.Context, err error) (bool, error) {
	var d *done
	_, refreshes := p.refreshToken()
	refreshes = refreshes && p.g.Relogin != grant.ReloginLogin // at ReloginLogin the refresh token was revoked
	if !refreshes || p.loginRefused != nil || !errors.As(err, &d) || d.err == nil {
		return false, err
	}
	if p.refreshUnclear {
		return false, p.noLaterThanRefresh(d)
	}
	p.loginRefused, p.loginEnd = d.err, d
	p.onward = true
	g := p.g
	g.LastError, g.LastErrorMessage = d.err.Type, d.err.Message
	storing, cancel := p.storing(ctx)
	defer cancel()
	return true, p.write(storing, g)
}

// noLaterThanRefresh is the end of a renewal whose refresh and login were both
// refused: the refresh, which cannot lock a user, does not wait as long as the
// login, and goes on for an hour where nothing is known against the user.
func (p *path) noLaterThanRefresh(d *done) *done {
	if !p.told(d) {
		return p.unclearEnd("refresh")
	}
	if d.write != nil && !d.write.Waiting() {
		d.write.RetryAt = earliest(d.write.RetryAt, p.Now().Add(p.refusalPause()))
	}
	return d
}

// reauthorize is the end of a renewal that needs a person.
func (p *path) reauthorize() *done {
	e := apierr.New(apierr.ReauthorizationRequired, "a person must log in at Reltio")
	g := p.g.Failed(grant.StatusReauthorize, e, p.Now(), 0, p.random())
	return &done{outcome: rotateapi.Reauthorize, err: e, write: &g}
}

// readHost reads the authorization server's record. It fails while the host is
// throttled: then no connection is opened.
func (p *path) readHost(ctx context.Context) (err error) {
	now := p.Now()
	if p.avoid != nil && p.avoid(p.c.Host()) {
		return errNoTime
	}
	if p.host, err = p.RateLimits.Budget(ctx, p.c.Host()); err != nil {
		return err
	}
	if until, paused := p.host.ThrottledUntil(now); paused {
		return &ratelimit.LimitError{Until: until, Paused: true}
	}
	return nil
}
