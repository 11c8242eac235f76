// Command reltio-tokens is what operators use: it adds, connects and disconnects
// connections, shows their health, checks secrets, pauses and unpauses
// connections, and examines an installation.
//
//	reltio-tokens add acme-prod
//	reltio-tokens status
//	reltio-tokens issue acme-prod
//	reltio-tokens --local check demo-password
//	reltio-tokens --stack reltio-tokens doctor
//
// It works on AWS with the operator's credentials, on any endpoint, and with
// --local on the stack that `make run` starts. It never prints a secret, except
// the token with issue --show-token and the link of connect.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
)

// The exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
	// exitNeedsSomebody: status --check or doctor found a connection that does not
	// recover by itself.
	exitNeedsSomebody = 3
	// exitPartly: import or export did a part.
	exitPartly = 4
)

// helpWidth is the largest width of help texts.
const helpWidth = 100

var (
	// errSaid is a failure that the command has already printed.
	errSaid = errors.New("failed")
	// errPartly is a failure of a part that the command has already printed.
	errPartly = errors.New("a part failed")
	// errNeedsSomebody ends status --check, and doctor.
	errNeedsSomebody = errors.New("a connection needs somebody")
)

// usageError is a command line that is incomplete.
type usageError struct{ text string }

// Error implements error.
func (e *usageError) Error() string { return e.text }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

// run is the command, from its arguments to its exit code.
func run(ctx context.Context, args []string) int {
	s := &screen{colour: coloured(os.Stdout, os.Getenv)}
	return s.show(exitCode(s, perform(ctx, args, s)))
}

// show writes what was printed, and returns the exit code.
func (s *screen) show(code int) int {
	if _, err := io.WriteString(os.Stdout, s.again.inText(&s.out)); err != nil {
		code = exitCode(s, fmt.Errorf("printing: %w", err))
	}
	if _, err := io.WriteString(os.Stderr, s.again.inText(&s.err)); err != nil {
		return exitFailed
	}
	return code
}

// perform reads the command line and runs the command that it names.
func perform(ctx context.Context, args []string, s *screen) error {
	var line cli
	parser, err := kong.New(&line,
		kong.Name("reltio-tokens"),
		kong.Description(description),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: helpWidth}),
	)
	if err != nil {
		return err
	}
	command, err := parser.Parse(args)
	if err != nil {
		return &usageError{err.Error()}
	}
	s.again = commandLine(command)
	line.afterParsing(given(command))
	if line.Stack != "" && line.Local != "" {
		return &usageError{"--stack is on AWS, --local on this machine: give one of them"}
	}
	command.BindTo(ctx, (*context.Context)(nil))
	w := &wiring{globals: line.globals, now: time.Now, progress: progressOn(os.Stderr)}
	selected := command.Selected().Target.Addr().Interface()
	if _, ok := selected.(lonely); ok {
		return command.Run(w, s, parser)
	}
	discovery, cancel := w.bounded(ctx)
	defer cancel()
	w.stackErr = w.discover(discovery, given(command))
	if _, ok := selected.(discovering); w.stackErr != nil && !ok {
		return w.stackErr
	}
	if _, ok := selected.(talking); !ok {
		ctx = discovery
	}
	command.BindTo(ctx, (*context.Context)(nil))
	return command.Run(w, s, askerOn(os.Stdin, os.Stderr))
}

// talking is a command that waits for a person, for as long as that takes: it
// bounds its calls itself.
type talking interface{ talks() }

// lonely is a command that needs no installation.
type lonely interface{ alone() }

// discovering is a command that reports problems of --stack itself.
type discovering interface{ discovers() }

// exitCode prints what went wrong and what to do about it, and returns the exit
// code.
func exitCode(s *screen, err error) int {
	var usage *usageError
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errNeedsSomebody):
		return exitNeedsSomebody
	case errors.Is(err, errPartly):
		return exitPartly
	case errors.Is(err, errSaid):
		return exitFailed
	case errors.As(err, &usage):
		fmt.Fprintf(&s.err, "reltio-tokens: %s\nTry: reltio-tokens --help\n", usage.text)
		return exitUsage
	default:
		fmt.Fprintf(&s.err, "reltio-tokens: %v\n%s", err, hint(err))
		return exitFailed
	}
}
