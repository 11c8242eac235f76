package dynamo_test

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/aws/dynamo"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/lockout"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// What other programs read and write is spelled here a second time, on purpose.

const canary = "c4n4ry"

// now is 1795449600250 in epoch milliseconds.
func now() time.Time { return time.Date(2026, 11, 23, 16, 0, 0, 250e6, time.UTC) }

// plain is an item in words, "<type>:<value>", without its key; nil is none.
type plain = map[string]string

func item(t *testing.T, table *dynamo.Table, key string) plain {
	t.Helper()
	out, err := table.Client.GetItem(t.Context(), &dynamodb.GetItemInput{
		TableName:      aws.String(table.Name),
		Key:            map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: key}},
		ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Item) == 0 {
		return nil
	}
	got := plain{}
	for name, value := range out.Item {
		switch v := value.(type) {
		case *types.AttributeValueMemberS:
			got[name] = "S:" + v.Value
		case *types.AttributeValueMemberN:
			got[name] = "N:" + v.Value
		case *types.AttributeValueMemberBOOL:
			got[name] = fmt.Sprintf("BOOL:%v", v.Value)
		case *types.AttributeValueMemberSS:
			got[name] = "SS:" + strings.Join(slices.Sorted(slices.Values(v.Value)), ",")
		default:
			got[name] = fmt.Sprintf("%T", value)
		}
	}
	delete(got, "pk")
	return got
}

func wantItem(t *testing.T, table *dynamo.Table, key string, want plain) {
	t.Helper()
	if diff := cmp.Diff(want, item(t, table, key)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", key, diff)
	}
}

// write writes an item as another program would.
func write(t *testing.T, table *dynamo.Table, key string, attributes plain) {
	t.Helper()
	raw := map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: key}}
	for name, attribute := range attributes {
		kind, value, _ := strings.Cut(attribute, ":")
		switch kind {
		case "S":
			raw[name] = &types.AttributeValueMemberS{Value: value}
		case "N":
			raw[name] = &types.AttributeValueMemberN{Value: value}
		case "BOOL":
			raw[name] = &types.AttributeValueMemberBOOL{Value: value == "true"}
		case "SS":
			raw[name] = &types.AttributeValueMemberSS{Value: strings.Split(value, ",")}
		case "L":
			raw[name] = &types.AttributeValueMemberL{Value: []types.AttributeValue{&types.AttributeValueMemberS{Value: value}}}
		case "M":
			raw[name] = &types.AttributeValueMemberM{Value: map[string]types.AttributeValue{"a": &types.AttributeValueMemberS{Value: value}}}
		case "B":
			raw[name] = &types.AttributeValueMemberB{Value: []byte(value)}
		case "NULL":
			raw[name] = &types.AttributeValueMemberNULL{Value: true}
		default:
			t.Fatalf("no attribute of type %s", kind)
		}
	}
	_, err := table.Client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String(table.Name), Item: raw})
	if err != nil {
		t.Fatal(err)
	}
}

