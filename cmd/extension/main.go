// The Lambda extension that issues tokens to a function in any language. It is
// deployed as a layer, under the name extensions/reltio-tokens.
package main

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/reltio-tokens/reltio-tokens/internal/config"
	"github.com/reltio-tokens/reltio-tokens/internal/extension"
	"github.com/reltio-tokens/reltio-tokens/internal/telemetry"
)

func main() {
	if err := run(context.Background()); err != nil {
		config.Report(os.Stdout, err)
		os.Exit(1)
	}
}

// run ends with the execution environment.
func run(ctx context.Context) error {
	name := filepath.Base(os.Args[0]) // the name that Lambda knows
	c, err := config.Extension(os.Getenv)
	if err == nil {
		err = readRootsOnce()
	}
	if err == nil {
		return wire(c, name).Run(ctx)
	}
	if c.RuntimeAPI != "" {
		_ = extension.Refuse(ctx, c.RuntimeAPI, name, err) // the caller reports the error as well
	}
	return err
}

// readRootsOnce keeps Go from reading all root certificates twice: from the
// bundle, and file by file from the directories (golang/go#79018). That is a good
// part of the first TLS handshake, and so of a cold start. It changes only this
// process, and only if the function's variables do not set another place.
func readRootsOnce() error {
	const directories = "SSL_CERT_DIR"
	if _, said := os.LookupEnv(directories); said {
		return nil
	}
	return os.Setenv(directories, "/nonexistent")
}

// wire connects the source of tokens to the server.
func wire(c config.ForExtension, name string) *extension.Extension {
	log := telemetry.New(os.Stdout, c.LogLevel, time.Now)
	return &extension.Extension{
		RuntimeAPI:  c.RuntimeAPI,
		Name:        name,
		Port:        c.Port,
		Connections: c.Connections,
		Server: &extension.Server{
			Tokens:  &extension.Sources{Lambda: client(c), Function: c.Function, Log: log, Now: time.Now},
			Session: c.SessionToken,
			Log:     log,
			Now:     time.Now,
		},
	}
}

// client invokes issue. It is built from the variables that Lambda sets, not by
// the SDK's config package, which looks for profiles, roles and metadata that a
// function does not have: that would be a fifth of the layer's size, a third of
// the process's memory and most of its start.
func client(c config.ForExtension) *lambda.Client {
	return lambda.New(lambda.Options{
		Region: c.Region,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretKey.Reveal(), SessionToken: c.SessionToken.Reveal()}, nil
		}),
		HTTPClient: awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
			// Calls are rare, and a connection does not outlive a freeze.
			t.DisableKeepAlives = true
		}),
	}, func(o *lambda.Options) {
		if c.Endpoint != "" {
			o.BaseEndpoint = aws.String(c.Endpoint)
		}
	})
}
