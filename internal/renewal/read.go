package renewal

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/fault"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/rotation"
)

// read reads everything again that the decision rests on, cheapest first: the
// grant, and only if it is due the connection's secret.
func (p *path) read(ctx context.Context) error {
	if err := p.readGrant(ctx); err != nil {
		return err
	}
	if err := p.due(ctx); err != nil {
		return err
	}
	return p.readConnection(ctx)
}

// readGrant reads the grant strongly. A lease whose epoch is not above the
// grant's (its own record was deleted meanwhile) is raised first, or none of
// our writes would be taken.
func (p *path) readGrant(ctx context.Context) error {
	g, err := p.Grants.Grant(ctx, p.request.Connection, grant.Strong)
	switch {
	case errors.Is(err, grant.ErrNotFound):
		g = grant.Grant{Connection: p.request.Connection, Status: grant.StatusOK}
	case err != nil:
		return err
	}
	if p.stored.Connection == "" {
		p.knownVersion, p.before = g.ConnectionVersion, g
	}
	p.took(g)
	now := p.Now()
	p.dead = p.dead || g.Unexpired(now) && !g.Living(now)
	if g.Owner != p.held.Owner && g.Epoch >= p.held.Epoch {
		if err := p.hold(ctx, g.Epoch+1, p.held.Until); err != nil {
			return err
		}
	}
	if err := p.publish(ctx); err != nil {
		return err
	}
	if g.Status == grant.StatusPaused {
		return &done{outcome: rotation.Unchanged, err: g.Error(p.Now())}
	}
	return nil
}

// readConnection reads the connection's secret and makes sure that the grant
// is its grant. What belongs to another identity is removed before anything is
// sent.
func (p *path) readConnection(ctx context.Context) error {
	source, err := p.Connections.Connection(ctx, p.request.Connection)
	if errors.Is(err, connection.ErrNotFound) {
		return p.gone(ctx)
	}
	if err != nil {
		return err
	}
	c, err := connection.Parse(p.request.Connection, source, p.Hosts)
	if err != nil {
		p.g.ConnectionVersion, p.g.Refusal = source.Version, grant.Refusal{} // no server has refused it
		g := p.g.Failed(grant.StatusInvalidConnection, fault.Of(err), p.Now(), 0, p.chance())
		return &done{outcome: rotation.Failed, err: fault.Of(err), write: &g}
	}
	p.c = c
	p.report.host = c.Host()
	if p.g.Identity != c.Identity() {
		if err := p.newborn(ctx); err != nil {
			return err
		}
	}
	p.g.Aliases, p.g.ConnectionVersion = c.Aliases, c.Version
	return nil
}

// gone forgets the grant of a connection whose secret is missing.
func (p *path) gone(ctx context.Context) error {
	g := p.g.Gone(p.Now())
	if p.g.Identity != "" {
		if err := p.bury(ctx); err != nil {
			return p.unburied(p.g, err)
		}
	}
	return &done{outcome: rotation.Failed, err: g.Error(p.Now()), write: &g}
}

// newborn makes the grant that of the connection's present identity. A grant
// of another identity loses its tokens here, in one write. Whose grant it is
// stands in the table before anything is sent, so that a refresh token that a
// crash leaves in the vault is never taken for another identity's.
func (p *path) newborn(ctx context.Context) error {
	before := p.g
	p.g = p.g.Newborn(p.c.Identity())
	p.dead, p.spent = false, nil
	if before.Identity != "" || before.Status == grant.StatusUnknown {
		if err := p.bury(ctx); err != nil {
			return p.unburied(before, err)
		}
	}
	p.g.Aliases, p.g.ConnectionVersion = p.c.Aliases, p.c.Version
	return p.write(ctx, p.g)
}

// unburied is the end of a renewal that could not bury refresh tokens, because
// the vault does not answer. The access token is removed all the same; the
// identity stays the old one, so that this is done again.
func (p *path) unburied(before grant.Grant, err error) error {
	if errors.Is(err, lease.ErrLost) {
		return err
	}
	e := fault.Of(err)
	g := before.WithoutToken().Failed(grant.StatusFailing, e, p.Now(), 0, p.chance())
	return &done{outcome: rotation.Failed, err: e, write: &g}
}

// bury puts a tombstone on the refresh tokens of another identity, so that none
// of them is ever sent again, not even one that a stalled writer adds later:
// the grant points at the tombstone, whose epoch is higher. The lease is made
// sure of in between: what was read after it was taken away may be the next
// holder's, and must not be buried.
func (p *path) bury(ctx context.Context) error {
	ctx, cancel := p.storing(ctx)
	defer cancel()
	if err := p.readVault(ctx, ""); err != nil {
		return err
	}
	if p.highest == 0 {
		return nil // there never was one
	}
	if err := p.hold(ctx, p.held.Epoch, p.Now().Add(lease.Term)); err != nil {
		return err
	}
	version, err := p.Vault.Put(ctx, p.request.Connection, grant.RefreshToken{
		LoggedInAt: p.Now(), Epoch: p.nextEpoch(),
	})
	p.g.SecretVersion, p.tokens = version, nil
	return err
}

// nextEpoch orders a new version in the vault: the lease's epoch, or one above
// the highest seen there, since a restored table is behind its vault.
func (p *path) nextEpoch() int64 { return max(p.held.Epoch, p.highest+1) }

// readVault reads the refresh tokens to try: of the version that the grant
// points at and the newest one, the one with the higher epoch first. A crash
// between the vault's write and the grant's leaves the two apart.
func (p *path) readVault(ctx context.Context, pointer string) error {
	p.tokens, p.highest = nil, 0
	current, err := p.Vault.Current(ctx, p.request.Connection)
	if err != nil && !errors.Is(err, grant.ErrNotFound) {
		return err
	}
	var versions []grant.RefreshToken
	if err == nil {
		versions = append(versions, current)
	}
	if pointer != "" && pointer != current.Version {
		pointed, err := p.Vault.Version(ctx, p.request.Connection, pointer)
		if err != nil {
			return err
		}
		versions = append(versions, pointed)
	}
	slices.SortStableFunc(versions, func(a, b grant.RefreshToken) int { return cmp.Compare(b.Epoch, a.Epoch) })
	for _, v := range versions {
		p.highest = max(p.highest, v.Epoch)
		if v.Token.IsZero() {
			break // a tombstone: whatever is older is somebody else's
		}
		p.tokens = append(p.tokens, v)
	}
	return nil
}

// refreshToken is the first refresh token that is worth trying: not past its
// end, and not refused on this way. One that came from a refresh may have had its
// clock started anew by the server: past its end only a refusal ends it.
func (p *path) refreshToken() (grant.RefreshToken, bool) {
	renewed := p.g.Rotates && p.g.Status != grant.StatusReauthorize
	for _, t := range p.tokens {
		ended := !renewed && !t.LoggedInAt.Add(p.c.RefreshTokenLife).After(p.Now())
		if !ended && !slices.Contains(p.spent, t.Fingerprint()) {
			return t, true
		}
	}
	return grant.RefreshToken{}, false
}
