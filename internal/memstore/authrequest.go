package memstore

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/authrequest"
)

var (
	_ authrequest.Store     = (*Table)(nil)
	_ authrequest.Directory = (*Table)(nil)
)

// PutInvitation implements authrequest.Store.
func (t *Table) PutInvitation(ctx context.Context, i authrequest.Invitation) error {
	i.UsedAt, i.Ends = inMillis(i.UsedAt), i.Ends.Truncate(time.Second).UTC()
	return put(ctx, t, invitations, i.Hash, i)
}

// Invitation implements authrequest.Store.
func (t *Table) Invitation(ctx context.Context, hash string) (authrequest.Invitation, error) {
	return find(ctx, t, invitations, hash)
}

// Invitations implements authrequest.Directory.
func (t *Table) Invitations(ctx context.Context) ([]authrequest.Invitation, error) {
	leave, err := t.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	return slices.Collect(maps.Values(t.invitations)), nil
}

// UseInvitation implements authrequest.Store.
func (t *Table) UseInvitation(ctx context.Context, hash string, now time.Time) error {
	return change(ctx, t, invitations, hash, func(i *authrequest.Invitation) error {
		if !i.Usable(now) {
			return authrequest.ErrUsed
		}
		i.UsedAt = inMillis(now)
		return nil
	})
}

// ReturnInvitation implements authrequest.Store.
func (t *Table) ReturnInvitation(ctx context.Context, hash string, usedAt time.Time) error {
	return ignoreUsed(change(ctx, t, invitations, hash, func(i *authrequest.Invitation) error {
		if i.UsedAt.Equal(inMillis(usedAt)) {
			i.UsedAt = time.Time{}
		}
		return nil
	}))
}

// PutRequest implements authrequest.Store.
func (t *Table) PutRequest(ctx context.Context, r authrequest.Request) error {
	r.ConsumedAt, r.Ends = inMillis(r.ConsumedAt), r.Ends.Truncate(time.Second).UTC()
	return put(ctx, t, requests, r.Hash, r)
}

// Request implements authrequest.Store.
func (t *Table) Request(ctx context.Context, hash string) (authrequest.Request, error) {
	return find(ctx, t, requests, hash)
}

// ConsumeRequest implements authrequest.Store.
func (t *Table) ConsumeRequest(ctx context.Context, hash string, now time.Time) error {
	return change(ctx, t, requests, hash, func(r *authrequest.Request) error {
		if !r.Pending(now) {
			return authrequest.ErrUsed
		}
		r.ConsumedAt = inMillis(now)
		return nil
	})
}

// ReturnRequest implements authrequest.Store.
func (t *Table) ReturnRequest(ctx context.Context, hash string, consumedAt time.Time) error {
	return ignoreUsed(change(ctx, t, requests, hash, func(r *authrequest.Request) error {
		if r.ConsumedAt.Equal(inMillis(consumedAt)) && r.Outcome == "" {
			r.ConsumedAt = time.Time{}
		}
		return nil
	}))
}

// FinishRequest implements authrequest.Store.
func (t *Table) FinishRequest(ctx context.Context, hash, outcome string) error {
	return ignoreUsed(change(ctx, t, requests, hash, func(r *authrequest.Request) error {
		if !r.ConsumedAt.IsZero() {
			r.Outcome = outcome
		}
		return nil
	}))
}

func invitations(t *Table) map[string]authrequest.Invitation { return t.invitations }

func requests(t *Table) map[string]authrequest.Request { return t.requests }

// put keeps an invitation or a request.
func put[V any](ctx context.Context, t *Table, kept func(*Table) map[string]V, hash string, v V) error {
	leave, err := t.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	kept(t)[hash] = v
	return nil
}

// find returns one; authrequest.ErrNotFound if it is not there.
func find[V any](ctx context.Context, t *Table, kept func(*Table) map[string]V, hash string) (V, error) {
	var v V
	leave, err := t.enter(ctx)
	if err != nil {
		return v, err
	}
	defer leave()
	v, ok := kept(t)[hash]
	if !ok {
		return v, authrequest.ErrNotFound
	}
	return v, nil
}

// change changes one that is there; authrequest.ErrUsed if it is not.
func change[V any](ctx context.Context, t *Table, kept func(*Table) map[string]V, hash string, f func(*V) error) error {
	leave, err := t.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	v, ok := kept(t)[hash]
	if !ok {
		return authrequest.ErrUsed
	}
	if err := f(&v); err != nil {
		return err
	}
	kept(t)[hash] = v
	return nil
}

// ignoreUsed drops ErrUsed for methods that do nothing to a missing item.
func ignoreUsed(err error) error {
	if err == authrequest.ErrUsed { //nolint:errorlint // our own value, unwrapped
		return nil
	}
	return err
}
