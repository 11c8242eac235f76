package doctor

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"
)

// How long a grant may be due until that means that no sweep renews it.
const (
	warnOverdue = 2 * time.Minute
	failOverdue = 5 * time.Minute
)

// reading reads all connections. It lists and reads secrets, queries the index
// and gets items, so it finds out which of these the operator may not do.
func (e *examination) reading(ctx context.Context) {
	about, err := e.Operator.About(ctx)
	if err != nil {
		e.refused("reading", "the stack", err)
		return
	}
	e.about = about
	survey, err := e.Operator.Survey(ctx)
	if err != nil {
		e.refused("reading", "connections", err)
		return
	}
	report := survey.Report()
	e.survey, e.connections = &survey, &report
	unread := 0
	for _, s := range report.Connections {
		if s.NotRead() {
			unread++
		}
	}
	if unread > 0 {
		e.found("reading", Warning, fmt.Sprintf("%d of %s could not be read", unread, count(len(report.Connections), "connection")), "the findings about connections say which, and why")
		return
	}
	e.found("reading", OK, fmt.Sprintf("table and secrets can be read; %s", count(len(report.Connections), "connection")), "")
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// schedule checks whether the schedule invokes sweeps.
func (e *examination) schedule(ctx context.Context) {
	switch {
	case e.AWS == nil:
		e.found("schedule", Skipped, "the local stack ticks by itself", "")
		return
	case e.AWS.Stack == nil:
		e.found("schedule", Skipped, "which one it is, a stack says", "give --stack")
		return
	}
	out, err := e.AWS.Scheduler.ListSchedules(ctx, &scheduler.ListSchedulesInput{GroupName: aws.String(e.AWS.Stack.Name)})
	if err != nil {
		e.refused("schedule", "EventBridge Scheduler ListSchedules", err)
		return
	}
	for _, s := range out.Schedules {
		if s.State == types.ScheduleStateEnabled {
			e.found("schedule", OK, "is enabled", "")
			return
		}
	}
	e.found("schedule", Failed, "no schedule of the group "+e.AWS.Stack.Name+" is enabled: nothing is renewed ahead of time",
		"enable it in the console, or deploy the stack again")
}

// sweeps checks whether a grant has been due for longer than sweeps allow.
func (e *examination) sweeps(context.Context) {
	if e.connections == nil {
		e.found("sweeps", Skipped, "the connections could not be read", "")
		return
	}
	var oldest time.Duration
	for _, s := range e.connections.Connections {
		if s.NextDueAt != nil {
			oldest = max(oldest, e.connections.At.Sub(*s.NextDueAt))
		}
	}
	what := fmt.Sprintf("a renewal has been due for %s", oldest.Round(time.Second))
	switch {
	case oldest > failOverdue:
		e.found("sweeps", Failed, what, "docs/operations.md, sweep-stopped and overdue")
	case oldest > warnOverdue:
		e.found("sweeps", Warning, what, "docs/operations.md, sweep-stopped and overdue, if it goes on")
	default:
		e.found("sweeps", OK, "nothing is overdue", "")
	}
}

// unread says which secrets may be why reading failed: one secret under a key
// that the operator cannot use is enough.
func (e *examination) unread(ctx context.Context) {
	found := false
	for _, name := range e.listed(ctx) {
		if k, err := e.key(ctx, name); err == nil && k == strange {
			e.strangeKey(name)
			found = true
		}
	}
	if !found {
		e.found("connections", Skipped, "they could not be read", "")
	}
}

// listed are the connections that have a secret, if the stack is known.
func (e *examination) listed(ctx context.Context) []string {
	if e.AWS == nil || e.AWS.Stack == nil {
		return nil
	}
	names, err := e.AWS.Secrets.List(ctx)
	if err != nil {
		return nil // reported already by the check that reads connections
	}
	return names
}

// doMoveKey is what to do about a secret's key.
const doMoveKey = "docs/operations.md, A secret under another key"

func (e *examination) strangeKey(name string) {
	e.found("connection "+name, Failed, "its secret is encrypted with a key that the functions may not use", doMoveKey)
}

// whose says whose key a secret is encrypted with.
type whose int

const (
	// ours: the stack's key, or it is unknown.
	ours whose = iota
	// accounts: the AWS account's own key for Secrets Manager. Every user of the
	// account who may read the secret may use it.
	accounts
	// strange: any other key. The functions' roles may not use it.
	strange
)

// key finds the key of a connection's secret. The stack's key can be named by its
// ARN, its id, or the stack's alias.
func (e *examination) key(ctx context.Context, name string) (whose, error) {
	if e.AWS == nil || e.AWS.Stack == nil || e.AWS.Stack.KeyARN() == "" {
		return ours, nil
	}
	key, err := e.AWS.Secrets.ConnectionKey(ctx, name)
	if err != nil {
		return ours, err
	}
	arn, alias := e.AWS.Stack.KeyARN(), "alias/"+e.AWS.Stack.Name
	switch {
	case key == "", key == accountsAlias, strings.HasSuffix(key, ":"+accountsAlias):
		return accounts, nil
	case key == arn, strings.HasSuffix(arn, ":key/"+key), key == alias, strings.HasSuffix(key, ":"+alias):
		return ours, nil
	default:
		return strange, nil
	}
}

// accountsAlias names the AWS account's own key for Secrets Manager.
const accountsAlias = "alias/aws/secretsmanager"
