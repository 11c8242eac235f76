package renewal

import (
	"context"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/connection"
)

// ending is a sweep's visit to a grant that is not due: the index also names the
// moments at which a person has to hear that a refresh token ends. Nothing is
// sent to Reltio. It says who is to be told when the grant is written, and is an
// end of its own once no refresh token is left, though the access token lives.
func (p *path) ending(ctx context.Context, now time.Time) error {
	if p.single || !p.g.HasRefreshToken() || p.stored.DueAt.After(now) {
		return nil
	}
	source, err := p.Connections.Connection(ctx, p.request.Connection)
	if err != nil {
		return nil //nolint:nilerr // the next renewal tells, as it does of what is no news
	}
	c, err := connection.Parse(p.request.Connection, source, p.Hosts)
	if err != nil || c.LogsInAlone() || c.Identity() != p.g.Identity {
		return nil //nolint:nilerr // so is this
	}
	p.c = c
	if p.g.Waiting() || now.Before(p.g.RefreshExpiresAt) || p.readVault(ctx, p.g.SecretVersion) != nil {
		return nil
	}
	if _, left := p.refreshToken(); left {
		return nil
	}
	return p.reauthorize()
}
