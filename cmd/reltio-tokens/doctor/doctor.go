// Package doctor checks whether an installation can work, and says what to do
// where it cannot.
//
//	d := &doctor.Doctor{Operator: operator, Lambda: client, AWS: account, Now: time.Now, ...}
//	report := d.Examine(ctx)
//	for _, f := range report.Findings { fmt.Println(f.Level, f.Check, f.What, f.Do) }
//
// It changes nothing: it reads, describes, invokes functions as a dry run, and
// requests pages from the authorization servers and the callback, without
// credentials. (With FirstDay it asks rotate for a sweep too.) It checks from the machine that it runs on and with the operator's
// permissions; the functions have their own.
//
// Examine blocks on the network, each check for a bounded time, and ends with its
// context. A check that fails is a finding, and the others continue; a check that
// cannot be made is a finding too. Findings hold names, error codes, fixed texts
// and an authorization server's description of a refusal, redacted as it is
// stored: no secret, and no other text of a server.
package doctor

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/smithy-go"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/operator"
)

const (
	// checkTime bounds each check that is not about every connection.
	checkTime = 15 * time.Second
	// connectionsTime bounds each of the two that are, if the caller's context has
	// no deadline.
	connectionsTime = time.Minute
	// atOnce is how many keys are looked up at a time.
	atOnce = operator.Readers
)

// most is most of the time that the context has, or connectionsTime.
func most(ctx context.Context, now time.Time) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return connectionsTime
	}
	return max(0, deadline.Sub(now)*3/4)
}

// Level says how a check ended.
type Level string

// The levels.
const (
	OK Level = "ok"
	// Warning: it works, and an operator should look at it.
	Warning Level = "warning"
	Failed  Level = "failed"
	// Skipped: it could not be checked here; What says why.
	Skipped Level = "skipped"
)

// Finding is what one check found.
type Finding struct {
	// Check names the check.
	Check string `json:"check"`
	Level Level  `json:"level"`
	What  string `json:"what"`
	// Do is what to do about it; empty if nothing is to be done.
	Do string `json:"do"`
}

// Report is the findings of all checks.
type Report struct {
	At time.Time `json:"at"`
	// OK says that nothing failed; there may be warnings.
	OK bool `json:"ok"`
	// NeedsSomebody says that a connection does not recover by itself.
	NeedsSomebody bool `json:"needs_somebody"`

	Findings []Finding `json:"findings"`
}

// NewReport makes a report of findings.
func NewReport(at time.Time, findings ...Finding) Report {
	failed := slices.ContainsFunc(findings, func(f Finding) bool { return f.Level == Failed })
	return Report{At: at.UTC().Truncate(time.Second), OK: !failed, Findings: findings}
}

// Operator is the part of operator.Service that is needed here.
type Operator interface {
	About(ctx context.Context) (operator.About, error)
	Survey(ctx context.Context) (operator.Survey, error)
}

// Doctor examines one installation. It keeps no state.
type Doctor struct {
	// Operator reads the connections. Required.
	Operator Operator
	// Lambda invokes the functions, whose names are as for an invocation: a name
	// or an ARN, with or without an alias. Required.
	Lambda                        *lambda.Client
	IssueFunction, RotateFunction string
	// AWS is the part of an installation that is only on AWS; nil for the local
	// stack, for which its checks are skipped.
	AWS *AWS
	// FirstDay adds the checks of the first day on AWS. One of them asks rotate for a
	// sweep, as each tick of the schedule does.
	FirstDay bool
	Now      func() time.Time
}

// AWS is the part of an installation that the local stack does not have.
type AWS struct {
	Database *dynamodb.Client
	Table    string
	Secrets  Keys
	// SecretPrefix is the value that the functions' environments must have.
	SecretPrefix string
	Scheduler    *scheduler.Client
	// Query asks the services that watch the stack; nil: they are not asked.
	Query *Query
	// CallbackFunction is empty if it is unknown.
	CallbackFunction string
	// Stack is the stack that the names come from; nil if they come from flags or
	// the environment.
	Stack *Stack
}

// Keys says which keys encrypt secrets.
type Keys interface {
	// ConnectionKey names the key of a connection's secret; "" for the AWS
	// account's own.
	ConnectionKey(ctx context.Context, name string) (string, error)
	// List names the connections that have a secret.
	List(ctx context.Context) ([]string, error)
}

// examination is one run of all checks.
type examination struct {
	*Doctor

	findings []Finding
	about    operator.About
	// survey is what was read of all connections; nil if they could not be read.
	// connections is its report.
	survey      *operator.Survey
	connections *operator.Report
	// needsSomebody: a connection does not recover by itself.
	needsSomebody bool
	// notLookedAt counts the connections for which no time was left.
	notLookedAt int
	// skews are how far other clocks are ahead of this machine's.
	skews []skew
	pages *http.Client
}

// Examine makes all checks, one after the other.
func (d *Doctor) Examine(ctx context.Context) Report {
	e := &examination{Doctor: d, pages: browser()}
	for _, check := range e.checks() {
		limit := check.time
		if limit == 0 {
			limit = most(ctx, d.Now())
		}
		bounded, cancel := context.WithTimeout(ctx, limit)
		check.run(bounded)
		cancel()
	}
	r := NewReport(d.Now(), e.findings...)
	r.NeedsSomebody = e.needsSomebody
	return r
}

// part is one of the checks, or several of one kind.
type part struct {
	run  func(context.Context)
	time time.Duration // 0: most of the time that is left
}

// checks are all checks, in their order.
func (e *examination) checks() []part {
	all := []part{
		{e.stack, checkTime},
		{e.table, checkTime},
		{e.reading, 0},
		{e.invoking, checkTime},
		{e.functions, checkTime},
		{e.hosts, checkTime},
		{e.callback, checkTime},
		{e.clock, checkTime},
		{e.schedule, checkTime},
		{e.alarms, checkTime},
		{e.failures, checkTime},
		{e.subscriptions, checkTime},
		{e.account, checkTime},
		{e.sweeps, checkTime},
		{e.eachConnection, 0},
	}
	if e.FirstDay {
		all = append(all, part{e.firstDay, 0})
	}
	return all
}

func (e *examination) found(check string, level Level, what, do string) {
	e.findings = append(e.findings, Finding{Check: check, Level: level, What: what, Do: do})
}

// refused adds a finding for a call that failed.
func (e *examination) refused(check, call string, err error) {
	e.found(check, Failed, call+": "+Reason(err), advice(err))
}

// Reason says why a call failed, by AWS's error code or with a fixed text.
func Reason(err error) string {
	var api smithy.APIError
	var known *apierr.Error
	switch {
	case errors.As(err, &known):
		return known.Error()
	case errors.As(err, &api):
		return api.ErrorCode()
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	default:
		return "no usable answer"
	}
}

// advice says what to do about a call that failed.
func advice(err error) string {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return "look at --region, --endpoint-url and this machine's network"
	}
	switch api.ErrorCode() {
	case "AccessDeniedException", "AccessDenied":
		return "use the operator's role: attach the policy of the output OperatorPolicyArn to it"
	case "ResourceNotFoundException":
		return "look at the names: --stack, --table, --issue-function, --rotate-function, --callback-function, --region"
	default:
		return "look at AWS's health and at --region"
	}
}
