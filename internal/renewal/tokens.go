package renewal

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

const (
	// writeTime bounds one attempt to write to Secrets Manager, so that an
	// attempt that hangs leaves time to park.
	writeTime = 2 * time.Second
	// parkTime bounds the first attempt to park: a request on a connection that
	// was idle too long may never be answered. The next attempt has all the
	// time that is left.
	parkTime = time.Second
	// leastWriteTime is the time that each attempt has, however late it is.
	leastWriteTime = 500 * time.Millisecond
	// secondLook is how much later the second look decides that something is
	// missing: stores are eventually consistent.
	secondLook = time.Minute
)

// storeHealth remembers, for one process, that Secrets Manager refused a
// refresh token. Then a grant whose server gives a new refresh token at each
// refresh is not refreshed before a write has succeeded. The zero value stands
// for a store that works.
type storeHealth struct{ refusing atomic.Bool }

// keeper reads and keeps the refresh tokens of one renewal's connection, in Secrets
// Manager, or parked in the table. What it reads stands in the observation.
type keeper struct {
	r *run
	t *tokens
}

func (r *run) keeper() keeper { return keeper{r: r, t: &r.o.tokens} }

// read reads the refresh tokens to try: the parked one, the version that the grant
// points at, and the newest, the one with the highest epoch first. The newest is
// not the grant's version after a crash between the two writes.
func (k keeper) read(ctx context.Context, pointer string) error {
	t := k.t
	t.usable, t.highest = nil, 0
	parked, err := k.parked(ctx)
	if err != nil && !errors.Is(err, grant.ErrNotFound) {
		return err
	}
	isParked := err == nil
	if !isParked {
		t.lastParked = parked.Epoch
	}
	parked.ParkedAt = time.Time{} // Secrets Manager does not store it
	versions, missing, err := k.versions(ctx, pointer)
	if err != nil && !isParked {
		return err
	}
	if isParked {
		if parked.Epoch > highestEpoch(versions) {
			versions = append(versions, k.unparked(ctx, parked))
			missing = false
		} else { // Secrets Manager has it, or a newer one
			k.unpark(ctx, parked)
		}
	}
	k.order(versions)
	if !missing {
		k.r.o.grant.TokenMissingAt = time.Time{}
	}
	t.refusing = k.r.tokenStore.refusing.Load()
	return nil
}

func highestEpoch(versions []grant.RefreshToken) (highest int64) {
	for _, v := range versions {
		highest = max(highest, v.Epoch)
	}
	return highest
}

// order sorts the refresh tokens by epoch. It drops those that are older than a
// tombstone, or than one of another identity.
func (k keeper) order(versions []grant.RefreshToken) {
	slices.SortStableFunc(versions, func(a, b grant.RefreshToken) int { return cmp.Compare(b.Epoch, a.Epoch) })
	if k.t.newest = (grant.RefreshToken{}); len(versions) > 0 {
		k.t.newest, k.t.highest = versions[0], versions[0].Epoch
	}
	c := k.r.o.connection
	for _, v := range versions {
		if v.Token.IsZero() || c != nil && !v.Of(c.IdentityHash()) {
			return
		}
		k.t.usable = append(k.t.usable, v)
	}
}

// unparked writes the parked refresh token to Secrets Manager. If that fails it
// stays parked, and is used all the same.
func (k keeper) unparked(ctx context.Context, r grant.RefreshToken) grant.RefreshToken {
	if k.t.unkept == nil { // with unkept set this renewal has tried already
		version, err := k.put(ctx, r, writeTime)
		if err == nil {
			r.Version = version
			k.unpark(ctx, r)
			return r
		}
		k.t.unkept = err
	}
	k.t.parked, r.Version = true, k.r.o.grant.SecretVersion
	return r
}

// unpark removes a parked refresh token that Secrets Manager has. If that fails the
// next renewal does it.
func (k keeper) unpark(ctx context.Context, r grant.RefreshToken) {
	k.t.parked = false
	_ = k.r.Parking.Unpark(ctx, k.r.name, r.Epoch)
}

// versions reads the newest version and the one that the grant points at. A missing
// version does not mean that its refresh token was revoked: the newest is used if
// it is not older than the grant's last write. Otherwise, and if it cannot be read,
// the second look a minute later decides.
func (k keeper) versions(ctx context.Context, pointer string) (found []grant.RefreshToken, missed bool, err error) {
	current, unread := k.r.RefreshTokens.Current(ctx, k.r.name)
	switch {
	case unread == nil:
		found = append(found, current)
	case errors.Is(unread, grant.ErrNotFound):
		unread = nil
	case !errors.Is(unread, grant.ErrUnreadable):
		return nil, false, unread
	}
	if pointer == "" && unread == nil || pointer != "" && pointer == current.Version {
		return found, false, nil
	}
	if pointer == "" {
		return k.withoutPointer(nil, unread)
	}
	pointed, err := k.r.RefreshTokens.Version(ctx, k.r.name, pointer)
	switch {
	case err == nil:
		return append(found, pointed), false, nil
	case !missing(err):
		return nil, false, err
	case len(found) > 0 && current.Epoch >= k.r.o.grant.Epoch:
		return found, false, nil
	}
	return k.withoutPointer(found, unread)
}

