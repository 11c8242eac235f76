package authcode

import (
	"context"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
)

// resetGrant replaces a grant of another identity by an empty one and writes it
// before any request is sent, as a renewal does. The table then says whose grant
// it is. So a refresh token that a crash leaves in Secrets Manager is never used
// for another identity or another person. A connection that waits for a person
// keeps that status: operators were told, and the event Recovered is sent later.
func (v *callback) resetGrant(ctx context.Context) error {
	if v.g.Identity == v.c.IdentityHash() {
		return nil
	}
	next := v.g.Reset(v.c.IdentityHash())
	if err := v.readToken(ctx); err != nil {
		return err
	}
	tombstone, err := v.held.Retire(ctx, v.RefreshTokens, v.known, v.parkedEpoch, v.c.IdentityHash())
	if err != nil {
		return err
	}
	if tombstone.Version != "" {
		v.unpark(ctx)
		v.known, next.SecretVersion = tombstone, tombstone.Version
	}
	if v.g.Status == grant.StatusReauthorize {
		next.Status, next.RetryAt, next.WarnedAt = v.g.Status, v.g.RetryAt, v.g.WarnedAt
		next.LastError, next.LastErrorMessage = v.g.LastError, v.g.LastErrorMessage
	}
	next = next.Configured(v.c)
	return v.wrote(v.held.Put(ctx, next))
}
