package renewal

import (
	"context"
	"errors"
	"slices"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
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
	g = g.Believed(p.Now())
	if p.stored.Connection == "" {
		p.knownVersion, p.before = g.ConnectionVersion, g
	}
	p.took(g)
	now := p.Now()
	p.dead = p.dead || g.Unexpired(now) && !g.Valid(now)
	if g.Owner != p.held.Owner && g.Epoch >= p.held.Epoch {
		if err := p.hold(ctx, g.Epoch+1, p.held.Until); err != nil {
			return err
		}
	}
	if g.Status == grant.StatusPaused {
		return &done{outcome: rotateapi.Unchanged, err: g.Error(p.Now())}
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
		g := p.g.Failed(grant.StatusInvalidConnection, apierr.Of(err), p.Now(), 0, p.random())
		return &done{outcome: rotateapi.Failed, err: apierr.Of(err), write: &g}
	}
	p.c = c
	p.report.host = c.Host()
	if p.g.Identity != c.IdentityHash() {
		if err := p.newborn(ctx); err != nil {
			return err
		}
	}
	p.g.Aliases, p.g.ConnectionVersion = c.Aliases, c.Version
	return p.found()
}

// found forgets that the secret was missing. What is not due is left alone then.
func (p *path) found() error {
	if p.g.SecretMissingAt.IsZero() {
		return nil
	}
	p.g = p.g.SecretFound()
	if p.request.Force || p.reported() || !p.g.Due().After(p.Now()) {
		return nil
	}
	g := p.g
	return &done{outcome: rotateapi.Unchanged, write: &g}
}

// gone is the end of a renewal whose connection's secret is missing. Of one that
// had a secret until now that is believed at a second look, a minute later:
// Secrets Manager is eventually consistent. Its refresh token stays in the vault,
// with its identity: a secret that comes back finds it.
func (p *path) gone(ctx context.Context) error {
	now := p.Now()
	if p.g.Identity != "" && !p.g.MissedSince(now, secondLook) {
		g := p.g.SecretMissing(now, secondLook)
		return &done{outcome: rotateapi.Failed, err: g.Error(now), write: &g}
	}
	p.label(ctx)
	g := p.g.Deleted(now)
	return &done{outcome: rotateapi.Failed, err: g.Error(now), write: &g}
}

// label writes into the vault whose the newest refresh token is, before the grant
// forgets it. Releases before this one did not say it there. If the vault does not
// take it the connection is gone all the same, and the refresh token with it.
func (p *path) label(ctx context.Context) {
	if p.g.Identity == "" {
		return
	}
	ctx, cancel := p.storing(ctx)
	defer cancel()
	if err := p.readVault(ctx, ""); err != nil || p.newest.Token.IsZero() || p.newest.Identity != "" {
		return
	}
	r := p.newest
	r.Epoch, r.Identity = p.nextEpoch(), p.g.Identity
	_, _ = p.putToken(ctx, r, vaultTime)
}

// newborn makes the grant that of the connection's present identity. A grant
// of another identity loses its tokens here, in one write. Whose grant it is
// stands in the table before anything is sent, so that a refresh token that a
// crash leaves in the vault is never taken for another identity's.
func (p *path) newborn(ctx context.Context) error {
	before := p.g
	p.g = p.g.Reset(p.c.IdentityHash())
	p.dead, p.spent = false, nil
	if err := p.bury(ctx, before); err != nil {
		return p.unburied(before, err)
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
	e := apierr.Of(err)
	g := before.WithoutToken().Failed(grant.StatusFailing, e, p.Now(), 0, p.random())
	return &done{outcome: rotateapi.Failed, err: e, write: &g}
}

// bury puts a tombstone on the refresh tokens of another identity, so that none
// of them is ever sent again. The lease is made sure of in between: what was read
// after it was taken away may be the next holder's, and must not be buried.
func (p *path) bury(ctx context.Context, before grant.Grant) error {
	if !p.c.Refreshes() && before.Identity == "" {
		return nil // there never was one
	}
	ctx, cancel := p.storing(ctx)
	defer cancel()
	if err := p.readVault(ctx, ""); err != nil {
		return err
	}
	if !p.another(before) {
		return nil
	}
	if err := p.hold(ctx, p.held.Epoch, p.Now().Add(lease.Term)); err != nil {
		return err
	}
	version, err := p.RefreshTokens.Put(ctx, p.request.Connection, grant.RefreshToken{
		LoggedInAt: p.Now(), Epoch: p.nextEpoch(), Identity: p.c.IdentityHash(),
	})
	p.g.SecretVersion, p.tokens = version, nil
	return err
}

// another reports whether the vault's newest refresh token is another
// identity's than the connection's. One that does not say whose it is belongs to
// the grant as it was before.
func (p *path) another(before grant.Grant) bool {
	switch {
	case p.highest == 0 || p.newest.Token.IsZero():
		return false
	case p.newest.Identity != "":
		return p.newest.Identity != p.c.IdentityHash()
	}
	return before.Identity != "" || before.Status == grant.StatusUnknown
}

// refreshToken is the first refresh token that is worth trying: not past its
// end, and not refused on this way. One that came from a refresh may have had its
// clock started anew by the server, and a grant that has lost what it knew cannot
// tell: past its end only a refusal ends it.
func (p *path) refreshToken() (grant.RefreshToken, bool) {
	renewed := (p.g.Rotates || !p.g.HasRefreshToken()) && p.g.Status != grant.StatusReauthorize
	for _, t := range p.tokens {
		ended := !renewed && !t.LoggedInAt.Add(p.c.RefreshTokenLife).After(p.Now())
		if !ended && !slices.Contains(p.spent, t.Fingerprint()) {
			return t, true
		}
	}
	return grant.RefreshToken{}, false
}