func fullGrant() (grant.Grant, plain) {
	at := func(i int) time.Time { return now().Add(time.Duration(i) * time.Millisecond) }
	g := grant.Grant{
		Connection: "acme", AccessToken: reltioauth.NewSecret(canary), Fingerprint: "sha256:1", TokenType: "bearer",
		Scope: "a b", IssuedAt: at(1), ExpiresAt: at(2), ExpiresInMissing: true, Version: 41, Epoch: 7, Owner: "o7",
		Identity: "id", Aliases: []string{"team-a", "team-b"}, RefreshMode: grant.Overlap, LoginMode: grant.AtEnd,
		SecretVersion: "sv", ConnectionVersion: "cv", SecondFactorVersion: "fv", RefreshFingerprint: "sha256:2", LoggedInAt: at(3),
		RefreshExpiresAt: at(4), User: "u", Rotates: true, APIURL: "https://acme.example/api", TenantID: "t",
		Status: grant.StatusFailing, Failures: 2, Refusals: 3, Throttles: 4, RetryAt: at(5),
		Refusal:   grant.Refusal{Code: "invalid_grant", Status: 400, Description: "Bad credentials"},
		LastError: apierr.RateLimited, LastErrorMessage: "retry after 1 s", CheckedAt: at(6), CheckVerdict: grant.Inactive, ReissuedAt: at(7),
		Relogin: grant.ReloginDue, RepeatedUntil: at(8), EarlyAskedAt: at(9), TriedAt: at(10), WarnedAt: at(11),
		Unpublished: []string{"Recovered"}, PublishTries: 5, PublishAt: at(13), SecretMissingAt: at(14), TokenMissingAt: at(15), Shard: grant.ShardDue, DueAt: at(12), TTL: now().Add(time.Minute),
	}
	return g, plain{
		"access_token": "S:" + canary, "fingerprint": "S:sha256:1", "token_type": "S:bearer", "scope": "S:a b",
		"issued_at": "N:1795449600251", "expires_at": "N:1795449600252", "expires_in_missing": "BOOL:true",
		"version": "N:41", "epoch": "N:7", "owner": "S:o7", "identity": "S:id", "aliases": "SS:team-a,team-b",
		"refresh_mode": "S:overlap", "login_mode": "S:at_end", "grant_secret_version": "S:sv",
		"connection_secret_version": "S:cv", "refresh_fingerprint": "S:sha256:2",
		"logged_in_at": "N:1795449600253", "refresh_expires_at": "N:1795449600254", "user": "S:u",
		"second_factor_version": "S:fv", "rotates": "BOOL:true", "api_url": "S:https://acme.example/api", "tenant_id": "S:t",
		"refusals": "N:3", "throttles": "N:4", "check_verdict": "S:dead",
		"refusal_code": "S:invalid_grant", "refusal_status": "N:400", "refusal_description": "S:Bad credentials",
		"status": "S:failing", "failures": "N:2", "retry_at": "N:1795449600255", "last_error": "S:RateLimited",
		"last_error_message": "S:retry after 1 s", "checked_at": "N:1795449600256", "reissued_at": "N:1795449600257",
		"relogin": "S:due", "repeated_until": "N:1795449600258", "early_asked_at": "N:1795449600259",
		"tried_at": "N:1795449600260", "warned_at": "N:1795449600261", "unpublished": "SS:Recovered",
		"publish_tries": "N:5", "publish_at": "N:1795449600263", "secret_missing_at": "N:1795449600264", "token_missing_at": "N:1795449600265",
		"due_shard": "S:due", "due_at": "N:1795449600262", "ttl": "N:1795449660",
	}
}

func held(g grant.Grant) lease.Lease {
	return lease.Lease{Connection: g.Connection, Owner: g.Owner, Epoch: g.Epoch}
}

func TestGrantItem(t *testing.T) {
	table := newTable(t)
	g, want := fullGrant()
	put(t, table, g)
	wantItem(t, table, "grant#acme", want)
	put(t, table, grant.Grant{Connection: "acme", Epoch: 7, Owner: "o7"})
	wantItem(t, table, "grant#acme", plain{"version": "N:0", "epoch": "N:7", "owner": "S:o7", "refusals": "N:0"})
	put(t, table, g.Deleted(now()))
	wantItem(t, table, "grant#acme", plain{
		"version": "N:41", "epoch": "N:7", "owner": "S:o7", "status": "S:unknown",
		"retry_at": "N:1795449660250", "ttl": "N:1795536000", "refusals": "N:0",
	})
}

func put(t *testing.T, table *dynamo.Table, g grant.Grant) {
	t.Helper()
	if err := table.PutGrant(t.Context(), held(g), g); err != nil {
		t.Fatal(err)
	}
}

