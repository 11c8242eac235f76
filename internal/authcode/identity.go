package authcode

import (
	"context"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
)

// newborn makes the grant that of the connection's present identity, as a
// renewal does: a grant of another identity loses its tokens before anything is
// sent. Whose grant it is stands in the
// table then, so that a refresh token that a crash leaves in the vault is never
// taken for another identity's, nor a person's for a stranger's. Who waits for
// a person goes on to wait: somebody was told, and hears when it is over.
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

// bury puts a tombstone on the refresh tokens of another identity, so that none
// of them is ever sent again. It returns the tombstone's version; none if there
// is nothing to bury. The lease is made sure of in between: what was read under
// a lease that was taken away may be the next holder's, and must not be buried.
func (v *callback) writeTombstone(ctx context.Context) (string, error) {
	if err := v.readVault(ctx); err != nil || !v.another() {
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

// another reports whether the newest refresh token is another identity's than the
// connection's. One that does not say whose it is belongs to the grant as it was:
// of a grant that was lost with its table nobody knows better than that.
func (v *callback) another() bool {
	switch {
	case none(v.known) || v.known.Token.IsZero():
		return false
	case v.known.Identity != "":
		return v.known.Identity != v.c.IdentityHash()
	}
	return v.g.Identity != "" || v.g.Status == grant.StatusUnknown
}
