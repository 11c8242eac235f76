package storetest

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

func grantPromises() promises {
	return promises{
		"every field comes back":               everyFieldComesBack,
		"a field emptied is gone":              emptiedFieldsAreGone,
		"a number or a flag emptied is zero":   emptiedValuesAreZero,
		"an unknown grant is not found":        unknownGrant,
		"a moment comes back in milliseconds":  momentsInMillis,
		"a moment in any zone is that in UTC":  momentsInUTC,
		"sets have no order and no duplicates": setsAreSets,
		"nothing is shared with the caller":    nothingShared,
		"long values come back whole":          longValues,
		"any text comes back as it was":        anyText,
		"what is past its time is returned":    pastGrants,
		"an eventual read follows":             eventualReads,
		"names do not meet":                    grantNamesApart,
	}
}

// held is a lease that no holder has taken: a grant's store judges a lease by
// its epoch and owner alone.
func held(connection, owner string, epoch int64) lease.Lease {
	return lease.Lease{Connection: connection, Owner: owner, Epoch: epoch, Until: start().Add(lease.Term)}
}

// putGrant writes g under the lease of its own epoch and owner.
func putGrant(t *testing.T, s Store, g grant.Grant) {
	t.Helper()
	if err := s.PutGrant(t.Context(), held(g.Connection, g.Owner, g.Epoch), g); err != nil {
		t.Fatalf("PutGrant(%s): %v", g.Connection, err)
	}
}

func wantGrant(t *testing.T, s Store, want grant.Grant) {
	t.Helper()
	got, err := s.Grant(t.Context(), want.Connection, grant.Strong)
	if err != nil {
		t.Errorf("Grant(%s): %v", want.Connection, err)
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Grant(%s) (-want +got):\n%s", want.Connection, diff)
	}
}

func wantNoGrant(t *testing.T, s Store, name string) {
	t.Helper()
	for _, c := range []grant.Consistency{grant.Eventual, grant.Strong} {
		g, err := s.Grant(t.Context(), name, c)
		wantError(t, err, grant.ErrNotFound)
		if !reflect.ValueOf(g).IsZero() {
			t.Errorf("a grant of %q next to ErrNotFound", g.Connection)
		}
	}
}

// fullGrant has a value in every field, also in those that the suite has never
// heard of.
func fullGrant(t *testing.T, connection string) grant.Grant {
	t.Helper()
	var g grant.Grant
	fields := reflect.ValueOf(&g).Elem()
	for i := range fields.NumField() {
		field, name := fields.Field(i), fields.Type().Field(i).Name
		switch value := field.Addr().Interface().(type) {
		case *time.Time:
			*value = start().Add(time.Duration(i) * 1001 * time.Millisecond)
		case *reltioauth.Secret:
			*value = reltioauth.NewSecret(canary + name)
		case *[]string:
			*value = []string{"1-" + name, "2-" + name}
		case *bool:
			*value = true
		case *grant.Refusal:
			*value = grant.Refusal{Code: "a-code", Status: 400, Description: "a-description"}
		default:
			switch field.Kind() {
			case reflect.String:
				field.SetString("a-" + name)
			case reflect.Int, reflect.Int64:
				field.SetInt(int64(1000 + i))
			default:
				t.Fatalf("the suite has no value for the field %s of type %s", name, field.Type())
			}
		}
	}
	g.Connection = connection
	g.Doubted = false                   // it is not stored
	g.TTL = g.TTL.Truncate(time.Second) // it is kept in seconds
	return g
}

func everyFieldComesBack(t *testing.T, s Store) {
	g := fullGrant(t, "acme-prod")
	putGrant(t, s, g)
	wantGrant(t, s, g)
}

func emptiedFieldsAreGone(t *testing.T, s Store) {
	g := fullGrant(t, "acme")
	putGrant(t, s, g)
	empty := grant.Grant{Connection: "acme", Epoch: g.Epoch, Owner: g.Owner}
	putGrant(t, s, empty)
	wantGrant(t, s, empty)
	putGrant(t, s, g)
	wantGrant(t, s, g)
}

