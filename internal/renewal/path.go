package renewal

import (
	"context"
	"errors"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/lockout"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
)

// path is one renewal on its way.
type path struct {
	*Renewer
	request rotateapi.Request
	// single: asked for by name, not found by a sweep.
	single bool
	// bus is the sweep's memory of the event bus; nil: no sweep.
	bus *busHealth
	// avoid tells which hosts this sweep has given up; nil: none.
	avoid func(host string) bool
	// chosen: if the host refuses everybody, this is the sweep's one try.
	chosen bool

	held lease.Lease
	// idle: nothing was done, so the lease stays until it ends; whoever asked
	// would only ask again.
	idle bool
	// stored is the grant as last read or written, g what becomes of it, old
	// what it was before the answer.
	stored, g, old grant.Grant
	// before is the grant as this renewal found it.
	before grant.Grant
	c      *connection.Connection
	// knownVersion is the connection's secret that the grant knew at first.
	knownVersion string
	host         ratelimit.Record
	// tokens are the refresh tokens to try, the most promising first.
	tokens []grant.RefreshToken
	// highest is the highest epoch seen in the vault, newest what has it.
	highest int64
	newest  grant.RefreshToken
	// lastParked is the epoch of the refresh token that was parked last, if none is now.
	lastParked int64
	// tokenMissing: the refresh token is not where the grant points.
	tokenMissing bool
	// unkept says why the vault does not have the refresh token; nil: it has it.
	// parked: the table has it instead.
	unkept *apierr.Error
	parked bool
	// lost: neither store has the refresh token of a response. vaultErr is why the
	// vault's last write failed; nil: it did not.
	lost     bool
	vaultErr *apierr.Error
	// spent are the fingerprints of refresh tokens refused on this way.
	spent []string
	// dead: the token was found dead; unsettled: a check of the reported token
	// told nothing, so that another is asked for; reasked: the dead one came
	// again; revoked: it was revoked, and is asked for one last time.
	dead, unsettled, reasked, revoked bool
	// onward: the last pass decided that another one follows at once;
	// repeating: that the next one waits until the token is due once more.
	onward, repeating bool
	// lesson is what the last answer may teach about refreshes, or else logins.
	lesson     grant.Observation
	oldRefresh bool
	// spare is the grant with the token of a login whose refresh token is about
	// to be revoked.
	spare grant.Grant
	// loginRefused: a login was refused, or may not be sent, while the refresh
	// token lives, which is used instead; loginEnd is the end if that is of no
	// use.
	loginRefused *apierr.Error
	loginEnd     *done
	// refreshUnclear: a refresh was refused in unclear words; refusedNow: this
	// renewal was refused something.
	refreshUnclear, refusedNow bool
	// loggedIn: a login was accepted on this way. Only then a refresh token is
	// revoked.
	loggedIn bool
	// probing: the host refuses everybody and this is the one try.
	probing bool
	// granted: the last answer was a token, of which the host's record does not
	// know yet.
	granted bool
	// counted: a login is counted, and its response is open. account is the
	// record as it was counted.
	counted bool
	account lockout.Record

	report Report
}

// run is the path: the only way to a token.
func (p *path) run(ctx context.Context) Report {
	p.report.Connection = p.request.Connection
	if err := p.lease(ctx); err != nil {
		return p.settle(ctx, err)
	}
	defer p.release(ctx)
	p.renew(ctx)
	p.publish(ctx)
	p.report.Unkept, p.report.Parked, p.report.Lost = p.vaultErr, p.parked, p.lost
	return p.report
}

// renew passes until there is nothing left to do, and settles what came of it.
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

// pass is the path once: from reading to storing, with one request between.
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
	defer func() { _ = conn.Close() }() // it is used up
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
	now := p.Now()
	r := lease.Request{
		Connection: p.request.Connection, Owner: lease.NewOwner(),
		Now: now, Until: now.Add(lease.Term),
	}
	if given := p.request.Lease; given != nil {
		p.held, err = p.Leases.AdoptLease(ctx, lease.Lease{
			Connection: r.Connection, Owner: given.Owner, Epoch: given.Epoch,
		}, r)
		return err
	}
	p.held, err = p.Leases.TakeLease(ctx, r)
	if err == nil && r.Stale(p.Now()) {
		p.release(ctx)
		return lease.ErrHeld
	}
	return err
}

