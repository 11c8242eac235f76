package authcode

import (
	"cmp"
	"context"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// store stores Reltio's tokens: first the refresh token, as a new version in
// Secrets Manager, then the grant. It goes on if the browser's request is
// cancelled.
func (v *callback) store(ctx context.Context) CallbackResult {
	storing, cancel := v.storing(ctx, storeTime, revokeTime+closingTime)
	defer cancel()
	v.readAgain(storing)
	kept, same := v.kept()
	switch {
	case same && v.failed != nil: // nothing new to store
		return v.withdrawn(ctx, CallbackResult{Outcome: ExchangeFailed, Err: v.failed})
	case same && !v.request.Second:
		return v.again(ctx, kept)
	case same: // only the refresh token's deadline moves
	case none(v.known) && kept.Token.IsZero():
		kept = grant.RefreshToken{}
	default:
		var err error
		if kept.Version, err = v.keep(storing, kept); err != nil {
			a := v.unstored(ctx, err)
			a.Unkept = err
			return a
		}
	}
	next := v.next(kept)
	if err := v.write(storing, next); err != nil {
		if a, ended := v.doubtful(ctx, err); ended {
			return a
		}
		v.g = next
	}
	if same {
		return CallbackResult{Outcome: DoneSameToken, HoldsUntil: kept.LoggedInAt.Add(v.c.RefreshTokenLife), Err: v.nameless}
	}
	return CallbackResult{Outcome: Done, Err: cmp.Or(v.failed, v.nameless, v.parked), Unkept: v.parked, Parked: v.parked != nil}
}

// readAgain reads the grant and the newest refresh token once more. A renewal
// that lost its lease to this callback may have stored something since, and
// versions must only rise. If a read fails, the values from before the exchange
// are used.
func (v *callback) readAgain(ctx context.Context) {
	looking, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	if g, _, err := v.held.Look(looking); err == nil {
		v.g = g
	}
	looking, cancel = context.WithTimeout(ctx, lookTime)
	defer cancel()
	_ = v.readToken(looking)
}

// keep writes the refresh token to Secrets Manager. A failed write is repeated
// for two seconds, which is safe because a repeated write makes no second
// version. After that the refresh token is parked in the table, since the code
// cannot be sent again.
func (v *callback) keep(ctx context.Context, kept grant.RefreshToken) (string, error) {
	began := v.Now()
	for pause := firstRepeat; ; pause *= 2 {
		version, err := v.putToken(ctx, kept, grant.ParkAfter-v.Now().Sub(began))
		if err == nil {
			v.unpark(ctx)
			return version, nil
		}
		left := grant.ParkAfter - v.Now().Sub(began)
		if left <= 0 && v.park(ctx, kept) {
			v.parked = err
			return v.g.SecretVersion, nil
		}
		if left > 0 {
			pause = min(pause, left)
		}
		if ratelimit.Sleep(ctx, pause) != nil {
			return "", err
		}
	}
}

// putToken makes one write. It has a time limit, so that a write that hangs
// leaves time to park.
func (v *callback) putToken(ctx context.Context, kept grant.RefreshToken, limit time.Duration) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, max(limit, leastPutTime))
	defer cancel()
	return v.RefreshTokens.Put(ctx, v.c.Name, kept)
}

// park reports whether the refresh token is in the table. A tombstone is not
// parked: nothing is lost with it.
func (v *callback) park(ctx context.Context, kept grant.RefreshToken) bool {
	if kept.Token.IsZero() {
		return false
	}
	kept.ParkedAt = v.Now()
	v.parkedEpoch = kept.Epoch // possibly parked: the write's result is unknown
	ctx, cancel := context.WithTimeout(ctx, parkTime)
	defer cancel()
	return v.Parking.Park(ctx, v.c.Name, kept) == nil
}

// unpark deletes the parked refresh token, because Secrets Manager has a newer
// one or because it is revoked. If the delete fails, the next renewal deletes it.
func (v *callback) unpark(ctx context.Context) {
	if v.parkedEpoch > 0 {
		_ = v.Parking.Unpark(ctx, v.c.Name, v.parkedEpoch)
	}
}

