package e2e_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

// attributes are all that an item may have, and their types in DynamoDB's
// words.
func attributes() map[string]map[string]string {
	return map[string]map[string]string{
		"grant": {
			"pk": "S", "access_token": "S", "fingerprint": "S", "token_type": "S", "scope": "S", "issued_at": "N", "expires_at": "N",
			"version": "N", "epoch": "N", "owner": "S", "identity": "S", "aliases": "SS", "refresh_mode": "S", "login_mode": "S",
			"grant_secret_version": "S", "connection_secret_version": "S", "refresh_fingerprint": "S", "logged_in_at": "N",
			"refresh_expires_at": "N", "user": "S", "status": "S", "failures": "N", "retry_at": "N", "last_error": "S",
			"last_error_message": "S", "checked_at": "N", "reissued_at": "N", "relogin": "S", "repeated_until": "N",
			"early_asked_at": "N", "tried_at": "N", "warned_at": "N", "unpublished": "SS", "due_shard": "S", "due_at": "N", "ttl": "N",
			"expires_in_missing": "BOOL", "rotates": "BOOL", "api_url": "S", "tenant_id": "S",
			"refusals": "N", "throttles": "N", "check_verdict": "S",
			"refusal_code": "S", "refusal_status": "N", "refusal_description": "S",
		},
		"lease": {"pk": "S", "owner": "S", "epoch": "N", "until": "N", "ttl": "N"},
		"account": {
			"pk": "S", "connection": "S", "credentials": "S", "attempts": "N", "unclear": "N", "accepted": "S", "tried_at": "N",
		},
		"budget": {
			"pk": "S", "tat": "N", "paused_until": "N", "pause_ms": "N", "throttled_clients": "SS", "served_clients": "SS",
			"refused": "SS", "refused_since": "N", "probe_at": "N",
		},
		"invitation": {"pk": "S", "connection": "S", "replace_user": "BOOL", "used_at": "N", "ttl": "N"},
		"request": {
			"pk": "S", "connection": "S", "invitation": "S", "binding": "S", "verifier": "S", "redirect_uri": "S",
			"consumed_at": "N", "outcome": "S", "second": "BOOL", "ttl": "N",
		},
	}
}

// typeOf is an attribute's type in DynamoDB's words.
func typeOf(v types.AttributeValue) string {
	return strings.TrimPrefix(fmt.Sprintf("%T", v), "*types.AttributeValueMember")
}

// wantAttributes checks an item's attributes: those that have to be there, and
// that all are known and of their types.
func wantAttributes(t *testing.T, item map[string]types.AttributeValue, there ...string) {
	t.Helper()
	kind, _, _ := strings.Cut(str(item["pk"]), "#")
	known := attributes()[kind]
	for name, value := range item {
		if known[name] == "" {
			t.Errorf("%s: attribute %s is not documented", kind, name)
		} else if got := typeOf(value); got != known[name] {
			t.Errorf("%s: %s is %s, want %s", kind, name, got, known[name])
		}
	}
	for _, name := range there {
		if item[name] == nil {
			t.Errorf("%s: %s is missing", kind, name)
		}
	}
	superfluous := slices.DeleteFunc(slices.Collect(maps.Keys(item)), func(name string) bool {
		return name == "pk" || slices.Contains(there, name)
	})
	if len(superfluous) > 0 {
		slices.Sort(superfluous)
		t.Errorf("%s: %v should not be there", kind, superfluous)
	}
}

func wantAbout(t *testing.T, what string, got, want time.Time) {
	t.Helper()
	if d := got.Sub(want).Abs(); d > 45*time.Second { // a lease's term is counted to its ttl
		t.Errorf("%s is %v, want about %v", what, got.UTC(), want.UTC())
	}
}

func millis(v types.AttributeValue) time.Time { return time.UnixMilli(number(v)) }

