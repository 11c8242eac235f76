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

// readRefreshTokens reads the refresh tokens to try: the parked one, the version that
// the grant points at, and the newest, the one with the highest epoch first.
// The newest is not the grant's version after a crash between the two writes.
func (p *path) readRefreshTokens(ctx context.Context, pointer string) error {
	p.tokens, p.highest, p.tokenMissing = nil, 0, false
	parked, err := p.Parking.Parked(ctx, p.request.Connection)
	if err != nil && !errors.Is(err, grant.ErrNotFound) {
		return err
	}
	isParked := err == nil
	if !isParked {
		p.lastParked = parked.Epoch
	}
	parked.ParkedAt = time.Time{} // Secrets Manager does not store it
	versions, err := p.readVersions(ctx, pointer)
	if err != nil && !isParked {
		return err
	}
	if isParked {
		if parked.Epoch > highestEpoch(versions) {
			versions = append(versions, p.unparked(ctx, parked))
			p.tokenMissing = false
		} else { // Secrets Manager has it, or a newer one
			p.unpark(ctx, parked)
		}
	}
	p.order(versions)
	if !p.tokenMissing {
		p.g.TokenMissingAt = time.Time{}
	}
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
func (p *path) order(versions []grant.RefreshToken) {
	slices.SortStableFunc(versions, func(a, b grant.RefreshToken) int { return cmp.Compare(b.Epoch, a.Epoch) })
	if p.newest = (grant.RefreshToken{}); len(versions) > 0 {
		p.newest, p.highest = versions[0], versions[0].Epoch
	}
	for _, v := range versions {
		if v.Token.IsZero() || p.c != nil && !v.Of(p.c.IdentityHash()) {
			return
		}
		p.tokens = append(p.tokens, v)
	}
}

// unparked writes the parked refresh token to Secrets Manager. If that fails it
// stays parked, and is used all the same.
func (p *path) unparked(ctx context.Context, r grant.RefreshToken) grant.RefreshToken {
	if p.unkept == nil { // with unkept set this renewal has tried already
		version, err := p.putToken(ctx, r, writeTime)
		if err == nil {
			r.Version = version
			p.unpark(ctx, r)
			return r
		}
		p.unkept = apierr.Of(err)
	}
	p.parked, r.Version = true, p.g.SecretVersion
	return r
}

// unpark removes a parked refresh token that Secrets Manager has. If that fails
// the next renewal does it.
func (p *path) unpark(ctx context.Context, r grant.RefreshToken) {
	p.parked = false
	_ = p.Parking.Unpark(ctx, p.request.Connection, r.Epoch)
}

// readVersions reads the newest version and the one that the grant points at. A
// missing version does not mean that its refresh token was revoked: the newest
// is used if it is not older than the grant's last write. Otherwise, and if it
// cannot be read, the second look a minute later decides.
func (p *path) readVersions(ctx context.Context, pointer string) ([]grant.RefreshToken, error) {
	var versions []grant.RefreshToken
	current, unread := p.RefreshTokens.Current(ctx, p.request.Connection)
	switch {
	case unread == nil:
		versions = append(versions, current)
	case errors.Is(unread, grant.ErrNotFound):
		unread = nil
	case !errors.Is(unread, grant.ErrUnreadable):
		return nil, unread
	}
	if pointer == "" && unread == nil || pointer != "" && pointer == current.Version {
		return versions, nil
	}
	if pointer == "" {
		return p.withoutPointer(nil, unread)
	}
	pointed, err := p.RefreshTokens.Version(ctx, p.request.Connection, pointer)
	switch {
	case err == nil:
		return append(versions, pointed), nil
	case !errors.Is(err, grant.ErrNotFound) && !errors.Is(err, grant.ErrUnreadable):
		return nil, err
	case len(versions) > 0 && current.Epoch >= p.g.Epoch:
		return versions, nil
	}
	return p.withoutPointer(versions, unread)
}

// errTokenMissing says that a refresh token is not where the grant points.
var errTokenMissing = apierr.New(apierr.StoreUnavailable,
	"the version of the grant's secret that holds the refresh token is not there; looked for once more in a minute")

// withoutPointer decides which versions are used while the one that the grant
// points at cannot be read: none at the first look, at the second the others.
func (p *path) withoutPointer(versions []grant.RefreshToken, cause error) ([]grant.RefreshToken, error) {
	now := p.Now()
	p.tokenMissing = true
	if p.g.TokenMissingAt.IsZero() {
		p.g.TokenMissingAt = now
	}
	if now.Before(p.g.TokenMissingAt.Add(secondLook)) {
		if cause == nil {
			cause = errTokenMissing
		}
		return nil, cause
	}
	return versions, nil
}

// keep stores the refresh token of a response before anything else, and returns
// the one that the grant has from now on. A lost refresh token may need a
// person's login. So if Secrets Manager does not take it for two seconds it is
// parked in the table. The error says that neither store took it.
//
// Of a failed response only a refresh token counts: if there is none the stored
// one stays.
func (p *path) keep(ctx context.Context, s step, token *reltioauth.Token, failed error) (grant.RefreshToken, error) {
	if !p.c.Refreshes() || token == nil || failed != nil && token.RefreshToken.IsZero() {
		return grant.RefreshToken{}, nil
	}
	next, write := p.refreshTokenOf(s, token)
	if !write {
		return next, nil
	}
	next.Epoch, next.Identity = p.held.NextEpoch(p.highest, p.lastParked), p.c.IdentityHash()
	limit := keepTime
	if p.counted {
		limit -= settleTime
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	began := p.Now()
	parking := parkTime
	for wait := firstRetry; ; wait = min(2*wait, longestRetry) {
		version, err := p.putToken(ctx, next, max(grant.ParkAfter-p.Now().Sub(began), leastWriteTime))
		if err == nil {
			next.Version, p.highest, p.unkept, p.parked = version, next.Epoch, nil, false
			return next, nil
		}
		p.unkept, p.parked = apierr.Of(err), false
		if p.Now().Sub(began) >= grant.ParkAfter && !next.Token.IsZero() {
			if p.park(ctx, next, parking) == nil {
				p.parked, p.highest = true, next.Epoch
				next.Version = p.g.SecretVersion
				return next, nil
			}
			parking = limit
		}
		if ratelimit.Sleep(ctx, jittered(wait, p.random())) != nil {
			p.lost = !next.Token.IsZero()
			return grant.RefreshToken{}, err
		}
	}
}

// park puts a refresh token into the table.
func (p *path) park(ctx context.Context, r grant.RefreshToken, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	r.ParkedAt = p.Now()
	return p.Parking.Park(ctx, p.c.Name, r)
}

// putToken writes a refresh token to Secrets Manager, within a limit that
// leaves enough time to park it after an attempt that hangs.
func (p *path) putToken(ctx context.Context, r grant.RefreshToken, limit time.Duration) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	version, err := p.RefreshTokens.Put(ctx, p.request.Connection, r)
	p.tokenStore.refusing.Store(err != nil)
	p.storeErr = apierr.Of(err)
	return version, err
}

// mayRotate makes sure, before the refresh of a grant whose server gives a new
// refresh token each time, that Secrets Manager takes refresh tokens again
// after it has refused one: it writes the present one. If that fails the grant
// is not refreshed; a connection that can logs in.
func (p *path) mayRotate(ctx context.Context, s step) (step, error) {
	if s.kind != refresh || !p.g.Rotates || !p.tokenStore.refusing.Load() {
		return s, nil
	}
	if p.unkept != nil { // Secrets Manager has just refused the parked one
		return p.insteadOfRotating(s, p.unkept)
	}
	t := s.refresh
	t.Epoch, t.Identity = p.held.NextEpoch(p.highest, p.lastParked), p.c.IdentityHash()
	version, err := p.putToken(ctx, t, writeTime)
	if err != nil {
		return p.insteadOfRotating(s, err)
	}
	t.Version, p.highest = version, t.Epoch
	s.refresh = t
	p.tokens = slices.Insert(p.tokens, 0, t)
	return s, nil
}

// insteadOfRotating is the step while Secrets Manager refuses refresh tokens.
func (p *path) insteadOfRotating(s step, refused error) (step, error) {
	if p.c.LogsInAlone() && p.loginRefused == nil {
		return step{kind: login, grant: p.c.Login()}, nil
	}
	return s, refused
}
