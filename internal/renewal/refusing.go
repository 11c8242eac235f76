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

// A host that refuses three connections whose credentials, as they are, it had
// accepted before, with no success between them, is refusing: a fault of the
// server, or of something before it, which says nothing about their credentials.
// Then the logins of users wait, and so do those that it has refused, but for
// one probe in a while. All others go on, and the first success ends it.

// rank is how fit a renewal is to probe a refusing host; the lowest goes first.
type rank int

const (
	// unfit: it was not held back.
	unfit rank = iota
	// harmless: risks no user.
	harmless
	// risky: a user's login.
	risky
)

// heldBack reports whether a request waits because the host is refusing: a
// user's login, and whatever a connection sends that was refused since its last
// success, whether or not that counted against the host.
func (p *path) heldBack(s step) bool {
	if !p.host.CircuitOpen() || !s.asks() {
		return false
	}
	login := s.kind == login && p.c.HasUser()
	refused := p.g.Refusals > 0 || p.g.Refusal.Status != 0
	return login || refused || slices.Contains(p.host.Refused, p.c.Name)
}

// probe lets a request that is held back through only as the host's one probe. A
// sweep chooses the fittest when it has seen all; a single renewal may go if it
// risks no user, or is forced.
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
	if !may || !p.host.MayProbe(now) {
		return p.everybodyRefused()
	}
	p.probing = true
	// A login is counted first: one that may not be sent must not use up the
	// probe.
	if err := p.count(ctx, s); err != nil {
		return err
	}
	mine, err := p.RateLimits.Probe(ctx, p.c.Host(), now)
	switch {
	case err != nil:
		return p.uncount(ctx, err)
	case !mine:
		return p.uncount(ctx, p.everybodyRefused())
	}
	return nil
}

// everybodyRefused is the end of a renewal at a refusing host: it comes again
// with the next probe.
func (p *path) everybodyRefused() error {
	return &ratelimit.LimitError{Until: p.host.NextProbe(p.Now()), Paused: true}
}

// hostRefuses counts a refusal of credentials that were accepted before at the
// host. One that is refusing, or is now, says nothing about this connection.
func (p *path) hostRefuses(ctx context.Context) error {
	if !p.acceptedBefore(ctx) {
		if p.host.CircuitOpen() {
			return p.everybodyRefused()
		}
		return nil
	}
	host, err := p.RateLimits.Refused(ctx, p.c.Host(), p.c.Name, p.Now())
	if err != nil {
		return nil //nolint:nilerr // the refusal itself is the news, and is stored next
	}
	refusing := p.host.CircuitOpen()
	p.host = host
	if !host.CircuitOpen() {
		return nil
	}
	if !refusing && p.Events != nil {
		p.g = p.g.WithEvent(grant.ServerRefusing)
	}
	return p.everybodyRefused()
}

// acceptedBefore reports whether the server has accepted the credentials as they
// are: the account says so, or, of a connection without a user, the grant: all
// was well with this version of the secret until now.
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
	// If this fails the next refusal is not counted at the host.
	_ = p.Lockouts.SettleLogin(ctx, p.try(), lockout.Accepted)
	return true
}

// wellBefore reports whether the grant was healthy when this renewal began, with
// a token that its secret, as it is, had got.
func (p *path) wellBefore() bool {
	b := p.before
	return b.Status == grant.StatusOK && b.Failures == 0 && b.HasToken() &&
		b.ConnectionVersion == p.c.Version && b.Identity == p.c.IdentityHash()
}

// acceptCredentials remembers that credentials without a user were accepted, if
// the grant does not say so. Users' are remembered with their count.
func (p *path) acceptCredentials(ctx context.Context) {
	if p.counted || p.c.HasUser() || p.wellBefore() {
		return
	}
	// If this fails a refusal is not counted at the host, until the next success.
	_ = p.Lockouts.SettleLogin(ctx, p.try(), lockout.Accepted)
}

// hostAccepts forgets, once a token is stored, what was held against its host,
// and lets those try at once whom it had refused. Who that is, is read now:
// others were refused while this request was under way.
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
	// What is not forgotten now is forgotten by the next success.
	_ = p.RateLimits.Succeeded(ctx, p.c.Host(), p.c.ClientKey())
	if !p.host.CircuitOpen() {
		return
	}
	for _, name := range p.host.Refused {
		if name == p.c.Name || ctx.Err() != nil {
			continue
		}
		p.forgive(ctx, name)
		if g, err := p.Grants.Grant(ctx, name, grant.Eventual); err == nil && g.Retrying(p.Now()) {
			_ = p.free(ctx, g) // else it is tried when its pause ends
		}
	}
}

// forgive ends the pause after unclear logins of a user whom a refusing host
// refused. The counts stay.
func (p *path) forgive(ctx context.Context, name string) {
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
		t.Spare = 1 // only a user's login shows that the store of users works
	}
	// If this fails the pause lasts for its time.
	_ = p.Lockouts.SettleLogin(ctx, t, lockout.Forgiven)
}

// free makes a grant that a refusing host refused due at once. What is said of
// it stays until Reltio has answered. One that another holds is left alone.
func (p *path) free(ctx context.Context, seen grant.Grant) error {
	now := p.Now()
	held, err := p.Leases.TakeLease(ctx, lease.Request{
		Connection: seen.Connection, Owner: lease.NewOwner(), Floor: seen.Epoch, Now: now, Until: now.Add(lease.Term),
	})
	if err != nil {
		return err
	}
	defer func() { _ = p.Leases.ReleaseLease(ctx, held) }() // it ends by itself otherwise
	g, err := p.Grants.Grant(ctx, seen.Connection, grant.Strong)
	if err != nil || !g.Retrying(now) || g.Status == grant.StatusMFARequired {
		return err
	}
	g.RetryAt, g.TriedAt = now, time.Time{}
	other := &path{Renewer: p.Renewer, held: held}
	return other.put(ctx, g)
}

// fittest orders those who may probe: the lowest rank first, of them the most
// urgent.
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
