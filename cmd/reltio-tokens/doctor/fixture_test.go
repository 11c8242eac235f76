package doctor_test

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	schedulertypes "github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/reltio-tokens/reltio-tokens/cmd/reltio-tokens/doctor"
	"github.com/reltio-tokens/reltio-tokens/internal/aws/dynamo"
	"github.com/reltio-tokens/reltio-tokens/internal/aws/secrets"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/operator"
	"github.com/reltio-tokens/reltio-tokens/internal/testkit/engines"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

const (
	canary = "c4n4ry"
	keyARN = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
)

// page is a server in the place of an authorization server or of the callback;
// ahead is by how much its clock is.
type page struct {
	status int
	header http.Header
	ahead  time.Duration
}

func (p page) start(t *testing.T) (address string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" || r.Header.Get("Cookie") != "" || r.URL.RawQuery != "" {
			t.Errorf("%s was sent credentials", r.URL.Path)
		}
		maps.Copy(w.Header(), p.header)
		if p.ahead != 0 {
			w.Header().Set("Date", time.Now().Add(p.ahead).UTC().Format(http.TimeFormat))
		}
		w.WriteHeader(p.status)
		_, _ = io.WriteString(w, canary)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// sound is the callback function's header.
func sound() http.Header {
	return http.Header{
		"Cache-Control": {"no-store"}, "Content-Security-Policy": {"default-src 'none'; base-uri 'none'"},
		"Referrer-Policy": {"no-referrer"}, "X-Content-Type-Options": {"nosniff"}, "X-Robots-Tag": {"noindex, nofollow"},
	}
}

// lambdaAPI answers the calls of Lambda's API that a doctor makes.
type lambdaAPI struct {
	// environments are the functions, by name; refused are the actions that
	// are not allowed.
	environments map[string]map[string]string
	reserved     *int
	// executions is the account's limit.
	executions int
	refused    map[string]bool
	dryRuns    int
	// sweep is the response of the function rotate to a sweep; failure is a
	// function's error.
	rotate, sweep, failure string
}

func (l *lambdaAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, "/account-settings") {
		_ = json.NewEncoder(w).Encode(map[string]any{"AccountLimit": map[string]any{"ConcurrentExecutions": l.executions}})
		return
	}
	_, rest, _ := strings.Cut(r.URL.Path, "/functions/")
	name, action, _ := strings.Cut(rest, "/")
	short := name[strings.LastIndex(name, "function:")+len("function:"):]
	short, alias, _ := strings.Cut(short, ":")
	environment, known := l.environments[short]
	answer := func(status int, code string, body any) {
		if code != "" {
			w.Header().Set("X-Amzn-Errortype", code)
		}
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(body)
	}
	switch {
	case l.refused[action]:
		answer(403, "AccessDeniedException", map[string]string{"Message": canary})
	case !known, action != "concurrency" && alias != "live", action == "concurrency" && alias != "":
		answer(404, "ResourceNotFoundException", map[string]string{"Message": canary})
	case action == "invocations" && r.Header.Get("X-Amz-Invocation-Type") == "DryRun":
		l.dryRuns++
		w.WriteHeader(204)
	case action == "invocations" && l.failure != "":
		w.Header().Set("X-Amz-Function-Error", "Unhandled")
		_, _ = io.WriteString(w, l.failure)
	case action == "invocations" && short == l.rotate:
		_, _ = io.WriteString(w, l.sweep)
	case action == "configuration":
		answer(200, "", map[string]any{"State": "Active", "LastUpdateStatus": "Successful", "Environment": map[string]any{"Variables": environment}})
	case action == "concurrency":
		answer(200, "", map[string]any{"ReservedConcurrentExecutions": l.reserved})
	default:
		answer(400, canary, nil)
	}
}

// installation is one in which everything is well, made of moto, a server in
// Lambda's place, and pages.
type installation struct {
	t      *testing.T
	name   string
	config aws.Config
	// host and callback are the addresses of the pages.
	host, callback string
	lambda         *lambdaAPI
	topic          *topic
	secretStore    secrets.Manager
	operator       *operator.Service
	doctor         *doctor.Doctor
}

func install(t *testing.T) *installation {
	t.Helper()
	i := &installation{t: t, name: engines.TableName(t), config: aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String(engines.Moto(t)),
		Credentials: withCanary,
		// One attempt more: moto may close a kept connection as it is used.
		Retryer: func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts, o.MaxBackoff = 2, 10*time.Millisecond })
		},
	}}
	i.name = i.name[max(0, len(i.name)-40):] // a schedule group's name is short
	i.host, i.callback = page{status: 404}.start(t), page{status: 200, header: sound()}.start(t)
	i.createTable(nil)
	i.createSchedule(schedulertypes.ScheduleStateEnabled)
	i.secretStore = secrets.Manager{Client: secretsmanager.NewFromConfig(i.config), Prefix: i.name, KMSKeyID: keyARN}
	i.wire()
	i.doctor.AWS.Stack.Outputs["FailureQueueUrl"] = i.createQueue()
	i.connect("machine", `"grant_type":"client_credentials"`)
	i.connect("person", `"grant_type":"authorization_code","tenant_id":"t"`)
	return i
}

// withCanary are credentials that no output may hold.
var withCanary = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: canary}, nil
})

func (i *installation) database() *dynamodb.Client { return dynamodb.NewFromConfig(i.config) }

