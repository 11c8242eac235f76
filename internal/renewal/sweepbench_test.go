package renewal_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/aws/dynamo"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/lockout"
	"github.com/reltio-tokens/reltio-tokens/internal/memstore"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
	"github.com/reltio-tokens/reltio-tokens/internal/renewal"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/internal/testkit/engines"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// store is everything that one table keeps for a renewal.
type store interface {
	grant.Store
	grant.Parking
	lease.Store
	lockout.Store
	ratelimit.Store
}

// swept is how many grants one sweep of the benchmark renews.
const swept = 200

// What a sweep costs per renewal beyond the request itself: each connection has
// a host of its own, so that no budget is waited for, and the sandbox answers
// in microseconds.
func BenchmarkSweep(b *testing.B) {
	b.Run("memory", func(b *testing.B) { benchmarkSweep(b, &memstore.Table{}) })
	b.Run("DynamoDB engine", func(b *testing.B) {
		client, name := engines.Table(b)
		benchmarkSweep(b, &dynamo.Table{Client: client, Name: name})
	})
}

func benchmarkSweep(b *testing.B, table store) {
	b.Helper()
	server := reltioauthtest.New(reltioauthtest.Config{
		RateLimit: -1, KeepRequests: -1,
		Behaviour: reltioauthtest.Behaviour{Login: reltioauthtest.NewTokenOldDies},
		Clients:   []reltioauthtest.Client{{ID: "client-1", Secret: reltioauth.NewSecret("client-secret-1")}},
	})
	secrets := &memstore.Secrets{}
	r := &renewal.Renewer{
		Grants: table, Leases: table, Lockouts: table, RateLimits: table, Connections: secrets, RefreshTokens: secrets, Parking: table,
		Now: time.Now, Connect: server.Connector(),
	}
	for i := range swept {
		name := benched(i)
		host := fmt.Sprintf("auth-%d.example", i)
		fields := clientCredentials()
		fields["auth_url"] = "https://" + host
		text, err := json.Marshal(fields)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := secrets.PutConnection(b.Context(), name, reltioauth.NewSecret(string(text))); err != nil {
			b.Fatal(err)
		}
		r.Hosts = append(r.Hosts, host+":443")
		if report := r.Renew(b.Context(), rotateapi.Request{Connection: name}); report.Outcome != rotateapi.Renewed {
			b.Fatal(report.Outcome, report.Err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		endAll(b, table)
		b.StartTimer()
		done, err := r.Sweep(b.Context())
		if err != nil || done.Result.Renewed != swept {
			b.Fatalf("renewed %d of %d: %v", done.Result.Renewed, swept, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/swept, "µs/renewal")
}

func benched(i int) string { return fmt.Sprintf("c%04d", i) }

// endAll lets every token of the benchmark have ended an hour ago.
func endAll(b *testing.B, table store) {
	b.Helper()
	for i := range swept {
		g, err := table.Grant(b.Context(), benched(i), grant.Strong)
		if err != nil {
			b.Fatal(err)
		}
		now := time.Now()
		held, err := table.SeizeLease(b.Context(), lease.Request{
			Connection: g.Connection, Owner: lease.NewOwner(), Now: now, Until: now.Add(lease.Term),
		})
		if err != nil {
			b.Fatal(err)
		}
		g.IssuedAt, g.ExpiresAt = now.Add(-2*time.Hour), now.Add(-time.Hour)
		if err := table.PutGrant(b.Context(), held, g.Indexed(now)); err != nil {
			b.Fatal(err)
		}
		if err := table.ReleaseLease(b.Context(), held); err != nil {
			b.Fatal(err)
		}
	}
}
