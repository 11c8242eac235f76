package main

import (
	"context"
	"errors"
	"syscall"

	"github.com/aws/smithy-go"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
)

// errNoCredentials says that the environment has no AWS credentials.
var errNoCredentials = errors.New("there are no AWS credentials")

// hint says what to do about an error: a line, or nothing.
func hint(err error) string {
	text := hintText(err)
	if text == "" {
		return ""
	}
	return "  " + text + "\n"
}

func hintText(err error) string {
	var api smithy.APIError
	switch {
	case noStack(err):
		return "there is no such stack: look at --stack and --region"
	case errors.Is(err, errNoCredentials):
		return "log in (aws sso login), set AWS_PROFILE, or use --local"
	case errors.Is(err, syscall.ECONNREFUSED):
		return `nothing listens there: start the local stack with "make run", or look at --local and --endpoint-url`
	case errors.Is(err, context.DeadlineExceeded):
		return "look at --region and --endpoint-url, or give it more time with --timeout"
	case errors.As(err, &api):
		return hintOfAWS(err, api.ErrorCode())
	default:
		return hintOfType(apierr.Of(err).Type)
	}
}

// hintOfAWS is the hint for an error of AWS, by its code.
func hintOfAWS(err error, code string) string {
	switch code {
	case "ResourceNotFoundException":
		var operation *smithy.OperationError
		if errors.As(err, &operation) && operation.Service() == "DynamoDB" {
			return "there is no such table: look at --table (TABLE_NAME) and --region"
		}
		return "there is no such function: look at --issue-function, --rotate-function and --region"
	case "AccessDeniedException", "AccessDenied":
		return "these AWS credentials may not do this: use the operator's role"
	case "ExpiredToken", "ExpiredTokenException", "UnrecognizedClientException", "InvalidClientTokenId", "InvalidSignatureException":
		return "AWS does not take these credentials (any more): log in again, for example with aws sso login"
	default:
		return ""
	}
}

// hintOfType is the hint for an error of the service.
func hintOfType(t apierr.Type) string {
	switch t {
	case apierr.UnknownConnection:
		return "reltio-tokens status lists all connections"
	case apierr.InvalidConnection:
		return "reltio-tokens check NAME says all that is wrong with its secret"
	case apierr.CredentialsRejected:
		return "reltio-tokens check NAME says why, and what to do"
	case apierr.MFARequired:
		return "use client_credentials or authorization_code, or write the secret of the user's authenticator into its secret: totp_secret"
	case apierr.ReauthorizationRequired:
		return "reltio-tokens connect NAME makes a link for the person"
	case apierr.ConnectionPaused:
		return "reltio-tokens unpause NAME takes it back into the service"
	default:
		return ""
	}
}