// createTable makes the table as template.yaml does; change may make it worse.
func (i *installation) createTable(change func(*dynamodb.CreateTableInput)) {
	i.t.Helper()
	in := engines.Definition(i.name)
	in.SSESpecification = &types.SSESpecification{Enabled: aws.Bool(true), SSEType: types.SSETypeKms, KMSMasterKeyId: aws.String(keyARN)}
	if change != nil {
		if _, err := i.database().DeleteTable(i.t.Context(), &dynamodb.DeleteTableInput{TableName: in.TableName}); err != nil {
			i.t.Fatal(err)
		}
		change(in)
	}
	if err := engines.CreateTable(i.t.Context(), i.database(), in); err != nil {
		i.t.Fatal(err)
	}
	i.setBackups(true)
}

func (i *installation) setTTL(on bool) {
	i.t.Helper()
	if _, err := i.database().UpdateTimeToLive(i.t.Context(), engines.TimeToLive(i.name, on)); err != nil {
		i.t.Fatal(err)
	}
}

func (i *installation) setBackups(on bool) {
	i.t.Helper()
	_, err := i.database().UpdateContinuousBackups(i.t.Context(), &dynamodb.UpdateContinuousBackupsInput{
		TableName: aws.String(i.name), PointInTimeRecoverySpecification: &types.PointInTimeRecoverySpecification{PointInTimeRecoveryEnabled: aws.Bool(on)},
	})
	if err != nil {
		i.t.Fatal(err)
	}
}

func (i *installation) createSchedule(state schedulertypes.ScheduleState) {
	i.t.Helper()
	client := scheduler.NewFromConfig(i.config)
	_, _ = client.DeleteScheduleGroup(i.t.Context(), &scheduler.DeleteScheduleGroupInput{Name: aws.String(i.name)}) // it may not be there yet
	if _, err := client.CreateScheduleGroup(i.t.Context(), &scheduler.CreateScheduleGroupInput{Name: aws.String(i.name)}); err != nil {
		i.t.Fatal(err)
	}
	_, err := client.CreateSchedule(i.t.Context(), &scheduler.CreateScheduleInput{
		Name: aws.String("tick"), GroupName: aws.String(i.name), ScheduleExpression: aws.String("rate(1 minute)"), State: state,
		FlexibleTimeWindow: &schedulertypes.FlexibleTimeWindow{Mode: schedulertypes.FlexibleTimeWindowModeOff},
		Target:             &schedulertypes.Target{Arn: aws.String(i.function("rotate")), RoleArn: aws.String("arn:aws:iam::123456789012:role/tick")},
	})
	if err != nil {
		i.t.Fatal(err)
	}
}

func (i *installation) function(name string) string {
	return "arn:aws:lambda:us-east-1:123456789012:function:" + i.name + "-" + name + ":live"
}

// wire makes the operator and the doctor.
func (i *installation) wire() {
	i.t.Helper()
	host := strings.TrimPrefix(i.host, "http://")
	both := map[string]string{"TABLE_NAME": i.name, "SECRET_PREFIX": i.name, "AUTH_HOSTS": host}
	rotate := maps.Clone(both)
	rotate["CALLBACK_BASE_URL"] = "https://example.com"
	i.lambda = &lambdaAPI{executions: 1000, refused: map[string]bool{}, rotate: i.name + "-rotate", sweep: `{"due":2,"renewed":1}`, environments: map[string]map[string]string{
		i.name + "-issue":  {"TABLE_NAME": i.name, "ROTATE_FUNCTION": i.function("rotate")},
		i.name + "-rotate": rotate, i.name + "-callback": both,
	}}
	functions := httptest.NewServer(i.lambda)
	i.t.Cleanup(functions.Close)
	table := &dynamo.Table{Client: i.database(), Name: i.name}
	i.operator = &operator.Service{
		Grants: table, Leases: table, Lockouts: table, Connections: i.secretStore, Parking: table, Now: time.Now,
		Hosts: connection.Hosts{host}, CallbackURL: i.callback,
	}
	onLambda := i.config.Copy()
	onLambda.BaseEndpoint = aws.String(functions.URL)
	i.doctor = &doctor.Doctor{
		Operator: i.operator, Now: time.Now, Lambda: lambda.NewFromConfig(onLambda),
		IssueFunction: i.function("issue"), RotateFunction: i.function("rotate"),
		AWS: &doctor.AWS{
			Database: i.database(), Table: i.name, Secrets: i.secretStore, SecretPrefix: i.name,
			Scheduler: scheduler.NewFromConfig(i.config), CallbackFunction: i.function("callback"),
			Query: i.query(),
			Stack: &doctor.Stack{
				Name: i.name, Status: "UPDATE_COMPLETE", Parameters: map[string]string{"Environment": "prod"},
				Outputs: map[string]string{"KeyArn": keyARN, "AlarmTopicArn": topicARN},
			},
		},
	}
}

// connect writes a connection's secret; fields is JSON without braces.
func (i *installation) connect(name, fields string) {
	i.t.Helper()
	text := `{"client_id":"c","client_secret":"` + canary + `","auth_url":"` + i.host + `",` + fields + `}`
	if _, err := i.secretStore.PutConnection(i.t.Context(), name, reltioauth.NewSecret(text)); err != nil {
		i.t.Fatal(err)
	}
}
