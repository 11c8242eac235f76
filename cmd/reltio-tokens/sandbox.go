package main

import (
	"context"
	"errors"

	"github.com/reltio-tokens/reltio-tokens/internal/localapi"
)

// sandboxCommand makes the local stack's sandbox misbehave; see package localapi.
type sandboxCommand struct {
	Args []string `arg:"" name:"what" help:"kill NAME, down [TIME], slow DELAY [TIME], throttle [TIME], lock NAME, expire-password NAME, mfa NAME, reset."`
}

// Run needs --local: a real server takes no such orders.
func (c *sandboxCommand) Run(ctx context.Context, w *wiring, s *screen) error {
	if w.globals.Local == "" {
		return &usageError{"sandbox works with --local alone: the stack that make run starts"}
	}
	err := localapi.Run(ctx, string(w.globals.Local), c.Args, &s.out)
	var usage *localapi.UsageError
	if errors.As(err, &usage) {
		return &usageError{usage.Error()}
	}
	return err
}
