// The issue function issues stored tokens. It has no credentials and cannot read
// any: it reads the table, takes leases, and invokes rotate.
package main

import (
	"context"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	awslambda "github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/reltio-tokens/reltio-tokens/internal/aws/client"
	"github.com/reltio-tokens/reltio-tokens/internal/aws/dynamo"
	"github.com/reltio-tokens/reltio-tokens/internal/aws/invoke"
	"github.com/reltio-tokens/reltio-tokens/internal/config"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/handler"
	"github.com/reltio-tokens/reltio-tokens/internal/issue"
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

// warmFor bounds the warming call: Lambda gives init ten seconds.
const warmFor = 2 * time.Second

// warm makes one real call while the environment starts, when it has a whole
// processor. Name look-up, TLS, root certificates and the SDK's first use take
// many times as long on a small function's share of a processor. Errors are
// ignored: the first caller gets the same one.
func warm(ctx context.Context, table *dynamo.Table) {
	ctx, cancel := context.WithTimeout(ctx, warmFor)
	defer cancel()
	_, _ = table.Grant(ctx, "", grant.Eventual) // no connection has this name
}

// wire connects the adapters to the verb.
func wire(ctx context.Context) (lambda.Handler, error) {
	c, err := config.Issue(os.Getenv)
	if err != nil {
		return nil, err
	}
	aws, err := client.Config(ctx)
	if err != nil {
		return nil, err
	}
	log := telemetry.New(&telemetry.Bounded{To: os.Stdout}, c.LogLevel, time.Now).In(c.MetricsNamespace)
	log.Capture()
	table := &dynamo.Table{Client: dynamodb.NewFromConfig(aws, client.QuickReads), Name: c.TableName}
	warm(ctx, table)
	return &handler.Issue{
		Issuer: &issue.Issuer{
			Grants: table,
			Leases: table,
			Rotate: invoke.Function{
				Client:  awslambda.NewFromConfig(aws),
				Waiting: awslambda.NewFromConfig(client.ForWaiting(aws)),
				Name:    c.RotateFunction,
			},
			Now: time.Now,
		},
		Log: log,
		Now: time.Now,
	}, nil
}
