package main

import (
	"cmp"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/operator"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
)

// none is the text of an empty cell.
const none = "-"

// statusColumn is the column with colours.
const statusColumn = 3

// table prints the health of connections, one line each; wide with the reason
// of a refusal.
func (s *screen) table(r operator.Report, wide bool) {
	rows := [][]string{{
		"CONNECTION", "GRANT TYPE", "MODES", "STATUS", "TOKEN LEFT", "REFRESH UNTIL", "NEXT DUE", "LAST ERROR",
	}}
	if wide {
		rows[0] = append(rows[0], "REASON", "SERVER SAID")
	}
	paint := []string{""}
	for _, state := range r.Connections {
		cells := row(state, r.At)
		if wide {
			cells = append(cells, refusal(state)...)
		}
		rows = append(rows, cells)
		paint = append(paint, colourOf(state))
	}
	s.rows(rows, paint)
}

// rows prints a table, the heading first. paint is the colour of each row's status;
// nil: there is none.
func (s *screen) rows(rows [][]string, paint []string) {
	widths := make([]int, len(rows[0]))
	for _, cells := range rows {
		for i, cell := range cells {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for i, cells := range rows {
		var line strings.Builder
		for j, cell := range cells {
			padded := fmt.Sprintf("%-*s  ", widths[j], cell)
			if j == statusColumn && s.colour && paint != nil && paint[i] != "" {
				padded = strings.Replace(padded, cell, paint[i]+cell+"\x1b[0m", 1)
			}
			line.WriteString(padded)
		}
		fmt.Fprintln(&s.out, strings.TrimRight(line.String(), " "))
	}
}

// row is one connection's line.
func row(s operator.State, now time.Time) []string {
	left, until, due := none, none, none
	if s.ExpiresIn != nil {
		left = span(time.Duration(*s.ExpiresIn) * time.Second)
	}
	if s.RefreshExpiresAt != nil {
		until = s.RefreshExpiresAt.Format("2006-01-02 15:04Z")
	}
	switch {
	case s.Status == operator.New:
		due = "when asked for"
	case s.NextDueAt != nil && s.NextDueAt.After(now):
		due = "in " + span(s.NextDueAt.Sub(now))
	case s.NextDueAt != nil:
		due = "now"
	}
	return []string{
		s.Connection, cmp.Or(string(s.GrantType), none), modes(s), string(s.Status),
		left, until, due, lastError(s),
	}
}

// refusal is why the server refused, and what it said.
func refusal(s operator.State) []string {
	if s.Refusal == nil {
		return []string{none, none}
	}
	return []string{s.Refusal.Reason.What(), cmp.Or(s.Refusal.Said(), none)}
}

// modes are the modes of refreshes and of logins; they are left out for a grant
// type that has no refreshes, or no logins of its own.
func modes(s operator.State) string {
	refresh, login := string(s.RefreshMode), string(s.LoginMode)
	switch s.GrantType {
	case connection.ClientCredentials:
		refresh = none
	case connection.AuthorizationCode:
		login = none
	}
	return cmp.Or(refresh, none) + "/" + cmp.Or(login, none)
}

// lastError is the present problem: the secret's error, or else the last
// renewal's.
func lastError(s operator.State) string {
	show := func(prefix string, e *rotateapi.Error) string {
		return strings.TrimSuffix(fmt.Sprintf("%s%s: %s", prefix, e.Type, e.Message), ": ")
	}
	switch {
	case s.NotLookedAt:
		return "not looked at: no time was left"
	case s.SecretError != nil:
		return show("secret: ", s.SecretError)
	case s.Unread != nil:
		return show("", s.Unread)
	case s.ParkedSince != nil && s.LastError != nil:
		return show("refresh token not stored: ", s.LastError)
	case s.ParkedSince != nil:
		return "refresh token not stored"
	case s.LastError != nil:
		return show("", s.LastError)
	default:
		return none
	}
}

// notRead says that some of the connections could not be read, which fails the
// command though the others are shown.
func (s *screen) notRead(r operator.Report) error {
	unread, late := 0, 0
	for _, state := range r.Connections {
		if state.NotRead() {
			unread++
		}
		if state.NotLookedAt {
			late++
		}
	}
	fmt.Fprintf(&s.err, "reltio-tokens: %d of %d connections could not be read\n", unread, len(r.Connections))
	if late > 0 {
		fmt.Fprintf(&s.err, "  %d were not looked at: give it more time with --timeout\n", late)
	}
	return errSaid
}

// colourOf is the colour of a status: red if the connection needs an operator or
// a person, yellow if it fails, dim if it is paused or not in use.
func colourOf(s operator.State) string {
	switch {
	case s.NeedsSomebody:
		return "\x1b[31m"
	case s.Status == grant.StatusOK:
		return "\x1b[32m"
	case s.Status == grant.StatusPaused || s.Status == operator.New:
		return "\x1b[2m"
	default:
		return "\x1b[33m"
	}
}

// span is a length of time in a short form.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d < 2*day:
		return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
	default:
		return fmt.Sprintf("%dd", d/day)
	}
}
