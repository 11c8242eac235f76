package renewal

import (
	"context"

	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
)

// reader reads what a renewal knows into its observation.
type reader struct{ *run }

// look reads what the plan needs next into the observation. The error says why it
// could not be read; the plan decides what that means.
func (r reader) look(ctx context.Context, a action) error {
	switch a.look {
	case theGrant:
		return r.lookGrant(ctx)
	case theDueMoment:
		r.p.waited, r.ahead = true, grant.Batch{}
		if ratelimit.Sleep(ctx, a.wait) != nil {
			return errNoTime
		}
		return nil
	case theVersion:
		var err error
		r.o.lookedAt = r.Now()
		r.o.version, err = r.Connections.ConnectionVersion(ctx, r.name)
		return err
	case endingConnection:
		return r.lookEnding(ctx)
	case theConnection:
		return r.lookConnection(ctx)
	case theTombstone:
		return r.retire(ctx)
	case theReset:
		return r.reset(ctx)
	case theHost:
		return r.lookHost(ctx)
	case theTokenStore:
		return r.keeper().prove(ctx)
	default: // endingTokens, theTokens
		return r.keeper().read(ctx, r.o.grant.SecretVersion)
	}
}

// lookGrant reads the grant, and raises the lease's epoch above it.
func (r reader) lookGrant(ctx context.Context) error {
	g, _, err := r.held.Read(ctx)
	if g.Connection == "" {
		return err
	}
	r.took(g)
	r.o.found = r.held.Found()
	r.observed()
	r.p = r.p.saw(r.o)
	return err
}

// lookEnding reads the connection of a grant whose refresh token ends. Only a
// connection that a person authorizes is noted; what is wrong with another one the
// next renewal reports.
func (r reader) lookEnding(ctx context.Context) error {
	source, err := r.Connections.Connection(ctx, r.name)
	if err != nil {
		return err
	}
	c, err := connection.Parse(r.name, source, r.Hosts)
	if err == nil && endsByPerson(r.o.grant, c) {
		r.o.connection = c
	}
	return nil //nolint:nilerr // parse errors are reported by the next renewal
}

// lookConnection reads the connection's secret.
func (r reader) lookConnection(ctx context.Context) error {
	source, err := r.Connections.Connection(ctx, r.name)
	if err != nil {
		return err
	}
	c, err := connection.Parse(r.name, source, r.Hosts)
	r.o.version, r.o.malformed = source.Version, err
	if err != nil {
		return nil //nolint:nilerr // a malformed secret was read, and is part of the observation
	}
	r.report.host, r.o.connection = c.Host(), c
	if r.o.grant.Identity == c.IdentityHash() {
		r.o = r.o.with(c)
	}
	return nil
}

// retire retires the refresh tokens of another identity, so that none of them is
// sent again. It is the first of the two writes that replace its grant.
func (r reader) retire(ctx context.Context) error {
	c, before := r.o.connection, r.o.grant
	r.o.grant, r.p = before.Reset(c.IdentityHash()), r.p.reset()
	if !c.Refreshes() && before.Identity == "" {
		return nil // no refresh token was ever stored
	}
	ctx, cancel := r.storing(ctx)
	defer cancel()
	if err := r.keeper().read(ctx, ""); err != nil {
		return err
	}
	t := &r.o.tokens
	tombstone, err := r.held.Retire(ctx, r.RefreshTokens, t.newest, t.lastParked, c.IdentityHash())
	if tombstone.Version != "" {
		r.o.grant.SecretVersion, t.usable = tombstone.Version, nil
	}
	return err
}

// reset replaces the grant of another identity by an empty one of the connection's
// identity, in one write, before anything is sent. So a refresh token that a crash
// leaves in Secrets Manager is never taken for another identity's.
func (r reader) reset(ctx context.Context) error {
	r.o = r.o.with(r.o.connection)
	if err := r.write(ctx, r.o.grant); err != nil {
		return err
	}
	r.o = r.o.with(r.o.connection)
	return nil
}

// lookHost reads the authorization server's record.
func (r reader) lookHost(ctx context.Context) (err error) {
	host := r.o.connection.Host()
	if read, ok := r.ahead.Hosts[host]; ok {
		r.o.host = read
		delete(r.ahead.Hosts, host)
		return nil
	}
	r.o.host, err = r.RateLimits.Budget(ctx, host)
	return err
}
