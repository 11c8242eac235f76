package main

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/alecthomas/kong"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/smithy-go"

	"github.com/reltio-tokens/reltio-tokens/cmd/reltio-tokens/doctor"
)

// fromStack are the flags that --stack sets, with the outputs of template.yaml
// from which they are taken.
func (g *globals) fromStack() []struct {
	flag, output string
	value        *string
} {
	return []struct {
		flag, output string
		value        *string
	}{
		{"table", "TableName", &g.Table},
		{"secret-prefix", "SecretPrefix", &g.SecretPrefix},
		{"auth-hosts", "AuthorizationHosts", &g.AuthHosts},
		{"issue-function", "IssueAliasArn", &g.IssueFunction},
		{"rotate-function", "RotateAliasArn", &g.RotateFunction},
		{"callback-function", "CallbackAliasArn", &g.CallbackFunction},
		{"callback-url", "CallbackBaseUrl", &g.CallbackURL},
		{"kms-key-id", "KeyArn", &g.KMSKeyID},
	}
}

// given are the names of the flags on the command line, without those that the
// environment sets.
func given(command *kong.Context) []string {
	var names []string
	for _, element := range command.Path {
		if element.Flag != nil {
			names = append(names, element.Flag.Name)
		}
	}
	return names
}

// discover sets flags from the stack's outputs. They take precedence over the
// environment, which may name another stack, but not over the command line.
func (w *wiring) discover(ctx context.Context, given []string) error {
	if w.globals.Stack == "" {
		return nil
	}
	config, err := w.aws(ctx)
	if err != nil {
		return err
	}
	endpoint := w.endpoint()
	client := cloudformation.NewFromConfig(config, func(o *cloudformation.Options) { endpoint(&o.BaseEndpoint) })
	found, err := doctor.Describe(ctx, client, w.globals.Stack)
	if err != nil {
		return err
	}
	for _, wanted := range w.globals.fromStack() {
		value := found.Outputs[wanted.output]
		if value == "" {
			found.Missing = append(found.Missing, wanted.output)
		}
		if !slices.Contains(given, wanted.flag) {
			*wanted.value = value
		}
	}
	if attempts, err := strconv.Atoi(found.Parameters["LoginAttempts"]); err == nil && !slices.Contains(given, "login-attempts") {
		w.globals.LoginAttempts = attempts
	}
	w.stack = found
	return w.globals.Validate()
}

// noStack reports whether CloudFormation has no stack of that name.
func noStack(err error) bool {
	var operation *smithy.OperationError
	var api smithy.APIError
	return errors.As(err, &operation) && operation.Service() == "CloudFormation" &&
		errors.As(err, &api) && api.ErrorCode() == "ValidationError"
}