// release gives the lease back, whatever became of the caller's context.
func (p *path) release(ctx context.Context) {
	if p.idle {
		return
	}
	ctx, cancel := p.storing(ctx)
	defer cancel()
	// A lease that cannot be given back ends by itself.
	_ = p.Leases.ReleaseLease(ctx, p.held)
}

// storing is a context for writing down what has happened: not cancelled with
// the caller's, but bounded.
func (p *path) storing(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), storeTime)
}

// write stores g as the grant, with the events that its change calls for. The
// caller bounds the context.
func (p *path) write(ctx context.Context, g grant.Grant) error {
	if p.Events != nil {
		g = g.Announced(p.stored, p.Now(), p.c != nil && !p.c.LogsInAlone())
	}
	return p.put(ctx, g)
}

func (p *path) put(ctx context.Context, g grant.Grant) error {
	g = g.Indexed(p.Now())
	if err := p.Grants.PutGrant(ctx, p.held, g); err != nil {
		return err
	}
	g.Epoch, g.Owner = p.held.Epoch, p.held.Owner
	p.took(g)
	return nil
}

// took notes the grant as it is in the store.
func (p *path) took(g grant.Grant) {
	p.stored, p.g = g, g
	p.report.Version, p.report.Fingerprint = g.Version, g.Fingerprint
	p.report.RefreshExpiresAt = g.RefreshExpiresAt
}

// persist writes what Reltio has given. It tries again for as long as storing
// may take: a token that is lost is asked for again.
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

// done is the end of a renewal that was decided: with what, and whether the
// grant has to be written first.
type done struct {
	outcome rotateapi.Outcome
	err     *apierr.Error
	// write is the grant to store; nil if nothing changed.
	write *grant.Grant
	// idle: nothing was done.
	idle bool
}

// Error implements error, so that an end travels like one.
func (d *done) Error() string { return "renewal: " + string(d.outcome) }

// settle turns whatever ended the path into a report, and writes what callers
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
	p.withSpare(d)
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

// unwritten is the end of a renewal whose end could not be stored. Somebody
// newer was here, or the store is down; what was to be said is less urgent
// than that.
func unwritten(err error) *done {
	if errors.Is(err, grant.ErrFenced) {
		return &done{outcome: rotateapi.Contended}
	}
	return &done{outcome: rotateapi.Failed, err: apierr.Of(err)}
}

// stillWaiting keeps the news of a grant that waits for somebody: that it could
// not be tried just now is none.
func (p *path) stillWaiting(d *done) {
	if d.write == nil || d.err == nil || !p.stored.Waiting() {
		return
	}
	switch d.err.Type {
	case apierr.RateLimited, apierr.ReltioUnavailable, apierr.StoreUnavailable:
		g := p.stored.LookedAt(p.Now())
		g.ConnectionVersion = p.knownVersion // a new one was not tried yet
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

// postponed is the end of a renewal that sent nothing: it comes again at until.
func (p *path) postponed(until time.Time) *done {
	e := apierr.Limited(until.Sub(p.Now()))
	g := p.g.Postponed(e, until)
	return &done{outcome: rotateapi.LeftOver, err: e, write: &g}
}

// failed is the end of a renewal by a failure outside Reltio: the table, the
// vault, or a defect.
func (p *path) failed(e *apierr.Error) *done {
	d := &done{outcome: rotateapi.Failed, err: e}
	p.report.Unstored = p.g.Connection == "" && e.Type == apierr.StoreUnavailable
	onlyReported := p.g.Connection != "" && p.reported() && !p.dead // no renewal has failed
	if p.g.Connection != "" && e.Type == apierr.StoreUnavailable && !onlyReported {
		g := p.g.Failed(grant.StatusFailing, e, p.Now(), 0, p.random())
		d.write = &g
	}
	return d
}
