// Command lambdahost runs the whole service on this machine as it is deployed:
// the three binaries, DynamoDB and Secrets Manager by their protocols, until
// Ctrl-C. `make run` is the same in one process, and needs less.
//
//	make run-binaries
//	make run-binaries ARGS='-token-life 2m -v'
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/local"
	"github.com/reltio-tokens/reltio-tokens/internal/stack"
)

func main() {
	err := run(os.Args[1:], os.Stdout, os.Stderr)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "lambdahost:", err)
		os.Exit(1)
	}
}

func run(args []string, out, log io.Writer) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	c, err := flags(args, log)
	if err != nil {
		return err
	}
	s, err := stack.Start(ctx, c)
	if err != nil {
		return err
	}
	return errors.Join(serve(ctx, s, out), s.Close())
}

// serve shows the demonstration and ticks until the context ends.
func serve(ctx context.Context, s *stack.Stack, out io.Writer) error {
	for name, fields := range local.Secrets() {
		if err := s.AddConnection(ctx, name, fields); err != nil {
			return err
		}
	}
	demo := local.Demo{
		LambdaURL: s.LambdaURL, CallbackURL: s.CallbackURL, ReltioURL: s.ReltioURL,
		Invite: s.Invite, Operator: operator(s),
	}
	if err := demo.Show(ctx, out); err != nil {
		return err
	}
	s.Schedule.Run(ctx)
	return nil
}

// operator is how the operator's command reaches this stack.
func operator(s *stack.Stack) string {
	return strings.Join([]string{
		"AWS_ENDPOINT_URL_DYNAMODB=" + s.Endpoints[stack.DynamoDB],
		"AWS_ENDPOINT_URL_SECRETS_MANAGER=" + s.Endpoints[stack.SecretsManager],
		"AWS_ENDPOINT_URL_LAMBDA=" + s.LambdaURL,
		"TABLE_NAME=" + s.Table.Name, "SECRET_PREFIX=" + s.Secrets.Prefix,
		"AUTH_HOSTS=" + strings.TrimPrefix(s.ReltioURL, "http://"), "CALLBACK_BASE_URL=" + s.CallbackURL,
		"go run ./cmd/reltio-tokens status",
	}, " \\\n    ")
}

// flags reads the command line; a fault in it is explained on log.
func flags(args []string, log io.Writer) (stack.Config, error) {
	c := stack.Config{Now: time.Now}
	set := flag.NewFlagSet("lambdahost", flag.ContinueOnError)
	set.SetOutput(log)
	set.Usage = func() {
		_, _ = fmt.Fprintln(log, "Runs the three binaries on this machine as Lambda runs them, with engines for\nDynamoDB and Secrets Manager, and a sandbox of Reltio's authorization server.")
		set.PrintDefaults()
	}
	callback := set.Int("callback-port", local.DefaultCallbackPort, "`port` where browsers connect Reltio")
	lambda := set.Int("lambda-port", local.DefaultLambdaPort, "`port` of the Lambda Invoke API")
	reltio := set.Int("reltio-port", local.DefaultReltioPort, "`port` of Reltio's sandbox")
	life := set.Duration("token-life", time.Hour, "how `long` the sandbox's access tokens live")
	verbose := set.Bool("v", false, "show what the functions write")
	if err := set.Parse(args); err != nil {
		return c, err
	}
	c.HTTPAddress, c.LambdaAddress, c.ReltioAddress = address(*callback), address(*lambda), address(*reltio)
	c.Sandbox = local.Sandbox(*life)
	if *verbose {
		c.Log = log
	}
	return c, nil
}

func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
