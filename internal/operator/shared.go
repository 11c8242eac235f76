package operator

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// Sharing returns the names of the other connections that share the client of the
// connection, sorted. Reltio gives them the same token, so revoking it for one
// revokes it for all. A connection that does not exist shares with none.
func (o *Service) Sharing(ctx context.Context, name string) ([]string, error) {
	if err := named(name); err != nil {
		return nil, err
	}
	g, _, err := o.grantOf(ctx, name)
	if err != nil {
		return nil, err
	}
	c, err := reader{o}.usable(ctx, name)
	if err != nil {
		return nil, err
	}
	return reader{o}.sharing(ctx, c, g)
}

// usable is parsed, with nil for a secret that is missing or malformed.
func (o reader) usable(ctx context.Context, name string) (*connection.Connection, error) {
	c, err := o.parsed(ctx, name)
	if errors.Is(err, connection.ErrNotFound) || err != nil && apierr.Of(err).Type == apierr.InvalidConnection {
		return nil, nil //nolint:nilnil // no secret that can be used is an answer
	}
	return c, err
}

// sharing returns the names of the other connections that share the client, if c
// is not nil, or have the grant's token: a connection's secret may have changed
// since it got the token. With an error it returns the names of those that could
// be read.
func (o reader) sharing(ctx context.Context, c *connection.Connection, g grant.Grant) ([]string, error) {
	names, err := o.names(ctx)
	if err != nil {
		return []string{}, err
	}
	shares, faults := make([]bool, len(names)), make([]error, len(names))
	each(len(names), func(i int) {
		if names[i] != g.Connection {
			shares[i], faults[i] = o.shares(ctx, names[i], c, g)
		}
		if f := apierr.Of(faults[i]); f != nil {
			faults[i] = apierr.Wrap(f.Type, "connection "+names[i]+": "+f.Message, faults[i])
		}
	})
	found := []string{}
	for i, name := range names {
		if shares[i] {
			found = append(found, name)
		}
	}
	return found, errors.Join(faults...)
}

func (o reader) shares(ctx context.Context, other string, c *connection.Connection, g grant.Grant) (bool, error) {
	its, err := o.usable(ctx, other)
	if err != nil || its != nil && c != nil && its.ClientKey() == c.ClientKey() {
		return err == nil, err
	}
	if g.Fingerprint == "" {
		return false, nil
	}
	held, _, err := o.grantOf(ctx, other)
	return err == nil && held.HasToken() && held.Fingerprint == g.Fingerprint, err
}

// each calls do for 0 to n-1, a few at a time, and waits for all.
func each(n int, do func(i int)) {
	var running sync.WaitGroup
	free := make(chan struct{}, Readers)
	for i := range n {
		free <- struct{}{}
		running.Go(func() {
			do(i)
			<-free
		})
	}
	running.Wait()
}

// SharedClients lists, for each client that several connections of the report
// share, the names of these connections, sorted.
func (r Report) SharedClients() [][]string {
	clients := map[string][]string{}
	for _, s := range r.Connections {
		if s.Client != "" {
			clients[s.Client] = append(clients[s.Client], s.Connection)
		}
	}
	var shared [][]string
	for names := range maps.Values(clients) {
		if len(names) > 1 {
			shared = append(shared, slices.Sorted(slices.Values(names)))
		}
	}
	slices.SortFunc(shared, slices.Compare[[]string])
	return shared
}

// revoked are tokens that Reltio has revoked.
type revoked struct {
	// access is the fingerprint of the access token; refresh are those of the
	// refresh tokens, each of which took its access token with it.
	access  string
	refresh []string
}

func newRevoked(g grant.Grant, hint reltioauth.TokenHint, tokens []reltioauth.Secret) revoked {
	r := revoked{access: g.Fingerprint}
	if hint == reltioauth.HintRefreshToken {
		for _, token := range tokens {
			r.refresh = append(r.refresh, reltioauth.Fingerprint(token))
		}
	}
	return r
}

// took reports whether the grant's access token is one of the revoked ones.
func (r revoked) took(g grant.Grant) bool {
	same := r.access != "" && g.Fingerprint == r.access
	known := g.CheckVerdict == grant.Inactive && g.ReissuedAt.IsZero()
	return g.HasToken() && !known && (same || g.HasRefreshToken() && slices.Contains(r.refresh, g.RefreshFingerprint))
}

// ended is the grant of another connection whose token was revoked. The token
// counts as reported and found inactive, so that it is not issued after the next
// read, and the next sweep gets another one.
func (r revoked) ended(g grant.Grant, now time.Time) (grant.Grant, bool, error) {
	if !r.took(g) {
		return g, false, nil
	}
	return g.CheckedAs(grant.Inactive, now).Indexed(now), true, nil
}

// end takes the revoked tokens out of the grants of the other connections, and
// returns the names of those that had one. A connection that was deleted in
// between has none.
func (o changer) end(ctx context.Context, r revoked, others []string) ([]string, error) {
	var held []string
	for _, name := range others {
		change, err := o.change(ctx, name, verb{apply: r.ended})
		switch {
		case err != nil && apierr.Of(err).Type == apierr.UnknownConnection:
		case err != nil:
			f := apierr.Of(err)
			return held, apierr.Wrap(f.Type, name+" still hands out the revoked token: "+f.Message, err)
		case change.Changed:
			held = append(held, name)
		}
	}
	return held, nil
}
