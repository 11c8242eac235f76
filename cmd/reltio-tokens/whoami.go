package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/reltio-tokens/reltio-tokens/internal/operator"
)

type whoAmICommand struct {
	Name string `arg:"" help:"The connection."`
	JSON bool   `name:"json" help:"Print JSON."`
}

// Run asks Reltio about the connection's token.
func (c *whoAmICommand) Run(ctx context.Context, w *wiring, s *screen) error {
	o, err := w.stores(ctx)
	if err != nil {
		return err
	}
	who, err := o.WhoAmI(ctx, c.Name)
	switch {
	case err != nil:
		return err
	case c.JSON:
		err = s.json(who)
	default:
		s.whoAmI(who)
	}
	if err == nil && !who.Active {
		return errSaid
	}
	return err
}

// whoAmI prints what Reltio says of a token.
func (s *screen) whoAmI(who operator.WhoAmI) {
	if !who.Active {
		fmt.Fprintf(&s.err, "%s: Reltio calls its token invalid. Callers who report it get another one; \"reltio-tokens rotate --force %s\" renews it now.\n", who.Connection, who.Connection)
		return
	}
	line := func(name string, values ...string) {
		text := strings.Join(values, ", ")
		if text == "" {
			text = "-"
		}
		fmt.Fprintf(&s.out, "%-11s  %s\n", name, text)
	}
	line("connection", who.Connection)
	line("user", who.User)
	line("email", who.Email)
	line("customer", who.Customer)
	line("client", who.ClientID)
	line("tenants", who.Tenants...)
	line("roles", who.Roles...)
	line("scopes", who.Scopes...)
	ends := ""
	if who.ExpiresAt != nil {
		ends = who.ExpiresAt.UTC().Format("2006-01-02 15:04:05 MST")
	}
	line("ends", ends)
	line("fingerprint", who.Fingerprint)
}
