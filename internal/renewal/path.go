package renewal

import (
	"context"
	"errors"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/holder"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/lockout"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
)

// path is one renewal in progress.
type path struct {
	*Renewer
	request rotateapi.Request
	// single: asked for by name, not found by a sweep.
	single bool
	// bus remembers for a sweep whether the event bus failed; nil: no sweep.
	bus *holder.Bus
	// avoid reports which hosts this sweep has stopped asking; nil: none.
	avoid func(host string) bool
	// chosen: if the host's circuit is open, this is the sweep's one probe.
	chosen bool

	held *holder.Holder
	// idle: nothing was done. The lease is kept until it expires, so that
	// callers in the early window do not start another renewal.
	idle bool
	// stored is the grant as last read or written, g is its next state, old is
	// what it was before the response.
	stored, g, old grant.Grant
	c              *connection.Connection
	// knownVersion is the connection's secret that the grant knew at first.
	knownVersion string
	host         ratelimit.Record
	// tokens are the refresh tokens to try, the most promising first.
	tokens []grant.RefreshToken
	// highest is the highest epoch seen in Secrets Manager, newest the version
	// that has it.
	highest int64
	newest  grant.RefreshToken
	// lastParked is the epoch of the refresh token that was parked last, if none is now.
	lastParked int64
	// tokenMissing: the refresh token is not where the grant points.
	tokenMissing bool
	// unkept says why Secrets Manager does not have the refresh token; nil: it
	// has it. parked: the table has it instead.
	unkept *apierr.Error
	parked bool
	// lost: neither store has the refresh token of a response. storeErr is the
	// error of the last write to Secrets Manager; nil: it succeeded.
	lost     bool
	storeErr *apierr.Error
	// spent are the fingerprints of refresh tokens that were refused in this
	// renewal.
	spent []string
	// inactive: a check found the token inactive. unsettled: a check of the
	// reported token was inconclusive, so that another one is requested.
	// reasked: the inactive token came again. revoked: it was revoked, and
	// another one is requested for the last time.
	inactive, unsettled, reasked, revoked bool
	// onward: the last pass decided that another one follows at once.
	// repeating: the next pass waits until the token is due again.
	onward, repeating bool
	// observation is what the last response may show about refreshes (oldRefresh),
	// or else about logins.
	observation grant.Observation
	oldRefresh  bool
	// loginGrant is the grant with the token of a login whose refresh token is about
	// to be revoked.
	loginGrant grant.Grant
	// loginRefused: a login was refused, or may not be sent, while the refresh
	// token is valid and is used instead. loginEnd is the renewal's end if the
	// refresh token does not work either.
	loginRefused *apierr.Error
	loginEnd     *done
	// refreshUnclear: a refresh got an unclear response. refusedNow: a request
	// of this renewal was refused.
	refreshUnclear, refusedNow bool
	// loggedIn: a login of this renewal was accepted. Only then is a refresh
	// token revoked.
	loggedIn bool
	// probing: the host's circuit is open and this renewal is the one probe.
	probing bool
	// granted: the last response was a token, and the host's record does not
	// show it yet.
	granted bool
	// counted: a login is counted, and its response is open. account is the
	// lockout record as it was counted.
	counted bool
	account lockout.Record

	report Report
}

// run is one renewal: the only place that gets a token.
func (p *path) run(ctx context.Context) Report {
	p.report.Connection = p.request.Connection
	if err := p.lease(ctx); err != nil {
		return p.settle(ctx, err)
	}
	defer p.release(ctx)
	p.renew(ctx)
	p.publish(ctx)
	p.report.Unkept, p.report.Parked, p.report.Lost = p.storeErr, p.parked, p.lost
	return p.report
}

// renew makes passes until there is nothing left to do, and settles their
// result.
func (p *path) renew(ctx context.Context) {
	for range maxPasses {
		again, err := p.pass(ctx)
		if err != nil {
			p.settle(ctx, err)
			return
		}
		if !again {
			return
		}
	}
}

// pass is one pass: from reading to storing, with one request between.
func (p *path) pass(ctx context.Context) (again bool, err error) {
	p.counted = false
	if err := p.read(ctx); err != nil {
		return false, err
	}
	s, err := p.decide(ctx)
	if err != nil {
		return false, err
	}
	conn, err := p.dial(ctx)
	if err != nil {
		return p.answered(ctx, s, nil, err)
	}
	defer func() { _ = conn.Close() }() // a connection is used for one request
	if err := p.extend(ctx); err != nil {
		return false, p.uncount(ctx, err)
	}
	if err := p.count(ctx, s); err != nil {
		return p.insteadOfLogin(ctx, err)
	}
	if err := p.wait(ctx, s); err != nil {
		return false, p.uncount(ctx, err)
	}
	token, err := s.send(ctx, conn)
	return p.answered(ctx, s, token, err)
}

// lease adopts the lease that came with the request, or takes one.
func (p *path) lease(ctx context.Context) (err error) {
	c := p.holding()
	c.Bus = p.bus
	if given := p.request.Lease; given != nil {
		p.held, err = c.Adopt(ctx, lease.Lease{Connection: p.request.Connection, Owner: given.Owner, Epoch: given.Epoch})
		return err
	}
	p.held, err = c.Take(ctx, p.request.Connection, 0)
	return err
}

// release releases the lease, also after the caller's context has ended.
func (p *path) release(ctx context.Context) {
	if !p.idle {
		p.held.Release(ctx, storeTime)
	}
}

// storing is a context for storing what has happened: bounded, and not
// cancelled with the caller's.
func (p *path) storing(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), storeTime)
}

