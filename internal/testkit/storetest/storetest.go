// Package storetest is the contract of the stores, as tests. Each promise in
// the comments of a store's interface is tested here, for stores in the memory
// of one process and for stores across a network, so that code tested on one
// runs on the other.
//
//	func TestTable(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) storetest.Store { return &memstore.Table{} })
//	}
//
// Run is for tables of grants, leases, lockout records, rate limits and
// authorization requests, RunSecrets for connections and refresh tokens. Each
// promise is a sub-test of its own, on a store of its own. Only the index of
// due grants may follow its items with a delay: the tests wait for it.
package storetest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/authrequest"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/lockout"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
)

// Store is everything that is kept in one table.
type Store interface {
	grant.Store
	grant.Parking
	grant.BatchReader
	lease.Store
	lockout.Store
	ratelimit.Store
	authrequest.Store
	authrequest.Directory
}

// promises are sub-tests by the promise that they test.
type promises map[string]func(*testing.T, Store)

// Run runs the contract of the stores of a table. open returns an empty one; it
// is called once for each promise.
func Run(t *testing.T, open func(t *testing.T) Store) {
	t.Helper()
	for noun, kept := range map[string]promises{
		"grants":   grantPromises(),
		"fencing":  fencingPromises(),
		"due":      duePromises(),
		"leases":   leasePromises(),
		"failures": failurePromises(),
		"handover": handoverPromises(),
		"parking":  parkingPromises(),
		"batches":  batchPromises(),
		"accounts": accountPromises(),
		"settling": settlingPromises(),
		"claims":   claimPromises(),
		"reserve":  reservePromises(),
		"trouble":  troublePromises(),
		"invited":  invitationPromises(),
		"listed":   directoryPromises(),
		"pending":  requestPromises(),
		"outcome":  outcomePromises(),
		"contexts": {"a cancelled context changes nothing": cancelled},
	} {
		t.Run(noun, func(t *testing.T) {
			for name, promise := range kept {
				t.Run(name, func(t *testing.T) { promise(t, open(t)) })
			}
		})
	}
}

// many is how many race for one thing.
const many = 64

// start is when the tests begin: any moment in whole milliseconds.
func start() time.Time { return time.Date(2026, 11, 23, 16, 0, 0, 250e6, time.UTC) }

// race calls f many times at once and waits for all.
func race(f func(i int)) {
	var all sync.WaitGroup
	gun := make(chan struct{})
	for i := range many {
		all.Go(func() {
			<-gun
			f(i)
		})
	}
	close(gun)
	all.Wait()
}

// settled waits until look returns the wanted value, for an index that may lag
// behind.
func settled[T any](t *testing.T, want T, look func() T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	for {
		diff := cmp.Diff(want, look())
		if diff == "" {
			return
		}
		select {
		case <-ctx.Done():
			t.Errorf("(-want +got):\n%s", diff)
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// noError ends the test at an error.
func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantError compares an error by identity.
func wantError(t *testing.T, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("error %v, want %v", got, want)
	}
}

// cancelled calls everything with a context that has ended.
func cancelled(t *testing.T, s Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	held := takeLease(t, s, "acme", "owner-1")
	try := oneTry("cancelled")
	host, window := "auth.example:443", windowAt(start())
	request := lease.Request{Connection: "acme", Owner: "owner-2", Now: start(), Until: start().Add(lease.Term)}
	for name, call := range map[string]func() error{
		"Grant":        func() error { _, err := s.Grant(ctx, "acme", grant.Strong); return err },
		"PutGrant":     func() error { return s.PutGrant(ctx, held, grant.Grant{Connection: "acme"}) },
		"DueGrants":    func() error { _, err := s.DueGrants(ctx, grant.ShardDue, start(), nil, 1); return err },
		"TakeLease":    func() error { _, err := s.TakeLease(ctx, request); return err },
		"SeizeLease":   func() error { _, err := s.SeizeLease(ctx, request); return err },
		"AdoptLease":   func() error { _, err := s.AdoptLease(ctx, held, request); return err },
		"ExtendLease":  func() error { _, err := s.ExtendLease(ctx, held, 9, start()); return err },
		"ReleaseLease": func() error { return s.ReleaseLease(ctx, held) },
		"Park":         func() error { return s.Park(ctx, "acme", token("r", 1)) },
		"Parked":       func() error { _, err := s.Parked(ctx, "acme"); return err },
		"Unpark":       func() error { return s.Unpark(ctx, "acme", 1) },
		"ReadBatch":    func() error { _, err := s.ReadBatch(ctx, "acme", []string{host}); return err },
		"CountLogin":   func() error { _, err := s.CountLogin(ctx, try); return err },
		"SettleLogin":  func() error { return s.SettleLogin(ctx, try, lockout.Accepted) },
		"Account":      func() error { _, err := s.Account(ctx, try.AccountHash); return err },
		"MoveClaim":    func() error { return s.MoveClaim(ctx, try.AccountHash, "acme", "other") },
		"Budget":       func() error { _, err := s.Budget(ctx, host); return err },
		"Reserve":      func() error { _, err := s.Reserve(ctx, host, window); return err },
		"Throttled": func() error {
			_, err := s.Throttled(ctx, host, ratelimit.Throttle{Client: "c", Now: start()})
			return err
		},
		"Refused":    func() error { _, err := s.Refused(ctx, host, "acme", start()); return err },
		"Succeeded":  func() error { return s.Succeeded(ctx, host, "c") },
		"Unanswered": func() error { return s.Unanswered(ctx, host, start()) },
		"Answered":   func() error { return s.Answered(ctx, host) },
		"Probe":      func() error { _, err := s.Probe(ctx, host, start(), ratelimit.ProbeEvery); return err },
	} {
		err := call()
		var e *apierr.Error
		if !errors.As(err, &e) || e.Type != apierr.StoreUnavailable || !errors.Is(err, context.Canceled) {
			t.Errorf("%s: error %v, want %s because of %v", name, err, apierr.StoreUnavailable, context.Canceled)
		}
	}
	wantHeld(t, s, held)
	wantNoGrant(t, s, "acme")
	wantNothingParked(t, s, "acme")
	wantCount(t, s, try, 1)
	wantBudget(t, s, host, ratelimit.Record{})
}
