package authcode

import (
	"context"
	"errors"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// store keeps what Reltio gave: the refresh token first, as a new version in
// the vault, then the grant. It is not cancelled with the browser's request.
func (v *visit) store(ctx context.Context) Arrival {
	storing, cancel := v.storing(ctx, storeTime)
	defer cancel()
	known, err := v.Vault.Current(storing, v.c.Name)
	if err != nil && !errors.Is(err, grant.ErrNotFound) {
		return v.unstored(ctx, err)
	}
	ours := v.g.Identity == v.c.Identity()
	same := ours && !known.Token.IsZero() && known.Token.Equal(v.token.RefreshToken)
	if same && !v.request.Second {
		return v.again(ctx, known)
	}
	kept := grant.RefreshToken{
		Token: v.token.RefreshToken, LoggedInAt: v.token.IssuedAt, Epoch: max(v.held.Epoch, known.Epoch+1),
	}
	switch {
	case same:
		kept = known // its clock goes on
	case known.Version == "" && kept.Token.IsZero(): // there is none, and never was
		kept = grant.RefreshToken{}
	default:
		if kept.Version, err = v.Vault.Put(storing, v.c.Name, kept); err != nil {
			return v.unstored(ctx, err)
		}
	}
	next := v.next(ours, kept)
	if err := v.write(storing, next); err != nil && !v.isStored(ctx) {
		return v.unstored(ctx, err)
	}
	if same {
		return Arrival{Outcome: DoneSameToken, HoldsUntil: next.RefreshExpiresAt}
	}
	return Arrival{Outcome: Done}
}

// next is the grant with what the person has brought.
func (v *visit) next(ours bool, kept grant.RefreshToken) grant.Grant {
	g := v.g
	if !ours {
		g = g.Newborn(v.c.Identity())
	}
	g.Aliases, g.ConnectionVersion = v.c.Aliases, v.c.Version
	g = g.Accept(v.token).WithRefreshToken(kept, v.c.RefreshTokenLife).Healthy()
	g.Relogin = ""
	g.TTL = time.Time{}
	if v.user != "" {
		g.User = v.user
	}
	return g
}

// write stores the grant and sends the events that its change calls for.
func (v *visit) write(ctx context.Context, g grant.Grant) error {
	if v.Events != nil {
		g = g.Announced(v.g, v.Now(), true)
	}
	if err := v.Grants.PutGrant(ctx, v.held, g.Indexed(v.Now())); err != nil {
		return err
	}
	v.publish(ctx, g)
	return nil
}

// publish sends the grant's events and forgets them. What cannot be sent now is
// sent by the next sweep.
func (v *visit) publish(ctx context.Context, g grant.Grant) {
	if v.Events == nil || len(g.Unpublished) == 0 {
		return
	}
	for _, e := range g.Events() {
		if v.Events.Publish(ctx, e) != nil {
			return
		}
	}
	g.Unpublished = nil
	_ = v.Grants.PutGrant(ctx, v.held, g.Indexed(v.Now())) // an event may come twice
}

// isStored looks, after a write that failed, whether it happened all the same.
func (v *visit) isStored(ctx context.Context) bool {
	ctx, cancel := v.storing(ctx, storeTime)
	defer cancel()
	g, err := v.read(ctx)
	return err == nil && g.Epoch == v.held.Epoch && g.Owner == v.held.Owner && g.Fingerprint == v.token.Fingerprint()
}

// unstored is the end of a visit whose tokens could not be stored: they are
// revoked, and the person can begin again.
func (v *visit) unstored(ctx context.Context, err error) Arrival {
	v.discard(ctx)
	return v.withdrawn(ctx, Arrival{Outcome: Unstored, Err: err})
}

// again revokes the refresh token that came a second time with its old clock,
// and sends the browser through the login page once more. Until it is back the
// connection has no token, and says so; the invitation is given back. What
// fails before the revocation leaves the old token as it was.
func (v *visit) again(ctx context.Context, known grant.RefreshToken) Arrival {
	storing, cancel := v.storing(ctx, storeTime)
	defer cancel()
	g := v.g.WithoutToken()
	g.Aliases, g.ConnectionVersion = v.c.Aliases, v.c.Version
	if err := v.Grants.PutGrant(storing, v.held, g.Indexed(v.Now())); err != nil {
		return v.withdrawn(ctx, Arrival{Outcome: Unstored, Err: err})
	}
	d, outcome, err := v.depart(storing, v.c, v.request.Invitation, v.request.RedirectURI, true)
	if outcome != Done {
		return v.withdrawn(ctx, Arrival{Outcome: Unstored, Err: err})
	}
	// A revocation whose answer was lost may have happened, so a failed one changes
	// nothing: a token that still lives comes the same once more, and stays.
	_ = v.client().Revoke(storing, known.Token, reltioauth.HintRefreshToken)
	return v.withdrawn(ctx, Arrival{Outcome: Again, Departure: d})
}
