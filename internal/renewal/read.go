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

// read reads everything again that the decision needs, cheapest first: the
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

// readGrant reads the grant strongly.
func (p *path) readGrant(ctx context.Context) error {
	g, _, err := p.held.Read(ctx)
	if g.Connection == "" {
		return err
	}
	if p.stored.Connection == "" {
		p.knownVersion = g.ConnectionVersion
	}
	p.took(g)
	if err != nil {
		return err
	}
	now := p.Now()
	p.inactive = p.inactive || g.Unexpired(now) && !g.Valid(now)
	if g.Status == grant.StatusPaused {
		return &done{outcome: rotateapi.Unchanged, err: g.Error(p.Now())}
	}
	return nil
}

// readConnection reads the connection's secret and makes sure that the grant
// belongs to it. The tokens of another identity are removed before anything is
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
		p.g.ConnectionVersion, p.g.Refusal = source.Version, grant.Refusal{} // the secret is malformed, so no server has refused it
		g := p.g.Failed(grant.StatusInvalidConnection, apierr.Of(err), p.Now(), 0, p.random())
		return &done{outcome: rotateapi.Failed, err: apierr.Of(err), write: &g}
	}
	p.c = c
	p.report.host = c.Host()
	if p.g.Identity != c.IdentityHash() {
		if err := p.resetGrant(ctx); err != nil {
			return err
		}
	}
	p.g.Aliases, p.g.ConnectionVersion = c.Aliases, c.Version
	return p.found()
}

// found clears the mark that the secret was missing. A grant that is not due is
// not renewed then.
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

// gone is the end of a renewal whose connection's secret is missing. If the
// connection had a secret until now, a second look a minute later decides:
// Secrets Manager is eventually consistent. The grant's refresh token stays in
// Secrets Manager, with its identity: if the connection's secret comes back the
// refresh token is used again.
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

// label adds the identity to the newest refresh token in Secrets Manager,
// before the grant forgets the identity. Earlier releases did not write it
// there. If the write fails the connection is deleted all the same, and its
// refresh token cannot be used again.
func (p *path) label(ctx context.Context) {
	if p.g.Identity == "" {
		return
	}
	ctx, cancel := p.storing(ctx)
	defer cancel()
	if err := p.readRefreshTokens(ctx, ""); err != nil || p.newest.Token.IsZero() || p.newest.Identity != "" {
		return
	}
	r := p.newest
	r.Epoch, r.Identity = p.held.NextEpoch(p.highest, p.lastParked), p.g.Identity
	_, _ = p.putToken(ctx, r, writeTime)
}

// resetGrant replaces a grant of another identity by an empty one of the
// connection's present identity, in one write, before anything is sent. So a
// refresh token that a crash leaves in Secrets Manager is never taken for
// another identity's.
func (p *path) resetGrant(ctx context.Context) error {
	before := p.g
	p.g = p.g.Reset(p.c.IdentityHash())
	p.inactive, p.spent = false, nil
	if err := p.writeTombstone(ctx, before); err != nil {
		return p.tombstoneFailed(before, err)
	}
	p.g.Aliases, p.g.ConnectionVersion = p.c.Aliases, p.c.Version
	return p.write(ctx, p.g)
}

// tombstoneFailed is the end of a renewal that could not write a tombstone, because
// Secrets Manager failed. The access token is removed all the same; the
// identity stays the old one, so that the next renewal tries again.
func (p *path) tombstoneFailed(before grant.Grant, err error) error {
	if errors.Is(err, lease.ErrLost) {
		return err
	}
	e := apierr.Of(err)
	g := before.WithoutToken().Failed(grant.StatusFailing, e, p.Now(), 0, p.random())
	return &done{outcome: rotateapi.Failed, err: e, write: &g}
}

// writeTombstone writes a tombstone after the refresh tokens of another identity, so that
// none of them is sent again.
func (p *path) writeTombstone(ctx context.Context, before grant.Grant) error {
	if !p.c.Refreshes() && before.Identity == "" {
		return nil // no refresh token was ever stored
	}
	ctx, cancel := p.storing(ctx)
	defer cancel()
	if err := p.readRefreshTokens(ctx, ""); err != nil {
		return err
	}
	tombstone, err := p.held.Retire(ctx, p.RefreshTokens, p.newest, p.lastParked, p.c.IdentityHash())
	if tombstone.Version != "" {
		p.g.SecretVersion, p.tokens = tombstone.Version, nil
	}
	return err
}

// refreshToken is the first refresh token that is worth trying: not expired,
// and not refused in this renewal. After a refresh the server may have
// restarted the refresh token's life, and a grant that was lost does not know
// its start: such a refresh token is tried until it is refused.
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
