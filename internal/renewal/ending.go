package renewal

import (
	"context"
	"errors"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
)

// ending is a sweep's visit to a grant that is not due: the index also names the
// moments at which a person has to hear that a refresh token ends. Nothing is
// sent to Reltio. It says who is to be told when the grant is written, and is an
// end of its own once no refresh token is left, though the access token lives.
// What cannot be read now leaves the index as it is, for the next tick.
func (p *path) ending(ctx context.Context, now time.Time) error {
	if p.single || !p.g.HasRefreshToken() || p.stored.DueAt.After(now) {
		return nil
	}
	source, err := p.Connections.Connection(ctx, p.request.Connection)
	if errors.Is(err, connection.ErrNotFound) {
		return nil // the next renewal tells, as it does of what is no news
	}
	if err != nil {
		return unseen(err)
	}
	c, err := connection.Parse(p.request.Connection, source, p.Hosts)
	if err != nil || c.LogsInAlone() || c.IdentityHash() != p.g.Identity {
		return nil //nolint:nilerr // so is this
	}
	p.c = c
	if p.g.Waiting() || now.Before(p.g.RefreshExpiresAt) {
		return nil
	}
	if err := p.readVault(ctx, p.g.SecretVersion); err != nil {
		if errors.Is(err, grant.ErrNotFound) {
			return nil
		}
		return unseen(err)
	}
	if _, left := p.refreshToken(); left {
		return nil
	}
	return p.reauthorize()
}

// unseen is the end of a visit that could not see what it came for.
func unseen(err error) *done {
	return &done{outcome: rotateapi.LeftOver, err: apierr.Of(err)}
}
