package renewal_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/internal/aws/dynamo"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/memstore"
	"github.com/reltio-tokens/reltio-tokens/internal/renewal"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/internal/testkit/engines"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// onEngine is a world whose table is a DynamoDB engine across the network.
func onEngine(t *testing.T) (*dynamo.Table, *reltioauthtest.Server, *renewal.Renewer) {
	t.Helper()
	client, name := engines.Table(t)
	table := &dynamo.Table{Client: client, Name: name}
	secrets := &memstore.Secrets{}
	text := reltioauth.NewSecret(`{"grant_type":"client_credentials","client_id":"client-1","client_secret":"client-secret-1"}`)
	if _, err := secrets.PutConnection(t.Context(), "acme", text); err != nil {
		t.Fatal(err)
	}
	server := reltioauthtest.New(reltioauthtest.Config{
		Clients:   []reltioauthtest.Client{{ID: "client-1", Secret: reltioauth.NewSecret("client-secret-1")}},
		Behaviour: reltioauthtest.Behaviour{Login: reltioauthtest.NewToken},
	})
	return table, server, &renewal.Renewer{
		Grants: table, Leases: table, Lockouts: table, RateLimits: table, Connections: secrets, RefreshTokens: secrets,
		Hosts: connection.Hosts{host}, Now: time.Now, Connect: server.Connector(),
	}
}

// take takes the lease as a caller does that hands it over in an event.
func take(t *testing.T, table *dynamo.Table) *rotateapi.Lease {
	t.Helper()
	now := time.Now()
	l, err := table.TakeLease(t.Context(), lease.Request{
		Connection: "acme", Owner: lease.NewOwner(), Now: now, Until: now.Add(lease.AsyncTerm),
	})
	if err != nil {
		t.Fatal(err)
	}
	return &rotateapi.Lease{Owner: l.Owner, Epoch: l.Epoch}
}

func TestTheSameEventTwiceSendsOneRequestOnAnEngine(t *testing.T) {
	table, server, r := onEngine(t)
	event := rotateapi.Request{Connection: "acme", Lease: take(t, table)}
	outcomes := map[rotateapi.Outcome]int{}
	var mu sync.Mutex // guards outcomes
	var deliveries sync.WaitGroup
	for range 2 {
		deliveries.Go(func() {
			outcome := r.Renew(t.Context(), event).Outcome
			mu.Lock()
			defer mu.Unlock()
			outcomes[outcome]++
		})
	}
	deliveries.Wait()
	outcomes[r.Renew(t.Context(), event).Outcome]++ // and once more, late
	want := map[rotateapi.Outcome]int{rotateapi.Renewed: 1, rotateapi.Contended: 2}
	if diff := cmp.Diff(want, outcomes); diff != "" {
		t.Error(diff)
	}
	if n := server.TokenRequests(time.Time{}, time.Now().Add(time.Minute)); n != 1 {
		t.Errorf("%d token requests, want 1", n)
	}
}

// A writer that stalls between Reltio's answer and its store, while another
// takes its lease over and renews, changes nothing.
func TestAStalledWriterChangesNothingOnAnEngine(t *testing.T) {
	table, _, r := onEngine(t)
	stalled := another(r)
	var after grant.Grant
	stalled.Grants = &stalling{Store: table, before: func(ctx context.Context) {
		now := time.Now()
		if _, err := table.SeizeLease(ctx, lease.Request{
			Connection: "acme", Owner: "other", Now: now, Until: now.Add(lease.Term),
		}); err != nil {
			t.Error(err)
		}
		l, err := table.SeizeLease(ctx, lease.Request{Connection: "acme", Owner: "third", Now: now, Until: now})
		if err != nil {
			t.Error(err)
		}
		if report := r.Renew(t.Context(), rotateapi.Request{
			Connection: "acme", Force: true, Lease: &rotateapi.Lease{Owner: l.Owner, Epoch: l.Epoch},
		}); report.Outcome != rotateapi.Renewed {
			t.Errorf("the other one: %s (%v)", report.Outcome, report.Err)
		}
		if after, err = table.Grant(ctx, "acme", grant.Strong); err != nil {
			t.Error(err)
		}
	}}
	if report := stalled.Renew(t.Context(), rotateapi.Request{Connection: "acme"}); report.Outcome != rotateapi.Contended {
		t.Errorf("the stalled one: %s (%v), want contended", report.Outcome, report.Err)
	}
	got, err := table.Grant(t.Context(), "acme", grant.Strong)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(after, got); diff != "" {
		t.Errorf("the stalled one changed the grant:\n%s", diff)
	}
}

// another is another process: a Renewer that shares nothing but the stores.
func another(r *renewal.Renewer) *renewal.Renewer {
	return &renewal.Renewer{
		Grants: r.Grants, Leases: r.Leases, Lockouts: r.Lockouts, RateLimits: r.RateLimits, Connections: r.Connections,
		RefreshTokens: r.RefreshTokens, Parking: r.Parking, Hosts: r.Hosts, Now: r.Now, Connect: r.Connect,
	}
}

// stalling is a store that lets something happen before the first write of a
// token.
type stalling struct {
	grant.Store
	before func(context.Context)
}

func (s *stalling) PutGrant(ctx context.Context, held lease.Lease, g grant.Grant) error {
	if before := s.before; g.HasToken() && before != nil {
		s.before = nil
		before(ctx)
	}
	return s.Store.PutGrant(ctx, held, g)
}
