// The callback function takes a person through Reltio's login: it serves the
// browser behind an HTTP API, exchanges the code, and stores the grant.
package main

import (
	"context"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	awsbridge "github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/reltio-tokens/reltio-tokens/internal/authcode"
	"github.com/reltio-tokens/reltio-tokens/internal/aws/client"
	"github.com/reltio-tokens/reltio-tokens/internal/aws/dynamo"
	"github.com/reltio-tokens/reltio-tokens/internal/aws/eventbridge"
	"github.com/reltio-tokens/reltio-tokens/internal/aws/secrets"
	"github.com/reltio-tokens/reltio-tokens/internal/config"
	"github.com/reltio-tokens/reltio-tokens/internal/handler"
	"github.com/reltio-tokens/reltio-tokens/internal/handler/pages"
	"github.com/reltio-tokens/reltio-tokens/internal/telemetry"
)

func main() {
	h, err := wire(context.Background())
	if err != nil {
		config.Report(os.Stdout, err)
		os.Exit(1)
	}
	lambda.Start(h)
}

// wire connects the adapters to the verb. Its first lines are those of the other
// functions too, so that each main can be read alone.
func wire(ctx context.Context) (lambda.Handler, error) {
	c, err := config.Callback(os.Getenv)
	if err != nil {
		return nil, err
	}
	aws, err := client.Config(ctx)
	if err != nil {
		return nil, err
	}
	log := telemetry.New(&telemetry.Bounded{To: os.Stdout}, c.LogLevel, time.Now).In(c.MetricsNamespace)
	log.Capture()
	table := &dynamo.Table{Client: dynamodb.NewFromConfig(aws), Name: c.TableName}
	secretStore := secrets.Manager{Client: secretsmanager.NewFromConfig(client.ForSecrets(aws)), Prefix: c.SecretPrefix}
	set := pages.New()
	set.Owner = pages.Owner{Organisation: c.Organisation, Contact: c.Contact}
	return handler.Gateway{Handler: &handler.Callback{
		Flow: &authcode.Flow{
			AuthRequests:  table,
			Grants:        table,
			Leases:        table,
			RateLimits:    table,
			Connections:   secretStore,
			RefreshTokens: secretStore,
			Parking:       table,
			Connect:       c.Network.Connect,
			Hosts:         c.AuthHosts,
			Events:        eventbridge.Bus{Client: awsbridge.NewFromConfig(aws), Name: c.EventBusName},
			Now:           time.Now,
			PerSecond:     c.TokenRequestsPerSecond,
		},
		Pages:   set,
		Log:     log,
		Now:     time.Now,
		BaseURL: c.CallbackBaseURL,
	}}, nil
}
