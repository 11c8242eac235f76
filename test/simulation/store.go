package simulation

import (
	"cmp"
	"context"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lockout"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"

	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// Ports is what a process sees of the world.
type Ports struct {
	// By is the process itself.
	By            *Instance
	Grants        grant.Store
	Leases        lease.Store
	Lockouts      lockout.Store
	RateLimits    ratelimit.Store
	Connections   connection.Secrets
	RefreshTokens grant.RefreshTokenStore
	Parking       grant.Parking
	Batches       grant.BatchReader
	Events        grant.Publisher
	Rotate        rotateapi.Function
	Connect       reltioauth.Connector
	Now           func() time.Time
}

// ports is what the process sees: the world, with its weather, or with a
// planted mistake.
func (i *Instance) ports() Ports {
	s := &stores{i}
	p := Ports{
		By: i, Grants: s, Leases: s, Lockouts: s, RateLimits: s, Connections: s, RefreshTokens: s, Parking: s, Batches: s, Events: s,
		Rotate: &invoker{i}, Connect: i.connect, Now: i.Now,
	}
	if i.w.cfg.Mutate != nil {
		i.w.cfg.Mutate(&p)
		if p.Grants != grant.Store(s) || p.RateLimits != ratelimit.Store(s) || p.Parking != grant.Parking(s) {
			p.Batches = nil // the mistake is in reads too
		}
	}
	return p
}

// stores is table, Secrets Manager and bus as a process reaches them.
type stores struct{ i *Instance }

func (s *stores) Grant(ctx context.Context, name string, c grant.Consistency) (grant.Grant, error) {
	return perform(ctx, s.i, OpGrant, name, func(ctx context.Context) (grant.Grant, error) {
		return s.i.w.table().Grant(ctx, name, c)
	})
}

// ReadBatch now and then leaves parts unread, as a table that is throttled does.
func (s *stores) ReadBatch(ctx context.Context, name string, hosts []string) (grant.Batch, error) {
	return perform(ctx, s.i, OpBatch, name, func(ctx context.Context) (grant.Batch, error) {
		b, err := s.i.w.table().ReadBatch(ctx, name, hosts)
		c := s.i.w.draw("unprocessed", name)
		if s.i.w.cfg.Calm || !c.is(unprocessed) {
			return b, err
		}
		if c.is(0.5) {
			b.Grant = nil
		}
		if c.is(0.5) {
			b.Parked = nil
		}
		if c.is(0.5) {
			b.Hosts = nil
		}
		return b, err
	})
}

// unprocessed is the share of batches of which parts are not read.
const unprocessed = 0.02

func (s *stores) PutGrant(ctx context.Context, held lease.Lease, g grant.Grant) error {
	w := s.i.w
	return do(ctx, s.i, OpPut, held.Connection, func(ctx context.Context) error {
		err := w.table().PutGrant(ctx, held, g)
		w.judgePut(s.i, held, err)
		return err
	})
}

func (s *stores) DueGrants(ctx context.Context, shard grant.Shard, now time.Time, after *grant.Due, limit int) ([]grant.Due, error) {
	return perform(ctx, s.i, OpDue, string(shard), func(ctx context.Context) ([]grant.Due, error) {
		return s.i.w.table().DueGrants(ctx, shard, now, after, limit)
	})
}

// leasing is an operation on a lease.
func (s *stores) leasing(ctx context.Context, op Op, name string, act func(context.Context) (lease.Lease, error)) (lease.Lease, error) {
	return perform(ctx, s.i, op, name, func(ctx context.Context) (lease.Lease, error) {
		l, err := act(ctx)
		s.i.w.note(s.i, numbered(op, name, err, l.Epoch))
		return l, err
	})
}

func (s *stores) TakeLease(ctx context.Context, r lease.Request) (lease.Lease, error) {
	return s.leasing(ctx, OpTake, r.Connection, func(ctx context.Context) (lease.Lease, error) {
		return s.i.w.table().TakeLease(ctx, r)
	})
}

func (s *stores) SeizeLease(ctx context.Context, r lease.Request) (lease.Lease, error) {
	return s.leasing(ctx, OpSeize, r.Connection, func(ctx context.Context) (lease.Lease, error) {
		l, err := s.i.w.table().SeizeLease(ctx, r)
		s.i.w.judgeSeized(r.Connection)
		return l, err
	})
}

func (s *stores) AdoptLease(ctx context.Context, given lease.Lease, r lease.Request) (lease.Lease, error) {
	return s.leasing(ctx, OpAdopt, r.Connection, func(ctx context.Context) (lease.Lease, error) {
		return s.i.w.table().AdoptLease(ctx, given, r)
	})
}

func (s *stores) ExtendLease(ctx context.Context, held lease.Lease, epoch int64, until time.Time) (lease.Lease, error) {
	return s.leasing(ctx, OpExtend, held.Connection, func(ctx context.Context) (lease.Lease, error) {
		return s.i.w.table().ExtendLease(ctx, held, epoch, until)
	})
}

func (s *stores) ReleaseLease(ctx context.Context, held lease.Lease) error {
	return do(ctx, s.i, OpRelease, held.Connection, func(ctx context.Context) error {
		err := s.i.w.table().ReleaseLease(ctx, held)
		s.i.w.note(s.i, numbered(OpRelease, held.Connection, err, held.Epoch))
		return err
	})
}

func (s *stores) Account(ctx context.Context, hash string) (lockout.Record, error) {
	return perform(ctx, s.i, OpAccount, hash, func(ctx context.Context) (lockout.Record, error) {
		return s.i.w.table().Account(ctx, hash)
	})
}

func (s *stores) CountLogin(ctx context.Context, t lockout.Try) (lockout.Record, error) {
	return perform(ctx, s.i, OpCount, t.Connection, func(ctx context.Context) (lockout.Record, error) {
		r, err := s.i.w.table().CountLogin(ctx, t)
		s.i.w.judgeCounted(s.i, t.Connection, r, err)
		return r, err
	})
}

func (s *stores) SettleLogin(ctx context.Context, t lockout.Try, o lockout.Outcome) error {
	return do(ctx, s.i, OpSettle, t.Connection, func(ctx context.Context) error {
		err := s.i.w.table().SettleLogin(ctx, t, o)
		s.i.w.judgeSettled(s.i, t.Connection, o, err)
		return err
	})
}

func (s *stores) MoveClaim(ctx context.Context, hash, from, to string) error {
	return do(ctx, s.i, OpMoveClaim, cmp.Or(to, from), func(ctx context.Context) error {
		return s.i.w.table().MoveClaim(ctx, hash, from, to)
	})
}

func (s *stores) Budget(ctx context.Context, host string) (ratelimit.Record, error) {
	return perform(ctx, s.i, OpBudget, host, func(ctx context.Context) (ratelimit.Record, error) {
		return s.i.w.table().Budget(ctx, host)
	})
}

func (s *stores) Reserve(ctx context.Context, host string, window ratelimit.Window) (time.Time, error) {
	return perform(ctx, s.i, OpReserve, host, func(ctx context.Context) (time.Time, error) {
		return s.i.w.table().Reserve(ctx, host, window)
	})
}

func (s *stores) Throttled(ctx context.Context, host string, t ratelimit.Throttle) (ratelimit.Record, error) {
	return perform(ctx, s.i, OpThrottled, host, func(ctx context.Context) (ratelimit.Record, error) {
		r, err := s.i.w.table().Throttled(ctx, host, t)
		s.i.w.judgePaused(host, r.PausedUntil)
		return r, err
	})
}

func (s *stores) Refused(ctx context.Context, host, name string, now time.Time) (ratelimit.Record, error) {
	return perform(ctx, s.i, OpRefused, name, func(ctx context.Context) (ratelimit.Record, error) {
		r, err := s.i.w.table().Refused(ctx, host, name, now)
		s.i.w.judgeRefusing(host, name, r)
		return r, err
	})
}

func (s *stores) Succeeded(ctx context.Context, host, client string) error {
	return do(ctx, s.i, OpSucceeded, host, func(ctx context.Context) error {
		err := s.i.w.table().Succeeded(ctx, host, client)
		s.i.w.judgeSucceeded(host)
		return err
	})
}

func (s *stores) Unanswered(ctx context.Context, host string, now time.Time) error {
	return do(ctx, s.i, OpUnanswered, host, func(ctx context.Context) error {
		err := s.i.w.table().Unanswered(ctx, host, now)
		s.i.w.judgeOutage(s.i, host, err == nil)
		return err
	})
}

func (s *stores) Answered(ctx context.Context, host string) error {
	return do(ctx, s.i, OpAnswered, host, func(ctx context.Context) error {
		err := s.i.w.table().Answered(ctx, host)
		s.i.w.judgeOutage(s.i, host, false)
		return err
	})
}

func (s *stores) Probe(ctx context.Context, host string, now time.Time, every time.Duration) (bool, error) {
	return perform(ctx, s.i, OpProbe, host, func(ctx context.Context) (bool, error) {
		if s.i.wrong() { // what it writes is doubted
			s.i.w.judgeOutage(s.i, host, false)
		}
		return s.i.w.table().Probe(ctx, host, now, every)
	})
}

func (s *stores) Connection(ctx context.Context, name string) (connection.Source, error) {
	return perform(ctx, s.i, OpConnection, name, func(ctx context.Context) (connection.Source, error) {
		if s.i.w.absent(name) {
			return connection.Source{}, connection.ErrNotFound
		}
		return s.i.w.secrets.Connection(ctx, name)
	})
}

func (s *stores) ConnectionVersion(ctx context.Context, name string) (string, error) {
	return perform(ctx, s.i, OpDescribe, name, func(ctx context.Context) (string, error) {
		if s.i.w.absent(name) {
			return "", connection.ErrNotFound
		}
		return s.i.w.secrets.ConnectionVersion(ctx, name)
	})
}

func (s *stores) Current(ctx context.Context, name string) (grant.RefreshToken, error) {
	return perform(ctx, s.i, OpCurrent, name, func(ctx context.Context) (grant.RefreshToken, error) {
		return s.i.w.secrets.Current(ctx, name)
	})
}

func (s *stores) Version(ctx context.Context, name, version string) (grant.RefreshToken, error) {
	return perform(ctx, s.i, OpVersion, name, func(ctx context.Context) (grant.RefreshToken, error) {
		return s.i.w.secrets.Version(ctx, name, version)
	})
}

func (s *stores) Put(ctx context.Context, name string, r grant.RefreshToken) (string, error) {
	version, err := perform(ctx, s.i, OpPutToken, name, func(ctx context.Context) (string, error) {
		before, _ := s.i.w.secrets.Current(ctx, name) // none: the zero one
		version, err := s.i.w.secrets.Put(ctx, name, r)
		s.i.w.judgeStoredToken(s.i, name, before, r, version)
		return version, err
	})
	s.i.w.judgeSecretsRefuse(s.i, r, err)
	return version, err
}

func (s *stores) Park(ctx context.Context, name string, r grant.RefreshToken) error {
	return do(ctx, s.i, OpPark, name, func(ctx context.Context) error {
		err := s.i.w.table().Park(ctx, name, r)
		s.i.w.judgeParked(s.i, name, r, err)
		return err
	})
}

func (s *stores) Parked(ctx context.Context, name string) (grant.RefreshToken, error) {
	return perform(ctx, s.i, OpParked, name, func(ctx context.Context) (grant.RefreshToken, error) {
		return s.i.w.table().Parked(ctx, name)
	})
}

func (s *stores) Unpark(ctx context.Context, name string, epoch int64) error {
	return do(ctx, s.i, OpUnpark, name, func(ctx context.Context) error {
		err := s.i.w.table().Unpark(ctx, name, epoch)
		s.i.w.note(s.i, numbered(OpUnpark, name, err, epoch))
		return err
	})
}

func (s *stores) Publish(ctx context.Context, e grant.Event) error {
	return do(ctx, s.i, OpPublish, e.Connection, func(context.Context) error {
		s.i.w.judgePublished(s.i, e)
		return nil
	})
}
