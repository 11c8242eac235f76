package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"time"
	"unicode"

	"github.com/reltio-tokens/reltio-tokens/internal/operator"
)

// browserTime is how long a browser is watched for a failure to start.
const browserTime = 2 * time.Second

type connectCommand struct {
	Name        string `arg:"" help:"The connection."`
	Open        bool   `help:"Open the link in the browser of this machine."`
	For         string `placeholder:"MAIL" help:"Print a text with the link, to be sent to this person."`
	ReplaceUser bool   `help:"Let another user than the first one connect it."`
	JSON        bool   `name:"json" help:"Print JSON."`

	RefreshToken string    `placeholder:"-" help:"Read a refresh token from standard input (-), try it once, and store it: no link, no person."`
	LoggedInAt   time.Time `placeholder:"TIME" help:"When the login was that gave the refresh token, like 2026-11-23T17:00:00Z: its 28 days count from there. Default: now."`
}

// Validate refuses flags that do not go together. A refresh token is never one.
func (c *connectCommand) Validate() error {
	switch {
	case c.RefreshToken != "" && c.RefreshToken != "-":
		return errors.New("--refresh-token is read from standard input: give -")
	case c.RefreshToken != "" && c.Open:
		return errors.New("--open is for a link, --refresh-token makes none: give one of them")
	case c.For != "" && (c.RefreshToken != "" || c.JSON):
		return errors.New("--for prints a text with a link: give neither --refresh-token nor --json beside it")
	case strings.ContainsFunc(c.For, unicode.IsControl):
		return errors.New("--for must be a mail address or a name")
	case c.RefreshToken == "" && !c.LoggedInAt.IsZero():
		return errors.New("--logged-in-at belongs to --refresh-token")
	}
	return nil
}

// talks implements talking.
func (*connectCommand) talks() {}

// Run makes the link for a person, or connects by a refresh token.
func (c *connectCommand) Run(ctx context.Context, w *wiring, s *screen, a *asker) error {
	if c.RefreshToken != "" {
		return c.handOver(ctx, w, s, a)
	}
	ctx, cancel := w.bounded(ctx)
	defer cancel()
	if err := w.globals.callback(); err != nil {
		return err
	}
	o, err := w.stores(ctx)
	if err != nil {
		return err
	}
	invited, err := o.Connect(ctx, c.Name, c.ReplaceUser)
	if err != nil {
		return err
	}
	if c.JSON {
		err = s.json(invited)
	} else {
		s.invited(invited, w.now())
		s.letter(invited, c.For)
	}
	if err != nil || !c.Open {
		return err
	}
	if err := openBrowser(ctx, runtime.GOOS, invited.Link.Reveal()); err != nil {
		fmt.Fprintf(&s.err, "warning: no browser could be opened (%v): open the link yourself\n", err)
	}
	return nil
}

// openBrowser opens a link in the system's browser, which keeps running when the
// command ends. While it starts, other programs of this user can see the link
// among its arguments.
func openBrowser(ctx context.Context, system, link string) error {
	name, args := "xdg-open", []string{link}
	switch system {
	case "darwin":
		name = "open"
	case "windows":
		name, args = "rundll32", []string{"url.dll,FileProtocolHandler", link}
	}
	browser := exec.CommandContext(context.WithoutCancel(ctx), name, args...) //nolint:gosec // our own link, after a fixed name
	if err := browser.Start(); err != nil {
		return fmt.Errorf("%s cannot be started", name) // without the link
	}
	ended := make(chan error, 1)
	go func() { ended <- browser.Wait() }()
	timer := time.NewTimer(browserTime)
	defer timer.Stop()
	select {
	case err := <-ended:
		if failure := (*exec.ExitError)(nil); errors.As(err, &failure) {
			return fmt.Errorf("%s ended with %d", name, failure.ExitCode())
		}
		return err
	case <-timer.C:
		return nil
	}
}

// invited prints a link and its deadline.
func (s *screen) invited(i operator.Invited, now time.Time) {
	fmt.Fprintf(&s.out, "connection  %s\nlink        %s\nexpires     %s (in %s); it works once\n",
		i.Connection, i.Link.Reveal(), i.ExpiresAt.Format(time.RFC3339), span(i.ExpiresAt.Sub(now).Round(time.Minute)))
}

// letter prints a text that can be sent to the person who is to log in.
func (s *screen) letter(i operator.Invited, to string) {
	if to == "" {
		return
	}
	fmt.Fprintf(&s.out, `
To: %s
Subject: Please connect %s to Reltio

The connection %s needs your login at Reltio. Please open this link, check that the page
names this connection, and log in:

%s

The link works once, until %s. It is for you alone: please do not pass it on.
`, to, i.Connection, i.Connection, i.Link.Reveal(), i.ExpiresAt.Format("2 January 2006, 15:04 UTC"))
}
