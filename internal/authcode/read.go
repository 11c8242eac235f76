package authcode

import (
	"context"
	"errors"

	"github.com/reltio-tokens/reltio-tokens/internal/authrequest"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
)

// reader reads what a callback knows into its observation.
type reader struct{ *run }

// read does a step that reads. The error says why it could not be read; the plan
// decides what that means.
func (r reader) read(ctx context.Context, s step) (err error) {
	switch s {
	case readRequest:
		r.o.request, err = r.AuthRequests.Request(ctx, authrequest.HashOf(r.o.callback.State))
	case readConnection:
		r.o.connection, err = r.connection(ctx, r.o.request.Connection)
	case readGrant:
		r.o.grant, err = r.grant(ctx)
	case readHost:
		r.host(ctx)
	case readTokens:
		err = r.tokens(ctx)
	case readHeld:
		r.o.grant, _, err = r.held.Read(ctx)
		r.o.lease = r.held.Lease()
	case askUser:
		r.o = r.o.named(r.user(ctx))
	case readAgain:
		r.again(ctx)
	case verify:
		if r.o.sight = r.sight(ctx); r.o.sight == present {
			r.o.grant = r.o.written
		}
	}
	return err
}

// grant reads the grant with a strongly consistent read, without what a wrong clock
// wrote; a missing one is an empty grant. It needs no lease.
func (r reader) grant(ctx context.Context) (grant.Grant, error) {
	g, err := r.Grants.Grant(ctx, r.o.connection.Name, grant.Strong)
	if errors.Is(err, grant.ErrNotFound) {
		return grant.Grant{Connection: r.o.connection.Name, Status: grant.StatusOK}, nil
	}
	return g.Believed(r.Now()), err
}

// host reads the host's record. If the store fails, the record stays as it was.
func (r reader) host(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	host, err := r.RateLimits.Budget(ctx, r.o.connection.Host())
	if err != nil {
		r.hostErr = err
		return
	}
	r.o.host = host
}

// tokens reads the newest refresh token, from Secrets Manager or parked in the
// table.
func (r reader) tokens(ctx context.Context) error {
	known, err := r.RefreshTokens.Current(ctx, r.o.connection.Name)
	if err != nil && !errors.Is(err, grant.ErrNotFound) {
		return err
	}
	parked, err := r.Parking.Parked(ctx, r.o.connection.Name)
	if err != nil && !errors.Is(err, grant.ErrNotFound) {
		return err
	}
	r.o.parkedEpoch = parked.Epoch
	if err == nil && parked.Epoch > known.Epoch {
		parked.Version = r.o.grant.SecretVersion
		known = parked
	}
	r.o.known = known
	return nil
}

// user introspects the access token for its user. Without a definite response the
// name is empty and the error says why.
func (r reader) user(ctx context.Context) (string, error) {
	ctx, cancel := r.within(ctx, checkTime, storeTime+revokeTime+closingTime)
	defer cancel()
	if err := r.unthrottled(ctx); err != nil {
		return "", err
	}
	info, err := r.client().Introspect(ctx, r.o.token.AccessToken)
	switch {
	case err != nil:
		return "", err
	case !info.Active:
		return "", errInactive
	case info.Username == "":
		return "", errNameless
	}
	return info.Username, nil
}

// again reads the grant and the newest refresh token once more. A renewal that
// lost its lease to this callback may have stored something since, and versions
// must only rise. If a read fails, the values from before the exchange are used.
func (r reader) again(ctx context.Context) {
	looking, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	if g, _, err := r.held.Look(looking); err == nil {
		r.o.grant = g
	}
	looking, cancel = context.WithTimeout(ctx, lookTime)
	defer cancel()
	_ = r.tokens(looking)
	r.o = r.o.keeping(r.held.NextEpoch(r.o.known.Epoch, r.o.parkedEpoch))
}

// sight reads the grant with a strongly consistent read to find out whether it has
// this callback's tokens. If that fails, it tries once more.
func (r reader) sight(ctx context.Context) sight {
	ctx, cancel := r.storing(ctx, lookTime, revokeTime)
	defer cancel()
	for range 2 {
		g, err := r.grant(ctx)
		switch {
		case err != nil:
			continue
		case !r.o.has(g):
			return absent
		case r.held.Wrote(g) && r.o.newest(g):
			return present
		default:
			return elsewhere
		}
	}
	return unseen
}