func emptiedValuesAreZero(t *testing.T, s Store) {
	g := grant.Grant{Connection: "acme", Owner: "o", Epoch: 1, Version: 41, Failures: 3, ExpiresInMissing: true}
	putGrant(t, s, g)
	wantGrant(t, s, g)
	g.Version, g.Failures, g.ExpiresInMissing = 0, 0, false
	g.Aliases, g.Unpublished = []string{}, []string{}
	g.AccessToken = reltioauth.NewSecret("")
	putGrant(t, s, g)
	wantGrant(t, s, grant.Grant{Connection: "acme", Owner: "o", Epoch: 1})
}

func unknownGrant(t *testing.T, s Store) {
	wantNoGrant(t, s, "acme")
	takeLease(t, s, "acme", "owner")
	wantNoGrant(t, s, "acme")
}

func momentsInMillis(t *testing.T, s Store) {
	g := grant.Grant{Connection: "acme", Owner: "o", Epoch: 1}
	g.ExpiresAt = start().Add(time.Millisecond - 1)
	g.DueAt = start().Add(999)
	g.TTL = start().Add(2 * time.Second)
	putGrant(t, s, g)
	g.ExpiresAt, g.DueAt = start(), start()
	g.TTL = g.TTL.Truncate(time.Second)
	wantGrant(t, s, g)
}

func momentsInUTC(t *testing.T, s Store) {
	g := grant.Grant{Connection: "acme", Owner: "o", Epoch: 1}
	g.ExpiresAt = start().In(time.FixedZone("elsewhere", 3600))
	putGrant(t, s, g)
	got, err := s.Grant(t.Context(), "acme", grant.Strong)
	noError(t, err)
	if got.ExpiresAt != start() { // the zone is what this is about
		t.Errorf("expires at %v, want %v", got.ExpiresAt, start())
	}
}

func setsAreSets(t *testing.T, s Store) {
	g := grant.Grant{Connection: "acme", Owner: "o", Epoch: 1}
	g.Aliases = []string{"team-b", "team-a", "team-b"}
	g.Unpublished = []string{"Recovered", "Recovered"}
	putGrant(t, s, g)
	g.Aliases = []string{"team-a", "team-b"}
	g.Unpublished = []string{"Recovered"}
	wantGrant(t, s, g)
}

func nothingShared(t *testing.T, s Store) {
	g := grant.Grant{Connection: "acme", Owner: "o", Epoch: 1}
	g.Aliases = []string{"team-a", "team-b"}
	putGrant(t, s, g)
	g.Aliases[0] = "changed after the write"
	got, err := s.Grant(t.Context(), "acme", grant.Strong)
	noError(t, err)
	got.Aliases[1] = "changed after the read"
	g.Aliases = []string{"team-a", "team-b"}
	wantGrant(t, s, g)
}

func longValues(t *testing.T, s Store) {
	g := grant.Grant{Connection: strings.Repeat("a", 64), Owner: "o", Epoch: 1 << 60, Version: 1 << 60}
	g.AccessToken = reltioauth.NewSecret(strings.Repeat("aB3-._~+/", 16384/9+1)[:16384])
	g.Scope = strings.Repeat("scope ", 2000)
	for i := range 500 {
		g.Aliases = append(g.Aliases, fmt.Sprintf("alias-%03d", i))
	}
	putGrant(t, s, g)
	wantGrant(t, s, g)
}

func anyText(t *testing.T, s Store) {
	for i, text := range []string{
		"Ünïcødé 漢字 \U0001F511", `"quoted" \ and </script>`, "line\nline\r\n\ttab", "\u2028\u0000\ufeff", " ", "NULL", "0", "grant#acme",
	} {
		g := grant.Grant{Connection: fmt.Sprintf("acme-%d", i), Owner: "o", Epoch: 1}
		g.User, g.Scope, g.Aliases = text, text, []string{text}
		g.AccessToken = reltioauth.NewSecret(canary + text)
		putGrant(t, s, g)
		wantGrant(t, s, g)
	}
}

func pastGrants(t *testing.T, s Store) {
	g := grant.Grant{Connection: "acme", Owner: "o", Epoch: 1, AccessToken: reltioauth.NewSecret(canary)}
	g.ExpiresAt = time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
	putGrant(t, s, g)
	wantGrant(t, s, g)
}

func eventualReads(t *testing.T, s Store) {
	g := fullGrant(t, "acme")
	putGrant(t, s, g)
	settled(t, g, func() grant.Grant {
		got, err := s.Grant(t.Context(), "acme", grant.Eventual)
		if err != nil && !errors.Is(err, grant.ErrNotFound) {
			t.Fatal(err)
		}
		return got
	})
}

