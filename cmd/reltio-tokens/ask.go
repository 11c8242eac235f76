package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// maxAnswer bounds an answer, and a secret that is read: 64 KiB, Secrets
// Manager's limit.
const maxAnswer = 64 << 10

var (
	// errInterrupted ends a command while it waits for an answer.
	errInterrupted = errors.New("interrupted")
	// errNoAnswer says that standard input has ended.
	errNoAnswer = errors.New("standard input has ended")
)

// asker asks the operator. On a terminal it shows what is typed, unless that is a
// secret. Otherwise answers are lines of standard input, so that a script can
// give them.
type asker struct {
	in io.Reader
	// terminal is nil if there is none. It decides whether what is typed is
	// shown: from before the first question on, the system shows nothing.
	terminal *term.Terminal
	// quiet switches the system's echo off, and restore switches it on again.
	quiet   func() error
	restore func()
}

// askerOn asks on the files: standard input and standard error.
func askerOn(in, out *os.File) *asker {
	a := &asker{in: in}
	fd := int(in.Fd())
	state, err := term.GetState(fd)
	if err != nil {
		return a
	}
	a.terminal = term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{in, out}, "")
	if width, height, err := term.GetSize(fd); err == nil && width > 0 {
		_ = a.terminal.SetSize(width, height) // on failure the default size is used
	}
	a.quiet = func() error {
		_, err := term.MakeRaw(fd)
		return err
	}
	a.restore = func() { _ = term.Restore(fd, state) } // a failure to restore cannot be repaired here
	return a
}

// ask waits for one answer, without a time limit.
func (a *asker) ask(ctx context.Context, question string) (string, error) {
	answer, err := a.wait(ctx, func() (string, error) {
		if a.terminal == nil {
			return a.readLine()
		}
		if err := a.quiet(); err != nil {
			return "", err
		}
		a.terminal.SetPrompt(question + ": ")
		return a.terminal.ReadLine()
	})
	return strings.TrimSpace(answer), err
}

// askSecret waits for an answer that is not shown.
func (a *asker) askSecret(ctx context.Context, question string) (reltioauth.Secret, error) {
	answer, err := a.wait(ctx, func() (string, error) {
		if a.terminal == nil {
			return a.readLine()
		}
		if err := a.quiet(); err != nil {
			return "", err
		}
		return a.terminal.ReadPassword(question + " (not shown): ")
	})
	return reltioauth.NewSecret(answer), err
}

// consent is a question to which the operator says yes or no.
type consent struct {
	// of is the command that asks, text the question, no what is printed unless
	// the operator says yes.
	of, text, no string
}

// confirm asks the operator, and ends the command unless that is a yes.
func (a *asker) confirm(ctx context.Context, s *screen, c consent) error {
	answer, err := a.ask(ctx, c.text)
	switch {
	case errors.Is(err, errNoAnswer):
		return &usageError{c.of + " asks first: answer y on standard input, or give --yes"}
	case err != nil:
		return err
	case !strings.EqualFold(answer, "y") && !strings.EqualFold(answer, "yes"):
		fmt.Fprintln(&s.err, c.no)
		return errSaid
	}
	return nil
}

// tell shows a line before a question, on a terminal only.
func (a *asker) tell(line string) {
	if a.terminal != nil {
		_, _ = io.WriteString(a.terminal, line+"\n") // the question follows even if this fails
	}
}

// wait reads until the command is interrupted.
func (a *asker) wait(ctx context.Context, read func() (string, error)) (string, error) {
	type answer struct {
		text string
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		text, err := read()
		answers <- answer{text, err}
	}()
	if a.restore != nil {
		defer a.restore()
	}
	select {
	case given := <-answers:
		switch {
		case !errors.Is(given.err, io.EOF):
		case a.terminal != nil: // Ctrl-C, or Ctrl-D
			given.err = errInterrupted
		default:
			given.err = errNoAnswer
		}
		return given.text, given.err
	case <-ctx.Done():
		return "", errInterrupted
	}
}

// readLine reads a line byte by byte, so that nothing of the next answer is read.
func (a *asker) readLine() (string, error) {
	var line []byte
	one := make([]byte, 1)
	for len(line) < maxAnswer {
		n, err := a.in.Read(one)
		switch {
		case n == 1 && one[0] == '\n':
			return strings.TrimSuffix(string(line), "\r"), nil
		case n == 1:
			line = append(line, one[0])
		case errors.Is(err, io.EOF) && len(line) > 0:
			return string(line), nil
		case err != nil:
			return "", err
		}
	}
	return "", errors.New("the answer is too long")
}
