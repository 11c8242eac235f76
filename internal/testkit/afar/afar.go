// Package afar puts stores behind a slow network, for tests of what reads a fleet of
// connections: each read takes Latency, in a bubble of virtual time.
//
//	stores := afar.Stores{Store: table, Parking: table, Secrets: secrets}
//	service := operator.Service{Grants: stores, Parking: stores, Connections: stores}
//
// A read whose context ends first is StoreUnavailable. Writes and lists take no time.
package afar

import (
	"context"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
)

// Latency is how long a read takes.
const Latency = 40 * time.Millisecond

// Stores are those behind the network.
type Stores struct {
	grant.Store
	grant.Parking
	Secrets
	// Unreadable is a secret that is refused; empty: none is.
	Unreadable string
}

// Secrets are those of connections, and their names.
type Secrets interface {
	connection.Secrets
	List(ctx context.Context) ([]string, error)
}

// Wait waits for the network.
func Wait(ctx context.Context) error {
	timer := time.NewTimer(Latency)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return apierr.Wrap(apierr.StoreUnavailable, "no answer in time", ctx.Err())
	}
}

// Grant implements grant.Store.
func (s Stores) Grant(ctx context.Context, name string, c grant.Consistency) (grant.Grant, error) {
	if err := Wait(ctx); err != nil {
		return grant.Grant{}, err
	}
	return s.Store.Grant(ctx, name, c)
}

// Parked implements grant.Parking.
func (s Stores) Parked(ctx context.Context, name string) (grant.RefreshToken, error) {
	if err := Wait(ctx); err != nil {
		return grant.RefreshToken{}, err
	}
	return s.Parking.Parked(ctx, name)
}

// Connection implements connection.Secrets.
func (s Stores) Connection(ctx context.Context, name string) (connection.Source, error) {
	if err := Wait(ctx); err != nil {
		return connection.Source{}, err
	}
	if name == s.Unreadable {
		return connection.Source{}, apierr.New(apierr.StoreUnavailable, "Secrets Manager: AccessDeniedException")
	}
	return s.Secrets.Connection(ctx, name)
}
