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
	if out.FunctionError != nil {
		return issueapi.Response{}, functionError(out.Payload)
	}
	return issued(out.Payload)
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

// functionError is the error of the function, whose type and message may be
// shown. The text of another program's error may not.
func functionError(payload []byte) *apierr.Error {
	var e issueapi.Error
	if json.Unmarshal(payload, &e) != nil || !e.Type.Known() {
		return apierr.New(apierr.StoreUnavailable, "issue: the function failed")
	}
	return apierr.New(e.Type, e.Message)
}

// issued reads a response.
func issued(payload []byte) (r issueapi.Response, err error) {
	if json.Unmarshal(payload, &r) != nil || r.AccessToken == "" {
		return issueapi.Response{}, apierr.New(apierr.StoreUnavailable, "issue: the answer is unreadable")
	}
	return r, nil
}
