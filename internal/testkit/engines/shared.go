// Package engines runs the engines that play AWS services on one machine: one
// for DynamoDB, and moto's server for Secrets Manager and EventBridge. It
// starts them for a program, and shares them among tests.
//
// A program starts its own:
//
//	e, err := engines.StartDynamoDB(ctx)
//	defer e.Close()
//	client := dynamodb.New(dynamodb.Options{BaseEndpoint: aws.String(e.Endpoint), ...})
//
// All tests of a process share one, which is started when a test first needs
// it:
//
//	client, name := engines.Table(t)
//	table := &dynamo.Table{Client: client, Name: name}
//
// Clients are the SDK's own. An engine runs on a free port of the loopback
// interface, accepts any credentials, keeps its content in memory, and ends
// with Close, or when the process ends, in whatever way. Tests keep their data
// apart by names: of tables, of secrets. StartDynamoDB and StartMoto return
// when the engine responds, or with the engine's output if it does not.
//
// scripts/engines fetches the engines, and scripts/engines env names them in
// variables; without the variables they are looked for where that script puts
// them. A missing one is a MissingError. A test whose engine is missing is
// skipped, with the reason, unless RELTIO_TOKENS_ENGINES is "required": then it
// fails. With -short all tests that need an engine are skipped. The same goes
// for the other tools that scripts fetch:
//
//	python := engines.Tool(t, "clients", "PYTHON")
//
// DYNAMODB_ENDPOINT names another DynamoDB to use: a URL, or "aws" for the real
// one. Credentials and region then come from the environment.
package engines

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// Variables of the environment.
const (
	envEngines  = "RELTIO_TOKENS_ENGINES"
	envDynamoDB = "DYNAMODB_ENDPOINT"
)

// region is the one that tests are in.
const region = "us-east-1"

// Each engine is started at most once.
var (
	startDynamoDB = sync.OnceValues(func() (*Engine, error) { return StartDynamoDB(context.Background()) })
	startMoto     = sync.OnceValues(func() (*Engine, error) { return StartMoto(context.Background()) })
)

// DynamoDB returns a client of a DynamoDB for tests. Other tests use the same
// one: see TableName.
func DynamoDB(t testing.TB) *dynamodb.Client {
	t.Helper()
	endpoint := os.Getenv(envDynamoDB)
	if endpoint == "" {
		return dynamodb.New(dynamodb.Options{
			Region:       region,
			BaseEndpoint: aws.String(running(t, startDynamoDB)),
			Credentials:  Credentials(),
		})
	}
	c, err := config.LoadDefaultConfig(t.Context())
	if err != nil {
		t.Fatalf("loading AWS's configuration: %v", err)
	}
	return dynamodb.NewFromConfig(c, func(o *dynamodb.Options) {
		o.Region = cmp.Or(o.Region, region)
		if endpoint != "aws" {
			o.BaseEndpoint = aws.String(endpoint)
		}
	})
}

// DynamoDBEndpoint returns the endpoint of the engine that DynamoDB is a client
// of, for tests that make their own client. It accepts any credentials.
func DynamoDBEndpoint(t testing.TB) (endpoint string) {
	t.Helper()
	if os.Getenv(envDynamoDB) != "" {
		t.Skip("this test starts an engine of its own; " + envDynamoDB + " names another")
	}
	return running(t, startDynamoDB)
}

// Moto returns the endpoint of moto's server, "http://127.0.0.1:<port>". It
// takes any credentials.
func Moto(t testing.TB) (endpoint string) {
	t.Helper()
	return running(t, startMoto)
}

// TableName returns a name for a table that no other test has.
func TableName(t testing.TB) string {
	t.Helper()
	name := regexp.MustCompile(`[^A-Za-z0-9_.-]+`).ReplaceAllString(t.Name(), "-")
	const longest = 200
	return name[:min(len(name), longest)] + "-" + strings.ToLower(rand.Text())
}

// Credentials are some that all engines accept.
func Credentials() aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret", Source: "engines"}, nil
	})
}

// running returns the engine's endpoint, or ends the test.
func running(t testing.TB, start func() (*Engine, error)) string {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: this test needs an engine")
	}
	e, err := start()
	Need(t, err)
	return e.Endpoint
}

// Need ends the test if there is an error. If that is an *engines.MissingError the
// test is skipped, unless engines are required.
func Need(t testing.TB, err error) {
	t.Helper()
	switch missing := (*MissingError)(nil); {
	case err == nil:
	case errors.As(err, &missing):
		lacking(t, missing.Error())
	default:
		t.Fatal(err)
	}
}

// lacking ends a test whose engine or tool is missing.
func lacking(t testing.TB, why string) {
	t.Helper()
	if os.Getenv(envEngines) == "required" {
		t.Fatal(why)
	}
	t.Skip(why)
}