func TestUnknownAttributesStay(t *testing.T) {
	table := newTable(t)
	write(t, table, "grant#acme", plain{"from_the_future": "SS:a,b", "scope": "S:old", "epoch": "N:1"})
	put(t, table, grant.Grant{Connection: "acme", Epoch: 2, Owner: "o"})
	wantItem(t, table, "grant#acme", plain{
		"from_the_future": "SS:a,b", "version": "N:0", "epoch": "N:2", "owner": "S:o", "refusals": "N:0",
	})

	write(t, table, "lease#acme", plain{"from_the_future": "S:a"})
	if _, err := table.TakeLease(t.Context(), request("o1")); err != nil {
		t.Fatal(err)
	}
	write(t, table, "budget#h:1", plain{"from_the_future": "S:a"})
	if _, err := table.Reserve(t.Context(), "h:1", window()); err != nil {
		t.Fatal(err)
	}
	write(t, table, "account#a", plain{"from_the_future": "S:a"})
	if _, err := table.CountLogin(t.Context(), try()); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"lease#acme", "budget#h:1", "account#a"} {
		if got := item(t, table, key)["from_the_future"]; got != "S:a" {
			t.Errorf("%s: from_the_future = %q, want it as it was", key, got)
		}
	}
}

func request(owner string) lease.Request {
	return lease.Request{Connection: "acme", Owner: owner, Floor: 6, Now: now(), Until: now().Add(lease.Term)}
}

func window() ratelimit.Window {
	return ratelimit.Window{Now: now(), Earliest: now(), Latest: now().Add(ratelimit.MaxWait), Interval: 125 * time.Millisecond}
}

func try() lockout.Try {
	return lockout.Try{AccountHash: "a", CredentialsHash: "c", Connection: "acme", Limit: 2, Now: now()}
}

func TestLeaseItem(t *testing.T) {
	table := newTable(t)
	l, err := table.TakeLease(t.Context(), request("o1"))
	if err != nil {
		t.Fatal(err)
	}
	wantItem(t, table, "lease#acme", plain{"owner": "S:o1", "epoch": "N:7", "until": "N:1795449635250", "ttl": "N:1798041635"})
	if err := table.ReleaseLease(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	wantItem(t, table, "lease#acme", plain{"owner": "S:o1", "epoch": "N:7", "until": "N:0", "ttl": "N:1798041635"})
}

func TestAccountItem(t *testing.T) {
	table := newTable(t)
	want := plain{"connection": "S:acme", "credentials": "S:c", "tried_at": "N:1795449600250"}
	step := func(err error, attempts, unclear string) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		want["attempts"], want["unclear"] = attempts, unclear
		wantItem(t, table, "account#a", want)
	}
	count := func() error { return err2(table.CountLogin(t.Context(), forced())) }
	settle := func(o lockout.Outcome) error { return table.SettleLogin(t.Context(), try(), o) }
	step(count(), "N:1", "N:1")
	step(settle(lockout.Refused), "N:1", "N:0")
	step(count(), "N:2", "N:1")
	step(settle(lockout.Unclear), "N:1", "N:1")
	step(count(), "N:2", "N:2")
	step(settle(lockout.Nothing), "N:1", "N:1")
	want["accepted"] = "S:c"
	step(settle(lockout.Accepted), "N:0", "N:0")
	step(count(), "N:1", "N:1")
	delete(want, "accepted")
	delete(want, "tried_at")
	step(settle(lockout.Forgiven), "N:1", "N:1")
	step(settle(lockout.Resumed), "N:0", "N:0")
	delete(want, "connection")
	step(table.MoveClaim(t.Context(), "a", "acme", ""), "N:0", "N:0")
}

// A client has no count: only what was accepted is remembered.
func TestAccountItemOfAClient(t *testing.T) {
	table := newTable(t)
	for range 2 {
		if err := table.SettleLogin(t.Context(), try(), lockout.Accepted); err != nil {
			t.Fatal(err)
		}
		wantItem(t, table, "account#a", plain{"connection": "S:acme", "accepted": "S:c", "attempts": "N:0", "unclear": "N:0"})
	}
}