func grantNamesApart(t *testing.T, s Store) {
	one, other := fullGrant(t, "acme"), fullGrant(t, "acme-2")
	other.AccessToken = reltioauth.NewSecret(canary + "other")
	putGrant(t, s, one)
	wantNoGrant(t, s, other.Connection)
	putGrant(t, s, other)
	wantGrant(t, s, one)
	wantGrant(t, s, other)
}

func fencingPromises() promises {
	kept := promises{
		"the lease's epoch and owner are stored":      leaseIsStored,
		"of many writers the highest epoch stays":     highestEpochStays,
		"a lease is no right to another's grant":      leaseOfAnother,
		"a written grant is not written without such": writtenNeedsALease,
	}
	for name, test := range map[string]struct {
		epoch int64
		owner string
		want  error
	}{
		"a lower epoch is refused":                      {4, "stored", grant.ErrFenced},
		"a lower epoch of another owner is refused":     {4, "other", grant.ErrFenced},
		"the same epoch of the same owner is taken":     {5, "stored", nil},
		"the same epoch of another owner is refused":    {5, "other", grant.ErrFenced},
		"the same epoch of an empty owner is refused":   {5, "", grant.ErrFenced},
		"a higher epoch of the same owner is taken":     {6, "stored", nil},
		"a higher epoch of another owner is taken":      {6, "other", nil},
		"a much higher epoch is taken":                  {1 << 60, "other", nil},
		"a negative epoch is refused":                   {-1, "stored", grant.ErrFenced},
		"an epoch with fewer digits counts as a number": {10, "other", nil},
	} {
		kept[name] = func(t *testing.T, s Store) {
			stored := grant.Grant{Connection: "acme", Epoch: 5, Owner: "stored", Scope: "old"}
			putGrant(t, s, stored)
			next := grant.Grant{Connection: "acme", Epoch: test.epoch, Owner: test.owner, User: "new"}
			err := s.PutGrant(t.Context(), held("acme", test.owner, test.epoch), next)
			wantError(t, err, test.want)
			if test.want != nil {
				next = stored
			}
			wantGrant(t, s, next)
		}
	}
	return kept
}

func leaseIsStored(t *testing.T, s Store) {
	g := grant.Grant{Connection: "acme", Epoch: 99, Owner: "the grant's"}
	noError(t, s.PutGrant(t.Context(), held("acme", "the lease's", 7), g))
	wantGrant(t, s, grant.Grant{Connection: "acme", Epoch: 7, Owner: "the lease's"})
	g.Epoch = 1
	noError(t, s.PutGrant(t.Context(), held("acme", "the lease's", 8), g))
	wantGrant(t, s, grant.Grant{Connection: "acme", Epoch: 8, Owner: "the lease's"})
}

func highestEpochStays(t *testing.T, s Store) {
	race(func(i int) {
		owner := fmt.Sprintf("owner-%d", i)
		g := grant.Grant{Connection: "acme", User: owner}
		err := s.PutGrant(t.Context(), held("acme", owner, int64(i+1)), g)
		if err != nil && !errors.Is(err, grant.ErrFenced) {
			t.Error(err)
		}
	})
	last := fmt.Sprintf("owner-%d", many-1)
	wantGrant(t, s, grant.Grant{Connection: "acme", User: last, Owner: last, Epoch: many})
}

func leaseOfAnother(t *testing.T, s Store) {
	stored := grant.Grant{Connection: "acme", Epoch: 1, Owner: "o", AccessToken: reltioauth.NewSecret(canary)}
	putGrant(t, s, stored)
	wantError(t, s.PutGrant(t.Context(), held("other", "o", 9), stored), grant.ErrFenced)
	wantGrant(t, s, stored)
	wantNoGrant(t, s, "other")
}

func writtenNeedsALease(t *testing.T, s Store) {
	stored := grant.Grant{Connection: "acme", Epoch: 1, Owner: "o"}
	putGrant(t, s, stored)
	wantError(t, s.PutGrant(t.Context(), lease.Lease{Connection: "acme"}, grant.Grant{Connection: "acme"}), grant.ErrFenced)
	wantGrant(t, s, stored)
}
