package authcode_test

import (
	"context"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/authrequest"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/memstore"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
)

// outside is the stores across a network that can fail: before a call, so that
// nothing was done, or after it, so that its answer is lost.
type outside struct {
	*memstore.Table
	*memstore.Secrets
	before, after func(op string) error
	// hangs: a call does nothing until its context ends.
	hangs func(op string) bool
}

// errDown is how a store fails.
func errDown() error { return apierr.New(apierr.StoreUnavailable, "the store is down") }

// failing fails the calls of one operation.
func failing(op string) func(string) error {
	return func(called string) error {
		if called == op {
			return errDown()
		}
		return nil
	}
}

// leased fails calls as told, from the moment at which the callback takes the
// lease.
func leased(fails func(string) error) func(string) error {
	taken := false
	return func(op string) error {
		taken = taken || op == "SeizeLease"
		if !taken {
			return nil
		}
		return fails(op)
	}
}

// waiting does something whenever a callback that has its slot reads the host's
// record again.
func waiting(do func()) func(string) error {
	reserved := false
	return func(op string) error {
		reserved = reserved || op == "Reserve"
		if reserved && op == "Budget" {
			do()
		}
		return nil
	}
}

func call[T any](ctx context.Context, o *outside, op string, f func() (T, error)) (T, error) {
	var zero T
	if o.hangs != nil && o.hangs(op) {
		<-ctx.Done()
		return zero, errDown()
	}
	if o.before != nil {
		if err := o.before(op); err != nil {
			return zero, err
		}
	}
	v, err := f()
	if o.after != nil {
		if lost := o.after(op); lost != nil {
			return zero, lost
		}
	}
	return v, err
}

func run(ctx context.Context, o *outside, op string, f func() error) error {
	_, err := call(ctx, o, op, func() (struct{}, error) { return struct{}{}, f() })
	return err
}

func (o *outside) PutInvitation(ctx context.Context, i authrequest.Invitation) error {
	return run(ctx, o, "PutInvitation", func() error { return o.Table.PutInvitation(ctx, i) })
}

func (o *outside) Invitation(ctx context.Context, hash string) (authrequest.Invitation, error) {
	return call(ctx, o, "Invitation", func() (authrequest.Invitation, error) { return o.Table.Invitation(ctx, hash) })
}

func (o *outside) UseInvitation(ctx context.Context, hash string, now time.Time) error {
	return run(ctx, o, "UseInvitation", func() error { return o.Table.UseInvitation(ctx, hash, now) })
}

func (o *outside) ReturnInvitation(ctx context.Context, hash string, usedAt time.Time) error {
	return run(ctx, o, "ReturnInvitation", func() error { return o.Table.ReturnInvitation(ctx, hash, usedAt) })
}

func (o *outside) PutRequest(ctx context.Context, r authrequest.Request) error {
	return run(ctx, o, "PutRequest", func() error { return o.Table.PutRequest(ctx, r) })
}

func (o *outside) Request(ctx context.Context, hash string) (authrequest.Request, error) {
	return call(ctx, o, "Request", func() (authrequest.Request, error) { return o.Table.Request(ctx, hash) })
}

func (o *outside) ConsumeRequest(ctx context.Context, hash string, now time.Time) error {
	return run(ctx, o, "ConsumeRequest", func() error { return o.Table.ConsumeRequest(ctx, hash, now) })
}

func (o *outside) ReturnRequest(ctx context.Context, hash string, consumedAt time.Time) error {
	return run(ctx, o, "ReturnRequest", func() error { return o.Table.ReturnRequest(ctx, hash, consumedAt) })
}

func (o *outside) FinishRequest(ctx context.Context, hash, outcome string) error {
	return run(ctx, o, "FinishRequest", func() error { return o.Table.FinishRequest(ctx, hash, outcome) })
}

func (o *outside) Grant(ctx context.Context, name string, c grant.Consistency) (grant.Grant, error) {
	return call(ctx, o, "Grant", func() (grant.Grant, error) { return o.Table.Grant(ctx, name, c) })
}

func (o *outside) PutGrant(ctx context.Context, held lease.Lease, g grant.Grant) error {
	return run(ctx, o, "PutGrant", func() error { return o.Table.PutGrant(ctx, held, g) })
}

func (o *outside) SeizeLease(ctx context.Context, r lease.Request) (lease.Lease, error) {
	return call(ctx, o, "SeizeLease", func() (lease.Lease, error) { return o.Table.SeizeLease(ctx, r) })
}

func (o *outside) ExtendLease(ctx context.Context, held lease.Lease, epoch int64, until time.Time) (lease.Lease, error) {
	return call(ctx, o, "ExtendLease", func() (lease.Lease, error) { return o.Table.ExtendLease(ctx, held, epoch, until) })
}

func (o *outside) ReleaseLease(ctx context.Context, held lease.Lease) error {
	return run(ctx, o, "ReleaseLease", func() error { return o.Table.ReleaseLease(ctx, held) })
}

func (o *outside) Budget(ctx context.Context, host string) (ratelimit.Record, error) {
	return call(ctx, o, "Budget", func() (ratelimit.Record, error) { return o.Table.Budget(ctx, host) })
}

func (o *outside) Reserve(ctx context.Context, host string, w ratelimit.Window) (time.Time, error) {
	return call(ctx, o, "Reserve", func() (time.Time, error) { return o.Table.Reserve(ctx, host, w) })
}

func (o *outside) Succeeded(ctx context.Context, host, client string) error {
	return run(ctx, o, "Succeeded", func() error { return o.Table.Succeeded(ctx, host, client) })
}

func (o *outside) Throttled(ctx context.Context, host string, t ratelimit.Throttle) (ratelimit.Record, error) {
	return call(ctx, o, "Throttled", func() (ratelimit.Record, error) { return o.Table.Throttled(ctx, host, t) })
}

func (o *outside) Connection(ctx context.Context, name string) (connection.Source, error) {
	return call(ctx, o, "Connection", func() (connection.Source, error) { return o.Secrets.Connection(ctx, name) })
}

func (o *outside) Current(ctx context.Context, name string) (grant.RefreshToken, error) {
	return call(ctx, o, "Current", func() (grant.RefreshToken, error) { return o.Secrets.Current(ctx, name) })
}

func (o *outside) Put(ctx context.Context, name string, r grant.RefreshToken) (string, error) {
	return call(ctx, o, "Put", func() (string, error) { return o.Secrets.Put(ctx, name, r) })
}

func (o *outside) Park(ctx context.Context, name string, r grant.RefreshToken) error {
	return run(ctx, o, "Park", func() error { return o.Table.Park(ctx, name, r) })
}

func (o *outside) Parked(ctx context.Context, name string) (grant.RefreshToken, error) {
	return call(ctx, o, "Parked", func() (grant.RefreshToken, error) { return o.Table.Parked(ctx, name) })
}

func (o *outside) Unpark(ctx context.Context, name string, epoch int64) error {
	return run(ctx, o, "Unpark", func() error { return o.Table.Unpark(ctx, name, epoch) })
}
