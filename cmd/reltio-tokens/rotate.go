package main

import (
	"context"
	"fmt"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/operator"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
)

type rotateCommand struct {
	Name  string `arg:"" help:"The connection."`
	Force bool   `help:"Renew though it is not due, back-off or not. It may end the token that callers hold."`
	JSON  bool   `name:"json" help:"Print JSON: what rotate returns."`
}

// Help implements kong.HelpProvider.
func (*rotateCommand) Help() string {
	return "Example:\n  reltio-tokens --stack reltio-tokens rotate acme-prod --force"
}

// Run renews a connection's token.
func (c *rotateCommand) Run(ctx context.Context, w *wiring, s *screen) error {
	o, err := w.functions(ctx)
	if err != nil {
		return err
	}
	result, err := o.Rotate(ctx, c.Name, c.Force)
	if err != nil {
		return err
	}
	if c.JSON {
		if err = s.json(result); err == nil && !gave(result) {
			err = errSaid
		}
		return err
	}
	err = s.rotated(c.Name, result)
	if c.Force {
		s.afterForce(result, w.stateOf(ctx, c.Name))
	}
	return err
}

// stateOf is the connection's state, for a remark about it; nil if it cannot be
// read, which is no reason to fail.
func (w *wiring) stateOf(ctx context.Context, name string) *operator.State {
	o, err := w.stores(ctx)
	if err != nil {
		return nil
	}
	report, err := o.Status(ctx, name)
	if err != nil || len(report.Connections) != 1 {
		return nil
	}
	return &report.Connections[0]
}

// afterForce prints what a forced renewal leaves open: a password that was not
// tried, or when it is tried again.
func (s *screen) afterForce(r rotateapi.Result, state *operator.State) {
	switch {
	case state == nil:
	case r.Error == nil && state.GrantType == connection.Password && state.RefreshExpiresAt != nil:
		fmt.Fprintf(&s.out, "  password  not tried: the connection lives by its refresh token, until %s; reltio-tokens check %s --login tries it\n",
			state.RefreshExpiresAt.Format(time.RFC3339), state.Connection)
	case r.Error != nil && (r.Error.Type == apierr.ReltioUnavailable || r.Error.Type == apierr.RateLimited) && state.NextDueAt != nil:
		fmt.Fprintf(&s.err, "  it is tried again by itself at %s\n", state.NextDueAt.Format(time.RFC3339))
	}
}

// gave reports whether a renewal ended as it should: with a token, or with nothing to
// do.
func gave(r rotateapi.Result) bool {
	return r.Error == nil && r.Outcome != nil && (*r.Outcome == rotateapi.Renewed || *r.Outcome == rotateapi.Unchanged)
}
