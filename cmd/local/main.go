// Command local runs the whole stack on this machine, until Ctrl-C.
//
//	make run
//	make run ARGS='-token-life 2m -v'
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/reltio-tokens/reltio-tokens/internal/local"
)

func main() {
	err := run(os.Args[1:], os.Stdout, os.Stderr)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "local:", err)
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
	stack, err := local.Start(ctx, c)
	if err != nil {
		return err
	}
	err = stack.Demo(ctx, out)
	if err == nil {
		<-ctx.Done()
	}
	return errors.Join(err, stack.Close())
}

// flags reads the command line; problems are explained on log.
func flags(args []string, log io.Writer) (local.Config, error) {
	var c local.Config
	set := flag.NewFlagSet("local", flag.ContinueOnError)
	set.SetOutput(log)
	set.Usage = func() {
		_, _ = fmt.Fprintln(log, "Runs the whole stack on this machine: a sandbox of Reltio's authorization\nserver, the functions, and the Lambda Invoke API in front of them.")
		set.PrintDefaults()
	}
	verbose := c.Flags(set)
	if err := set.Parse(args); err != nil {
		return c, err
	}
	if *verbose {
		c.Log = log
	}
	return c, nil
}
