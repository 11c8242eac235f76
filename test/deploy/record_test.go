package deploy

import (
	"context"
	"encoding/json"
	"flag"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	awsbridge "github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/internal/authcode"
	"github.com/reltio-tokens/reltio-tokens/internal/aws/dynamo"
	"github.com/reltio-tokens/reltio-tokens/internal/aws/eventbridge"
	"github.com/reltio-tokens/reltio-tokens/internal/aws/invoke"
	"github.com/reltio-tokens/reltio-tokens/internal/aws/secrets"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/handler"
	"github.com/reltio-tokens/reltio-tokens/internal/handler/pages"
	"github.com/reltio-tokens/reltio-tokens/internal/issue"
	"github.com/reltio-tokens/reltio-tokens/internal/renewal"
	"github.com/reltio-tokens/reltio-tokens/internal/telemetry"
	"github.com/reltio-tokens/reltio-tokens/internal/testkit/engines"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
)

var update = flag.Bool("update", false, "write "+callsFile)

// recorder writes down what a function calls.
type recorder struct {
	// mu guards what follows.
	mu   sync.Mutex
	seen map[call]bool
	// log are the requests in their order, each with all that it is made on.
	log []request
}

// request is one request of a function.
type request struct {
	function, action string
	// on are the keys of items, or the secret's name.
	on []string
}

// String is "rotate BatchGetItem budget# grant#".
func (r request) String() string {
	_, name, _ := strings.Cut(r.action, ":")
	return r.function + " " + name + " " + strings.Join(r.on, " ")
}

// option records the calls of a client as the function's.
func (r *recorder) option(function string) func(*middleware.Stack) error {
	return func(stack *middleware.Stack) error {
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("record", func(
			ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
		) (middleware.InitializeOutput, middleware.Metadata, error) {
			calls := callsOf(function, awsmiddleware.GetServiceID(ctx), awsmiddleware.GetOperationName(ctx), in.Parameters)
			r.add(calls)
			if created, ok := in.Parameters.(*secretsmanager.CreateSecretInput); ok && len(created.Tags) > 0 {
				tag := calls[0]
				tag.action = "secretsmanager:TagResource" // Secrets Manager asks for both
				r.add([]call{tag})
			}
			return next.HandleInitialize(ctx, in)
		}), middleware.After)
	}
}

// add records a request, which is one call or, of a batch, one for each kind of item.
func (r *recorder) add(calls []call) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seen == nil {
		r.seen = map[call]bool{}
	}
	sent := request{function: calls[0].function, action: calls[0].action}
	for _, c := range calls {
		r.seen[c] = true
		sent.on = append(sent.on, strings.TrimSuffix(c.key, "example"))
	}
	r.log = append(r.log, sent)
}

// since returns the requests after the first n.
func (r *recorder) since(n int) []request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.log[n:])
}