func TestRateLimitItem(t *testing.T) {
	table := newTable(t)
	for _, err := range []error{
		err2(table.Reserve(t.Context(), "Auth.Example:443", window())),
		err2(table.Throttled(t.Context(), "auth.example:443", ratelimit.Throttle{Client: "c1", Now: now(), First: true})),
		err2(table.Throttled(t.Context(), "auth.example:443", ratelimit.Throttle{Client: "c2", Now: now()})),
		err2(table.Refused(t.Context(), "auth.example:443", "acme", now())),
		err2(table.Refused(t.Context(), "auth.example:443", "other", now().Add(time.Minute))),
		table.Unanswered(t.Context(), "auth.example:443", now()),
		err2(table.Probe(t.Context(), "auth.example:443", now(), ratelimit.ProbeEvery)),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	want := plain{
		"tat": "N:1795449600375", "paused_until": "N:1795449601250", "pause_ms": "N:1000",
		"throttled_clients": "SS:c1,c2", "refused": "SS:acme,other", "refused_since": "N:1795449600250", "down_since": "N:1795449600250",
		"probe_at": "N:1795449600250",
	}
	wantItem(t, table, "budget#auth.example:443", want)
	for _, client := range []string{"c3", "c1"} {
		if err := table.Succeeded(t.Context(), "auth.example:443", client); err != nil {
			t.Fatal(err)
		}
	}
	maps.DeleteFunc(want, func(name, _ string) bool {
		return slices.Contains([]string{"pause_ms", "throttled_clients", "refused", "refused_since", "down_since"}, name)
	})
	want["served_clients"] = "SS:c1,c3"
	wantItem(t, table, "budget#auth.example:443", want)
	first := ratelimit.Throttle{Client: "c1", Now: now().Add(time.Minute), First: true}
	if _, err := table.Throttled(t.Context(), "auth.example:443", first); err != nil {
		t.Fatal(err)
	}
	delete(want, "served_clients")
	want["throttled_clients"], want["pause_ms"], want["paused_until"] = "SS:c1", "N:1000", "N:1795449661250"
	wantItem(t, table, "budget#auth.example:443", want)
	if err := table.Succeeded(t.Context(), "never.asked:443", "c1"); err != nil {
		t.Fatal(err)
	}
	wantItem(t, table, "budget#never.asked:443", nil)
}

func err2[T any](_ T, err error) error { return err }

func TestGrantsWrittenByHand(t *testing.T) {
	table := newTable(t)
	for name, test := range map[string]struct {
		item plain
		want grant.Grant
	}{
		"nothing but a key": {plain{}, grant.Grant{}},
		"numbers with decimals": {
			plain{"issued_at": "N:1795449600250.9", "version": "N:3.0", "failures": "N:2.7", "ttl": "N:1795449660.5"},
			grant.Grant{IssuedAt: now(), Version: 3, Failures: 2, TTL: now().Add(time.Minute).Truncate(time.Second)},
		},
		"numbers with exponents": {
			plain{"expires_at": "N:1.79544960025E12", "epoch": "N:1e3"},
			grant.Grant{ExpiresAt: now(), Epoch: 1000},
		},
		"moments of zero": {plain{"retry_at": "N:0", "expires_at": "N:0.0", "ttl": "N:0"}, grant.Grant{}},
		"counts out of reach": {
			plain{"failures": "N:9223372036854775807", "throttles": "N:1e30", "publish_tries": "N:-9223372036854775808"},
			grant.Grant{Failures: math.MaxInt32, Throttles: math.MaxInt32, PublishTries: -math.MaxInt32},
		},
		"moments out of reach": {
			plain{"retry_at": "N:1e30", "due_at": "N:-9e99", "ttl": "N:9e15"},
			grant.Grant{RetryAt: farthest, DueAt: time.UnixMilli(-farthest.UnixMilli()).UTC(), TTL: farthest.Truncate(time.Second)},
		},
		"false, and a single alias": {
			plain{"expires_in_missing": "BOOL:false", "aliases": "SS:team-a"},
			grant.Grant{Aliases: []string{"team-a"}},
		},
		"unknown attributes and words": {
			plain{"status": "S:from_the_future", "colour": "S:red", "refresh_mode": "S:"},
			grant.Grant{Status: "from_the_future"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			write(t, table, "grant#acme", test.item)
			test.want.Connection = "acme"
			got, err := table.Grant(t.Context(), "acme", grant.Strong)
			if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
				t.Errorf("error %v (-want +got):\n%s", err, diff)
			}
			put(t, table, grant.Grant{Connection: "acme", Epoch: 2000, Owner: "o"})
		})
	}
}

