// Command stack runs the whole service on this machine as it is deployed:
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
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/local"
	"github.com/reltio-tokens/reltio-tokens/test/stack"
)

func main() {
	err := run(os.Args[1:], os.Stdout, os.Stderr)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "binaries:", err)
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
	var words []string
	for name, value := range s.Variables(nil, stack.DynamoDB, stack.SecretsManager, stack.Lambda) {
		words = append(words, name+"="+value)
	}
	slices.Sort(words)
	return strings.Join(append(words, "go run ./cmd/reltio-tokens status"), " \\\n    ")
}

const about = "Runs the three binaries on this machine as Lambda runs them, with engines for\n" +
	"DynamoDB and Secrets Manager, and a sandbox of Reltio's authorization server.\n" +
	"The first start fetches the engines into .cache/engines: Dynoxide is compiled with cargo\n" +
	"(about five minutes), moto comes with pip (half a minute). Later starts take seconds."

// flags reads the command line; a mistake in it is explained on log.
func flags(args []string, log io.Writer) (stack.Config, error) {
	asked, err := local.Flags("binaries", about, args, log)
	return stack.Config{
		Now:           time.Now,
		HTTPAddress:   local.Address(asked.CallbackPort, local.DefaultCallbackPort),
		LambdaAddress: local.Address(asked.LambdaPort, local.DefaultLambdaPort),
		ReltioAddress: local.Address(asked.ReltioPort, local.DefaultReltioPort),
		Sandbox:       local.Sandbox(asked.TokenLife),
		Log:           asked.Log,
	}, err
}