// write stores g as the grant, with the events that its change requires. The
// caller bounds the context.
func (p *path) write(ctx context.Context, g grant.Grant) error {
	if err := p.held.Write(ctx, g, p.c != nil && !p.c.LogsInAlone()); err != nil {
		return err
	}
	p.took(p.held.Stored())
	return nil
}

// took notes the grant as it is in the store.
func (p *path) took(g grant.Grant) {
	p.stored, p.g = g, g
	p.report.Version, p.report.Fingerprint = g.Version, g.Fingerprint
	p.report.RefreshExpiresAt = g.RefreshExpiresAt
}

// publish sends the events of the stored grant after all other work. After one
// failure a sweep sends no other events: the event bus does not answer.
func (p *path) publish(ctx context.Context) {
	if p.report.Outcome == rotateapi.Contended {
		return
	}
	ctx, cancel := p.storing(ctx)
	defer cancel()
	limit := storeTime
	if p.single {
		limit = publishTimeSingle
	}
	p.report.EventErr = apierr.Of(p.held.Publish(ctx, limit))
	p.took(p.held.Stored())
}

// persist writes what Reltio has given. It tries again for as long as storing
// may take: a lost token would have to be requested again.
func (p *path) persist(ctx context.Context, g grant.Grant) error {
	for wait := firstRetry; ; wait = min(2*wait, longestRetry) {
		err := p.write(ctx, g)
		if err == nil || errors.Is(err, grant.ErrFenced) {
			return err
		}
		if ratelimit.Sleep(ctx, jittered(wait, p.random())) != nil {
			p.report.Unstored = true
			return &done{outcome: rotateapi.Failed, err: apierr.Of(err)}
		}
	}
}

// done is the decided end of a renewal: its outcome, and whether the grant has
// to be written first.
type done struct {
	outcome rotateapi.Outcome
	err     *apierr.Error
	// write is the grant to store; nil if nothing changed.
	write *grant.Grant
	// idle: nothing was done.
	idle bool
	// refreshDecides: no login may be sent, and no refusal of the user says why. While
	// the refresh token gets unclear refusals, nobody is told for an hour.
	refreshDecides bool
}

// Error implements error, so that functions can return an end as their error.
func (d *done) Error() string { return "renewal: " + string(d.outcome) }

// settle turns the end of the renewal into a report, and writes what callers
// have to know.
func (p *path) settle(ctx context.Context, err error) Report {
	var d *done
	var busy *ratelimit.LimitError
	switch {
	case errors.As(err, &d):
	case errors.Is(err, lease.ErrHeld), errors.Is(err, lease.ErrLost), errors.Is(err, grant.ErrFenced):
		d = &done{outcome: rotateapi.Contended, idle: true}
	case errors.Is(err, errNoTime):
		d = &done{outcome: rotateapi.LeftOver}
	case errors.As(err, &busy):
		d = p.postponed(busy.Until)
	default:
		d = p.failed(apierr.Of(err))
	}
	p.stillWaiting(d)
	p.restoreLoginToken(d)
	p.idle = d.idle
	ctx, cancel := p.storing(ctx)
	defer cancel()
	if d.write != nil {
		if err := p.write(ctx, *d.write); err != nil {
			d = unwritten(err)
			p.report.Unstored = !errors.Is(err, grant.ErrFenced)
		}
	}
	p.report.Outcome, p.report.Err = d.outcome, d.err
	return p.report
}

// unwritten is the end of a renewal whose end could not be stored, because a
// newer holder has written or because the store failed. That replaces the
// original outcome.
func unwritten(err error) *done {
	if errors.Is(err, grant.ErrFenced) {
		return &done{outcome: rotateapi.Contended}
	}
	return &done{outcome: rotateapi.Failed, err: apierr.Of(err)}
}

// stillWaiting keeps the status and the error of a waiting grant when this
// renewal could not try it.
func (p *path) stillWaiting(d *done) {
	if d.write == nil || d.err == nil || !p.stored.Waiting() {
		return
	}
	switch d.err.Type {
	case apierr.RateLimited, apierr.ReltioUnavailable, apierr.StoreUnavailable:
		g := p.stored.LookedAt(p.Now())
		g.ConnectionVersion = p.knownVersion // a new version of the secret was not tried yet
		g.Refusal = d.write.Refusal
		g.SecretMissingAt, g.TokenMissingAt = d.write.SecretMissingAt, d.write.TokenMissingAt
		if p.refusedNow {
			g.Refusals, g.TriedAt = d.write.Refusals, d.write.TriedAt
		}
		if d.outcome == rotateapi.LeftOver {
			g.RetryAt = d.write.RetryAt
		}
		g.Unpublished = d.write.Unpublished
		d.write = &g
	}
}

// postponed is the end of a renewal that sent nothing: it is tried again at
// until.
func (p *path) postponed(until time.Time) *done {
	e := apierr.Limited(until.Sub(p.Now()))
	g := p.g.Postponed(e, until)
	return &done{outcome: rotateapi.LeftOver, err: e, write: &g}
}

// failed is the end of a renewal by a failure outside Reltio: of the table, of
// Secrets Manager, or a defect.
func (p *path) failed(e *apierr.Error) *done {
	d := &done{outcome: rotateapi.Failed, err: e}
	p.report.Unstored = p.g.Connection == "" && e.Type == apierr.StoreUnavailable
	onlyReported := p.g.Connection != "" && p.reported() && !p.inactive // only a check was to be made, so no renewal has failed
	if p.g.Connection != "" && e.Type == apierr.StoreUnavailable && !onlyReported {
		g := p.g.Failed(grant.StatusFailing, e, p.Now(), 0, p.random())
		d.write = &g
	}
	return d
}
