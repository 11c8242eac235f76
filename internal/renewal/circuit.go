package renewal

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
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

// free makes a grant due at once that the host refused while its circuit was
// open. Its status and error stay until Reltio has responded. A grant whose
// lease is held is not changed.
func (r *Renewer) free(ctx context.Context, seen grant.Grant) error {
	c := r.holding()
	c.Doubts = false // a RetryAt that a wrong clock wrote ends too
	held, err := c.Take(ctx, seen.Connection, seen.Epoch)
	if err != nil {
		return err
	}
	defer held.Release(ctx, storeTime)
	g, _, err := held.Read(ctx)
	now := r.Now()
	if err != nil || !g.Retrying(now) || g.Status == grant.StatusMFARequired {
		return err
	}
	g.RetryAt, g.TriedAt = now, time.Time{}
	return held.PutIndexed(ctx, g.Indexed(now))
}

// fittest orders the candidates for a probe: by rank, then by urgency.
func fittest(reports []Report) []int {
	var fit []int
	for i, report := range reports {
		if report.rank != unfit {
			fit = append(fit, i)
		}
	}
	slices.SortStableFunc(fit, func(a, b int) int { return cmp.Compare(reports[a].rank, reports[b].rank) })
	return fit
}