// kept is the refresh token that the grant has from now on, and whether the grant
// had it before: as the newest in Secrets Manager, or as the one that the grant
// points at.
func (v *callback) kept() (kept grant.RefreshToken, same bool) {
	known := v.known
	given, ours := v.token.RefreshToken, v.g.Identity == v.c.IdentityHash()
	// If Reltio gives a token again that has expired by our own count, its life
	// has started again.
	ended := func(since time.Time) bool { return !since.Add(v.c.RefreshTokenLife).After(v.token.IssuedAt) }
	switch {
	case !ours || given.IsZero():
	case given.Equal(known.Token) && known.Of(v.c.IdentityHash()) && !ended(known.LoggedInAt):
		return known, true
	case !ended(v.g.LoggedInAt) && v.g.RefreshFingerprint == reltioauth.Fingerprint(given):
		return grant.RefreshToken{Token: given, LoggedInAt: v.g.LoggedInAt, Version: v.g.SecretVersion}, true
	}
	return grant.RefreshToken{
		Token: given, LoggedInAt: v.token.IssuedAt, Epoch: v.held.NextEpoch(known.Epoch, v.parkedEpoch), Identity: v.c.IdentityHash(),
	}, false
}

// next is the grant with the tokens of this login. Without a usable access token
// it has none, and is due at once.
func (v *callback) next(kept grant.RefreshToken) grant.Grant {
	g := v.g
	if g.Identity != v.c.IdentityHash() {
		g = g.Reset(v.c.IdentityHash())
	}
	g = g.Configured(v.c)
	if v.failed == nil {
		g = g.Accept(v.token)
	} else {
		g = g.WithoutToken()
	}
	g = g.WithRefreshToken(kept, v.c.RefreshTokenLife).Healthy()
	g.Relogin = ""
	g.TTL = time.Time{}
	if v.user != "" {
		g.User = v.user
	}
	return g
}

// write stores the grant and sends the events that the change requires, while a
// person waits for a page. Events that cannot be sent in a second are sent by the
// next sweep.
func (v *callback) write(ctx context.Context, g grant.Grant) error {
	if err := v.wrote(v.held.Write(ctx, g, true)); err != nil {
		return err
	}
	_ = v.held.Publish(ctx, lookTime) // on failure an event may be sent twice
	return v.wrote(nil)
}

// wrote takes over the grant as the holder has written it.
func (v *callback) wrote(err error) error {
	if err == nil {
		v.g = v.held.Stored()
	}
	return err
}

// doubtful reads, after a failed write, whether the write happened nevertheless.
// If so, the callback continues. Tokens are revoked only if the read shows that
// they are not stored: tokens that may be stored may be in use.
func (v *callback) doubtful(ctx context.Context, failed error) (CallbackResult, bool) {
	switch v.seen(ctx) {
	case present:
		return CallbackResult{}, false
	case absent:
		v.giveUp(ctx)
	}
	return v.withdrawn(ctx, CallbackResult{Outcome: Unstored, Err: failed}), true
}

// unstored ends a callback that has not tried to write its grant. Its tokens are
// revoked, and the person can begin again.
func (v *callback) unstored(ctx context.Context, err error) CallbackResult {
	v.discard(ctx)
	return v.withdrawn(ctx, CallbackResult{Outcome: Unstored, Err: err})
}

// again revokes a refresh token that Reltio gave a second time without a new
// deadline, and sends the browser through the login page once more. Until the
// browser is back, the connection has no token, and says so; the invitation is
// usable again. If a step before the revocation fails, the old token stays as it
// was.
func (v *callback) again(ctx context.Context, known grant.RefreshToken) CallbackResult {
	storing, cancel := v.storing(ctx, storeTime, revokeTime+closingTime)
	defer cancel()
	g := v.g.WithoutToken()
	g = g.Configured(v.c)
	if err := v.wrote(v.held.Put(storing, g)); err != nil {
		return v.withdrawn(ctx, CallbackResult{Outcome: Unstored, Err: err})
	}
	d, outcome, err := v.redirect(storing, v.c, v.request.Invitation, v.request.RedirectURI, true)
	if outcome != Done {
		return v.withdrawn(ctx, CallbackResult{Outcome: Unstored, Err: err})
	}
	// The server may have revoked the token even if its response was lost, so a
	// failure here changes nothing: if the token is still valid, Reltio gives it
	// once more, and it stays.
	v.revoke(ctx, known.Token, reltioauth.HintRefreshToken)
	return v.withdrawn(ctx, CallbackResult{Outcome: Again, Redirect: d})
}
