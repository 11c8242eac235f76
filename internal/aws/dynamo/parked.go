package dynamo

import (
	"context"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
)

var _ grant.Parking = (*Table)(nil)

// Park implements grant.Parking. A lost response does no harm: the same write
// is taken again. A stored epoch that this service cannot have written refuses
// nothing.
func (t *Table) Park(ctx context.Context, name string, r grant.RefreshToken) error {
	w := newWrite(parkedKey(name))
	for _, f := range parkedFields(&r) {
		w.set(f.attr, f.value.save())
	}
	w.condition = either(w.absent(attrEpoch), w.is(attrEpoch, "<=", number(r.Epoch)), w.hasNot(attrEpoch, typeEpoch))
	_, taken, err := t.update(ctx, w)
	if err == nil && !taken {
		return grant.ErrFenced
	}
	return err
}

// Parked implements grant.Parking.
func (t *Table) Parked(ctx context.Context, name string) (grant.RefreshToken, error) {
	i, err := t.get(ctx, parkedKey(name), true)
	if err != nil {
		return grant.RefreshToken{}, err
	}
	return readParked(name, i)
}

func readParked(name string, i item) (grant.RefreshToken, error) {
	var r grant.RefreshToken
	if err := load(i, parkedFields(&r)); err != nil {
		return grant.RefreshToken{}, ofItem(parkedKey(name), err)
	}
	if r.Token.IsZero() {
		return grant.RefreshToken{Epoch: r.Epoch}, grant.ErrNotFound
	}
	return r, nil
}

// Unpark implements grant.Parking. The item stays without its token, so that no
// role needs the right to delete.
func (t *Table) Unpark(ctx context.Context, name string, epoch int64) error {
	w := newWrite(parkedKey(name))
	w.set(attrRefreshToken, nil)
	w.condition = w.is(attrEpoch, "=", number(epoch))
	_, _, err := t.update(ctx, w)
	return err
}

// parkedFields is the item of a parked refresh token, attribute by attribute.
func parkedFields(r *grant.RefreshToken) []field {
	return []field{
		{attrRefreshToken, secretValue{&r.Token}},
		{attrLoggedInAt, asTime(&r.LoggedInAt)},
		{attrEpoch, asRising(&r.Epoch)},
		{attrIdentity, asText(&r.Identity)},
		{attrParkedAt, asTime(&r.ParkedAt)},
	}
}
