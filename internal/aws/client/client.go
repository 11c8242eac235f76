// Package client configures all AWS clients of the functions.
//
// The SDK alone would wait 30 s for a connection and for ever for a response. A
// connection may be gone because the execution environment was frozen, and a
// server may be silent: so each attempt has a time limit, and the SDK makes the
// next one over another connection. A call that its caller's context ends says which
// error its attempts got.
//
//	cfg, err := client.Config(ctx)
//	table := dynamodb.NewFromConfig(cfg, client.QuickReads)
//	secrets := secretsmanager.NewFromConfig(client.ForSecrets(cfg))
//	rotate := lambda.NewFromConfig(client.ForWaiting(cfg))
//
// Loading the configuration reads the environment and makes no request.
package client

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go/logging"
)

// The time limits of the first attempt.
const (
	// DialTimeout bounds opening a connection.
	DialTimeout = time.Second
	// TLSTimeout bounds the TLS handshake.
	TLSTimeout = 2 * time.Second
	// ResponseTimeout bounds the wait for the first byte of a response.
	ResponseTimeout = 2 * time.Second
	// SecretsResponseTimeout is ResponseTimeout of Secrets Manager, which decrypts
	// with a key of another service.
	SecretsResponseTimeout = 3 * time.Second
	// laterTimes is how many times as long a later attempt waits for a response.
	laterTimes = 3
)

// secretsAttempts is how often a call of Secrets Manager is made.
const secretsAttempts = 5

// The repetition of a failed read by QuickReads.
const (
	readAttempts  = 10
	firstPause    = 25 * time.Millisecond
	longestPause  = 200 * time.Millisecond
	pauseDoubling = 2
)

// Config is the SDK's configuration with the time limits, for clients whose
// service responds at once. It fails if the environment or a shared file is
// malformed.
func Config(ctx context.Context) (aws.Config, error) {
	cfg, err := awsconfig.LoadDefaultConfig(ctx, awsconfig.WithLogger(logging.Nop{})) // otherwise the SDK writes plain text
	if err != nil {
		return aws.Config{}, fmt.Errorf("aws: %w", err)
	}
	base, ok := cfg.HTTPClient.(*awshttp.BuildableClient) // with the roots of AWS_CA_BUNDLE
	if !ok {
		base = awshttp.NewBuildableClient()
	}
	cfg.HTTPClient = limited(base, ResponseTimeout)
	cfg.APIOptions = append(cfg.APIOptions, rememberErrors)
	return cfg, nil
}

// ForSecrets is the configuration for Secrets Manager: two more attempts than the
// SDK's three, because each ends after seconds, and the caller's context bounds all.
func ForSecrets(cfg aws.Config) aws.Config {
	cfg.HTTPClient = limited(baseOf(cfg), SecretsResponseTimeout)
	cfg.RetryMaxAttempts = secretsAttempts
	return cfg
}

// ForWaiting is the configuration for an invocation whose response comes when the
// function has ended. It has a connection of its own, because there is one attempt
// only and a kept connection may be gone. It has no time limit of its own: the
// caller's context bounds it.
func ForWaiting(cfg aws.Config) aws.Config {
	cfg.HTTPClient = baseOf(cfg).WithTransportOptions(func(t *http.Transport) { t.DisableKeepAlives = true })
	return cfg
}

// baseOf is the client of a configuration that Config made, without limits.
func baseOf(cfg aws.Config) *awshttp.BuildableClient {
	if a, ok := cfg.HTTPClient.(attempts); ok {
		return a.base
	}
	return awshttp.NewBuildableClient()
}

// limited is a client with the time limits. What was slow once may only be busy: if
// each later attempt were given up as early, all would be, and their work be done in
// vain. So those have laterTimes as long, over connections of their own.
func limited(base *awshttp.BuildableClient, response time.Duration) attempts {
	within := func(response time.Duration) aws.HTTPClient {
		return base.
			WithDialerOptions(func(d *net.Dialer) { d.Timeout = DialTimeout }).
			WithTransportOptions(func(t *http.Transport) {
				t.TLSHandshakeTimeout = TLSTimeout
				t.ResponseHeaderTimeout = response
			})
	}
	return attempts{base: base, first: within(response), later: within(laterTimes * response)}
}

// attempts sends the first attempt of a call with one client, the others with
// another. The SDK numbers them in a header.
type attempts struct {
	base         *awshttp.BuildableClient
	first, later aws.HTTPClient
}

// Do implements aws.HTTPClient.
func (a attempts) Do(r *http.Request) (*http.Response, error) {
	const number, first = "Amz-Sdk-Request", "attempt=1"
	if text := r.Header.Get(number); text == "" || text == first || strings.HasPrefix(text, first+";") {
		return a.first.Do(r)
	}
	return a.later.Do(r)
}

// QuickReads lets a DynamoDB client repeat what failed after 25 ms, growing, at
// most 200 ms apart, for a caller that waits: ten attempts, within its context.
func QuickReads(o *dynamodb.Options) {
	o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = readAttempts
		o.RateLimiter = ratelimit.None // the attempts and the caller's context bound it
		o.Backoff = retry.BackoffDelayerFunc(func(attempt int, _ error) (time.Duration, error) {
			return pauseAfter(attempt, rand.Float64()), nil //nolint:gosec // jitter need not be unpredictable
		})
	})
}

// pauseAfter is the pause after so many failed attempts, with up to half of it taken
// off at random, a number in [0, 1).
func pauseAfter(attempts int, random float64) time.Duration {
	pause := firstPause
	for range attempts - 1 {
		pause = min(pause*pauseDoubling, longestPause)
	}
	return pause - time.Duration(random*float64(pause)/2)
}
