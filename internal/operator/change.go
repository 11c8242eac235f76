package operator

import (
	"context"
	"errors"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/holder"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/lockout"
)

// changeTries is how often a change is tried when another holder seizes the lease.
const changeTries = 3

// Change is the result of a change of a grant.
type Change struct {
	Connection string `json:"connection"`
	// Before and Status are the grant's status before and after; New if there
	// is no grant.
	Before grant.Status `json:"before"`
	Status grant.Status `json:"status"`
	// Changed is false if there was nothing to change.
	Changed bool `json:"changed"`
	// ExpiresIn is the remaining life of a valid token, in seconds.
	ExpiresIn *int64 `json:"expires_in"`
}

// verb is one way to change a grant.
type verb struct {
	// apply returns the changed grant and whether it differs, or an error if the
	// change is not allowed. It is called twice: before the lease is taken and
	// under it.
	apply func(g grant.Grant, now time.Time) (next grant.Grant, changed bool, err error)
	// first is done before the grant is written, under the lease; if nothing
	// changes, without it. nil: nothing.
	first func(ctx context.Context, name string) error
}

// Pause stops all renewals of the connection, forced ones too, until it is
// unpaused. Its token is still issued while it is valid. A connection that was
// never used can be paused too.
func (o *Service) Pause(ctx context.Context, name string) (Change, error) {
	return changer{o}.change(ctx, name, verb{apply: paused})
}

func paused(g grant.Grant, now time.Time) (grant.Grant, bool, error) {
	if g.Status == grant.StatusPaused {
		return g, false, nil
	}
	g.Status, g.TTL = grant.StatusPaused, time.Time{}
	return g.Indexed(now), true, nil
}

// Unpause ends a pause. The connection is healthy until a renewal finds
// otherwise, and is due now. Refused logins stay counted.
func (o *Service) Unpause(ctx context.Context, name string) (Change, error) {
	return changer{o}.change(ctx, name, verb{apply: unpaused})
}

func unpaused(g grant.Grant, now time.Time) (grant.Grant, bool, error) {
	if g.Status != grant.StatusPaused {
		return g, false, nil
	}
	g = g.Healthy().Indexed(now)
	g.DueAt = now
	return g, true, nil
}

// Resume lets a connection that waits or fails try again at the next tick. The
// refused logins of its account are cleared, for all credentials, and so are its
// failures and its back-off. A status that says that a person or an operator is
// needed stays until Reltio has responded. A healthy connection does not change;
// a paused one is ConnectionPaused.
func (o *Service) Resume(ctx context.Context, name string) (Change, error) {
	c := changer{o}
	return c.change(ctx, name, verb{apply: resumed, first: c.clearLogins})
}

func resumed(g grant.Grant, now time.Time) (grant.Grant, bool, error) {
	switch g.Status {
	case grant.StatusPaused:
		return g, false, apierr.New(apierr.ConnectionPaused, "an operator paused this connection; unpause it first")
	case grant.StatusOK, New, "":
		return g, false, nil
	case grant.StatusUnknown: // its secret exists again
		g.Status, g.TTL = grant.StatusFailing, time.Time{}
	}
	status := g.Status
	g = g.Healthy()
	g.Status = status
	return g.Indexed(now), true, nil
}

// ResumeAll resumes every connection that waits or fails, and returns those. If
// one fails, it continues with the others and returns the error in the end.
func (o *Service) ResumeAll(ctx context.Context) ([]Change, error) {
	report, err := o.Status(ctx)
	if err != nil {
		return nil, err
	}
	changes := []Change{}
	var failed error
	for _, s := range report.Connections {
		if s.Status == grant.StatusOK || s.Status == grant.StatusPaused || s.Status == New {
			continue
		}
		c, err := o.Resume(ctx, s.Connection)
		if err == nil {
			changes = append(changes, c)
		} else if failed == nil {
			f := apierr.Of(err)
			failed = apierr.Wrap(f.Type, s.Connection+": "+f.Message, err)
		}
	}
	return changes, failed
}

// changer changes grants under their leases.
type changer struct{ *Service }