// farthest is the last moment that is believed.
var farthest = time.Date(9999, 12, 31, 23, 59, 59, 999e6, time.UTC)

// An account's count protects a user from being locked: it is not made again.
func TestAccountsOfAWrongType(t *testing.T) {
	table := newTable(t)
	for name, test := range map[string]struct {
		item plain
		call func() error
		want string
	}{
		"its unclear count": {
			plain{"credentials": "S:c", "unclear": "S:" + canary},
			func() error { return table.SettleLogin(t.Context(), try(), lockout.Nothing) }, "unclear",
		},
		"its last login": {
			plain{"credentials": "S:c", "tried_at": "S:" + canary},
			func() error { return err2(table.Account(t.Context(), "a")) }, "tried_at",
		},
		"its count": {
			plain{"credentials": "S:c", "attempts": "S:" + canary},
			func() error { return err2(table.CountLogin(t.Context(), try())) }, "attempts",
		},
	} {
		t.Run(name, func(t *testing.T) {
			write(t, table, "account#a", test.item)
			err := test.call()
			if want := "StoreUnavailable: DynamoDB: attribute " + test.want + " has a wrong type or value"; err == nil || err.Error() != want {
				t.Errorf("error %v, want %s", err, want)
			}
		})
	}
}

func TestLeasesWrittenByHand(t *testing.T) {
	table := newTable(t)
	for name, test := range map[string]struct {
		item  plain
		epoch int64
		err   error
	}{
		"nothing but a key":      {plain{}, 7, nil},
		"no end":                 {plain{"owner": "S:o1", "epoch": "N:40"}, 41, nil},
		"no epoch":               {plain{"until": "N:1795449600250"}, 7, nil},
		"an end with decimals":   {plain{"until": "N:1795449600250.0", "epoch": "N:40"}, 41, nil},
		"held":                   {plain{"until": "N:1795449600251", "epoch": "N:40", "owner": "S:o1"}, 40, lease.ErrHeld},
		"held without an owner":  {plain{"until": "N:1795449600251", "epoch": "N:40"}, 40, lease.ErrHeld},
		"from a broken clock":    {plain{"until": "N:1e30", "epoch": "N:40", "owner": "S:o1"}, 41, nil},
		"an epoch with decimals": {plain{"epoch": "N:40.0"}, 41, nil},
	} {
		t.Run(name, func(t *testing.T) {
			write(t, table, "lease#acme", test.item)
			l, err := table.TakeLease(t.Context(), request("o2"))
			if !errors.Is(err, test.err) || l.Epoch != test.epoch {
				t.Errorf("epoch %d, %v; want %d, %v", l.Epoch, err, test.epoch, test.err)
			}
		})
	}
}

func TestRateLimitsWrittenByHand(t *testing.T) {
	table := newTable(t)
	throttled := ratelimit.Throttle{Client: "c", Now: now()}
	for name, test := range map[string]struct {
		item  plain
		want  time.Time // of Reserve
		pause time.Duration
	}{
		"nothing but a key":              {plain{}, now(), time.Second},
		"moments of zero":                {plain{"tat": "N:0", "paused_until": "N:0", "pause_ms": "N:0"}, now(), time.Second},
		"a next slot with decimals":      {plain{"tat": "N:1795449600251.5"}, now().Add(time.Millisecond), time.Second},
		"an earliest slot with decimals": {plain{"tat": "N:1795449600250.5"}, now(), time.Second},
		"an old pause with decimals":     {plain{"paused_until": "N:1795449600249.5", "pause_ms": "N:1000.5"}, now(), time.Second},
		"moments from a broken clock":    {plain{"tat": "N:1e30", "paused_until": "N:1e30"}, now(), time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			write(t, table, "budget#h:1", test.item)
			got, err := table.Reserve(t.Context(), "h:1", window())
			if err != nil || !got.Equal(test.want) {
				t.Errorf("Reserve = %v, %v; want %v", got, err, test.want)
			}
			r, err := table.Throttled(t.Context(), "h:1", throttled)
			if err != nil || r.Pause != test.pause || !r.PausedUntil.Equal(now().Add(test.pause)) {
				t.Errorf("Throttled = %v, %v; want a pause of %v", r, err, test.pause)
			}
		})
	}
}

