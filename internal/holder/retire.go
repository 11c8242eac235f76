package holder

import (
	"context"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
)

// Retire writes a tombstone over the refresh tokens of another identity than the
// given one, so that none of them is sent again. It returns the tombstone; the
// zero RefreshToken if there is nothing to retire. newest is the newest refresh
// token as the caller has read it under this lease, parked the epoch of the one
// that was parked last.
//
// The lease is extended between that read and the write: if the lease was lost,
// the refresh token that was read may be the next holder's, and must stay.
func (h *Holder) Retire(
	ctx context.Context, tokens grant.RefreshTokenStore, newest grant.RefreshToken, parked int64, identity string,
) (grant.RefreshToken, error) {
	if !h.foreign(newest, identity) {
		return grant.RefreshToken{}, nil
	}
	if err := h.Extend(ctx); err != nil {
		return grant.RefreshToken{}, err
	}
	tombstone := grant.RefreshToken{LoggedInAt: h.Now(), Epoch: h.NextEpoch(newest.Epoch, parked), Identity: identity}
	version, err := tokens.Put(ctx, h.held.Connection, tombstone)
	if err != nil {
		return grant.RefreshToken{}, err
	}
	tombstone.Version = version
	return tombstone, nil
}

// foreign reports whether the newest refresh token belongs to another identity.
// One that names no identity belongs to that of the stored grant. If that grant
// was lost with its table, nothing says more.
func (h *Holder) foreign(newest grant.RefreshToken, identity string) bool {
	switch {
	case newest.Token.IsZero():
		return false
	case newest.Identity != "":
		return newest.Identity != identity
	}
	return h.stored.Identity != "" || h.stored.Status == grant.StatusUnknown
}

// NextEpoch is the epoch of a new refresh token: the lease's, or one above the
// highest that the caller has seen, because a restored table may be older than
// the RefreshTokenStore. It is never below that of the last parked one, because
// the versions in the RefreshTokenStore may have been lost.
func (h *Holder) NextEpoch(highest, parked int64) int64 {
	return max(h.held.Epoch, highest+1, parked)
}
