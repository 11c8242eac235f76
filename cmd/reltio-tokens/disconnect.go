package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/operator"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

type disconnectCommand struct {
	Name         string `arg:"" help:"The connection."`
	DeleteSecret bool   `help:"Delete its secret too; it can be restored for seven days."`
	Revoke       bool   `help:"Revoke its tokens though other connections share its client: they lose them too, and get others."`
	Yes          bool   `short:"y" help:"Do not ask."`
	JSON         bool   `name:"json" help:"Print JSON."`
}

// Help implements kong.HelpProvider.
func (*disconnectCommand) Help() string {
	return "Examples:\n  reltio-tokens --stack reltio-tokens disconnect acme-prod\n  reltio-tokens --stack reltio-tokens disconnect acme-prod --delete-secret --yes"
}

// talks implements talking.
func (*disconnectCommand) talks() {}

// Run disconnects.
func (c *disconnectCommand) Run(ctx context.Context, w *wiring, s *screen, a *asker) error {
	if !c.Yes {
		if err := c.confirm(ctx, w, s, a); err != nil {
			return err
		}
	}
	ctx, cancel := w.bounded(ctx)
	defer cancel()
	o, err := w.stores(ctx)
	if err != nil {
		return err
	}
	d, err := o.Disconnect(ctx, operator.DisconnectRequest{Connection: c.Name, DeleteSecret: c.DeleteSecret, Revoke: c.Revoke})
	switch {
	case err != nil:
		return err
	case c.JSON:
		return s.json(d)
	}
	s.disconnected(d)
	return nil
}

// confirm asks the operator, and lists the other connections that lose the token.
func (c *disconnectCommand) confirm(ctx context.Context, w *wiring, s *screen, a *asker) error {
	shared, err := c.sharing(ctx, w)
	if err != nil {
		return err
	}
	if len(shared) > 0 {
		a.tell(c.Name + " shares its client with " + strings.Join(shared, ", "))
	}
	return a.confirm(ctx, s, consent{of: "disconnect", no: c.Name + ": not disconnected", text: c.question(len(shared) > 0)})
}

// sharing names the connections that share the client.
func (c *disconnectCommand) sharing(ctx context.Context, w *wiring) ([]string, error) {
	ctx, cancel := w.bounded(ctx)
	defer cancel()
	o, err := w.stores(ctx)
	if err != nil {
		return nil, err
	}
	return o.Sharing(ctx, c.Name)
}

// question is the question about a connection that shares its client or does not.
func (c *disconnectCommand) question(shared bool) string {
	what := "revoke its tokens"
	if shared && !c.Revoke {
		what = "revoke nothing (--revoke does)"
	}
	if c.DeleteSecret {
		what += ", delete its secret"
	}
	return fmt.Sprintf("Disconnect %s, %s? [y/N]", c.Name, what)
}

// disconnected prints what was taken away, and what was not.
func (s *screen) disconnected(d operator.Disconnected) {
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
	if len(d.SharesClientWith) > 0 {
		fmt.Fprintf(&s.out, "  shared       its client, with %s\n", strings.Join(d.SharesClientWith, ", "))
	}
	if len(d.EndedFor) > 0 {
		fmt.Fprintf(&s.out, "  ended for    %s too: each gets another token\n", strings.Join(d.EndedFor, ", "))
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
	fmt.Fprintf(&s.out, "  callers      %s\n", afterDisconnect(d))
}

// afterDisconnect says what callers of issue get from now on.
func afterDisconnect(d operator.Disconnected) string {
	const first = "may get the token from memory for 30s, then UnknownConnection"
	switch {
	case d.SecretDeleted, d.GrantType == "":
		return first
	case d.GrantType == connection.AuthorizationCode:
		return first + " for up to 60s, then ReauthorizationRequired until a person connects it"
	default:
		return first + " for up to 60s, then the token of a new login"
	}
}
