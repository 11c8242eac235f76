package main

import (
	"context"
	"fmt"

	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/operator"
)

type checkCommand struct {
	Name  string `arg:"" help:"The connection."`
	JSON  bool   `name:"json" help:"Print JSON."`
	Login bool   `help:"Try the credentials with one login, after asking: it is counted, and its tokens replace the present ones."`
	Yes   bool   `short:"y" help:"Do not ask before --login."`
}

// talks implements talking.
func (*checkCommand) talks() {}

// checkedLogin is the JSON of a check with a login; Login is null if none was sent.
type checkedLogin struct {
	operator.Checked

	Login *operator.Tried `json:"login"`
}

// Run validates a secret, and tries it if that is asked for.
func (c *checkCommand) Run(ctx context.Context, w *wiring, s *screen, a *asker) error {
	checked, err := c.check(ctx, w)
	if err != nil {
		return err
	}
	if c.Login && len(checked.Problems) == 0 {
		return c.login(ctx, w, s, a, checked)
	}
	switch {
	case !c.JSON:
		s.checked(checked)
	case c.Login:
		err = s.json(checkedLogin{Checked: checked})
	default:
		err = s.json(checked)
	}
	if err == nil && !checked.OK {
		return errSaid
	}
	return err
}

func (c *checkCommand) check(ctx context.Context, w *wiring) (operator.Checked, error) {
	ctx, cancel := w.bounded(ctx)
	defer cancel()
	o, err := w.stores(ctx)
	if err != nil {
		return operator.Checked{}, err
	}
	return o.Check(ctx, c.Name)
}

// login tries the credentials. Its result takes the place of the last refusal.
func (c *checkCommand) login(ctx context.Context, w *wiring, s *screen, a *asker, checked operator.Checked) error {
	if !c.Yes && checked.GrantType != connection.AuthorizationCode {
		if err := a.confirm(ctx, s, consent{of: "check --login", no: c.Name + ": not tried", text: loginQuestion(checked)}); err != nil {
			return err
		}
	}
	ctx, cancel := w.bounded(ctx)
	defer cancel()
	o, err := w.stores(ctx)
	if err != nil {
		return err
	}
	tried, err := o.TryLogin(ctx, c.Name)
	if err != nil {
		return err
	}
	checked.Server, checked.OK = tried.Server, tried.OK
	if tried.RefusedLogins != nil && checked.Account != nil {
		checked.Account.RefusedLogins, checked.Account.HeldBy = *tried.RefusedLogins, c.Name
	}
	if c.JSON {
		err = s.json(checkedLogin{Checked: checked, Login: &tried})
	} else {
		s.checked(checked)
		s.loggedIn(tried)
	}
	if err == nil && !tried.OK {
		return errSaid
	}
	return err
}

// loginQuestion says what one login risks.
func loginQuestion(c operator.Checked) string {
	counted := ""
	if c.Account != nil {
		counted = fmt.Sprintf(", counted (%d were refused)", c.Account.RefusedLogins)
	}
	return fmt.Sprintf("Send one login of %s to %s%s, and replace its tokens? [y/N]", c.Connection, c.Host, counted)
}

// loggedIn prints what the login gave.
func (s *screen) loggedIn(t operator.Tried) {
	if t.OK {
		fmt.Fprintln(&s.out, "  login       accepted; its tokens are stored")
		s.stored(t)
	}
}
