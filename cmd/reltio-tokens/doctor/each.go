package doctor

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/operator"
)

// maxVersions is how many versions a secret may get in a day. Secrets Manager
// removes versions beyond 100, but none that is younger than a day, and refuses
// to write when there are too many.
const maxVersions = 100

// eachConnection has a finding for every connection.
func (e *examination) eachConnection(ctx context.Context) {
	if e.connections == nil {
		e.unread(ctx)
		return
	}
	for _, s := range e.connections.Connections {
		e.connection(ctx, s)
		e.unstored(s)
		e.unsent(s)
	}
	for _, names := range e.connections.SharedClients() {
		e.found("shared client", OK, strings.Join(names, ", ")+" share one: what ends the token of one ends it for all", "")
	}
}

func (e *examination) connection(ctx context.Context, s operator.State) {
	check := "connection " + s.Connection
	checked, err := e.Operator.Check(ctx, s.Connection)
	switch {
	case err != nil && apierr.Of(err).Type == apierr.UnknownConnection:
		what := "its secret is missing"
		if s.SecretMissingSince != nil {
			what += ", since " + s.SecretMissingSince.Format(time.RFC3339)
		}
		e.found(check, Warning, what, "restore the secret: the refresh token is kept for it; or reltio-tokens disconnect "+s.Connection)
		return
	case err != nil:
		e.refused(check, "its secret", err)
		return
	case len(checked.Problems) > 0:
		e.found(check, Failed, strings.Join(checked.Problems, "; "), "reltio-tokens add "+s.Connection+" --force writes another secret")
		return
	}
	k, err := e.key(ctx, s.Connection)
	switch {
	case err != nil:
		e.refused(check, "its secret's key", err)
	case k == strange:
		e.strangeKey(s.Connection)
	case s.NeedsSomebody, checked.Server != nil, s.FailingForLong(e.connections.At):
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
	what := "is refused"
	switch {
	case s.NeedsSomebody:
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
	case s.Status == grant.StatusReauthorize:
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
	return text + ": " + strings.TrimSuffix(string(s.LastError.Type)+": "+s.LastError.Message, ": ")
}

// span is a length of time in minutes or hours.
func span(d time.Duration) string {
	if d < 2*time.Hour {
		return count(int(d/time.Minute), "minute")
	}
	return count(int(d/time.Hour), "hour")
}
