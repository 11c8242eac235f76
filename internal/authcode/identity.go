package authcode

import (
	"context"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
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
	version, err := v.writeTombstone(ctx)
	if err != nil {
		return err
	}
	next.SecretVersion = version
	if v.g.Status == grant.StatusReauthorize {
		next.Status, next.RetryAt, next.WarnedAt = v.g.Status, v.g.RetryAt, v.g.WarnedAt
		next.LastError, next.LastErrorMessage = v.g.LastError, v.g.LastErrorMessage
	}
	next.Aliases, next.ConnectionVersion = v.c.Aliases, v.c.Version
	return v.put(ctx, next)
}

// writeTombstone writes a tombstone over the refresh tokens of another identity,
// so that none of them is ever sent again. It returns the tombstone's version, or
// an empty one if there are no such tokens. It extends the lease between read and
// write: if another holder has seized the lease, the tokens may be that holder's,
// and must stay.
func (v *callback) writeTombstone(ctx context.Context) (string, error) {
	if err := v.readToken(ctx); err != nil || !v.another() {
		return "", err
	}
	held, err := v.Leases.ExtendLease(ctx, v.held, v.held.Epoch, v.Now().Add(lease.Term))
	if err != nil {
		return "", err
	}
	v.held = held
	tombstone := grant.RefreshToken{LoggedInAt: v.Now(), Epoch: max(v.held.Epoch, v.known.Epoch+1), Identity: v.c.IdentityHash()}
	if tombstone.Version, err = v.RefreshTokens.Put(ctx, v.c.Name, tombstone); err != nil {
		return "", err
	}
	v.unpark(ctx)
	v.known = tombstone
	return tombstone.Version, nil
}

// another reports whether the newest refresh token belongs to another identity
// than the connection's. A token without an identity belongs to that of the
// previous grant. If that grant was lost with its table, nothing says more.
func (v *callback) another() bool {
	switch {
	case none(v.known) || v.known.Token.IsZero():
		return false
	case v.known.Identity != "":
		return v.known.Identity != v.c.IdentityHash()
	}
	return v.g.Identity != "" || v.g.Status == grant.StatusUnknown
}
