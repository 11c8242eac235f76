package renewal

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lockout"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"

	"github.com/reltio-tokens/reltio-tokens/internal/lease"
)

// rank is how fit a renewal is to probe a host whose circuit is open; the
// lowest goes first.
//
// The circuit opens when a host refuses three connections, whose present
// credentials it had accepted before, with no success between them. That is a
// fault of the server, or of something in front of it, and shows nothing about
// the credentials. While the circuit is open, logins of users wait, and so do
// requests of connections that the host has refused, except for a probe in each
// interval. Other requests are sent, and the first success closes the circuit.
type rank int

const (
	// unfit: the renewal was not held back.
	unfit rank = iota
	// harmless: the probe cannot lock a user.
	harmless
	// risky: the probe is a user's login.
	risky
)

// heldBack reports whether a request waits because the host's circuit is open:
// a user's login, and any request of a connection that was refused since its
// last success, whether or not that counted against the host.
func (p *path) heldBack(s step) bool {
	if !p.host.CircuitOpen() || !s.asks() {
		return false
	}
	login := s.kind == login && p.c.HasUser()
	refused := p.g.Refusals > 0 || p.g.Refusal.Status != 0
	return login || refused || slices.Contains(p.host.Refused, p.c.Name)
}

// probe lets a request that is held back through only as the host's one probe.
// A sweep chooses the probe after it has tried all candidates; a single renewal
// may probe if it cannot lock a user, or is forced.
func (p *path) probe(ctx context.Context, s step) error {
	if p.probing || !p.heldBack(s) {
		return nil
	}
	now := p.Now()
	p.report.rank = harmless
	if s.kind == login && p.c.HasUser() {
		p.report.rank = risky
	}
	may := p.chosen || p.single && (p.request.Force || p.report.rank < risky)
	if !may || !p.host.MayProbe(now, ratelimit.ProbeEvery) {
		return p.circuitOpen()
	}
	p.probing = true
	// The login is counted first: one that may not be sent must not use up the
	// probe.
	if err := p.count(ctx, s); err != nil {
		return err
	}
	mine, err := p.RateLimits.Probe(ctx, p.c.Host(), now, ratelimit.ProbeEvery)
	switch {
	case err != nil:
		return p.uncount(ctx, err)
	case !mine:
		return p.uncount(ctx, p.circuitOpen())
	}
	return nil
}

// circuitOpen is the end of a renewal at a host whose circuit is open: it
// is tried again at the next probe.
func (p *path) circuitOpen() error {
	return &ratelimit.LimitError{Until: p.host.NextProbe(p.Now()), Paused: true}
}

// hostRefuses records a refusal of credentials that the host had accepted
// before. If the circuit is open, before or after that, the refusal shows
// nothing about this connection.
func (p *path) hostRefuses(ctx context.Context) error {
	if !p.acceptedBefore(ctx) {
		if p.host.CircuitOpen() {
			return p.circuitOpen()
		}
		return nil
	}
	host, err := p.RateLimits.Refused(ctx, p.c.Host(), p.c.Name, p.Now())
	if err != nil {
		return nil //nolint:nilerr // a failed count must not hide the refusal, which is stored next
	}
	refusing := p.host.CircuitOpen()
	p.host = host
	if !host.CircuitOpen() {
		return nil
	}
	if !refusing && p.Events != nil {
		p.g = p.g.WithEvent(grant.ServerRefusing)
	}
	return p.circuitOpen()
}

// acceptedBefore reports whether the server has accepted the present
// credentials: the lockout record says so, or, for a connection without a user,
// the grant was healthy with this version of the secret.
func (p *path) acceptedBefore(ctx context.Context) bool {
	if p.counted {
		return p.account.AcceptedHash == p.c.CredentialsHash()
	}
	r, err := p.Lockouts.Account(ctx, p.c.AccountHash())
	if err != nil {
		return false
	}
	if r.AcceptedHash == p.c.CredentialsHash() {
		return true
	}
	if p.c.HasUser() || !p.wellBefore() {
		return false
	}
	// If this write fails the next refusal is not counted against the host.
	_ = p.Lockouts.SettleLogin(ctx, p.try(), lockout.Accepted)
	return true
}

