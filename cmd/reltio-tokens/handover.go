package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/operator"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// handOver reads a refresh token, has it tried, and prints what came of it.
func (c *connectCommand) handOver(ctx context.Context, w *wiring, s *screen, a *asker) error {
	token, err := a.secretText(ctx, "Refresh token")
	if err != nil {
		return unanswered("Refresh token", err)
	}
	ctx, cancel := w.bounded(ctx)
	defer cancel()
	o, err := w.stores(ctx)
	if err != nil {
		return err
	}
	tried, err := o.Handover(ctx, operator.HandoverRequest{
		Connection: c.Name, RefreshToken: token, LoggedInAt: c.LoggedInAt, ReplaceUser: c.ReplaceUser,
	})
	switch {
	case err != nil:
		return err
	case c.JSON:
		err = s.json(tried)
	case tried.OK:
		s.handedOver(tried)
	default:
		fmt.Fprintf(&s.err, "%s: not connected: %s\n  nothing was stored\n", c.Name, tried.Server)
	}
	if err == nil && !tried.OK {
		return errSaid
	}
	return err
}

// secretText reads a secret: a hidden line on a terminal, else all of standard
// input, without the white space around it.
func (a *asker) secretText(ctx context.Context, question string) (reltioauth.Secret, error) {
	if a.terminal != nil {
		secret, err := a.askSecret(ctx, question)
		return reltioauth.NewSecret(strings.TrimSpace(secret.Reveal())), err
	}
	text, err := a.wait(ctx, func() (string, error) { return readAll(a.in) })
	return reltioauth.NewSecret(strings.TrimSpace(text)), err
}

// handedOver prints what is stored.
func (s *screen) handedOver(t operator.Tried) {
	fmt.Fprintf(&s.out, "%s: connected\n", t.Connection)
	user := t.User
	if user == "" {
		user = "not known: Reltio does not say whose it is"
	}
	fmt.Fprintf(&s.out, "  user           %s\n", user)
	s.stored(t)
}

// stored prints the deadlines of the tokens that are stored.
func (s *screen) stored(t operator.Tried) {
	if t.ExpiresAt != nil {
		fmt.Fprintf(&s.out, "  token          until %s\n", t.ExpiresAt.Format(time.RFC3339))
	}
	if t.RefreshExpiresAt != nil {
		fmt.Fprintf(&s.out, "  refresh token  until %s\n", t.RefreshExpiresAt.Format(time.RFC3339))
	}
	if t.NotStored != nil {
		fmt.Fprintf(&s.out, "  parked         Secrets Manager does not take the refresh token (%s: %s); doctor says what to do\n", t.NotStored.Type, t.NotStored.Message)
	}
}