func TestWhatIsStoredOfAGrant(t *testing.T) {
	t.Parallel()
	w := start(t)
	s := w.server(t)
	name := w.add(t, s.password("ann").with(fields{"aliases": []string{"live", "team-a"}}))
	a, now := w.ask(t, name), time.Now()
	wantToken(t, a)
	item := w.item(t, "grant#"+name)
	wantAttributes(t, item,
		"access_token", "fingerprint", "token_type", "scope", "issued_at", "expires_at", "version", "epoch", "owner", "identity",
		"aliases", "refresh_mode", "login_mode", "grant_secret_version", "connection_secret_version", "refresh_fingerprint",
		"logged_in_at", "refresh_expires_at", "status", "refusals", "due_shard", "due_at")
	for name, want := range map[string]string{
		"access_token": a.text("access_token"), "fingerprint": a.text("fingerprint"), "token_type": "bearer",
		"scope": "entities_api relations_api", "status": "ok", "due_shard": "due", "refresh_mode": "at_end", "login_mode": "unknown",
	} {
		if got := str(item[name]); got != want {
			t.Errorf("%s is not what it should be (%d characters)", name, len(got))
		}
	}
	wantAbout(t, "issued_at", millis(item["issued_at"]), now)
	wantAbout(t, "expires_at", millis(item["expires_at"]), now.Add(time.Hour))
	if after := number(item["due_at"]) - number(item["expires_at"]); after != 1000 { // at_end: a refresh would end the token
		t.Errorf("due_at is %d ms after the token's end, want 1000", after)
	}
	wantAbout(t, "refresh_expires_at", millis(item["refresh_expires_at"]), now.Add(28*24*time.Hour))
	if got := number(item["version"]); got != 1 {
		t.Errorf("version %d", got)
	}
	s.Outage(out(reltioauthtest.FaultStatus))
	w.rotate(t, fields{"connection": name, "force": true})
	failed := w.item(t, "grant#"+name)
	if str(failed["status"]) != "failing" || str(failed["last_error"]) != "ReltioUnavailable" || number(failed["failures"]) != 1 {
		t.Errorf("after a failure: status %q, last_error %q, failures %d", str(failed["status"]), str(failed["last_error"]), number(failed["failures"]))
	}
	if wait := time.Until(millis(failed["retry_at"])); wait < time.Second || wait > 30*time.Second {
		t.Errorf("retry_at in %v", wait)
	}
	w.wantGrantSecret(t, name, item)
}

// wantGrantSecret checks the secret that a grant points to.
func (w *world) wantGrantSecret(t *testing.T, name string, item map[string]types.AttributeValue) {
	t.Helper()
	out, err := w.SecretsManager.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{
		SecretId:  aws.String(w.Secrets.Prefix + "/grants/" + name),
		VersionId: aws.String(str(item["grant_secret_version"])),
	})
	if err != nil {
		t.Fatal(err)
	}
	var held map[string]any
	if err := json.Unmarshal([]byte(aws.ToString(out.SecretString)), &held); err != nil {
		t.Fatal(err)
	}
	members := slices.Sorted(maps.Keys(held))
	if diff := cmp.Diff([]string{"epoch", "identity", "logged_in_at", "refresh_token"}, members); diff != "" {
		t.Errorf("the grant's secret (-want +got):\n%s", diff)
	}
	if held["identity"] != str(item["identity"]) {
		t.Error("another identity than the table says")
	}
	token, _ := held["refresh_token"].(string)
	if reltioauth.Fingerprint(reltioauth.NewSecret(token)) != str(item["refresh_fingerprint"]) {
		t.Error("another refresh token than the table says")
	}
	text, _ := held["logged_in_at"].(string)
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Error(err)
	}
	if d := at.Sub(millis(item["logged_in_at"])).Abs(); d > time.Second {
		t.Errorf("logged_in_at differs by %v", d)
	}
	if epoch, _ := held["epoch"].(float64); epoch != float64(number(item["epoch"])) {
		t.Errorf("epoch %v, the table says %d", held["epoch"], number(item["epoch"]))
	}
}

// Where there is no refresh token there is no secret of the service's.
func TestNoSecretWithoutARefreshToken(t *testing.T) {
	t.Parallel()
	w := start(t)
	name := w.add(t, w.server(t).clientCredentials())
	wantToken(t, w.ask(t, name))
	_, err := w.SecretsManager.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{
		SecretId: aws.String(w.Secrets.Prefix + "/grants/" + name),
	})
	if err == nil {
		t.Error("there is one")
	}
	item := w.item(t, "grant#"+name)
	wantAttributes(t, item,
		"access_token", "fingerprint", "token_type", "scope", "issued_at", "expires_at", "version", "epoch", "owner", "identity",
		"refresh_mode", "login_mode", "connection_secret_version", "status", "refusals", "due_shard", "due_at")
	wantAbout(t, "due_at", millis(item["due_at"]), time.Now().Add(57*time.Minute)) // unknown: 3 min before the end
}

