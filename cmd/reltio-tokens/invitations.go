package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/operator"
)

type invitationsCommand struct {
	Name     string `arg:"" optional:"" help:"The connection; without one, all connections."`
	ID       string `name:"id" placeholder:"ID" help:"Only the invitation with this ID, as the list shows it."`
	Withdraw bool   `help:"Withdraw the connection's links: none works any more."`
	JSON     bool   `name:"json" help:"Print JSON."`
}

// Help implements kong.HelpProvider.
func (*invitationsCommand) Help() string {
	return "Examples:\n  reltio-tokens --stack reltio-tokens invitations\n  reltio-tokens --stack reltio-tokens invitations acme-prod --withdraw"
}

// Validate requires a name for a withdrawal.
func (c *invitationsCommand) Validate() error {
	if c.Withdraw && c.Name == "" {
		return errors.New("--withdraw needs the name of a connection")
	}
	return nil
}

// Run lists or withdraws open invitations.
func (c *invitationsCommand) Run(ctx context.Context, w *wiring, s *screen) error {
	o, err := w.stores(ctx)
	if err != nil {
		return err
	}
	found, err := o.Invitations(ctx, operator.InvitationsRequest{Connection: c.Name, ID: c.ID, Withdraw: c.Withdraw})
	switch {
	case err != nil:
		return err
	case c.JSON:
		return s.json(found)
	case c.Withdraw:
		s.withdrawn(c.Name, found)
	default:
		s.invitations(found, w.now())
	}
	return nil
}

// invitations prints open invitations, one line each.
func (s *screen) invitations(open []operator.OpenInvitation, now time.Time) {
	if len(open) == 0 {
		fmt.Fprintln(&s.out, "no open invitation")
		return
	}
	rows := [][]string{{"CONNECTION", "ID", "EXPIRES", "USER"}}
	for _, i := range open {
		rows = append(rows, []string{
			i.Connection, i.ID, fmt.Sprintf("%s (in %s)", i.ExpiresAt.Format(time.RFC3339), span(i.ExpiresAt.Sub(now).Round(time.Second))), whichUser(i),
		})
	}
	s.rows(rows, nil)
	fmt.Fprintln(&s.out, "reltio-tokens invitations NAME --withdraw withdraws those of a connection; --id ID one of them")
}

// whichUser is who may log in with the link.
func whichUser(i operator.OpenInvitation) string {
	if i.ReplaceUser {
		return "any, replaces the present one"
	}
	return "the present one, or the first"
}

// withdrawn prints what was withdrawn.
func (s *screen) withdrawn(name string, links []operator.OpenInvitation) {
	if len(links) == 0 {
		fmt.Fprintf(&s.out, "%s: no open invitation\n", name)
		return
	}
	for _, i := range links {
		fmt.Fprintf(&s.out, "%s: withdrew %s; its link does not work any more\n", i.Connection, i.ID)
	}
}
