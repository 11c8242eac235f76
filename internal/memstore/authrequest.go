package memstore

import (
	"context"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/authrequest"
)

var _ authrequest.Store = (*Table)(nil)

// PutInvitation implements authrequest.Store.
func (t *Table) PutInvitation(ctx context.Context, i authrequest.Invitation) error {
	leave, err := t.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	i.UsedAt, i.Ends = inMillis(i.UsedAt), i.Ends.Truncate(time.Second).UTC()
	t.invitations[i.Hash] = i
	return nil
}

// Invitation implements authrequest.Store.
func (t *Table) Invitation(ctx context.Context, hash string) (authrequest.Invitation, error) {
	leave, err := t.enter(ctx)
	if err != nil {
		return authrequest.Invitation{}, err
	}
	defer leave()
	i, ok := t.invitations[hash]
	if !ok {
		return authrequest.Invitation{}, authrequest.ErrNotFound
	}
	return i, nil
}

// UseInvitation implements authrequest.Store.
func (t *Table) UseInvitation(ctx context.Context, hash string, now time.Time) error {
	return t.changeInvitation(ctx, hash, func(i *authrequest.Invitation) error {
		if !i.Usable(now) {
			return authrequest.ErrUsed
		}
		i.UsedAt = inMillis(now)
		return nil
	})
}

// ReturnInvitation implements authrequest.Store.
func (t *Table) ReturnInvitation(ctx context.Context, hash string, usedAt time.Time) error {
	return ignoreUsed(t.changeInvitation(ctx, hash, func(i *authrequest.Invitation) error {
		if i.UsedAt.Equal(inMillis(usedAt)) {
			i.UsedAt = time.Time{}
		}
		return nil
	}))
}

// changeInvitation changes one that is there; ErrUsed if it is not.
func (t *Table) changeInvitation(ctx context.Context, hash string, change func(*authrequest.Invitation) error) error {
	leave, err := t.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	i, ok := t.invitations[hash]
	if !ok {
		return authrequest.ErrUsed
	}
	if err := change(&i); err != nil {
		return err
	}
	t.invitations[hash] = i
	return nil
}

// PutRequest implements authrequest.Store.
func (t *Table) PutRequest(ctx context.Context, r authrequest.Request) error {
	leave, err := t.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	r.ConsumedAt, r.Ends = inMillis(r.ConsumedAt), r.Ends.Truncate(time.Second).UTC()
	t.requests[r.Hash] = r
	return nil
}

// Request implements authrequest.Store.
func (t *Table) Request(ctx context.Context, hash string) (authrequest.Request, error) {
	leave, err := t.enter(ctx)
	if err != nil {
		return authrequest.Request{}, err
	}
	defer leave()
	r, ok := t.requests[hash]
	if !ok {
		return authrequest.Request{}, authrequest.ErrNotFound
	}
	return r, nil
}

// ConsumeRequest implements authrequest.Store.
func (t *Table) ConsumeRequest(ctx context.Context, hash string, now time.Time) error {
	return t.changeRequest(ctx, hash, func(r *authrequest.Request) error {
		if !r.Pending(now) {
			return authrequest.ErrUsed
		}
		r.ConsumedAt = inMillis(now)
		return nil
	})
}

// ReturnRequest implements authrequest.Store.
func (t *Table) ReturnRequest(ctx context.Context, hash string, consumedAt time.Time) error {
	return ignoreUsed(t.changeRequest(ctx, hash, func(r *authrequest.Request) error {
		if r.ConsumedAt.Equal(inMillis(consumedAt)) && r.Outcome == "" {
			r.ConsumedAt = time.Time{}
		}
		return nil
	}))
}

// FinishRequest implements authrequest.Store.
func (t *Table) FinishRequest(ctx context.Context, hash, outcome string) error {
	return ignoreUsed(t.changeRequest(ctx, hash, func(r *authrequest.Request) error {
		if !r.ConsumedAt.IsZero() {
			r.Outcome = outcome
		}
		return nil
	}))
}

// changeRequest changes one that is there; ErrUsed if it is not.
func (t *Table) changeRequest(ctx context.Context, hash string, change func(*authrequest.Request) error) error {
	leave, err := t.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	r, ok := t.requests[hash]
	if !ok {
		return authrequest.ErrUsed
	}
	if err := change(&r); err != nil {
		return err
	}
	t.requests[hash] = r
	return nil
}

// ignoreUsed drops ErrUsed for methods that do nothing to a missing item.
func ignoreUsed(err error) error {
	if err == authrequest.ErrUsed { //nolint:errorlint // our own value, unwrapped
		return nil
	}
	return err
}