// wellBefore reports whether the grant was healthy when this renewal began,
// with a token that the present version of its secret had got.
func (p *path) wellBefore() bool {
	b := p.before
	return b.Status == grant.StatusOK && b.Failures == 0 && b.HasToken() &&
		b.ConnectionVersion == p.c.Version && b.Identity == p.c.IdentityHash()
}

// acceptCredentials records that credentials without a user were accepted, if
// the grant does not show it. A user's are recorded with the count of the
// login.
func (p *path) acceptCredentials(ctx context.Context) {
	if p.counted || p.c.HasUser() || p.wellBefore() {
		return
	}
	// If this write fails a refusal is not counted against the host, until the next success.
	_ = p.Lockouts.SettleLogin(ctx, p.try(), lockout.Accepted)
}

// hostAccepts clears, after a token was stored, what the host's record holds
// against the host, and makes the connections due that the host had refused. It
// reads their list now, because the host may have refused others during this
// request.
func (p *path) hostAccepts(ctx context.Context) {
	if !p.granted {
		return
	}
	p.granted = false
	ctx, cancel := p.storing(ctx)
	defer cancel()
	if host, err := p.RateLimits.Budget(ctx, p.c.Host()); err == nil {
		p.host = host
	}
	if !p.host.Troubled() {
		return
	}
	// If this write fails the next success clears the record.
	_ = p.RateLimits.Succeeded(ctx, p.c.Host(), p.c.ClientKey())
	if !p.host.CircuitOpen() {
		return
	}
	for _, name := range p.host.Refused {
		if name == p.c.Name || ctx.Err() != nil {
			continue
		}
		p.endPause(ctx, name)
		if g, err := p.Grants.Grant(ctx, name, grant.Eventual); err == nil && g.Retrying(p.Now()) {
			_ = p.free(ctx, g) // if this fails the grant is tried when its pause ends
		}
	}
}

// endPause ends the pause after unclear logins of a user whom the host refused
// while its circuit was open. The counts stay.
func (p *path) endPause(ctx context.Context, name string) {
	source, err := p.Connections.Connection(ctx, name)
	if err != nil {
		return
	}
	c, err := connection.Parse(name, source, p.Hosts)
	if err != nil {
		return
	}
	t := p.tryOf(c)
	if !p.loggedIn || !p.c.HasUser() {
		t.Spare = 1 // only a user's login shows that the server's user store works
	}
	// If this write fails the pause stays.
	_ = p.Lockouts.SettleLogin(ctx, t, lockout.Forgiven)
}

// free makes a grant due at once that the host refused while its circuit was
// open. Its status and error stay until Reltio has responded. A grant whose
// lease is held is not changed.
func (p *path) free(ctx context.Context, seen grant.Grant) error {
	now := p.Now()
	held, err := p.Leases.TakeLease(ctx, lease.Request{
		Connection: seen.Connection, Owner: lease.NewOwner(), Floor: seen.Epoch, Now: now, Until: now.Add(lease.Term),
	})
	if err != nil {
		return err
	}
	defer func() { _ = p.Leases.ReleaseLease(ctx, held) }() // a lease that is not released expires
	g, err := p.Grants.Grant(ctx, seen.Connection, grant.Strong)
	if err != nil || !g.Retrying(now) || g.Status == grant.StatusMFARequired {
		return err
	}
	g.RetryAt, g.TriedAt = now, time.Time{}
	other := &path{Renewer: p.Renewer, held: held}
	return other.put(ctx, g)
}

// fittest orders the candidates for a probe: by rank, then by urgency.
func fittest(reports []Report) []int {
	var fit []int
	for i, r := range reports {
		if r.rank != unfit {
			fit = append(fit, i)
		}
	}
	slices.SortStableFunc(fit, func(a, b int) int { return cmp.Compare(reports[a].rank, reports[b].rank) })
	return fit
}
