package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/operator"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueapi"
)

// screen is where a command prints: results on out, the rest on err. It is shown
// when the command has ended, so that a command that fails prints no partial
// result.
type screen struct {
	out, err bytes.Buffer
	colour   bool
	// again is the command line that was used, for the commands that texts name.
	again again
}

// coloured reports whether the file is a terminal that shows colours.
func coloured(f *os.File, getenv func(string) string) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && getenv("NO_COLOR") == "" && getenv("TERM") != "dumb"
}

// json prints a value, indented.
func (s *screen) json(value any) error {
	e := json.NewEncoder(&s.out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(value); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	return nil
}

// token prints only the token on out, and its warnings on err.
func (s *screen) token(a issueapi.Response) {
	fmt.Fprintln(&s.out, a.AccessToken)
	for _, warning := range a.Warnings {
		fmt.Fprintln(&s.err, "warning:", warning)
	}
}

// issued prints a token's details.
func (s *screen) issued(a issueapi.Response, needed time.Duration) {
	life := fmt.Sprintf("%s left, until %s", time.Duration(a.ExpiresIn)*time.Second, a.ExpiresAt)
	if needed > 0 && !a.MinTTLMet {
		life += fmt.Sprintf(" (less than %s)", needed)
	}
	warnings := "none"
	if len(a.Warnings) > 0 {
		warnings = strings.ReplaceAll(strings.Trim(fmt.Sprint(a.Warnings), "[]"), " ", ", ")
	}
	fmt.Fprintf(&s.out, "connection   %s\nfingerprint  %s\nlife         %s\nversion      %d\noutcome      %s\nwarnings     %s\n",
		a.Connection, a.Fingerprint, life, a.Version, a.Outcome, warnings)
	for _, place := range [][2]string{{"api_url", a.APIURL}, {"tenant_id", a.TenantID}} {
		if place[1] != "" {
			fmt.Fprintf(&s.out, "%-11s  %s\n", place[0], place[1])
		}
	}
}

// rotated prints the result of a renewal. One that should have given a token and
// did not is a failure.
func (s *screen) rotated(name string, r rotateapi.Result) error {
	outcome := rotateapi.LeftOver
	if r.Outcome != nil {
		outcome = *r.Outcome
	}
	if r.Error != nil {
		fmt.Fprintf(&s.err, "%s: %s: %v\n%s", name, outcome, r.Fault(), hint(r.Fault()))
		return errSaid
	}
	switch outcome {
	case rotateapi.Renewed:
		fmt.Fprintf(&s.out, "%s: renewed\n", name)
	case rotateapi.Unchanged:
		fmt.Fprintf(&s.out, "%s: unchanged: it was not due, or Reltio gave the same token again\n", name)
	case rotateapi.Contended:
		fmt.Fprintf(&s.err, "%s: contended: it is being renewed at this moment\n", name)
		return errSaid
	default:
		fmt.Fprintf(&s.err, "%s: %s: nothing was asked of Reltio; the next tick tries again\n", name, outcome)
		return errSaid
	}
	return nil
}

// checked prints the result of a check of a secret.
func (s *screen) checked(c operator.Checked) {
	if c.OK {
		fmt.Fprintf(&s.out, "%s: ok\n", c.Connection)
	} else {
		fmt.Fprintf(&s.out, "%s: not usable\n", c.Connection)
		for _, problem := range c.Problems {
			fmt.Fprintf(&s.out, "  problem     %s\n", problem)
		}
		if c.Server != nil {
			fmt.Fprintf(&s.out, "  problem     server: %s\n  do          %s\n", c.Server, c.Server.Do)
		}
	}
	if c.GrantType != "" {
		fmt.Fprintf(&s.out, "  grant type  %s\n  host        %s\n", c.GrantType, c.Host)
	}
	if c.ParkedSince != nil {
		fmt.Fprintf(&s.out, "  parked      since %s: Secrets Manager does not take its refresh token, doctor says what to do\n", c.ParkedSince.Format(time.RFC3339))
	}
	if c.Account == nil {
		return
	}
	holder := "of nobody yet"
	switch c.Account.HeldBy {
	case "":
	case c.Connection:
		holder = "of this connection"
	default:
		holder = "of connection " + c.Account.HeldBy
	}
	fmt.Fprintf(&s.out, "  account     account#%s, %s\n  refused     %d logins with these credentials\n",
		c.Account.ID, holder, c.Account.RefusedLogins)
}

func (s *screen) paused(c operator.Change) {
	if !c.Changed {
		fmt.Fprintf(&s.out, "%s: is paused already\n", c.Connection)
		return
	}
	served := "it has no living token to hand out"
	if c.ExpiresIn != nil {
		served = fmt.Sprintf("its token is handed out for another %s", span(time.Duration(*c.ExpiresIn)*time.Second))
	}
	fmt.Fprintf(&s.out, "%s: paused (was %s); %s\n", c.Connection, c.Before, served)
}

func (s *screen) unpaused(c operator.Change) {
	if c.Changed {
		fmt.Fprintf(&s.out, "%s: in service again, due now\n", c.Connection)
		return
	}
	fmt.Fprintf(&s.out, "%s: is not paused (%s)\n", c.Connection, c.Status)
}

func (s *screen) resumed(c operator.Change) {
	switch {
	case c.Changed:
		fmt.Fprintf(&s.out, "%s: resumed (%s); the next tick tries it\n", c.Connection, c.Status)
	case c.Status == grant.StatusOK:
		fmt.Fprintf(&s.out, "%s: is healthy; refused logins, if there were any, are forgotten\n", c.Connection)
	default:
		fmt.Fprintf(&s.out, "%s: was not used yet; refused logins, if there were any, are forgotten\n", c.Connection)
	}
}

func (s *screen) resumedAll(changes []operator.Change, err error) {
	for _, c := range changes {
		s.resumed(c)
	}
	if len(changes) == 0 && err == nil {
		fmt.Fprintln(&s.out, "no connection waits or fails")
	}
}
