// Package doctor looks whether an installation can work, and says what to do
// where it cannot.
//
//	d := &doctor.Doctor{Operator: operator, Lambda: client, AWS: account, Now: time.Now, ...}
//	report := d.Examine(ctx)
//	for _, f := range report.Findings { fmt.Println(f.Level, f.Check, f.What, f.Do) }
//
// It changes nothing: it reads, describes, invokes functions as a dry run, and
// asks the authorization servers and the callback for a page, without
// credentials. What it sees, it sees from the machine that it runs on and with
// the operator's permissions; the functions have their own.
//
// Examine blocks on the network, each check for a bounded time, and ends with
// its context. A check that fails is a finding, and the others go on; one that
// cannot be made is a finding too. Findings hold names, error codes, fixed words
// and an authorization server's description of a refusal, redacted as it is
// stored: nothing secret, and no other text that a server sent.
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

// checkTime bounds each check; one of many connections takes longer.
const (
	checkTime       = 15 * time.Second
	connectionsTime = time.Minute
)

// Level says how a check ended.
type Level string

// The levels.
const (
	OK Level = "ok"
	// Warning: it works, and somebody should look.
	Warning Level = "warning"
	Failed  Level = "failed"
	// Skipped: it could not be checked here; What says why.
	Skipped Level = "skipped"
)

// Finding is what one check found.
type Finding struct {
	// Check names what was looked at.
	Check string `json:"check"`
	Level Level  `json:"level"`
	What  string `json:"what"`
	// Do is what to do about it; empty where nothing is to be done.
	Do string `json:"do"`
}

// Report is what all checks found.
type Report struct {
	At time.Time `json:"at"`
	// OK says that nothing failed; there may be warnings.
	OK       bool      `json:"ok"`
	Findings []Finding `json:"findings"`
}

// NewReport makes a report of findings.
func NewReport(at time.Time, findings ...Finding) Report {
	failed := slices.ContainsFunc(findings, func(f Finding) bool { return f.Level == Failed })
	return Report{At: at.UTC().Truncate(time.Second), OK: !failed, Findings: findings}
}

// Operator is operator.Operator, as far as it is needed here.
type Operator interface {
	About(ctx context.Context) (operator.About, error)
	Status(ctx context.Context, names ...string) (operator.Report, error)
	Check(ctx context.Context, name string) (operator.Checked, error)
}

// Doctor examines one installation. It keeps no state.
type Doctor struct {
	// Operator reads the connections. Required.
	Operator Operator
	// Lambda reaches the functions, which are named as for an invocation: a
	// name or an ARN, with an alias or without. Required.
	Lambda                        *lambda.Client
	IssueFunction, RotateFunction string
	// AWS is what there is on AWS alone; nil for the local stack, of which all
	// that is skipped.
	AWS *AWS
	Now func() time.Time
}

// AWS is the part of an installation that the local stack has not.
type AWS struct {
	Database *dynamodb.Client
	Table    string
	Secrets  Keys
	// SecretPrefix is what the functions have to be told.
	SecretPrefix string
	Scheduler    *scheduler.Client
	// CallbackFunction is empty if nobody said it.
	CallbackFunction string
	// Stack is the one that the names were taken from; nil if they came from
	// flags or the environment.
	Stack *Stack
}

// Keys tell what secrets are encrypted with.
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
	// connections are nil if they could not be read.
	connections *operator.Report
	// skews are by how much others' clocks are ahead of ours.
	skews []skew
	pages *http.Client
}

// Examine makes all checks, one after the other.
func (d *Doctor) Examine(ctx context.Context) Report {
	e := &examination{Doctor: d, pages: browser()}
	for _, check := range []struct {
		run  func(context.Context)
		time time.Duration
	}{
		{e.stack, checkTime},
		{e.table, checkTime},
		{e.reading, connectionsTime},
		{e.invoking, checkTime},
		{e.functions, checkTime},
		{e.hosts, checkTime},
		{e.callback, checkTime},
		{e.clock, checkTime},
		{e.schedule, checkTime},
		{e.sweeps, checkTime},
		{e.eachConnection, connectionsTime},
	} {
		bounded, cancel := context.WithTimeout(ctx, check.time)
		check.run(bounded)
		cancel()
	}
	return NewReport(d.Now(), e.findings...)
}

func (e *examination) found(check string, level Level, what, do string) {
	e.findings = append(e.findings, Finding{Check: check, Level: level, What: what, Do: do})
}

// refused is a call that failed.
func (e *examination) refused(check, call string, err error) {
	e.found(check, Failed, call+": "+Reason(err), advice(err))
}

// Reason says why a call failed, in AWS's error code or in fixed words.
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