// errTokenMissing says that a refresh token is not where the grant points.
var errTokenMissing = apierr.New(apierr.StoreUnavailable,
	"the version of the grant's secret that holds the refresh token is not there; looked for once more in a minute")

// withoutPointer decides which versions are used while the one that the grant
// points at cannot be read: none at the first look, at the second the others.
func (k keeper) withoutPointer(others []grant.RefreshToken, cause error) ([]grant.RefreshToken, bool, error) {
	now, since := k.r.Now(), &k.r.o.grant.TokenMissingAt
	if since.IsZero() {
		*since = now
	}
	if !now.Before(since.Add(secondLook)) {
		return others, true, nil
	}
	if cause == nil {
		cause = errTokenMissing
	}
	return nil, true, cause
}

// keep stores the refresh token of a response before anything else, and returns the
// one that the grant has from now on. A lost refresh token may need a person's
// login. So if Secrets Manager does not take it for two seconds it is parked in the
// table. The error says that neither store took it.
//
// Of a failed response only a refresh token counts: if there is none the stored one
// stays.
func (k keeper) keep(ctx context.Context, s step, token *reltioauth.Token, failed error) (grant.RefreshToken, error) {
	r, t, c := k.r, k.t, k.r.o.connection
	if !c.Refreshes() || token == nil || failed != nil && token.RefreshToken.IsZero() {
		return grant.RefreshToken{}, nil
	}
	next, write := view{r.o, r.p}.keepable(s, token)
	if !write {
		return next, nil
	}
	next.Epoch, next.Identity = k.nextEpoch(), c.IdentityHash()
	limit := keepTime
	if r.ledger.counted {
		limit -= settleTime
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	began := r.Now()
	parking := parkTime
	var failure error
	for wait := firstRetry; ; wait = min(2*wait, longestRetry) {
		version, err := k.put(ctx, next, max(grant.ParkAfter-r.Now().Sub(began), leastWriteTime))
		if err == nil {
			next.Version, t.highest, t.unkept, t.parked = version, next.Epoch, nil, false
			return next, nil
		}
		failure = apierr.Clearer(failure, err)
		t.unkept, t.writeErr, t.parked = failure, failure, false
		if r.Now().Sub(began) >= grant.ParkAfter && !next.Token.IsZero() {
			if k.park(ctx, next, parking) == nil {
				t.parked, t.highest = true, next.Epoch
				next.Version = r.o.grant.SecretVersion
				return next, nil
			}
			parking = limit
		}
		if ratelimit.Sleep(ctx, jittered(wait, r.random())) != nil {
			t.lost = !next.Token.IsZero()
			return grant.RefreshToken{}, failure
		}
	}
}

// park puts a refresh token into the table.
func (k keeper) park(ctx context.Context, r grant.RefreshToken, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	r.ParkedAt = k.r.Now()
	return k.r.Parking.Park(ctx, k.r.name, r)
}

// put writes a refresh token to Secrets Manager, within a limit that leaves enough
// time to park it after an attempt that hangs.
func (k keeper) put(ctx context.Context, r grant.RefreshToken, limit time.Duration) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	version, err := k.r.RefreshTokens.Put(ctx, k.r.name, r)
	k.r.tokenStore.refusing.Store(err != nil)
	k.t.writeErr = err
	return version, err
}

// prove makes sure, before the refresh of a grant whose server gives a new refresh
// token each time, that Secrets Manager takes refresh tokens again after it has
// refused one: it writes the present one.
func (k keeper) prove(ctx context.Context) error {
	t, _ := k.r.o.refreshToken(k.r.p.spent)
	t.Epoch, t.Identity = k.nextEpoch(), k.r.o.connection.IdentityHash()
	version, err := k.put(ctx, t, writeTime)
	if k.t.refusing = err != nil; err != nil {
		return err
	}
	t.Version, k.t.highest = version, t.Epoch
	k.t.usable = slices.Insert(k.t.usable, 0, t)
	return nil
}

func (k keeper) nextEpoch() int64 { return k.r.held.NextEpoch(k.t.highest, k.t.lastParked) }

// label adds the identity to the newest refresh token in Secrets Manager, before
// the grant forgets the identity. Earlier releases did not write it there. If the
// write fails the connection is deleted all the same, and its refresh token cannot
// be used again.
func (k keeper) label(ctx context.Context) {
	if k.r.o.grant.Identity == "" {
		return
	}
	if err := k.read(ctx, ""); err != nil {
		return
	}
	newest := k.t.newest
	if newest.Token.IsZero() || newest.Identity != "" {
		return
	}
	newest.Epoch, newest.Identity = k.nextEpoch(), k.r.o.grant.Identity
	_, _ = k.put(ctx, newest, writeTime)
}

// missing reports whether a store says that a version is not there, or holds no
// refresh token.
func missing(err error) bool {
	return errors.Is(err, grant.ErrNotFound) || errors.Is(err, grant.ErrUnreadable)
}
