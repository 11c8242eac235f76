package renewal

import (
	"context"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
)

// mostHosts bounds the hosts whose records are read together with a grant: which of
// them is the connection's is known once its secret is read.
const mostHosts = 4

// batched reads with a grant, in one request, what this pass probably reads next. Each
// of these is used once, before the renewal waits or sends anything. Only the holder of
// the lease changes what is parked. The host's record is read again if the renewal waits
// for its slot, and after the response.
type batched struct {
	grant.Store
	r *run
}

// Grant implements grant.Store for the holder of the lease, who reads strongly.
func (b batched) Grant(ctx context.Context, name string, c grant.Consistency) (grant.Grant, error) {
	r := b.r
	hosts := r.Hosts
	if len(hosts) > mostHosts {
		hosts = nil
	}
	var err error
	if r.ahead, err = r.Batches.ReadBatch(ctx, name, hosts); err != nil {
		return grant.Grant{}, err
	}
	if r.ahead.Grant == nil {
		return b.Store.Grant(ctx, name, c)
	}
	return r.ahead.Grant.Value, r.ahead.Grant.Err
}

// parked reads the parked refresh token, as grant.Parking does.
func (k keeper) parked(ctx context.Context) (grant.RefreshToken, error) {
	ahead := &k.r.ahead
	if read := ahead.Parked; read != nil {
		ahead.Parked = nil
		return read.Value, read.Err
	}
	return k.r.Parking.Parked(ctx, k.r.name)
}
