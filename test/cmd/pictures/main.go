// Command pictures makes the pictures of the README into docs/pictures, from the
// program itself: it starts the local stack, runs the operator's command and a
// browser on it, and draws what they show.
//
//	make pictures
//
// It needs a Chromium for the pages. The command is built before; main's first
// argument is its folder. Its third is that of marked and mermaid, which draw the
// README as its readers see it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/local"
)

// folder is where the pictures go, below the repository's root.
const folder = "docs/pictures"

// limit bounds everything.
const limit = 3 * time.Minute

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "pictures:", err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) != 4 {
		return errors.New("give the folder of the operator's command, the repository's root, and the folder of what draws a README")
	}
	commands, root := os.Args[1], os.Args[2]
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	out := func(name string) string { return filepath.Join(root, folder, name) }
	for _, draw := range []func(session) error{
		func(s session) error { return pages(ctx, s.stack, out) },
		func(s session) error { return recording(s, out("demo.svg")) },
		func(s session) error { return status(s, out("status.svg")) },
	} {
		if err := onStack(ctx, commands, draw); err != nil {
			return err
		}
	}
	if err := alternatives(root, out("alternatives.svg")); err != nil {
		return err
	}
	if err := performance(root, out("performance.svg")); err != nil {
		return err
	}
	return readme(ctx, root, os.Args[3], out) // last, since it shows the others
}

// onStack draws on a stack of its own, which has shown its demonstration.
func onStack(ctx context.Context, commands string, draw func(session) error) (err error) {
	stack, err := local.Start(ctx, local.Config{CallbackPort: -1, LambdaPort: -1, ReltioPort: -1})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stack.Close()) }() //nolint:contextcheck // Close bounds itself
	if err := stack.Demo(ctx, io.Discard); err != nil {
		return err
	}
	return draw(session{ctx: ctx, stack: stack, commands: commands})
}
