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

const about = "Runs the whole stack on this machine: a sandbox of Reltio's authorization\n" +
	"server, the functions, and the Lambda Invoke API in front of them."

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
	c, err := local.Flags("local", about, args, log)
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
