package stack

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/reltio-tokens/reltio-tokens/internal/aws/dynamo"
	"github.com/reltio-tokens/reltio-tokens/internal/aws/secrets"
	"github.com/reltio-tokens/reltio-tokens/internal/testkit/engines"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
	"github.com/reltio-tokens/reltio-tokens/test/lambdahost"
)

// Service is something that functions call.
type Service string

// The services.
const (
	DynamoDB       Service = "DynamoDB"
	SecretsManager Service = "Secrets Manager"
	EventBridge    Service = "EventBridge"
	Lambda         Service = "Lambda"
	Reltio         Service = "Reltio"
)

// Functions are the names of what is deployed.
func Functions() []string { return []string{issue, rotate, callback} }

const (
	issue    = "issue"
	rotate   = "rotate"
	callback = "callback"
)

// Config is what a Stack is made of. Its zero value lacks only Now.
type Config struct {
	// Now is time.Now. Required.
	Now func() time.Time
	// Binaries is a folder with <function>/bootstrap for this machine, as
	// Build makes it; empty means that they are built.
	Binaries string
	// LambdaAddress, HTTPAddress and ReltioAddress are where the Invoke API,
	// the HTTP API and the sandbox listen, on loopback; empty means free ports.
	LambdaAddress, HTTPAddress, ReltioAddress string
	// Concurrency is how many invocations run at once, all functions together; 0
	// means 1000.
	Concurrency int
	// DynamoDB, and Moto for the two others, are the endpoints of engines that
	// run already; empty means that one is started.
	DynamoDB, Moto string
	// Sandbox is who is known to the authorization server. Clients without
	// redirection endpoints are given callback's.
	Sandbox reltioauthtest.Config
	// Via, if not nil, says where a function reaches a service, which is at
	// endpoint: a proxy's URL, or the endpoint itself. For Reltio it is asked
	// once, with no function: connections name the server, not functions.
	Via func(function string, s Service, endpoint string) string
	// Change, if not nil, changes a function before it is deployed.
	Change func(*lambdahost.Function)
	// Log takes what the functions write; nil drops it.
	Log io.Writer
}

// Stack is a running stack. It is safe for concurrent use.
type Stack struct {
	// Host runs the functions issue, rotate and callback.
	Host *lambdahost.Host
	// Schedule invokes rotate with each Tick, and by itself once it runs.
	Schedule *lambdahost.Schedule
	// Sandbox is the authorization server.
	Sandbox *reltioauthtest.Server
	// LambdaURL, CallbackURL and ReltioURL are where they listen.
	LambdaURL, CallbackURL, ReltioURL string
	// Endpoints are where the engines are: DynamoDB, SecretsManager and
	// EventBridge.
	Endpoints map[Service]string
	// Table and Secrets are what the functions store, by the same adapters.
	Table   *dynamo.Table
	Secrets secrets.Manager
	// Clients of the services themselves. Lambda does not try again.
	Lambda         *lambda.Client
	DynamoDB       *dynamodb.Client
	SecretsManager *secretsmanager.Client
	EventBridge    *eventbridge.Client

	config Config
	// authURL is Reltio's as connections name it.
	authURL string
	// closers end what was started, the last one first.
	closers []func() error
}

// Region is where everything is.
const Region = "us-east-1"

// Start starts everything. If something does not start, what has started is
// ended.
func Start(ctx context.Context, c Config) (*Stack, error) {
	s := &Stack{config: c, Endpoints: map[Service]string{}}
	for _, step := range []func(context.Context) error{s.engines, s.store, s.servers, s.build, s.deploy} {
		if err := step(ctx); err != nil {
			return nil, errors.Join(fmt.Errorf("stack: %w", err), s.Close())
		}
	}
	return s, nil
}

// Close ends everything that Start started.
func (s *Stack) Close() error {
	var err error
	for i := len(s.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, s.closers[i]())
	}
	s.closers = nil
	return err
}

func (s *Stack) onClose(f func() error) { s.closers = append(s.closers, f) }

// engines starts those that do not run already.
func (s *Stack) engines(ctx context.Context) error {
	for _, e := range []struct {
		given    string
		start    func(context.Context) (*engines.Engine, error)
		services []Service
	}{
		{s.config.DynamoDB, engines.StartDynamoDB, []Service{DynamoDB}},
		{s.config.Moto, engines.StartMoto, []Service{SecretsManager, EventBridge}},
	} {
		endpoint := e.given
		if endpoint == "" {
			started, err := e.start(ctx)
			if err != nil {
				return err
			}
			s.onClose(started.Close)
			endpoint = started.Endpoint
		}
		for _, service := range e.services {
			s.Endpoints[service] = endpoint
		}
	}
	return nil
}

// store makes clients and the table, under names that no other stack has.
func (s *Stack) store(ctx context.Context) error {
	// The engines do not check them, but need them.
	keys := credentials.NewStaticCredentialsProvider("stack", "stack", "")
	s.DynamoDB = dynamodb.New(dynamodb.Options{Region: Region, Credentials: keys, BaseEndpoint: aws.String(s.Endpoints[DynamoDB])})
	s.SecretsManager = secretsmanager.New(secretsmanager.Options{Region: Region, Credentials: keys, BaseEndpoint: aws.String(s.Endpoints[SecretsManager])})
	s.EventBridge = eventbridge.New(eventbridge.Options{Region: Region, Credentials: keys, BaseEndpoint: aws.String(s.Endpoints[EventBridge])})
	name := "reltio-tokens-" + strings.ToLower(rand.Text()[:8])
	s.Table = &dynamo.Table{Client: s.DynamoDB, Name: name}
	s.Secrets = secrets.Manager{Client: s.SecretsManager, Prefix: name}
	return engines.CreateTable(ctx, s.DynamoDB, engines.Definition(name))
}

// servers starts Lambda, the HTTP API and the sandbox.
func (s *Stack) servers(ctx context.Context) error {
	host, err := lambdahost.Start(ctx, lambdahost.Config{
		Now: s.config.Now, Address: s.config.LambdaAddress, Region: Region, Concurrency: s.config.Concurrency,
	})
	if err != nil {
		return err
	}
	s.onClose(host.Close)
	s.Host, s.LambdaURL = host, host.URL()
	s.Lambda = lambda.New(lambda.Options{
		Region: Region, BaseEndpoint: aws.String(s.LambdaURL), Retryer: aws.NopRetryer{},
		Credentials: credentials.NewStaticCredentialsProvider("stack", "stack", ""),
		HTTPClient:  &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1000}},
	})
	s.Schedule = &lambdahost.Schedule{Host: host, Function: rotate + ":" + alias}
	api := &lambdahost.HTTPAPI{Host: host, Function: callback + ":" + alias}
	if s.CallbackURL, err = api.Start(ctx, cmp.Or(s.config.HTTPAddress, "127.0.0.1:0")); err != nil {
		return err
	}
	return s.sandbox() //nolint:contextcheck // Close ends it
}

// build makes the binaries, if Config names none.
func (s *Stack) build(ctx context.Context) error {
	if s.config.Binaries != "" {
		return nil
	}
	folder, err := os.MkdirTemp("", "reltio-tokens-")
	if err != nil {
		return err
	}
	s.onClose(func() error { return os.RemoveAll(folder) })
	s.config.Binaries = folder
	return Build(ctx, folder)
}
