package memstore

import (
	"context"
	"slices"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
)

// Grant implements grant.Store; every read is strong.
func (t *Table) Grant(ctx context.Context, name string, _ grant.Consistency) (grant.Grant, error) {
	leave, err := t.enter(ctx)
	if err != nil {
		return grant.Grant{}, err
	}
	defer leave()
	g, ok := t.grants[name]
	if !ok {
		return grant.Grant{}, grant.ErrNotFound
	}
	return storedGrant(g), nil
}

// PutGrant implements grant.Store.
func (t *Table) PutGrant(ctx context.Context, held lease.Lease, g grant.Grant) error {
	leave, err := t.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	if g.Connection != held.Connection {
		return grant.ErrFenced // a lease is a right to its own connection's grant
	}
	old, exists := t.grants[held.Connection]
	if exists && old.Epoch >= held.Epoch && (old.Epoch != held.Epoch || old.Owner != held.Owner) {
		return grant.ErrFenced
	}
	g.Epoch, g.Owner = held.Epoch, held.Owner
	g = storedGrant(g)
	t.grants[g.Connection] = g
	t.reindex(old, g)
	return nil
}

// storedGrant is the grant as it comes back from a table: times in whole units,
// sets sorted and without duplicates. Nothing in it is shared with g.
func storedGrant(g grant.Grant) grant.Grant {
	for _, at := range []*time.Time{
		&g.IssuedAt, &g.ExpiresAt, &g.LoggedInAt, &g.RefreshExpiresAt, &g.RetryAt, &g.CheckedAt,
		&g.ReissuedAt, &g.RepeatedUntil, &g.EarlyAskedAt, &g.TriedAt, &g.WarnedAt, &g.DueAt, &g.PublishAt,
		&g.SecretMissingAt, &g.TokenMissingAt,
	} {
		*at = inMillis(*at)
	}
	if !g.TTL.IsZero() {
		g.TTL = inMillis(time.Unix(g.TTL.Unix(), 0))
	}
	g.Aliases, g.Doubted = set(g.Aliases), false
	g.Unpublished = set(g.Unpublished)
	return g
}

// set is a copy of the texts, sorted and without duplicates; nil for none.
func set(s []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(s)))
}

// reindex moves the index's entry; mu is held. A grant without a shard or a
// moment has none.
func (t *Table) reindex(old, g grant.Grant) {
	if old.Shard == g.Shard && old.DueAt.Equal(g.DueAt) {
		return
	}
	if entry, ok := indexEntry(old); ok {
		t.shard(old.Shard).remove(entry)
	}
	if entry, ok := indexEntry(g); ok {
		t.shard(g.Shard).insert(entry)
	}
}

// shard returns the index of a shard; mu is held.
func (t *Table) shard(s grant.Shard) *index {
	if t.due[s] == nil {
		t.due[s] = &index{}
	}
	return t.due[s]
}

func indexEntry(g grant.Grant) (grant.Due, bool) {
	return grant.Due{Connection: g.Connection, DueAt: g.DueAt}, g.Shard != "" && !g.DueAt.IsZero()
}

// DueGrants implements grant.Store.
func (t *Table) DueGrants(ctx context.Context, s grant.Shard, now time.Time, after *grant.Due, limit int) ([]grant.Due, error) {
	leave, err := t.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	return t.shard(s).due(now, after, limit), nil
}
