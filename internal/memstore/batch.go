package memstore

import (
	"context"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
)

// ReadBatch implements grant.BatchReader; every part is read.
func (t *Table) ReadBatch(ctx context.Context, name string, hosts []string) (grant.Batch, error) {
	leave, err := t.enter(ctx)
	if err != nil {
		return grant.Batch{}, err
	}
	leave() // the items are read one after the other, as a table across the network may
	b := grant.Batch{Grant: &grant.Read[grant.Grant]{}, Parked: &grant.Read[grant.RefreshToken]{}, Hosts: map[string]ratelimit.Record{}}
	b.Grant.Value, b.Grant.Err = t.Grant(ctx, name, grant.Strong)
	b.Parked.Value, b.Parked.Err = t.Parked(ctx, name)
	for _, host := range hosts {
		r, err := t.Budget(ctx, host)
		if err != nil {
			return grant.Batch{}, err
		}
		b.Hosts[host] = r
	}
	return b, nil
}
