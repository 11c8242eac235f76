package main

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go/logging"

	"github.com/reltio-tokens/reltio-tokens/cmd/reltio-tokens/doctor"
	"github.com/reltio-tokens/reltio-tokens/internal/aws/dynamo"
	"github.com/reltio-tokens/reltio-tokens/internal/aws/invoke"
	"github.com/reltio-tokens/reltio-tokens/internal/aws/secrets"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/operator"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueapi"
)

// service is operator.Service, in this process or in the local stack.
type service interface { //nolint:interfacebloat // all of operator.Service, one method for each command
	About(ctx context.Context) (operator.About, error)
	Status(ctx context.Context, names ...string) (operator.Report, error)
	Names(ctx context.Context) ([]string, error)
	Import(ctx context.Context, r operator.ImportRequest) (operator.Planned, error)
	Export(ctx context.Context) ([]operator.Exported, error)
	Survey(ctx context.Context) (operator.Survey, error)
	Check(ctx context.Context, name string) (operator.Checked, error)
	Issue(ctx context.Context, r issueapi.Request) (issueapi.Response, error)
	Rotate(ctx context.Context, name string, force bool) (rotateapi.Result, error)
	Pause(ctx context.Context, name string) (operator.Change, error)
	Unpause(ctx context.Context, name string) (operator.Change, error)
	Resume(ctx context.Context, name string) (operator.Change, error)
	ResumeAll(ctx context.Context) ([]operator.Change, error)
	Add(ctx context.Context, r operator.AddRequest) (operator.Added, error)
	Connect(ctx context.Context, name string, replaceUser bool) (operator.Invited, error)
	Invitations(ctx context.Context, r operator.InvitationsRequest) ([]operator.OpenInvitation, error)
	Disconnect(ctx context.Context, r operator.DisconnectRequest) (operator.Disconnected, error)
	Sharing(ctx context.Context, name string) ([]string, error)
	WhoAmI(ctx context.Context, name string) (operator.WhoAmI, error)
	TryLogin(ctx context.Context, name string) (operator.Tried, error)
	Handover(ctx context.Context, r operator.HandoverRequest) (operator.Tried, error)
}

var (
	_ service = (*operator.Service)(nil)
	_ service = remote{}
)

// wiring makes the clients that a command needs.
type wiring struct {
	globals globals
	now     func() time.Time
	// stack is the stack of --stack; nil without the flag, or if it could not be
	// described, for the reason in stackErr.
	stack    *doctor.Stack
	stackErr error
	// tags are those that the command line gives to secrets.
	tags map[string]string
	// progress is told how many connections were read; nil: there is no terminal.
	progress func(done, of int)
}

// bounded is a context for the calls of a command that waits for a person. The
// context of all other commands is already bounded.
func (w *wiring) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, w.globals.Timeout)
}

// functions is a service for the commands that invoke a function and read no
// store.
func (w *wiring) functions(ctx context.Context) (service, error) {
	if w.globals.Local != "" {
		return w.local(), nil
	}
	config, err := w.aws(ctx)
	if err != nil {
		return nil, err
	}
	return w.invoking(config), nil
}

// stores is a service for the commands that read and write the stores.
func (w *wiring) stores(ctx context.Context) (service, error) {
	if w.globals.Local != "" {
		return w.local(), nil
	}
	if w.globals.Table == "" || w.globals.SecretPrefix == "" {
		return nil, &usageError{"--stack is needed, or --table (TABLE_NAME) and --secret-prefix (SECRET_PREFIX), or --local"}
	}
	hosts, err := connection.ParseHosts(w.globals.AuthHosts)
	if err != nil {
		return nil, &usageError{"--auth-hosts: " + err.Error()}
	}
	config, err := w.aws(ctx)
	if err != nil {
		return nil, err
	}
	endpoint := w.endpoint()
	table := &dynamo.Table{Name: w.globals.Table, Client: dynamodb.NewFromConfig(config, func(o *dynamodb.Options) {
		endpoint(&o.BaseEndpoint)
	})}
	secretStore := w.secretStore(config)
	o := w.invoking(config)
	o.Grants, o.Leases, o.Lockouts, o.Connections, o.Hosts = table, table, table, secretStore, hosts
	o.AuthRequests, o.CallbackURL = table, strings.TrimSuffix(w.globals.CallbackURL, "/")
	o.Secrets, o.RefreshTokens, o.Parking, o.RateLimits = secretStore, secretStore, table, table
	o.LoginAttempts, o.Progress = w.globals.LoginAttempts, w.progress
	return o, nil
}

