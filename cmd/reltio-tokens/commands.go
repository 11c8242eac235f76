package main

import (
	"context"
	"errors"
	"time"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueapi"
)

type statusCommand struct {
	Names []string `arg:"" optional:"" name:"name" help:"Connections; none: all of them."`
	JSON  bool     `name:"json" help:"Print JSON instead of a table."`
	Wide  bool     `help:"Show why the server refused, and what it said."`
	Check bool     `help:"Exit with 3 if a connection needs somebody: a person to log in, or an operator to write another secret; is refused for a reason that stays; or has been failing for 15 minutes."`
}

// Run shows the health of connections.
func (c *statusCommand) Run(ctx context.Context, w *wiring, s *screen) error {
	o, err := w.stores(ctx)
	if err != nil {
		return err
	}
	report, err := o.Status(ctx, c.Names...)
	if err != nil {
		return err
	}
	if c.JSON {
		err = s.json(report)
	} else {
		s.table(report, c.Wide)
	}
	switch {
	case err != nil:
		return err
	case c.Check && report.NeedsAttention():
		return errNeedsSomebody
	case report.NotRead():
		return s.notRead(report)
	}
	return nil
}

type issueCommand struct {
	Name      string        `arg:"" help:"The connection."`
	MinTTL    time.Duration `name:"min-ttl" placeholder:"TIME" help:"The life that is needed, like 5m: renew if less is left and the server allows it."`
	ShowToken bool          `help:"Print the token itself, alone: it is a secret."`
}

// Validate bounds the life that is asked for.
func (c *issueCommand) Validate() error {
	if c.MinTTL < 0 || c.MinTTL > 24*time.Hour || c.MinTTL%time.Second != 0 {
		return errors.New("--min-ttl must be from 0s to 24h, in whole seconds")
	}
	return nil
}

// Run asks for a token.
func (c *issueCommand) Run(ctx context.Context, w *wiring, s *screen) error {
	o, err := w.functions(ctx)
	if err != nil {
		return err
	}
	a, err := o.Issue(ctx, issueapi.Request{Connection: c.Name, MinTTLSeconds: int64(c.MinTTL / time.Second)})
	if err != nil {
		return err
	}
	if c.ShowToken {
		s.token(a)
	} else {
		s.issued(a, c.MinTTL)
	}
	return nil
}

type resumeCommand struct {
	Name string `arg:"" optional:"" help:"The connection."`
	All  bool   `help:"Every connection that waits or fails."`
}

// Validate requires a name or all.
func (c *resumeCommand) Validate() error {
	if (c.Name == "") != c.All {
		return errors.New("give the name of a connection, or --all")
	}
	return nil
}

// Run resumes.
func (c *resumeCommand) Run(ctx context.Context, w *wiring, s *screen) error {
	o, err := w.stores(ctx)
	if err != nil {
		return err
	}
	if c.All {
		changes, err := o.ResumeAll(ctx)
		s.resumedAll(changes, err)
		return err
	}
	change, err := o.Resume(ctx, c.Name)
	if err == nil {
		s.resumed(change)
	}
	return err
}

type pauseCommand struct {
	Name string `arg:"" help:"The connection."`
}

// Run pauses.
func (c *pauseCommand) Run(ctx context.Context, w *wiring, s *screen) error {
	o, err := w.stores(ctx)
	if err != nil {
		return err
	}
	change, err := o.Pause(ctx, c.Name)
	if err == nil {
		s.paused(change)
	}
	return err
}

type unpauseCommand struct {
	Name string `arg:"" help:"The connection."`
}

// Run unpauses.
func (c *unpauseCommand) Run(ctx context.Context, w *wiring, s *screen) error {
	o, err := w.stores(ctx)
	if err != nil {
		return err
	}
	change, err := o.Unpause(ctx, c.Name)
	if err == nil {
		s.unpaused(change)
	}
	return err
}