func (r *recorder) lines() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var lines []string
	for c := range maps.Keys(r.seen) {
		lines = append(lines, c.String()+"\n")
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// prefixes of the actions, by the SDK's name of the service.
var prefixes = map[string]string{
	"DynamoDB": "dynamodb:", "Secrets Manager": "secretsmanager:", "EventBridge": "events:", "Lambda": "lambda:",
	"CloudFormation": "cloudformation:", "Scheduler": "scheduler:",
}

// callsOf are the calls that a request is, one for each key that it names.
func callsOf(who, service, operation string, parameters any) []call {
	batch, ok := parameters.(*dynamodb.BatchGetItemInput)
	if !ok {
		return []call{callOf(who, service, operation, parameters)}
	}
	var calls []call
	for _, asked := range batch.RequestItems {
		for _, key := range asked.Keys {
			c := callOf(who, service, operation, &dynamodb.GetItemInput{Key: key})
			calls = append(calls, c)
		}
	}
	return calls
}

// callOf is what IAM is asked about a call, with names made examples.
func callOf(who, service, operation string, parameters any) call {
	c := call{function: who, action: prefixes[service] + operation, on: "table", key: "unknown"}
	pk := func(key map[string]types.AttributeValue) string {
		text, _ := key["pk"].(*types.AttributeValueMemberS)
		before, _, _ := strings.Cut(text.Value, "#")
		return before + "#example"
	}
	// Of an alias the qualifier counts; a function without one is itself.
	function := func(name *string) (on, key string) {
		if short, alias := strings.CutSuffix(aws.ToString(name), ":live"); alias {
			return "alias", short
		}
		return "function", aws.ToString(name)
	}
	secret := func(id *string) (on, key string) {
		_, name, _ := strings.Cut(aws.ToString(id), "/")
		kind, _, _ := strings.Cut(name, "/")
		return "secret", kind + "/example"
	}
	switch in := parameters.(type) {
	case *dynamodb.GetItemInput:
		c.key = pk(in.Key)
	case *dynamodb.UpdateItemInput:
		c.key = pk(in.Key)
	case *dynamodb.ScanInput:
		attributes := slices.Sorted(maps.Values(in.ExpressionAttributeNames))
		c.on, c.key = string(in.Select), strings.Join(attributes, ",")
	case *dynamodb.QueryInput:
		c.on = "index/" + aws.ToString(in.IndexName)
		for _, v := range in.ExpressionAttributeValues {
			if shard, ok := v.(*types.AttributeValueMemberS); ok {
				c.key = shard.Value
			}
		}
	case *secretsmanager.GetSecretValueInput:
		c.on, c.key = secret(in.SecretId)
	case *secretsmanager.DescribeSecretInput:
		c.on, c.key = secret(in.SecretId)
	case *secretsmanager.PutSecretValueInput:
		c.on, c.key = secret(in.SecretId)
	case *secretsmanager.CreateSecretInput:
		c.on, c.key = secret(in.Name)
	case *awsbridge.PutEventsInput:
		c.on, c.key = "bus", aws.ToString(in.Entries[0].Source)
	case *secretsmanager.DeleteSecretInput:
		c.on, c.key = secret(in.SecretId)
	case *secretsmanager.RestoreSecretInput:
		c.on, c.key = secret(in.SecretId)
	case *lambda.InvokeInput:
		c.on, c.key = function(in.FunctionName)
		c.action = "lambda:InvokeFunction"
	case *lambda.GetFunctionConfigurationInput:
		c.on, c.key = function(in.FunctionName)
	case *lambda.GetFunctionConcurrencyInput:
		c.on, c.key = function(in.FunctionName)
	case *dynamodb.DescribeTableInput, *dynamodb.DescribeTimeToLiveInput, *dynamodb.DescribeContinuousBackupsInput:
		c.key = whole
	case *cloudformation.DescribeStacksInput:
		c.on, c.key = "stack", whole
	case *secretsmanager.ListSecretsInput, *scheduler.ListSchedulesInput, *lambda.GetAccountSettingsInput:
		c.on, c.key = "account", whole
	}
	return c
}

// deployed is an account made of engines, and the three functions, wired as
// their mains wire them.
type deployed struct {
	t        *testing.T
	recorder recorder
	prefix   string
	table    *dynamo.Table
	// operator writes connections; nothing of it is recorded.
	operator secrets.Manager
	reltio   *reltioauthtest.Server
	authURL  string
	moto     string
	// ahead moves the functions' clock.
	ahead atomic.Int64
	// readOnly lets Secrets Manager refuse what the functions write.
	readOnly atomic.Bool
	issue    *handler.Issue
	rotate   *handler.Rotate
	callback *handler.Callback
}

func (d *deployed) now() time.Time { return time.Now().Add(time.Duration(d.ahead.Load())) }

const clientSecret = "client-secret"

func deploy(t *testing.T) *deployed {
	t.Helper()
	database, name := engines.Table(t)
	moto := engines.Moto(t)
	d := &deployed{t: t, moto: moto, prefix: name}
	d.table = &dynamo.Table{Client: database, Name: name}
	d.operator = d.secretsOf("")
	d.reltio = reltioauthtest.New(reltioauthtest.Config{
		Now:     d.now,
		Clients: []reltioauthtest.Client{{ID: "client", Secret: reltioauth.NewSecret(clientSecret)}},
		Users: []reltioauthtest.User{
			{Username: "ann", Password: reltioauth.NewSecret("password")},
			{Username: "ben", Password: reltioauth.NewSecret("password")},
			{Username: "cid", Password: reltioauth.NewSecret("password")},
		},
		Behaviour: reltioauthtest.Behaviour{
			Refresh: reltioauthtest.NewToken, RefreshTokens: reltioauthtest.Rotate,
			Code: reltioauthtest.NewToken, CodeRefreshToken: reltioauthtest.NewToken,
		},
	})
	var err error
	if d.authURL, err = d.reltio.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.reltio.Close() })
	d.wire()
	return d
}

