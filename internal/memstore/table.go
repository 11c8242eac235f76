// Package memstore keeps the stores in the memory of one process: for running
// on one machine and for tests.
//
// A Table holds what package dynamo keeps in a table, with the same contracts
// and the same precision, and Secrets what package secrets keeps in AWS Secrets
// Manager. Both pass the same suites of package storetest as those packages.
//
//	var table memstore.Table
//	g, err := table.Grant(ctx, "acme", grant.Strong) // ErrNotFound
//
// No call blocks for longer than a few memory accesses take, and calls fail
// only for the reasons that the contracts name. A Table also fails when its
// caller's context has ended, as a table across the network does. The content
// ends with the process.
package memstore

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/authrequest"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/lockout"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
)

// Table keeps grants, leases, lockout records, rate limits and authorization
// requests. The zero value is empty and ready to use; it must not be copied.
// All methods are safe for concurrent use.
type Table struct {
	// mu guards everything below: each method holds it from its first look at
	// a record to the change that follows from it, as DynamoDB does for a
	// conditional write.
	mu sync.Mutex
	// grants and leases by connection, accounts by hash, rate limits by host.
	grants   map[string]grant.Grant
	leases   map[string]lease.Lease
	accounts map[string]lockout.Record
	budgets  map[string]ratelimit.Record
	// parked are refresh tokens by connection.
	parked map[string]grant.RefreshToken
	// invitations and requests by hash.
	invitations map[string]authrequest.Invitation
	requests    map[string]authrequest.Request
	// due is the index of due grants, by shard.
	due map[grant.Shard]*index
}

var (
	_ grant.Store       = (*Table)(nil)
	_ grant.Parking     = (*Table)(nil)
	_ grant.BatchReader = (*Table)(nil)
	_ lease.Store       = (*Table)(nil)
	_ lockout.Store     = (*Table)(nil)
	_ ratelimit.Store   = (*Table)(nil)
)

// enter locks the table until leave is called, unless the context has ended.
func (t *Table) enter(ctx context.Context) (leave func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, apierr.Wrap(apierr.StoreUnavailable, "the table: the context has ended", err)
	}
	t.mu.Lock()
	if t.grants == nil {
		t.grants = make(map[string]grant.Grant)
		t.leases = make(map[string]lease.Lease)
		t.accounts = make(map[string]lockout.Record)
		t.budgets = make(map[string]ratelimit.Record)
		t.parked = make(map[string]grant.RefreshToken)
		t.invitations = make(map[string]authrequest.Invitation)
		t.requests = make(map[string]authrequest.Request)
		t.due = make(map[grant.Shard]*index)
	}
	return t.mu.Unlock, nil
}

// Copy returns a table with the same content, which changes independently, like
// a restored backup.
func (t *Table) Copy() *Table {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := &Table{
		grants: maps.Clone(t.grants), leases: maps.Clone(t.leases), accounts: maps.Clone(t.accounts),
		budgets: maps.Clone(t.budgets), parked: maps.Clone(t.parked),
		invitations: maps.Clone(t.invitations), requests: maps.Clone(t.requests),
	}
	if t.grants != nil {
		c.due = make(map[grant.Shard]*index)
	}
	for _, g := range c.grants {
		c.reindex(grant.Grant{}, g)
	}
	return c
}

// inMillis is a moment as it comes back from a table of epoch milliseconds, in
// which 0 stands for none.
func inMillis(t time.Time) time.Time {
	if t.IsZero() || t.UnixMilli() == 0 {
		return time.Time{}
	}
	return time.UnixMilli(t.UnixMilli()).UTC()
}
