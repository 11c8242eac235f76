package issueclient

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueapi"
)

// DefaultFunction is the name of the function that hands out tokens.
const DefaultFunction = "issue"

// invokeTime is the longest that one invocation may take: issue itself ends after
// 25 s, and may have to start first.
const invokeTime = 30 * time.Second

// Invoker is the part of Lambda's API that a Source uses. *lambda.Client of
// aws-sdk-go-v2 has it. It must honour the context and be safe for concurrent
// use.
type Invoker interface {
	Invoke(ctx context.Context, in *lambda.InvokeInput, opts ...func(*lambda.Options)) (*lambda.InvokeOutput, error)
}

var _ Invoker = (*lambda.Client)(nil)

// invoke makes one invocation. The SDK's own retries are switched off, because a
// Source already waits as the errors ask.
func (s *Source) invoke(ctx context.Context, k key) (*Token, *Error) {
	asked := s.now()
	payload, err := json.Marshal(issueapi.Request{
		Connection:          s.Connection,
		MinTTLSeconds:       int64((k.minTTL + time.Second - 1) / time.Second),
		RejectedFingerprint: k.rejected,
	})
	if err != nil {
		return nil, &Error{Type: ErrInvalidRequest, Err: err}
	}
	out, err := s.Lambda.Invoke(ctx, &lambda.InvokeInput{
		FunctionName: aws.String(cmp.Or(s.Function, DefaultFunction)),
		Payload:      payload,
	}, func(o *lambda.Options) { o.Retryer = aws.NopRetryer{} })
	switch {
	case err != nil:
		return nil, refusal(err)
	case out == nil:
		return nil, unusable("nothing")
	case out.FunctionError != nil:
		return nil, readFunctionError(out.Payload)
	}
	return readAnswer(out.Payload, asked)
}

// refusal is the error of an invocation that did not take place, or whose
// response was lost: Lambda's, the network's, or the SDK's own.
func refusal(err error) *Error {
	var response *smithyhttp.ResponseError
	if !errors.As(err, &response) || response.Response == nil {
		return &Error{Type: typeOf(err), RetryAfter: throttled(err), Err: err}
	}
	e := &Error{Type: ErrStoreUnavailable, Err: err}
	switch status := response.HTTPStatusCode(); {
	case status == http.StatusTooManyRequests:
		e.Type = ErrRateLimited
		e.RetryAfter = cmp.Or(throttled(err), seconds(response.Response.Header.Get("Retry-After")))
	case status == http.StatusForbidden || status == http.StatusUnauthorized:
		e.Type = ErrAccessDenied
	case status == http.StatusConflict || status == http.StatusRequestTimeout:
		// The function is being changed, or the network was slow: this passes.
	case status >= http.StatusBadRequest && status < http.StatusInternalServerError:
		e.Type = ErrInvalidRequest
	}
	return e
}

// typeOf classifies an error without a response: a network error, an error of a
// test's Invoker, or the SDK's own, which no waiting changes: it has no
// credentials, or no region.
func typeOf(err error) ErrorType {
	var (
		tooMany  *types.TooManyRequestsException
		notFound *types.ResourceNotFoundException
	)
	switch {
	case errors.As(err, &tooMany):
		return ErrRateLimited
	case errors.As(err, &notFound):
		return ErrInvalidRequest
	case passes(err) || !errors.As(err, new(*smithy.OperationError)):
		return ErrStoreUnavailable
	case lacksCredentials(err):
		return ErrAccessDenied
	case errors.As(err, new(net.Error)) || errors.As(err, new(*smithyhttp.RequestSendError)):
		return ErrStoreUnavailable
	}
	return ErrInvalidRequest
}

// passes reports whether the invocation was cancelled, or its response was lost.
func passes(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, new(*smithy.CanceledError)) ||
		errors.As(err, new(*smithy.DeserializationError)) || errors.As(err, new(*smithyhttp.ResponseError))
}

// lacksCredentials reports whether the SDK found no credentials. Where it asks
// another service for them, it has already tried several times. The SDK has no
// type for this error.
func lacksCredentials(err error) bool {
	for ; err != nil; err = errors.Unwrap(err) {
		if strings.HasPrefix(err.Error(), "get identity: ") {
			return true
		}
	}
	return false
}

// throttled is how long Lambda asks the client to wait; 0 if it did not say.
func throttled(err error) time.Duration {
	var e *types.TooManyRequestsException
	if !errors.As(err, &e) {
		return 0
	}
	return seconds(aws.ToString(e.RetryAfterSeconds))
}