// tableOf, secretsOf, bus and invoker are the adapters of a function, recorded as
// its own.
func (d *deployed) tableOf(function string) *dynamo.Table {
	return &dynamo.Table{Name: d.table.Name, Client: dynamodb.New(d.table.Client.Options(), func(o *dynamodb.Options) {
		o.APIOptions = append(slices.Clone(o.APIOptions), d.recorder.option(function))
	})}
}

func (d *deployed) config(function string) aws.Config {
	c := aws.Config{Region: "us-east-1", BaseEndpoint: aws.String(d.moto), Credentials: d.table.Client.Options().Credentials}
	if function != "" {
		c.APIOptions = append(c.APIOptions, d.recorder.option(function), d.denying)
	}
	return c
}

// denying has a client's PutSecretValue refused while readOnly is set, as by a key
// policy that has a mistake, and each refusal take longer than a function tries.
func (d *deployed) denying(stack *middleware.Stack) error {
	return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("deny", func(
		ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
	) (middleware.InitializeOutput, middleware.Metadata, error) {
		if awsmiddleware.GetOperationName(ctx) == "PutSecretValue" && d.readOnly.Load() {
			d.ahead.Add(int64(grant.ParkAfter))
			return middleware.InitializeOutput{}, middleware.Metadata{}, &smithy.GenericAPIError{Code: "AccessDeniedException"}
		}
		return next.HandleInitialize(ctx, in)
	}), middleware.After)
}

func (d *deployed) secretsOf(function string) secrets.Manager {
	tags := map[string]string{"application": "reltio-tokens"}
	return secrets.Manager{Client: secretsmanager.NewFromConfig(d.config(function)), Prefix: d.prefix, Tags: tags}
}

func (d *deployed) bus(function string) eventbridge.Bus {
	return eventbridge.Bus{Client: awsbridge.NewFromConfig(d.config(function)), Name: "default"}
}

// invoker reaches rotate through the Invoke API.
func (d *deployed) invoker(who string) invoke.Function {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		payload, _ := io.ReadAll(r.Body)
		answer, err := d.rotate.Invoke(r.Context(), payload)
		if err != nil {
			w.Header().Set("X-Amz-Function-Error", "Unhandled")
			answer, _ = json.Marshal(err.(messages.InvokeResponse_Error)) //nolint:errorlint // a handler's error is of this type
		}
		_, _ = w.Write(answer)
	}))
	d.t.Cleanup(api.Close)
	c := d.config(who)
	c.BaseEndpoint = aws.String(api.URL)
	return invoke.Function{Client: lambda.NewFromConfig(c), Name: "rotate:live"}
}

func (d *deployed) wire() {
	hosts := connection.Hosts{strings.TrimPrefix(d.authURL, "http://")}
	log := telemetry.New(io.Discard, 0, d.now)
	forIssue, forRotate, forCallback := d.tableOf("issue"), d.tableOf("rotate"), d.tableOf("callback")
	d.rotate = &handler.Rotate{
		Renewer: &renewal.Renewer{
			Grants: forRotate, Leases: forRotate, Lockouts: forRotate, RateLimits: forRotate,
			Connections: d.secretsOf("rotate"), RefreshTokens: d.secretsOf("rotate"), Parking: forRotate, Batches: forRotate, Hosts: hosts, Events: d.bus("rotate"), Now: d.now,
			AuthRequests: forRotate, CallbackURL: "https://" + domain,
		},
		Log: log, Now: d.now,
	}
	d.issue = &handler.Issue{
		Issuer: &issue.Issuer{Grants: forIssue, Leases: forIssue, Rotate: d.invoker("issue"), Now: d.now}, Log: log, Now: d.now,
	}
	d.callback = &handler.Callback{
		Flow: &authcode.Flow{
			AuthRequests: forCallback, Grants: forCallback, Leases: forCallback, RateLimits: forCallback,
			Connections: d.secretsOf("callback"), RefreshTokens: d.secretsOf("callback"), Parking: forCallback, Hosts: hosts, Events: d.bus("callback"), Now: d.now,
		},
		Pages: pages.New(), Log: log, Now: d.now,
	}
}

// TestCalls runs the functions and the operator's command over engines through
// everything that makes them call AWS, and compares what they called with the file.
func TestCalls(t *testing.T) {
	d := deploy(t)
	d.renewals()
	d.callbacks()
	d.operations()
	got := d.recorder.lines()
	if *update {
		if err := os.WriteFile(callsFile, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(callsFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("AWS is called in another way than %s says (-file +now); look at the policies in template.yaml, then run with -update:\n%s", callsFile, diff)
	}
}
