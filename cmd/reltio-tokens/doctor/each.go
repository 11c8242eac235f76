package doctor

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/operator"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
)

// maxVersions is how many versions a secret may get in a day. Secrets Manager
// removes versions beyond 100, but none that is younger than a day, and refuses
// to write when there are too many.
const maxVersions = 100

// eachConnection has a finding for every connection, several looked at at a time.
func (e *examination) eachConnection(ctx context.Context) {
	if e.survey == nil {
		e.unread(ctx)
		return
	}
	rows := make([]*examination, len(e.survey.Connections))
	var running sync.WaitGroup
	free := make(chan struct{}, atOnce)
	for i, c := range e.survey.Connections {
		rows[i] = &examination{Doctor: e.Doctor, connections: e.connections}
		free <- struct{}{}
		running.Go(func() {
			rows[i].connection(ctx, c)
			rows[i].unstored(c.State)
			rows[i].unsent(c.State)
			<-free
		})
	}
	running.Wait()
	for _, row := range rows {
		e.findings = append(e.findings, row.findings...)
		e.notLookedAt += row.notLookedAt
		e.needsSomebody = e.needsSomebody || row.needsSomebody
	}
	if e.notLookedAt > 0 {
		e.found("connections", Warning, fmt.Sprintf("%d of %s were not looked at: no time was left", e.notLookedAt, count(len(rows), "connection")),
			"give it more time with --timeout")
	}
	for _, names := range e.connections.SharedClients() {
		e.found("shared client", OK, strings.Join(names, ", ")+" share one: what ends the token of one ends it for all", "")
	}
}

// readable adds a finding for a connection of which something could not be read, and
// reports whether the others follow.
func (e *examination) readable(ctx context.Context, c operator.Surveyed) bool {
	s, check := c.State, "connection "+c.State.Connection
	switch {
	case s.NotLookedAt:
		e.notLookedAt++
	case s.SecretError != nil && s.SecretError.Type == apierr.UnknownConnection:
		what := "its secret is missing"
		if s.SecretMissingSince != nil {
			what += ", since " + s.SecretMissingSince.Format(time.RFC3339)
		}
		e.found(check, Warning, what, "restore the secret: the refresh token is kept for it; or reltio-tokens disconnect "+s.Connection)
	case s.SecretError != nil && s.SecretError.Type == apierr.StoreUnavailable:
		if k, err := e.key(ctx, s.Connection); err == nil && k == strange {
			e.strangeKey(s.Connection)
			break
		}
		e.found(check, Failed, "its secret: "+said(s.SecretError), "look at its key and its resource policy, and at these AWS credentials")
	case s.Unread != nil:
		e.found(check, Failed, "its items of the table: "+said(s.Unread), "look at the table, and at these AWS credentials")
	case c.Checked == nil:
		e.notLookedAt++
	default:
		return true
	}
	return false
}

func said(e *rotateapi.Error) string {
	return strings.TrimSuffix(string(e.Type)+": "+e.Message, ": ")
}

func (e *examination) connection(ctx context.Context, c operator.Surveyed) {
	if !e.readable(ctx, c) {
		return
	}
	s, checked, check := c.State, *c.Checked, "connection "+c.State.Connection
	if len(checked.Problems) > 0 {
		e.found(check, Failed, strings.Join(checked.Problems, "; "), "reltio-tokens add "+s.Connection+" --force writes another secret")
		return
	}
	if ctx.Err() != nil {
		e.notLookedAt++
		return
	}
	k, err := e.key(ctx, s.Connection)
	switch {
	case err != nil && ctx.Err() != nil:
		e.notLookedAt++
	case err != nil:
		e.refused(check, "its secret's key", err)
	case k == strange:
		e.strangeKey(s.Connection)
	case s.Trouble(e.connections.At).NeedsAttention(), checked.Server != nil:
		e.trouble(s, checked)
	case k == accounts:
		e.found(check, Warning, "its secret is encrypted with another key than the stack's", doMoveKey)
	case s.SecretVersionsADay > maxVersions:
		e.found(check, Warning, fmt.Sprintf("writes about %d versions of its grant's secret a day: Secrets Manager keeps all of a day, and refuses more than about %d", s.SecretVersionsADay, maxVersions),
			"docs/operations.md, Short tokens that rotate")
	default:
		e.found(check, OK, fmt.Sprintf("%s, %s", s.GrantType, withError(string(s.Status), s)), "")
	}
}

// unstored adds a finding for a refresh token that is only in the table.
func (e *examination) unstored(s operator.State) {
	if s.ParkedSince == nil {
		return
	}
	what := "is in the table alone since " + s.ParkedSince.Format(time.RFC3339) + ", because Secrets Manager does not take it"
	e.found("refresh token "+s.Connection, Warning, withError(what, s),
		"docs/operations.md, unstored: look at the policy of the key, at secretsmanager:PutSecretValue on grants/"+s.Connection+", and at the number of its versions")
}

// unsent adds a finding for events that the bus does not take.
func (e *examination) unsent(s operator.State) {
	if len(s.UnsentEvents) == 0 {
		return
	}
	e.found("events "+s.Connection, Warning, "could not be sent: "+strings.Join(s.UnsentEvents, ", "),
		"docs/operations.md, EventBridge does not take events: look at EVENT_BUS_NAME, and at events:PutEvents on that bus")
}

// trouble adds a finding for a connection that does not recover by itself, or has
// failed for long: the server's refusal, and what to do first.
func (e *examination) trouble(s operator.State, checked operator.Checked) {
	e.needsSomebody = true
	what := "is refused"
	switch {
	case s.NeedsSomebody, s.Trouble(e.connections.At) == operator.TroublePerson:
		what = "waits for somebody"
	case s.FailingForLong(e.connections.At) && s.FailingSince == nil:
		what = "fails, and never had a token"
	case s.FailingForLong(e.connections.At):
		what = "has been failing for " + span(e.connections.At.Sub(*s.FailingSince))
	}
	refusal := s.Refusal
	if checked.Server != nil {
		refusal = checked.Server
	}
	do := "docs/operations.md, waiting"
	switch {
	case s.Trouble(e.connections.At) == operator.TroublePerson:
		do = "reltio-tokens connect " + s.Connection + " makes a link for the person"
	case refusal != nil && refusal.Do != "":
		do = refusal.Do
	}
	what += ": " + string(s.Status)
	if refusal != nil {
		what += ": " + refusal.String()
	} else {
		what = withError(what, s)
	}
	e.found("connection "+s.Connection, Warning, what, do)
}

// withError is a text followed by the last error, if there is one.
func withError(text string, s operator.State) string {
	if s.LastError == nil {
		return text
	}
	return text + ": " + said(s.LastError)
}

// span is a length of time in minutes or hours.
func span(d time.Duration) string {
	if d < 2*time.Hour {
		return count(int(d/time.Minute), "minute")
	}
	return count(int(d/time.Hour), "hour")
}
