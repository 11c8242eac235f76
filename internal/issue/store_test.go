package issue_test

import (
	"context"
	"sync"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/memstore"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
)

// store is the embedded store with the weaknesses of a real one: it takes time,
// fails, and its eventually consistent reads may see the past.
type store struct {
	*memstore.Table

	// latency is how long each operation takes; nil: none.
	latency func() time.Duration
	// readFault and leaseFault fail reads and TakeLease; nil: nothing fails.
	readFault  func(grant.Consistency) error
	leaseFault func() error
	// hang lets reads wait until their context ends.
	hang bool
	// behind is how far an eventually consistent read looks back; nil: not.
	behind func() time.Duration

	mu      sync.Mutex
	history []version
	reads   []time.Time
	strong  int
	taken   []lease.Lease
}

// version is a grant as it was written at a moment.
type version struct {
	at time.Time
	g  grant.Grant
}

func (s *store) wait() {
	if s.latency != nil {
		time.Sleep(s.latency())
	}
}

// Grant implements grant.Store.
func (s *store) Grant(ctx context.Context, name string, c grant.Consistency) (grant.Grant, error) {
	s.wait()
	s.mu.Lock()
	s.reads = append(s.reads, time.Now())
	if c == grant.Strong {
		s.strong++
	}
	s.mu.Unlock()
	if s.hang {
		<-ctx.Done()
		return grant.Grant{}, apierr.Wrap(apierr.StoreUnavailable, "DynamoDB: no answer in time", ctx.Err())
	}
	if s.readFault != nil {
		if err := s.readFault(c); err != nil {
			return grant.Grant{}, err
		}
	}
	if c == grant.Eventual && s.behind != nil {
		return s.past(time.Now().Add(-s.behind()))
	}
	return s.Table.Grant(ctx, name, c)
}

// past is the grant as it stood then.
func (s *store) past(then time.Time) (grant.Grant, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.history) - 1; i >= 0; i-- {
		if !s.history[i].at.After(then) {
			return s.history[i].g, nil
		}
	}
	return grant.Grant{}, grant.ErrNotFound
}

// PutGrant implements grant.Store.
func (s *store) PutGrant(ctx context.Context, held lease.Lease, g grant.Grant) error {
	s.wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.Table.PutGrant(ctx, held, g); err != nil {
		return err
	}
	g, err := s.Table.Grant(ctx, held.Connection, grant.Strong)
	s.history = append(s.history, version{time.Now(), g})
	return err
}

// TakeLease implements lease.Store.
func (s *store) TakeLease(ctx context.Context, r lease.Request) (lease.Lease, error) {
	s.wait()
	if s.leaseFault != nil {
		if err := s.leaseFault(); err != nil {
			return lease.Lease{}, err
		}
	}
	l, err := s.Table.TakeLease(ctx, r)
	if err == nil {
		s.mu.Lock()
		s.taken = append(s.taken, l)
		s.mu.Unlock()
	}
	return l, err
}

// readTimes are the moments of all reads so far; they are forgotten with it.
func (s *store) readTimes() []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	times := s.reads
	s.reads = nil
	return times
}

// strongReads counts the strongly consistent reads so far.
func (s *store) strongReads() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.strong
}

// leases are those taken so far.
func (s *store) leases() []lease.Lease {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]lease.Lease(nil), s.taken...)
}

// holder is the lease as it is held now.
func (s *store) holder(ctx context.Context, now time.Time) (lease.Lease, bool) {
	l, err := s.Table.TakeLease(ctx, lease.Request{Connection: acme, Owner: "looker", Now: now, Until: now})
	return l, err != nil
}

// hangingEvents accepts no event and does not say so.
type hangingEvents struct{ *rotate }

// RotateLater implements rotateapi.Function.
func (hangingEvents) RotateLater(ctx context.Context, _ rotateapi.Request) error {
	<-ctx.Done()
	return apierr.Wrap(apierr.StoreUnavailable, "rotate: no answer in time", ctx.Err())
}
