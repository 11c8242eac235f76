package doctor_test

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	schedulertypes "github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/cmd/reltio-tokens/doctor"
	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/aws/dynamo"
	"github.com/reltio-tokens/reltio-tokens/internal/aws/secrets"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/operator"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// lines are the findings, one line each.
func lines(r doctor.Report) []string {
	var all []string
	for _, f := range r.Findings {
		all = append(all, strings.TrimSuffix(fmt.Sprintf("%s %s: %s | %s", f.Level, f.Check, f.What, f.Do), " | "))
	}
	return all
}

// examine is the report, of which nothing is secret.
func (i *installation) examine() doctor.Report {
	i.t.Helper()
	r := i.doctor.Examine(i.t.Context())
	if text := strings.Join(lines(r), "\n"); strings.Contains(text, canary) {
		i.t.Errorf("something secret, or a server's text, is in\n%s", text)
	}
	return r
}

func TestAllIsWell(t *testing.T) {
	i := install(t)
	got := i.examine()
	want := []string{
		"ok stack: " + i.name + " is UPDATE_COMPLETE",
		"ok table: " + i.name + " is active",
		"ok index: due is active",
		"ok encryption: the table has a customer-managed key",
		"ok ttl: old items are deleted",
		"ok backups: point-in-time recovery is on",
		"ok reading: table and secrets can be read; 2 connections",
		"ok invoke issue: may be invoked",
		"ok invoke rotate: may be invoked",
		"ok function issue: starts with its environment",
		"ok function rotate: starts with its environment",
		"ok function callback: starts with its environment",
		"ok kill switch: off: rotate shares the account's concurrency",
		"ok auth host " + strings.TrimPrefix(i.host, "http://") + ": answers without TLS, on this machine (HTTP 404)",
		"ok callback: answers; to be registered at Reltio as redirect URI: " + i.callback + "/callback",
		"ok clock: within 1s of the clock of AWS",
		"ok schedule: is enabled",
		"ok alarms: none is on",
		"ok failure queue: is empty",
		"ok subscriptions: 1 confirmed",
		"ok concurrency: the AWS account allows 1000 executions at a time",
		"ok sweeps: nothing is overdue",
		"ok connection machine: client_credentials, new",
		"warning connection person: waits for somebody: new | reltio-tokens connect person makes a link for the person",
		"ok shared client: machine, person share one: what ends the token of one ends it for all",
	}
	if diff := cmp.Diff(want, lines(got)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	if !got.OK || !got.NeedsSomebody || i.lambda.dryRuns != 2 {
		t.Errorf("ok %v with %d dry runs", got.OK, i.lambda.dryRuns)
	}
}

// Each trouble is found, and said in one line with what to do.
func TestTroubles(t *testing.T) {
	for name, test := range map[string]struct {
		make func(*installation)
		want string // a pattern
	}{
		"a deployment that was rolled back": {
			func(i *installation) { i.doctor.AWS.Stack.Status = "UPDATE_ROLLBACK_COMPLETE" },
			`^warning stack: \S+ is UPDATE_ROLLBACK_COMPLETE \| look at the stack's events`,
		},
		"a stack of an earlier release": {
			func(i *installation) { i.doctor.AWS.Stack.Missing = []string{"CallbackAliasArn"} },
			`^failed stack: \S+ has no output CallbackAliasArn \| deploy this release`,
		},
		"no table": {func(i *installation) { i.doctor.AWS.Table = "none" }, `^failed table: DynamoDB DescribeTable: ResourceNotFoundException \| look at the names`},
		"no server": {func(i *installation) {
			i.config.BaseEndpoint = aws.String("http://127.0.0.1:1")
			i.doctor.AWS.Database = i.database()
		}, `^failed table: DynamoDB DescribeTable: no usable answer \| look at --region`},
		"no index": {func(i *installation) {
			i.createTable(func(in *dynamodb.CreateTableInput) {
				in.GlobalSecondaryIndexes, in.AttributeDefinitions = nil, in.AttributeDefinitions[:1]
			})
		}, `^failed index: there is no index due: no sweep`},
		"an index of other keys": {func(i *installation) {
			i.createTable(func(in *dynamodb.CreateTableInput) {
				in.GlobalSecondaryIndexes[0].KeySchema, in.AttributeDefinitions = in.GlobalSecondaryIndexes[0].KeySchema[:1], in.AttributeDefinitions[:2]
			})
		}, `^failed index: due has other keys`},
		"AWS's own key": {func(i *installation) {
			i.createTable(func(in *dynamodb.CreateTableInput) { in.SSESpecification = nil })
		}, `^warning encryption: the table has AWS's own key`},
		"another key": {func(i *installation) { i.doctor.AWS.Stack.Outputs["KeyArn"] = keyARN[:len(keyARN)-1] + "0" }, `^warning encryption: the table has another key than the stack`},
		"no TTL":      {func(i *installation) { i.setTTL(false) }, `^warning ttl: old items are never deleted`},
		"no backups":  {func(i *installation) { i.setBackups(false) }, `^warning backups: point-in-time recovery is off`},

		"issue may not be invoked": {func(i *installation) { i.lambda.refused["invocations"] = true }, `^failed invoke issue: .*: AccessDeniedException \| use the operator's role`},
		"no function":              {func(i *installation) { i.doctor.RotateFunction = i.function("rotation") }, `^failed invoke rotate: .*: ResourceNotFoundException \| look at the names`},
		"an environment that may not be read": {
			func(i *installation) { i.lambda.refused["configuration"] = true },
			`^failed function issue: Lambda GetFunctionConfiguration: AccessDeniedException \| use the operator's role`,
		},
		"a function that does not start": {
			func(i *installation) {
				i.lambda.environments[i.name+"-rotate"]["LOGIN_ATTEMPTS"] = canary
				delete(i.lambda.environments[i.name+"-rotate"], "TABLE_NAME")
			},
			`^failed function rotate: does not start with its environment: LOGIN_ATTEMPTS: must be a whole number from 1 to 2; TABLE_NAME: is required`,
		},
		"a function on another table": {func(i *installation) { i.lambda.environments[i.name+"-issue"]["TABLE_NAME"] = "other" }, `^failed function issue: works on another table`},
		"a function on other secrets": {
			func(i *installation) {
				other := maps.Clone(i.lambda.environments[i.name+"-callback"])
				other["SECRET_PREFIX"] = "other"
				i.lambda.environments[i.name+"-callback"] = other
			},
			`^failed function callback: reads other secrets`,
		},
		"a function with other hosts":          {func(i *installation) { i.lambda.environments[i.name+"-rotate"]["AUTH_HOSTS"] = "auth.example.com" }, "^warning function rotate: has other AUTH_HOSTS"},
		"events without links":                 {func(i *installation) { i.lambda.environments[i.name+"-rotate"]["CALLBACK_BASE_URL"] = "" }, `^warning function rotate: has no CALLBACK_BASE_URL`},
		"a function whose name nobody gave":    {func(i *installation) { i.doctor.AWS.CallbackFunction = "" }, `^skipped function callback: its name is not known \| give --stack, or --callback-function`},
		"the kill switch":                      {func(i *installation) { i.lambda.reserved = new(int) }, `^failed kill switch: on: .* \| docs/operations.md, Stop all renewals`},
		"an authorization server that is away": {func(i *installation) { i.operator.Hosts = connection.Hosts{"127.0.0.1:1"} }, `^failed auth host 127.0.0.1:1: is not reached from this machine: nothing listens there`},
		"one that has no such name":            {func(i *installation) { i.operator.Hosts = connection.Hosts{"auth.invalid:443"} }, `^failed auth host auth.invalid:443: is not reached`},

		"no callback":                  {func(i *installation) { i.operator.CallbackURL = "" }, `^warning callback: a connection needs a person's login, and nobody said`},
		"a callback that is away":      {func(i *installation) { i.operator.CallbackURL = "http://127.0.0.1:1" }, `^failed callback: http://127.0.0.1:1/done is not reached`},
		"a callback that fails":        {func(i *installation) { i.operator.CallbackURL = page{status: 502}.start(i.t) }, `^failed callback: \S+/done answers HTTP 502, want 200`},
		"something else answers":       {func(i *installation) { i.operator.CallbackURL = page{status: 200}.start(i.t) }, `^failed callback: \S+/done answers without the callback function's header`},
		"a callback that leads onward": {func(i *installation) { i.operator.CallbackURL = page{status: 302}.start(i.t) }, `^failed callback: \S+/done answers HTTP 302`},

		"no schedule":              {func(i *installation) { i.doctor.AWS.Stack.Name = "none" }, `^failed schedule: `},
		"a schedule that is off":   {func(i *installation) { i.createSchedule(schedulertypes.ScheduleStateDisabled) }, `^failed schedule: no schedule of the group \S+ is enabled`},
		"an alarm that is on":      {func(i *installation) { i.setAlarm("overdue", "ALARM"); i.setAlarm("slow", "OK") }, `^warning alarm \S+-overdue: is on, since 2\S+ \| docs/operations.md, overdue$`},
		"failed events":            {func(i *installation) { i.send() }, `^warning failure queue: holds 1 events that rotate did not take \| docs/operations.md, failure-queue$`},
		"no queue":                 {func(i *installation) { i.doctor.AWS.Stack.Outputs["FailureQueueUrl"] += "-none" }, `^failed failure queue: SQS GetQueueAttributes: AWS.SimpleQueueService.NonExistentQueue`},
		"alarms that nobody hears": {func(i *installation) { i.topic.confirmed = 0 }, `^failed subscriptions: nobody hears the alarms: no subscription of their topic is confirmed \| deploy with AlarmEmail`},
		"a mail that nobody saw":   {func(i *installation) { i.topic.pending = 2 }, `^warning subscriptions: 1 confirmed, 2 wait to be confirmed \| follow the link`},
		"alarms of dev":            {func(i *installation) { i.topic.confirmed = 0; i.doctor.AWS.Stack.Parameters["Environment"] = "dev" }, `^warning subscriptions: nobody hears`},
		"no topic":                 {func(i *installation) { i.doctor.AWS.Stack.Outputs["AlarmTopicArn"] += "-none" }, `^failed subscriptions: SNS GetTopicAttributes: NotFound`},
		"a new account":            {func(i *installation) { i.lambda.executions = 10 }, `^warning concurrency: the AWS account allows 10 executions at a time, .* \| ask AWS for more`},
		"a stack without outputs":  {func(i *installation) { i.doctor.AWS.Stack.Outputs["AlarmTopicArn"] = "" }, `^skipped subscriptions: the stack has no output AlarmTopicArn`},
		"a secret that is no JSON": {func(i *installation) { i.connect("broken", canary) }, `^failed connection broken: .* \| reltio-tokens add broken --force`},
		"a person who is needed": {
			func(i *installation) { i.grant("person", grant.StatusReauthorize, time.Now().Add(time.Minute)) },
			`^warning connection person: waits for somebody: reauthorize \| reltio-tokens connect person makes a link`,
		},
		"new credentials that are needed": {
			func(i *installation) {
				i.grant("machine", grant.StatusCredentialsRejected, time.Now().Add(time.Minute))
			},
			`^warning connection machine: waits for somebody: credentials_rejected \| docs/operations.md, waiting`,
		},
		"a user who is locked": {
			func(i *installation) {
				i.store(grant.Grant{
					Connection: "machine", Status: grant.StatusCredentialsRejected, LastError: apierr.CredentialsRejected,
					Refusal: grant.Refusal{Code: "invalid_grant", Status: 400, Description: "User account is locked"},
				})
			},
			`^warning connection machine: waits for somebody: credentials_rejected: the user is locked \(invalid_grant, HTTP 400: User account is locked\) \| ask an administrator of Reltio to unlock the user, .*; then, .*resume machine$`,
		},
		"a scope that the client has not": {
			func(i *installation) {
				i.store(grant.Grant{
					Connection: "machine", Status: grant.StatusInvalidConnection, LastError: apierr.InvalidConnection, LastErrorMessage: "server: invalid_scope",
					Refusal: grant.Refusal{Code: "invalid_scope", Status: 400},
				})
			},
			`^warning connection machine: waits for somebody: invalid_connection: the client may not have this scope \(invalid_scope, HTTP 400\) \| take scope out`,
		},
		"a web page that never gave a token": {
			func(i *installation) {
				i.store(grant.Grant{Connection: "machine", Status: grant.StatusFailing, LastError: apierr.ReltioUnavailable, LastErrorMessage: "a web page with HTTP 200: is auth_url right?"})
			},
			`^warning connection machine: fails, and never had a token: failing: ReltioUnavailable: a web page with HTTP 200: is auth_url right\?`,
		},
		"one that has failed for 16 minutes": {
			func(i *installation) { i.store(i.failing(16 * time.Minute)) },
			`^warning connection machine: has been failing for 1[56] minutes: failing: ReltioUnavailable: HTTP 503`,
		},
		"one that has failed for a day": {
			func(i *installation) { i.store(i.failing(25 * time.Hour)) },
			`^warning connection machine: has been failing for 2[45] hours: failing`,
		},
		"one that began to fail": {
			func(i *installation) { i.store(i.failing(time.Minute)) },
			`^ok connection machine: client_credentials, failing: ReltioUnavailable: HTTP 503$`,
		},
		"too many versions of a secret": {
			func(i *installation) {
				now := time.Now()
				i.store(grant.Grant{
					Connection: "person", Status: grant.StatusOK, AccessToken: reltioauth.NewSecret(canary), Fingerprint: "f",
					IssuedAt: now, ExpiresAt: now.Add(12 * time.Minute), Rotates: true, RefreshFingerprint: "r", RefreshMode: grant.AtEnd,
				})
			},
			`^warning connection person: writes about 119 versions of its grant's secret a day: .* \| docs/operations.md, Short tokens that rotate$`,
		},
		"a host that is no authorization server": {
			func(i *installation) {
				i.operator.Hosts = connection.Hosts{strings.TrimPrefix(page{status: 200}.start(i.t), "http://")}
			},
			`^warning auth host 127.0.0.1:\d+: answers without TLS, on this machine with HTTP 200 at /oauth/token, which no authorization server does \| is it the authorization server's host`,
		},
		"a renewal that nobody made": {func(i *installation) { i.grant("machine", grant.StatusFailing, time.Now().Add(-6*time.Minute)) }, `^failed sweeps: a renewal has been due for 6m`},
		"a renewal that is late":     {func(i *installation) { i.grant("machine", grant.StatusFailing, time.Now().Add(-3*time.Minute)) }, `^warning sweeps: a renewal has been due for 3m`},
		"a secret under another key": {func(i *installation) {
			i.secretStore.KMSKeyID = ""
			i.connect("other", `"grant_type":"client_credentials"`)
		}, `^warning connection other: its secret is encrypted with another key`},
		"a secret under a key of others": {func(i *installation) { i.under(otherARN) }, `^failed connection other: its secret is encrypted with a key that the functions may not use \| docs/operations.md, A secret`},
		"one that is waited for too": {
			func(i *installation) {
				i.under(otherARN)
				i.grant("other", grant.StatusCredentialsRejected, time.Now().Add(time.Minute))
			},
			`^failed connection other: its secret is encrypted with a key`,
		},
		"one that keeps all from being read": {
			func(i *installation) { i.under(otherARN); i.doctor.Operator = sealed{i.operator} },
			`^failed connection other: its secret is encrypted with a key`,
		},
		"what cannot be read for another reason": {func(i *installation) { i.doctor.Operator = sealed{i.operator} }, `^skipped connections: they could not be read`},
		"a refresh token that is not stored": {
			func(i *installation) { i.park("person") },
			`^warning refresh token person: is in the table alone since 2026-11-23T12:00:00Z, because Secrets Manager does not take it \| docs/operations.md, unstored: look at the policy of the key, at secretsmanager:PutSecretValue on grants/person, and at the number of its versions`,
		},
		"what Secrets Manager said of it": {
			func(i *installation) {
				i.park("person")
				i.store(grant.Grant{Connection: "person", Status: grant.StatusFailing, LastError: apierr.StoreUnavailable, LastErrorMessage: "Secrets Manager: AccessDeniedException"})
			},
			`^warning refresh token person: .* does not take it: StoreUnavailable: Secrets Manager: AccessDeniedException`,
		},
		"events that the bus does not take": {
			func(i *installation) {
				i.store(grant.Grant{Connection: "person", Status: grant.StatusOK, Unpublished: []string{"Recovered"}, PublishTries: 3, PublishAt: time.Now().Add(time.Minute)})
			},
			`^warning events person: could not be sent: Recovered \| docs/operations.md, EventBridge does not take events`,
		},
		"a secret that is missing since a while": {
			func(i *installation) {
				i.store(grant.Grant{Connection: "machine", Status: grant.StatusOK, SecretMissingAt: parkedAt})
				if err := i.secretStore.DeleteConnection(i.t.Context(), "machine"); err != nil {
					i.t.Fatal(err)
				}
			},
			`^warning connection machine: its secret is missing, since 2026-11-23T12:00:00Z \| restore the secret`,
		},
		"a secret under the account's own key": {func(i *installation) { i.under("alias/aws/secretsmanager") }, `^warning connection other: its secret is encrypted with another key`},
		"the account's own key by its ARN": {
			func(i *installation) { i.under("arn:aws:kms:us-east-1:123456789012:alias/aws/secretsmanager") },
			`^warning connection other: its secret is encrypted with another key`,
		},
		"the stack's key by its alias": {func(i *installation) { i.under("alias/" + i.name) }, `^ok connection other: client_credentials`},
		"the stack's key by its id":    {func(i *installation) { i.under(keyARN[strings.LastIndex(keyARN, "/")+1:]) }, `^ok connection other: client_credentials`},
		"a stack that names no key": {
			func(i *installation) { i.under(otherARN); delete(i.doctor.AWS.Stack.Outputs, "KeyArn") },
			`^ok connection other: client_credentials`,
		},
		"a stack with nothing of it":     {func(i *installation) { i.doctor.AWS.Stack = nil }, `^skipped schedule: which one it is, a stack says`},
		"a clock that is a little off":   {func(i *installation) { i.doctor.AWS.Table = "none"; i.clock(7 * time.Second) }, `^warning clock: [678]s off, by the clock of 127.0.0.1`},
		"a clock that is a lot off":      {func(i *installation) { i.doctor.AWS.Table = "none"; i.clock(-30 * time.Second) }, `^failed clock: (29|30)s off, by the clock of 127.0.0.1`},
		"secrets that may not be listed": {func(i *installation) { i.withoutSecrets() }, `^failed reading: connections: StoreUnavailable: Secrets Manager: no usable answer`},
	} {
		t.Run(name, func(t *testing.T) {
			i := install(t)
			test.make(i)
			r := i.examine()
			pattern := regexp.MustCompile(test.want)
			if !slices.ContainsFunc(lines(r), pattern.MatchString) {
				t.Errorf("nothing like %q in\n%s", test.want, strings.Join(lines(r), "\n"))
			}
			if strings.HasPrefix(test.want, "^failed") && r.OK {
				t.Errorf("ok %v in\n%s", r.OK, strings.Join(lines(r), "\n"))
			}
		})
	}
}

// parkedAt is when a refresh token was parked, or a secret first missed.
var parkedAt = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// park parks a refresh token of a connection.
func (i *installation) park(name string) {
	i.t.Helper()
	table := &dynamo.Table{Client: i.database(), Name: i.name}
	err := table.Park(i.t.Context(), name, grant.RefreshToken{Token: reltioauth.NewSecret(canary), LoggedInAt: parkedAt, ParkedAt: parkedAt, Epoch: 1})
	if err != nil {
		i.t.Fatal(err)
	}
}

// otherARN is a key that is not the stack's.
const otherARN = "arn:aws:kms:us-east-1:123456789012:key/9999abcd-12ab-34cd-56ef-1234567890ab"

// under connects other, with its secret under a key.
func (i *installation) under(key string) {
	i.t.Helper()
	i.secretStore.KMSKeyID = key
	i.connect("other", `"grant_type":"client_credentials"`)
}

// sealed is an operator who may not decrypt one of the secrets.
type sealed struct{ doctor.Operator }

// Survey implements doctor.Operator.
func (sealed) Survey(context.Context) (operator.Survey, error) {
	return operator.Survey{}, apierr.New(apierr.StoreUnavailable, "Secrets Manager: AccessDeniedException")
}

// grant stores one that is due at a moment.
func (i *installation) grant(name string, status grant.Status, due time.Time) {
	i.t.Helper()
	table := &dynamo.Table{Client: i.database(), Name: i.name}
	held, err := table.SeizeLease(i.t.Context(), lease.Request{Connection: name, Owner: "owner", Now: time.Now(), Until: time.Now().Add(time.Minute)})
	if err != nil {
		i.t.Fatal(err)
	}
	g := grant.Grant{Connection: name, Status: status, RetryAt: due, DueAt: due, Shard: grant.ShardDue}
	i.put(held, g)
}

// failing is one whose token ended a while ago.
func (i *installation) failing(since time.Duration) grant.Grant {
	ended := time.Now().Add(-since)
	return grant.Grant{
		Connection: "machine", Status: grant.StatusFailing, LastError: apierr.ReltioUnavailable, LastErrorMessage: "HTTP 503",
		AccessToken: reltioauth.NewSecret(canary), Fingerprint: "f", IssuedAt: ended.Add(-time.Hour), ExpiresAt: ended,
		LoginMode: grant.AtEnd, EarlyAskedAt: ended, RetryAt: time.Now().Add(time.Minute),
	}
}

// store stores one as a renewal of the secret as it stands left it.
func (i *installation) store(g grant.Grant) {
	i.t.Helper()
	source, err := i.secretStore.Connection(i.t.Context(), g.Connection)
	if err != nil {
		i.t.Fatal(err)
	}
	g.ConnectionVersion = source.Version
	table := &dynamo.Table{Client: i.database(), Name: i.name}
	held, err := table.SeizeLease(i.t.Context(), lease.Request{Connection: g.Connection, Owner: "owner", Now: time.Now(), Until: time.Now().Add(time.Minute)})
	if err != nil {
		i.t.Fatal(err)
	}
	i.put(held, g.Indexed(time.Now()))
}

func (i *installation) put(held lease.Lease, g grant.Grant) {
	i.t.Helper()
	table := &dynamo.Table{Client: i.database(), Name: i.name}
	if err := table.PutGrant(i.t.Context(), held, g); err != nil {
		i.t.Fatal(err)
	}
}

// clock puts a server in the authorization server's place whose clock is ahead
// of ours.
func (i *installation) clock(ahead time.Duration) {
	i.operator.Hosts = connection.Hosts{strings.TrimPrefix(page{status: 200, ahead: ahead}.start(i.t), "http://")}
}

// withoutSecrets has the operator look for secrets where nothing listens.
func (i *installation) withoutSecrets() {
	nowhere := i.config.Copy()
	nowhere.BaseEndpoint = aws.String("http://127.0.0.1:1")
	i.operator.Connections = secrets.Manager{Client: secretsmanager.NewFromConfig(nowhere), Prefix: i.name}
}
