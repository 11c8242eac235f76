package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/operate"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

type disconnectCommand struct {
	Name         string `arg:"" help:"The connection."`
	DeleteSecret bool   `help:"Delete its secret too; it can be restored for seven days."`
	Yes          bool   `short:"y" help:"Do not ask."`
}

// talks implements talking.
func (*disconnectCommand) talks() {}

// Run disconnects.
func (c *disconnectCommand) Run(ctx context.Context, w *wiring, s *screen, a *asker) error {
	if err := c.confirm(ctx, s, a); err != nil {
		return err
	}
	ctx, cancel := w.bounded(ctx)
	defer cancel()
	o, err := w.stores(ctx)
	if err != nil {
		return err
	}
	d, err := o.Disconnect(ctx, c.Name, c.DeleteSecret)
	if err == nil {
		s.disconnected(d)
	}
	return err
}

// confirm asks, unless that was answered on the command line.
func (c *disconnectCommand) confirm(ctx context.Context, s *screen, a *asker) error {
	if c.Yes {
		return nil
	}
	what := "revoke its tokens"
	if c.DeleteSecret {
		what = "revoke its tokens, delete its secret"
	}
	answer, err := a.ask(ctx, fmt.Sprintf("Disconnect %s, %s? [y/N]", c.Name, what))
	switch {
	case errors.Is(err, errNoAnswer):
		return &usageError{"disconnect asks first: answer y on standard input, or give --yes"}
	case err != nil:
		return err
	case !strings.EqualFold(answer, "y") && !strings.EqualFold(answer, "yes"):
		fmt.Fprintf(&s.err, "%s: not disconnected\n", c.Name)
		return errSaid
	}
	return nil
}

// disconnected prints what was taken away, and what was not.
func (s *screen) disconnected(d operate.Disconnected) {
	fmt.Fprintf(&s.out, "%s: disconnected (was %s)\n", d.Connection, d.Before)
	switch {
	case d.NotRevoked != nil:
		ends := ""
		if d.EndsAt != nil {
			ends = "; what there is ends by itself at " + d.EndsAt.Format(time.RFC3339)
		}
		fmt.Fprintf(&s.out, "  not revoked  %s: %s%s\n", d.NotRevoked.Type, d.NotRevoked.Message, ends)
	case d.Revoked == reltioauth.HintRefreshToken:
		fmt.Fprintln(&s.out, "  revoked      the refresh token, and its access token with it")
	case d.Revoked == reltioauth.HintAccessToken:
		fmt.Fprintln(&s.out, "  revoked      the access token")
	default:
		fmt.Fprintln(&s.out, "  revoked      nothing: there was no token")
	}
	switch {
	case d.SecretDeleted:
		fmt.Fprintln(&s.out, "  secret       deleted; it can be restored for seven days")
	case d.GrantType == "":
		fmt.Fprintln(&s.out, "  secret       as it was: missing or malformed")
	case d.GrantType == connection.AuthorizationCode:
		fmt.Fprintf(&s.out, "  secret       kept: reltio-tokens connect %s begins anew\n", d.Connection)
	default:
		fmt.Fprintln(&s.out, "  secret       kept: whoever asks for a token next logs in anew; --delete-secret ends that")
	}
}
