package renewal

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/account"
	"github.com/reltio-tokens/reltio-tokens/internal/budget"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/event"
	"github.com/reltio-tokens/reltio-tokens/internal/fault"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
)

// A host that refuses three connections with no success between them refuses
// everybody: a fault of the server, which says nothing about anybody's
// credentials. Then one renewal in a while probes it and all others wait.

// rank is how fit a renewal is to probe a host that refuses everybody; the
// lowest goes first.
type rank int

const (
	// unfit: the host does not refuse, or nothing would be asked.
	unfit rank = iota
	// fresh: risks no user, and was not refused since the last success.
	fresh
	// harmless: risks no user.
	harmless
	// risky: a user's login.
	risky
)

// rankOf says how fit a request is.
func rankOf(s step, user, refused bool) rank {
	switch {
	case s.kind == login && user:
		return risky
	case refused:
		return harmless
	default:
		return fresh
	}
}

// probe lets a request to a refusing host through only as its one probe. A
// sweep chooses the fittest when it has seen all; a single renewal may go if it
// risks no user, or is forced.
func (p *path) probe(ctx context.Context, s step) error {
	if !p.host.Refusing() || p.probing || !s.asks() {
		return nil
	}
	now := p.Now()
	p.report.rank = rankOf(s, p.c.HasUser(), slices.Contains(p.host.Refused, p.c.Name))
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
	mine, err := p.Budgets.Probe(ctx, p.c.Host(), now)
	switch {
	case err != nil:
		return p.uncount(ctx, err)
	case !mine:
		return p.uncount(ctx, p.everybodyRefused())
	}
	return nil
}

// everybodyRefused is the end of a renewal at a refusing host: it comes again.
func (p *path) everybodyRefused() error {
	return &budget.BusyError{Until: p.Now().Add(budget.ProbeEvery), Paused: true}
}

// hostRefuses counts a refusal at the host. If it refuses everybody that says
// nothing about this connection, nor about those refused just before.
func (p *path) hostRefuses(ctx context.Context) error {
	host, err := p.Budgets.Refused(ctx, p.c.Host(), p.c.Name)
	if err != nil {
		return nil //nolint:nilerr // the refusal itself is the news, and is stored next
	}
	if !host.Refusing() {
		return nil
	}
	if !p.host.Refusing() {
		if p.Events != nil {
			p.g = p.g.WithEvent(event.ServerRefusing)
		}
		p.exonerate(ctx, host.Refused)
	}
	return p.everybodyRefused()
}

// hostAccepts forgets, once a token is stored, what was held against its host,
// and lets those come back whom it had refused wrongly. What that is, is read
// now: others were refused while this request was under way.
func (p *path) hostAccepts(ctx context.Context) {
	if !p.granted {
		return
	}
	p.granted = false
	ctx, cancel := p.storing(ctx)
	defer cancel()
	if host, err := p.Budgets.Budget(ctx, p.c.Host()); err == nil {
		p.host = host
	}
	if !p.host.Troubled() {
		return
	}
	// What is not forgotten now is forgotten by the next success.
	_ = p.Budgets.Succeeded(ctx, p.c.Host())
	if p.host.Refusing() {
		p.exonerate(ctx, p.host.Refused)
		p.forgive(ctx, p.host.Refused)
	}
}

// exonerate takes the mark off connections that were refused while their server
// refused everybody: they are tried again at once. One that somebody is busy
// with is left alone. What fails here is made good by the hourly try.
func (p *path) exonerate(ctx context.Context, names []string) {
	for _, name := range names {
		if name == p.c.Name || ctx.Err() != nil {
			continue
		}
		if g, err := p.Grants.Grant(ctx, name, grant.Eventual); err == nil && marked(g) {
			_ = p.unmark(ctx, g)
		}
	}
}

// forgive clears the refusals of clients without a user: nobody is locked by
// them, and they say nothing. A user's stay counted.
func (p *path) forgive(ctx context.Context, names []string) {
	for _, name := range names {
		source, err := p.Connections.Connection(ctx, name)
		if err != nil {
			continue
		}
		if c, err := connection.Parse(name, source, p.Hosts); err == nil && !c.HasUser() {
			_ = p.Accounts.ClearLogins(ctx, account.Try{
				Account: c.Account(), Credentials: c.Credentials(), Connection: name,
			})
		}
	}
}

// marked reports whether a grant waits because Reltio refused it.
func marked(g grant.Grant) bool {
	return g.Status == grant.StatusReauthorize || g.Status == grant.StatusCredentialsRejected
}

// unmark makes a grant that was refused one that is due, and says that nobody
// is needed.
func (p *path) unmark(ctx context.Context, seen grant.Grant) error {
	now := p.Now()
	held, err := p.Leases.TakeLease(ctx, lease.Request{
		Connection: seen.Connection, Owner: lease.NewOwner(), Floor: seen.Epoch, Now: now, Until: now.Add(lease.Term),
	})
	if err != nil {
		return err
	}
	defer func() { _ = p.Leases.ReleaseLease(ctx, held) }() // it ends by itself otherwise
	g, err := p.Grants.Grant(ctx, seen.Connection, grant.Strong)
	if err != nil || !marked(g) {
		return err
	}
	g.Status, g.RetryAt, g.WarnedAt = grant.StatusFailing, now, time.Time{}
	g.LastError, g.LastErrorMessage = fault.ReltioUnavailable, "Reltio refused everybody"
	if p.Events != nil {
		g = g.WithEvent(event.Recovered)
	}
	other := &path{Renewer: p.Renewer, held: held}
	if err := other.put(ctx, g); err != nil {
		return err
	}
	return other.publish(ctx)
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
