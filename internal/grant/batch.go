package grant

import (
	"context"

	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
)

// Batch is what a BatchReader has read. A part that it could not read is missing: the
// caller reads that part with a request of its own.
type Batch struct {
	// Grant is what Store.Grant returns, Parked what Parking.Parked returns; nil: not
	// read.
	Grant  *Read[Grant]
	Parked *Read[RefreshToken]
	// Hosts are the hosts' records as a ratelimit.Store keeps them, by host. A host that
	// was never asked has the zero Record; one that is missing was not read.
	Hosts map[string]ratelimit.Record
}

// Read is a value as it was read, or why there is none.
type Read[T any] struct {
	Value T
	Err   error
}

// BatchReader reads with one request what a renewal reads at its beginning. It is
// safe for concurrent use by any number of processes.
type BatchReader interface {
	// ReadBatch reads a connection's grant, its parked refresh token and the records of
	// hosts, all of them strongly. The items may be read at different moments: none of
	// them says when another one was read. Parts that the store has no capacity for,
	// or that this process may only read one by one, are missing. The error is an
	// apierr.Error of type StoreUnavailable.
	ReadBatch(ctx context.Context, name string, hosts []string) (Batch, error)
}