// An account that the release before wrote has no unclear logins, and a client's
// the moment of its last try.
func TestAccountsWrittenByHand(t *testing.T) {
	type counts struct{ attempts, unclear int }
	paused := &lockout.PauseError{Until: now().Add(2 * time.Minute)}
	table := newTable(t)
	for name, test := range map[string]struct {
		item plain
		want counts
		err  error
	}{
		"nothing but a key":               {plain{}, counts{1, 1}, nil},
		"nothing but credentials":         {plain{"credentials": "S:c"}, counts{1, 1}, nil},
		"nothing but a claim":             {plain{"connection": "S:acme"}, counts{1, 1}, nil},
		"nothing but another's claim":     {plain{"connection": "S:other"}, counts{}, &lockout.ClaimedError{By: "other"}},
		"nothing but a count":             {plain{"attempts": "N:5"}, counts{1, 1}, nil},
		"nothing but what was accepted":   {plain{"accepted": "S:c", "connection": "S:acme"}, counts{1, 1}, nil},
		"no claim":                        {plain{"credentials": "S:c", "attempts": "N:1"}, counts{2, 1}, nil},
		"no claim, at the limit":          {plain{"credentials": "S:c", "attempts": "N:2"}, counts{}, lockout.ErrAtLimit},
		"a count with decimals":           {plain{"credentials": "S:c", "attempts": "N:1.0"}, counts{2, 1}, nil},
		"of before, after a success":      {plain{"connection": "S:acme", "credentials": "S:c", "attempts": "N:0"}, counts{1, 1}, nil},
		"of before, after a refusal":      {plain{"connection": "S:acme", "credentials": "S:c", "attempts": "N:1"}, counts{2, 1}, nil},
		"of before, at the limit":         {plain{"connection": "S:acme", "credentials": "S:c", "attempts": "N:2"}, counts{}, lockout.ErrAtLimit},
		"of before, of other credentials": {plain{"connection": "S:acme", "credentials": "S:c0", "attempts": "N:2"}, counts{1, 1}, nil},
		"of before, another's":            {plain{"connection": "S:other", "credentials": "S:c", "attempts": "N:1"}, counts{}, &lockout.ClaimedError{By: "other"}},
		"of before, a client's":           {plain{"connection": "S:acme", "credentials": "S:c", "attempts": "N:1", "tried_at": "N:1795449600250"}, counts{2, 1}, nil},
		"unclear, no moment":              {plain{"credentials": "S:c", "attempts": "N:0", "unclear": "N:1"}, counts{1, 2}, nil},
		"unclear, a moment of zero":       {plain{"credentials": "S:c", "unclear": "N:1", "tried_at": "N:0"}, counts{1, 2}, nil},
		"unclear just now":                {plain{"credentials": "S:c", "unclear": "N:1", "tried_at": "N:1795449600250"}, counts{}, paused},
		"unclear with decimals, just now": {plain{"credentials": "S:c", "unclear": "N:1.0", "tried_at": "N:1795449600250.9"}, counts{}, paused},
		"unclear with decimals, long ago": {plain{"credentials": "S:c", "unclear": "N:2.0", "tried_at": "N:1795440000000.9"}, counts{1, 3}, nil},
		"unclear, by a broken clock":      {plain{"credentials": "S:c", "unclear": "N:4", "tried_at": "N:1e30"}, counts{1, 1}, nil},
		"a count out of reach":            {plain{"credentials": "S:c", "attempts": "N:1e30"}, counts{}, lockout.ErrAtLimit},
	} {
		t.Run(name, func(t *testing.T) {
			write(t, table, "account#a", test.item)
			got, err := table.CountLogin(t.Context(), try())
			if fmt.Sprint(err) != fmt.Sprint(test.err) {
				t.Fatalf("error %v, want %v", err, test.err)
			}
			if counted := (counts{got.Attempts, got.Unclear}); err == nil && counted != test.want {
				t.Errorf("counted as %v, want %v", counted, test.want)
			}
			var pause *lockout.PauseError
			if errors.As(err, &pause) && !pause.Until.Equal(paused.Until) {
				t.Errorf("paused until %v, want %v", pause.Until, paused.Until)
			}
		})
	}
}