func TestWhatElseIsStored(t *testing.T) {
	t.Parallel()
	w := start(t)
	s := w.server(t)
	name := w.add(t, s.password("ann"))
	wantToken(t, w.ask(t, name))
	now := time.Now()

	item := w.item(t, "lease#"+name)
	wantAttributes(t, item, "owner", "epoch", "until", "ttl")
	wantAbout(t, "ttl of the lease", time.Unix(number(item["ttl"]), 0), now.Add(30*24*time.Hour))
	if got, want := number(item["epoch"]), number(w.item(t, "grant#"+name)["epoch"]); got != want {
		t.Errorf("epoch %d in the lease, %d in the grant", got, want)
	}

	host := strings.TrimPrefix(s.url, "http://")
	item = w.item(t, "budget#"+host)
	wantAbout(t, "tat", millis(item["tat"]), now)
	wantAttributes(t, item, slices.DeleteFunc(slices.Sorted(maps.Keys(item)), func(n string) bool { return n == "pk" })...)

	account := w.scan(t, "account#", func(i map[string]types.AttributeValue) bool { return str(i["connection"]) == name })
	if len(account) != 1 {
		t.Fatalf("%d accounts", len(account))
	}
	wantAttributes(t, account[0], "connection", "credentials", "attempts", "unclear", "accepted", "tried_at")
	sha := regexp.MustCompile(`^[0-9a-f]{64}$`)
	if !sha.MatchString(strings.TrimPrefix(str(account[0]["pk"]), "account#")) || !sha.MatchString(str(account[0]["credentials"])) {
		t.Error("key and credentials should be SHA-256")
	}
	if attempts, unclear := number(account[0]["attempts"]), number(account[0]["unclear"]); attempts != 0 || unclear != 0 {
		t.Errorf("%d attempts, %d unclear after a success", attempts, unclear)
	}
	if str(account[0]["accepted"]) != str(account[0]["credentials"]) {
		t.Error("the credentials are not known to have been accepted")
	}
	wantAbout(t, "tried_at", millis(account[0]["tried_at"]), now)
}

// scan finds items.
func (w *world) scan(t *testing.T, prefix string, wanted func(map[string]types.AttributeValue) bool) []map[string]types.AttributeValue {
	t.Helper()
	var found []map[string]types.AttributeValue
	pages := dynamodb.NewScanPaginator(w.DynamoDB, &dynamodb.ScanInput{TableName: aws.String(w.Table.Name)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range page.Items {
			if strings.HasPrefix(str(item["pk"]), prefix) && wanted(item) {
				found = append(found, item)
			}
		}
	}
	return found
}

// The index holds keys alone: nothing secret is copied into it.
func TestTheIndexHoldsKeysOnly(t *testing.T) {
	t.Parallel()
	w := start(t)
	s := w.server(t)
	for shard, f := range map[string]fields{"due": s.clientCredentials(), "waiting": s.authorizationCode()} {
		name := w.add(t, f)
		w.ask(t, name)
		var found map[string]types.AttributeValue
		pages := dynamodb.NewQueryPaginator(w.DynamoDB, &dynamodb.QueryInput{
			TableName: aws.String(w.Table.Name), IndexName: aws.String("due"), KeyConditionExpression: aws.String("due_shard = :s"),
			ExpressionAttributeValues: map[string]types.AttributeValue{":s": attributeOf(shard)},
		})
		for pages.HasMorePages() {
			page, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, item := range page.Items {
				if str(item["pk"]) == "grant#"+name {
					found = item
				}
			}
		}
		if diff := cmp.Diff([]string{"due_at", "due_shard", "pk"}, slices.Sorted(maps.Keys(found))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", shard, diff)
		}
	}
}

// Attributes of a later release are ignored, and stay.
func TestUnknownAttributes(t *testing.T) {
	t.Parallel()
	w := start(t)
	s := w.server(t)
	s.Configure(newTokens)
	name := w.add(t, s.clientCredentials())
	wantToken(t, w.ask(t, name))
	w.set(t, "grant#"+name, "of_a_later_release", "kept")
	wantRotated(t, w.rotate(t, fields{"connection": name, "force": true}), "renewed", nil)
	w.Host.Recycle("issue")
	wantToken(t, w.ask(t, name))
	if got := str(w.item(t, "grant#"+name)["of_a_later_release"]); got != "kept" {
		t.Errorf("it is %q", got)
	}
}