func (w *wiring) secretStore(config aws.Config) secrets.Manager {
	endpoint := w.endpoint()
	client := secretsmanager.NewFromConfig(config, func(o *secretsmanager.Options) { endpoint(&o.BaseEndpoint) })
	return secrets.Manager{Prefix: w.globals.SecretPrefix, KMSKeyID: w.globals.KMSKeyID, Tags: w.secretTags(), Client: client}
}

// secretTags are the tags of secrets that are written: the stack's, and those of the
// command line, which count more.
func (w *wiring) secretTags() map[string]string {
	all := map[string]string{}
	if w.stack != nil {
		maps.Copy(all, w.stack.Tags)
	}
	maps.Copy(all, w.tags)
	return all
}

// tagged remembers the tags of the command line. The local stack has none.
func (w *wiring) tagged(tags map[string]string) error {
	if len(tags) > 0 && w.globals.Local != "" {
		return &usageError{"--tag is for AWS: secrets of the local stack have no tags"}
	}
	for key := range tags {
		if key == "" || strings.HasPrefix(key, "aws:") {
			return &usageError{"--tag must be KEY=VALUE, and KEY must not begin with aws:"}
		}
	}
	w.tags = tags
	return nil
}

func (w *wiring) invoking(config aws.Config) *operator.Service {
	endpoint := w.endpoint()
	client := lambda.NewFromConfig(config, func(o *lambda.Options) { endpoint(&o.BaseEndpoint) })
	return &operator.Service{
		Rotations: invoke.Function{Client: client, Name: w.globals.RotateFunction},
		Issues:    issueFunction{client: client, name: w.globals.IssueFunction},
		Now:       w.now,
	}
}

// local is the service in the local stack; its functions are invoked as on AWS.
func (w *wiring) local() service {
	return remote{
		url:    string(w.globals.Local),
		issues: issueFunction{client: w.localLambda(), name: w.globals.IssueFunction},
	}
}

func (w *wiring) localLambda() *lambda.Client {
	return lambda.New(lambda.Options{
		Region:       "us-east-1",
		BaseEndpoint: aws.String(string(w.globals.Local)),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "local", SecretAccessKey: "local"}, nil
		}),
	})
}

// endpoint sets a service's endpoint if one is given for all.
func (w *wiring) endpoint() func(**string) {
	return func(service **string) {
		if w.globals.EndpointURL != "" {
			*service = aws.String(w.globals.EndpointURL)
		}
	}
}

// connections keeps open as many connections to a service as the operator's service
// uses at a time; the SDK keeps ten, and would open the others for each call.
func connections() *awshttp.BuildableClient {
	return awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.MaxIdleConns, t.MaxIdleConnsPerHost = 0, operator.Readers
	})
}

// aws loads the environment's configuration, and checks that there are a region
// and credentials, so that a missing one is reported once, here.
func (w *wiring) aws(ctx context.Context) (aws.Config, error) {
	config, err := awsconfig.LoadDefaultConfig(ctx, awsconfig.WithRegion(w.globals.Region), awsconfig.WithHTTPClient(connections()),
		awsconfig.WithLogger(logging.Nop{})) // the SDK's errors say everything
	if err != nil {
		return config, fmt.Errorf("the AWS configuration cannot be loaded: %w", err)
	}
	if config.Region == "" {
		return config, &usageError{"no AWS region: set --region or AWS_REGION, or use --local"}
	}
	if _, err := config.Credentials.Retrieve(ctx); err != nil {
		return config, fmt.Errorf("%w: %w", errNoCredentials, err)
	}
	return config, nil
}
