package doctor

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/reltio-tokens/reltio-tokens/internal/config"
)

// deployed is a function with its name in this account.
type deployed struct {
	name, id string
	// read is how the function reads its environment.
	read func(getenv func(string) string) error
}

func (e *examination) deployed() []deployed {
	callback := ""
	if e.AWS != nil {
		callback = e.AWS.CallbackFunction
	}
	return []deployed{
		{"issue", e.IssueFunction, func(getenv func(string) string) error { _, err := config.Issue(getenv); return err }},
		{"rotate", e.RotateFunction, func(getenv func(string) string) error { _, err := config.Rotate(getenv); return err }},
		{"callback", callback, func(getenv func(string) string) error { _, err := config.Callback(getenv); return err }},
	}
}

// invoking checks whether the operator may invoke issue and rotate, without
// invoking them.
func (e *examination) invoking(ctx context.Context) {
	for _, f := range e.deployed()[:2] {
		_, err := e.Lambda.Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String(f.id), InvocationType: types.InvocationTypeDryRun})
		if err != nil {
			e.refused("invoke "+f.name, "Lambda Invoke, as a dry run", err)
			continue
		}
		e.found("invoke "+f.name, OK, "may be invoked", "")
	}
}

// functions checks the functions' environments.
func (e *examination) functions(ctx context.Context) {
	if e.AWS == nil {
		e.found("functions", Skipped, "those of the local stack have no environment", "")
		return
	}
	for _, f := range e.deployed() {
		if f.id == "" {
			e.found("function "+f.name, Skipped, "its name is not known", "give --stack, or --"+f.name+"-function")
			continue
		}
		e.function(ctx, f)
	}
	e.concurrency(ctx)
}

func (e *examination) function(ctx context.Context, f deployed) {
	check := "function " + f.name
	out, err := e.Lambda.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: aws.String(f.id)})
	if err != nil {
		e.refused(check, "Lambda GetFunctionConfiguration", err)
		return
	}
	getenv := func(name string) string {
		if out.Environment == nil {
			return ""
		}
		return out.Environment.Variables[name]
	}
	switch err := f.read(getenv); {
	case out.State == types.StateFailed, out.LastUpdateStatus == types.LastUpdateStatusFailed:
		e.found(check, Failed, "Lambda could not make it ready", "look at it in the console, then deploy again")
	case err != nil:
		e.found(check, Failed, "does not start with its environment: "+err.Error(), "deploy the stack again")
	case getenv(config.TableName) != e.AWS.Table:
		e.found(check, Failed, "works on another table", "look at --table (TABLE_NAME), or deploy the stack again")
	case f.name != "issue" && getenv(config.SecretPrefix) != e.AWS.SecretPrefix:
		e.found(check, Failed, "reads other secrets", "look at --secret-prefix (SECRET_PREFIX), or deploy the stack again")
	case f.name != "issue" && !e.sameHosts(getenv):
		e.found(check, Warning, "has other AUTH_HOSTS: what `check` says of a secret's host does not hold for it", "give --stack, or --auth-hosts (AUTH_HOSTS) as the function has it")
	case f.name == "rotate" && getenv(config.CallbackBaseURL) == "" && e.needPerson():
		e.found(check, Warning, "has no CALLBACK_BASE_URL: its events carry no links", "deploy the stack again")
	default:
		e.found(check, OK, "starts with its environment", "")
	}
}

// sameHosts compares the function's hosts with the command's.
func (e *examination) sameHosts(getenv func(string) string) bool {
	c, err := config.Callback(getenv)
	if err != nil || len(c.AuthHosts) != len(e.about.AuthHosts) {
		return false
	}
	for _, host := range e.about.AuthHosts {
		if !c.AuthHosts.Allow(host) {
			return false
		}
	}
	return true
}

// concurrency checks whether rotate is stopped by a reserved concurrency of zero.
func (e *examination) concurrency(ctx context.Context) {
	name := withoutAlias(e.RotateFunction)
	out, err := e.Lambda.GetFunctionConcurrency(ctx, &lambda.GetFunctionConcurrencyInput{FunctionName: aws.String(name)})
	switch {
	case err != nil:
		e.refused("kill switch", "Lambda GetFunctionConcurrency", err)
	case out.ReservedConcurrentExecutions == nil:
		e.found("kill switch", OK, "off: rotate shares the account's concurrency", "")
	case *out.ReservedConcurrentExecutions == 0:
		e.found("kill switch", Failed, "on: rotate has the reserved concurrency 0, and nothing is renewed",
			"docs/operations.md, Stop all renewals, starts it again")
	default:
		e.found("kill switch", OK, fmt.Sprintf("off: rotate has a reserve of %d", *out.ReservedConcurrentExecutions), "")
	}
}

// withoutAlias is a function's name or ARN without the alias at its end.
func withoutAlias(name string) string {
	before, after, qualified := strings.Cut(name, ":function:")
	switch {
	case !qualified:
		short, _, _ := strings.Cut(name, ":")
		return short
	default:
		short, _, _ := strings.Cut(after, ":")
		return before + ":function:" + short
	}
}
