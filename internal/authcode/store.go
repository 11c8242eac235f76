package authcode

import (
	"context"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
)

// keeper writes a callback's tokens and its grant, under the lease.
type keeper struct{ *run }

// do does a step that writes.
func (k keeper) do(ctx context.Context, s step) error {
	switch s {
	case resetGrant:
		err := k.reset(ctx)
		k.waited = k.Now().Sub(k.began)
		return err
	case keep:
		return k.keep(ctx)
	case withdrawToken:
		g := k.o.grant.WithoutToken()
		return k.wrote(k.held.Put(ctx, g.Configured(k.o.connection)))
	default: // write
		k.o.written = k.o.next()
		k.o.writeErr = k.write(ctx, k.o.written)
		return k.o.writeErr
	}
}

// reset replaces a grant of another identity by an empty one and writes it
// before any request is sent, as a renewal does. The table then says whose grant
// it is. So a refresh token that a crash leaves in Secrets Manager is never used
// for another identity or another person. A connection that waits for a person
// keeps that status: operators were told, and the event Recovered is sent later.
func (k keeper) reset(ctx context.Context) error {
	identity, g := k.o.connection.IdentityHash(), k.o.grant
	next := g.Reset(identity)
	if err := reader(k).tokens(ctx); err != nil {
		return err
	}
	tombstone, err := k.held.Retire(ctx, k.RefreshTokens, k.o.known, k.o.parkedEpoch, identity)
	k.o.lease = k.held.Lease() // Retire extends it
	if err != nil {
		return err
	}
	if tombstone.Version != "" {
		k.unpark(ctx)
		k.o.known, next.SecretVersion = tombstone, tombstone.Version
	}
	if g.Status == grant.StatusReauthorize {
		next.Status, next.RetryAt, next.WarnedAt = g.Status, g.RetryAt, g.WarnedAt
		next.LastError, next.LastErrorMessage = g.LastError, g.LastErrorMessage
	}
	return k.wrote(k.held.Put(ctx, next.Configured(k.o.connection)))
}

// keep writes the refresh token to Secrets Manager. A failed write is repeated
// for two seconds, which is safe because a repeated write makes no second
// version. After that the refresh token is parked in the table, since the code
// cannot be sent again.
func (k keeper) keep(ctx context.Context) error {
	began := k.Now()
	var failure error
	for pause := firstRepeat; ; pause *= 2 {
		version, err := k.putToken(ctx, grant.ParkAfter-k.Now().Sub(began))
		if err == nil {
			k.unpark(ctx)
			k.o.refresh.Version = version
			return nil
		}
		failure = apierr.Clearer(failure, err)
		left := grant.ParkAfter - k.Now().Sub(began)
		if left <= 0 && k.park(ctx) {
			k.o.parked = failure
			k.o.refresh.Version = k.o.grant.SecretVersion
			return nil
		}
		if left > 0 {
			pause = min(pause, left)
		}
		if ratelimit.Sleep(ctx, pause) != nil {
			return failure
		}
	}
}

// putToken makes one write. It has a time limit, so that a write that hangs
// leaves time to park.
func (k keeper) putToken(ctx context.Context, limit time.Duration) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, max(limit, leastPutTime))
	defer cancel()
	return k.RefreshTokens.Put(ctx, k.o.connection.Name, k.o.refresh)
}

// park reports whether the refresh token is in the table. A tombstone is not
// parked: nothing is lost with it.
func (k keeper) park(ctx context.Context) bool {
	parked := k.o.refresh
	if parked.Token.IsZero() {
		return false
	}
	parked.ParkedAt = k.Now()
	k.o.parkedEpoch = parked.Epoch // possibly parked: the write's result is unknown
	ctx, cancel := context.WithTimeout(ctx, parkTime)
	defer cancel()
	return k.Parking.Park(ctx, k.o.connection.Name, parked) == nil
}

// unpark deletes the parked refresh token, because Secrets Manager has a newer
// one or because it is revoked. If the delete fails, the next renewal deletes it.
func (k keeper) unpark(ctx context.Context) {
	if k.o.parkedEpoch > 0 {
		_ = k.Parking.Unpark(ctx, k.o.connection.Name, k.o.parkedEpoch)
	}
}

// write stores the grant and sends the events that the change requires, while a
// person waits for a page. Events that cannot be sent in a second are sent by the
// next sweep.
func (k keeper) write(ctx context.Context, g grant.Grant) error {
	if err := k.wrote(k.held.Write(ctx, g, true)); err != nil {
		return err
	}
	_ = k.held.Publish(ctx, lookTime) // on failure an event may be sent twice
	return k.wrote(nil)
}

// wrote takes over the grant as the holder has written it.
func (k keeper) wrote(err error) error {
	if err == nil {
		k.o.grant = k.held.Stored()
	}
	return err
}