// A grant is read as one of the release before if it has none of the attributes
// that this one added.
func TestGrantsOfTheReleaseBefore(t *testing.T) {
	const refused = "S:Reltio refused the client; stopped to prevent a lock-out"
	table := newTable(t)
	before := plain{
		"status": "S:credentials_rejected", "failures": "N:2", "last_error_message": refused,
		"checked_at": "N:1795449600250", "tried_at": "N:1795449600250",
	}
	for name, test := range map[string]struct {
		added     plain
		refusals  int
		throttles int
		verdict   grant.Verdict
	}{
		"of before":                        {plain{}, 2, 0, grant.Inactive},
		"of this, nothing in a row":        {plain{"refusals": "N:0"}, 0, 0, ""},
		"of this, refused":                 {plain{"refusals": "N:7"}, 7, 0, ""},
		"by hand, throttled":               {plain{"throttles": "N:1"}, 0, 1, ""},
		"by hand, checked":                 {plain{"check_verdict": "S:unclear"}, 0, 0, grant.Unclear},
		"of before, with another addition": {plain{"api_url": "S:https://acme.example"}, 2, 0, grant.Inactive},
	} {
		t.Run(name, func(t *testing.T) {
			stored := maps.Clone(before)
			maps.Copy(stored, test.added)
			write(t, table, "grant#acme", stored)
			for range 2 { // as it was written, and as this release writes it
				g, err := table.Grant(t.Context(), "acme", grant.Strong)
				if err != nil || g.Refusals != test.refusals || g.Throttles != test.throttles || g.CheckVerdict != test.verdict {
					t.Errorf("refusals %d, throttles %d, verdict %q, %v; want %d, %d, %q",
						g.Refusals, g.Throttles, g.CheckVerdict, err, test.refusals, test.throttles, test.verdict)
				}
				g.Epoch, g.Owner = 1, "o"
				put(t, table, g)
			}
		})
	}
}

func TestIndexEntriesWrittenByHand(t *testing.T) {
	table := newTable(t)
	for key, at := range map[string]string{
		"grant#a": "N:1795449600249.5", "grant#b": "N:1795449600249.5", "grant#c": "N:1795449600249.5", // one decimal moment
		"grant#d": "N:0", "grant#e": "N:-1e20", // nonsense
		"invitation#f": "N:1795449600000", // no grant
	} {
		write(t, table, key, plain{"due_shard": "S:due", "due_at": at})
	}
	var got []string
	var after *grant.Due
	for range 10 { // paging has to end
		page, err := table.DueGrants(t.Context(), grant.ShardDue, now(), after, 1)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		after = &page[0]
		got = append(got, page[0].Connection)
	}
	slices.Sort(got)
	if len(got) < 3 || len(slices.Compact(slices.Clone(got))) != len(got) {
		t.Errorf("paged %v, want each at most once", got)
	}
	all, err := table.DueGrants(t.Context(), grant.ShardDue, now(), nil, 100)
	if err != nil || len(all) != 5 {
		t.Errorf("due %v, %v; want the five grants", all, err)
	}
}
