package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/operator"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueapi"
)

// issueFunction invokes the issue function, as an integration does.
type issueFunction struct {
	client *lambda.Client
	name   string
}

var _ operator.IssueFunction = issueFunction{}

// Issue implements operator.IssueFunction.
func (f issueFunction) Issue(ctx context.Context, r issueapi.Request) (issueapi.Response, error) {
	payload, err := json.Marshal(r)
	if err != nil {
		return issueapi.Response{}, apierr.Wrap(apierr.Internal, "", err)
	}
	out, err := f.client.Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String(f.name), Payload: payload},
		func(o *lambda.Options) { o.Retryer = aws.NopRetryer{} })
	if err != nil {
		return issueapi.Response{}, refused(ctx, err)
	}
	return operator.ReadIssued(out.Payload, out.FunctionError != nil)
}

// refused is the error of an invocation that did not take place.
func refused(ctx context.Context, err error) *apierr.Error {
	var response *smithyhttp.ResponseError
	switch {
	case errors.As(err, &response) && response.HTTPStatusCode() == http.StatusTooManyRequests:
		return apierr.Wrap(apierr.RateLimited, "Lambda throttles the issue function", err)
	case ctx.Err() != nil:
		return apierr.Wrap(apierr.StoreUnavailable, "issue: no answer in time", err)
	default:
		return apierr.Wrap(apierr.StoreUnavailable, "issue: it cannot be invoked", err)
	}
}