// clearLogins clears the refused logins of the account that the connection's
// secret names, if the account is the connection's. A secret that is malformed or
// missing names none.
func (o changer) clearLogins(ctx context.Context, name string) error {
	c, err := o.parsed(ctx, name)
	switch {
	case errors.Is(err, connection.ErrNotFound), err != nil && apierr.Of(err).Type == apierr.InvalidConnection:
		return nil
	case err != nil:
		return err
	}
	return o.Lockouts.SettleLogin(ctx, lockout.Try{
		AccountHash: c.AccountHash(), CredentialsHash: c.CredentialsHash(), Connection: name, Now: o.Now(),
	}, lockout.Resumed)
}

// change seizes the grant's lease and changes the grant. The previous holder's
// next write fails.
func (o changer) change(ctx context.Context, name string, v verb) (Change, error) {
	if err := named(name); err != nil {
		return Change{}, err
	}
	return again(func() (Change, error) { return o.changeOnce(ctx, name, v) })
}

// again tries again if another holder seized the lease.
func again[T any](try func() (T, error)) (result T, err error) {
	for range changeTries {
		result, err = try()
		if !errors.Is(err, lease.ErrLost) && !errors.Is(err, grant.ErrFenced) {
			return result, err
		}
	}
	return result, apierr.New(apierr.StoreUnavailable, "others change this connection at the same time; try again")
}

func (o changer) changeOnce(ctx context.Context, name string, v verb) (Change, error) {
	g, err := o.known(ctx, name)
	if err != nil {
		return Change{}, err
	}
	before := g.Status
	_, changes, err := v.apply(g, o.Now())
	if err != nil {
		return Change{}, err
	}
	if changes {
		return o.write(ctx, g, v)
	}
	if v.first != nil {
		if err := v.first(ctx, name); err != nil {
			return Change{}, err
		}
	}
	return o.changed(g, before, false), nil
}

// known reads the grant of a connection that exists.
func (o changer) known(ctx context.Context, name string) (grant.Grant, error) {
	g, exists, err := o.grantOf(ctx, name)
	if err != nil {
		return g, err
	}
	return o.nameable(ctx, g, exists)
}

// nameable returns the grant if its connection exists: it has a secret, or a grant
// that is not only that of a deleted connection. The status of a connection
// without a grant is New.
func (o changer) nameable(ctx context.Context, g grant.Grant, exists bool) (grant.Grant, error) {
	if exists && g.Status != grant.StatusUnknown {
		return g, nil
	}
	if !exists {
		g.Status = ""
	}
	if _, err := o.Connections.ConnectionVersion(ctx, g.Connection); errors.Is(err, connection.ErrNotFound) {
		return g, unknown()
	} else if err != nil {
		return g, err
	}
	if !exists {
		g.Status = New
	}
	return g, nil
}

// write is the sequence: lease, read again, decide again, store, release.
func (o changer) write(ctx context.Context, seen grant.Grant, v verb) (Change, error) {
	held, err := o.holding().Seize(ctx, seen.Connection, seen.Epoch)
	if err != nil {
		return Change{}, err
	}
	defer held.Release(ctx, holder.ReleaseTime)
	g, exists, err := held.Read(ctx)
	if err != nil {
		return Change{}, err
	}
	if g, err = o.nameable(ctx, g, exists); err != nil {
		return Change{}, err
	}
	next, changes, err := v.apply(g, o.Now())
	if err != nil || !changes {
		return o.changed(g, g.Status, false), err
	}
	if v.first != nil {
		if err := v.first(ctx, g.Connection); err != nil {
			return Change{}, err
		}
	}
	if err := held.PutIndexed(ctx, next); err != nil {
		return Change{}, err
	}
	return o.changed(next, g.Status, true), nil
}

// holding is what the holder of a grant's lease works with. It sends no events.
func (o changer) holding() holder.Config {
	return holder.Config{Grants: o.Grants, Leases: o.Leases, Now: o.Now}
}

func (o changer) changed(g grant.Grant, before grant.Status, changed bool) Change {
	s := stateOf(g, true, o.Now())
	return Change{Connection: g.Connection, Before: before, Status: g.Status, Changed: changed, ExpiresIn: s.ExpiresIn}
}
