// The rotate function renews tokens: all that are due on the schedule's tick, one
// when the issue function or an operator asks for it.
package main

import (
	"context"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	awsbridge "github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/reltio-tokens/reltio-tokens/internal/aws/client"
	"github.com/reltio-tokens/reltio-tokens/internal/aws/dynamo"
	"github.com/reltio-tokens/reltio-tokens/internal/aws/eventbridge"
	"github.com/reltio-tokens/reltio-tokens/internal/aws/secrets"
	"github.com/reltio-tokens/reltio-tokens/internal/config"
	"github.com/reltio-tokens/reltio-tokens/internal/handler"
	"github.com/reltio-tokens/reltio-tokens/internal/renewal"
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

// wire connects the adapters to the verb.
func wire(ctx context.Context) (lambda.Handler, error) {
	c, err := config.Rotate(os.Getenv)
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
	return &handler.Rotate{
		Renewer: &renewal.Renewer{
			Grants:        table,
			Leases:        table,
			Lockouts:      table,
			RateLimits:    table,
			Connections:   secretStore,
			RefreshTokens: secretStore,
			Parking:       table,
			Batches:       table,
			Connect:       c.Network.Connect,
			Hosts:         c.AuthHosts,
			AuthRequests:  table,
			CallbackURL:   c.CallbackBaseURL,
			Events:        &eventbridge.Bus{Client: awsbridge.NewFromConfig(aws), Name: c.EventBusName},
			Now:           time.Now,
			PerSecond:     c.TokenRequestsPerSecond,
			LoginAttempts: c.LoginAttempts,
			Concurrency:   c.RotateConcurrency,
		},
		Log: log,
		Now: time.Now,
	}, nil
}
