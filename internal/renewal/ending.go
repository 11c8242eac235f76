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

// ending handles a grant that a sweep finds in the index although it is not
// due: the index also holds the moments at which a person is told that a
// refresh token ends. It sends nothing to Reltio. It sets the connection, so
// that the write of the grant adds the event, and ends the renewal if no
// refresh token is left, even though the access token is valid. If something
// cannot be read the index stays as it is, and the next sweep tries again.
func (p *path) ending(ctx context.Context, now time.Time) error {
	if p.single || !p.g.HasRefreshToken() || p.stored.DueAt.After(now) {
		return nil
	}
	source, err := p.Connections.Connection(ctx, p.request.Connection)
	if errors.Is(err, connection.ErrNotFound) {
		return nil // the next renewal reports a missing secret
	}
	if err != nil {
		return unseen(err)
	}
	c, err := connection.Parse(p.request.Connection, source, p.Hosts)
	if err != nil || c.LogsInAlone() || c.IdentityHash() != p.g.Identity {
		return nil //nolint:nilerr // parse errors are reported by the next renewal
	}
	p.c = c
	if p.g.Waiting() || now.Before(p.g.RefreshExpiresAt) {
		return nil
	}
	if err := p.readRefreshTokens(ctx, p.g.SecretVersion); err != nil {
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

// unseen is the end of a look at a grant that could not read what it needed.
func unseen(err error) *done {
	return &done{outcome: rotateapi.LeftOver, err: apierr.Of(err)}
}
