package doctor_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"

	"github.com/reltio-tokens/reltio-tokens/cmd/reltio-tokens/doctor"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/memstore"
	"github.com/reltio-tokens/reltio-tokens/internal/operator"
	"github.com/reltio-tokens/reltio-tokens/internal/testkit/afar"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// keys are the stores' keys: the stack's own, behind the same network.
type keys struct{ afar.Stores }

// ConnectionKey implements doctor.Keys.
func (keys) ConnectionKey(ctx context.Context, _ string) (string, error) {
	return keyARN, afar.Wait(ctx)
}

// nowhere is a network without servers.
type nowhere struct{}

func (nowhere) RoundTrip(*http.Request) (*http.Response, error) { return nil, errors.New("nowhere") }

// fleet is an installation of n connections, far away; there is nothing else.
func fleet(t *testing.T, n int, unreadable string) *doctor.Doctor {
	t.Helper()
	table, secrets := &memstore.Table{}, &memstore.Secrets{}
	a := afar.Stores{Store: table, Parking: table, Secrets: secrets, Unreadable: unreadable}
	for i := range n {
		text := reltioauth.NewSecret(`{"grant_type":"client_credentials","client_id":"c","client_secret":"` + canary + `","auth_url":"http://127.0.0.1:1"}`)
		if _, err := secrets.PutConnection(t.Context(), fmt.Sprintf("c-%05d", i), text); err != nil {
			t.Fatal(err)
		}
	}
	config := aws.Config{
		Region: "us-east-1", HTTPClient: &http.Client{Transport: nowhere{}},
		Retryer:     func() aws.Retryer { return aws.NopRetryer{} },
		Credentials: withCanary,
	}
	return &doctor.Doctor{
		Operator: &operator.Service{
			Grants: a, Leases: table, Lockouts: table, Connections: a, Parking: a, Now: time.Now,
			Hosts: connection.Hosts{"127.0.0.1:1"}, // nothing listens there,
		},
		Now: time.Now, Lambda: lambda.NewFromConfig(config), IssueFunction: "issue", RotateFunction: "rotate",
		AWS: &doctor.AWS{
			Database: dynamodb.NewFromConfig(config), Table: "table", Secrets: keys{a}, SecretPrefix: "prefix",
			Scheduler: scheduler.NewFromConfig(config), CallbackFunction: "callback",
			Stack: &doctor.Stack{Name: "mine", Status: "UPDATE_COMPLETE", Outputs: map[string]string{"KeyArn": keyARN}},
		},
	}
}

// counted are the findings about connections, by their levels.
func counted(r doctor.Report) (ok, failed int, rest []string) {
	for _, f := range r.Findings {
		switch {
		case !strings.HasPrefix(f.Check, "connection"):
		case f.Level == doctor.OK:
			ok++
		case f.Level == doctor.Failed:
			failed++
		default:
			rest = append(rest, fmt.Sprintf("%s %s: %s | %s", f.Level, f.Check, f.What, f.Do))
		}
	}
	return ok, failed, rest
}

// A fleet is examined within the command's usual time, over a slow network, and one
// secret that cannot be read hides no other.
func TestAFleet(t *testing.T) {
	for n, most := range map[int]time.Duration{600: 3 * time.Second, 25_000: 50 * time.Second} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := fleet(t, n, "c-00007")
				ctx, cancel := context.WithTimeout(t.Context(), 100*time.Second)
				defer cancel()
				began := time.Now()
				r := d.Examine(ctx)
				took := time.Since(began)
				if ok, failed, rest := counted(r); ok != n-1 || failed != 1 || len(rest) > 0 || took > most {
					t.Errorf("%d ok, %d failed, %q after %v; want %v at most", ok, failed, rest, took, most)
				}
				t.Logf("%d connections: %v", n, took)
			})
		})
	}
}

// Connections for which no time was left are counted, and none of them failed.
func TestAFleetWithoutTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := fleet(t, 1000, "")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		ok, failed, rest := counted(d.Examine(ctx))
		if failed != 0 || ok == 0 || len(rest) != 1 ||
			rest[0] != fmt.Sprintf("warning connections: %d of 1000 connections were not looked at: no time was left | give it more time with --timeout", 1000-ok) {
			t.Errorf("%d ok, %d failed, %q", ok, failed, rest)
		}
	})
}
