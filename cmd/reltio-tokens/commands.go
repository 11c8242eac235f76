package main

import (
	"context"
	"errors"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/operator"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueapi"
)

type issueCommand struct {
	Name      string        `arg:"" help:"The connection."`
	MinTTL    time.Duration `name:"min-ttl" placeholder:"TIME" help:"The life that is needed, like 5m: renew if less is left and the server allows it."`
	ShowToken bool          `help:"Print the token itself, alone: it is a secret."`
	JSON      bool          `name:"json" help:"Print JSON: what issue returns, without the token unless --show-token is given."`
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
	switch {
	case c.JSON:
		if !c.ShowToken {
			a.AccessToken = ""
		}
		return s.json(a)
	case c.ShowToken:
		s.token(a)
	default:
		s.issued(a, c.MinTTL)
	}
	return nil
}

type resumeCommand struct {
	Name string `arg:"" optional:"" help:"The connection."`
	All  bool   `help:"Every connection that waits or fails."`
	JSON bool   `name:"json" help:"Print JSON."`
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
		if c.JSON {
			return errors.Join(s.json(changes), err)
		}
		s.resumedAll(changes, err)
		return err
	}
	change, err := o.Resume(ctx, c.Name)
	return s.changed(change, err, c.JSON, s.resumed)
}

type pauseCommand struct {
	Name string `arg:"" help:"The connection."`
	JSON bool   `name:"json" help:"Print JSON."`
}

// Run pauses.
func (c *pauseCommand) Run(ctx context.Context, w *wiring, s *screen) error {
	o, err := w.stores(ctx)
	if err != nil {
		return err
	}
	change, err := o.Pause(ctx, c.Name)
	return s.changed(change, err, c.JSON, s.paused)
}

type unpauseCommand struct {
	Name string `arg:"" help:"The connection."`
	JSON bool   `name:"json" help:"Print JSON."`
}

// Run unpauses.
func (c *unpauseCommand) Run(ctx context.Context, w *wiring, s *screen) error {
	o, err := w.stores(ctx)
	if err != nil {
		return err
	}
	change, err := o.Unpause(ctx, c.Name)
	return s.changed(change, err, c.JSON, s.unpaused)
}

// changed prints a change that was made, in words or as JSON.
func (s *screen) changed(change operator.Change, err error, asJSON bool, words func(operator.Change)) error {
	switch {
	case err != nil:
		return err
	case asJSON:
		return s.json(change)
	}
	words(change)
	return nil
}
