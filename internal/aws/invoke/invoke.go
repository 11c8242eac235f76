// Package invoke calls the rotate function through the Lambda Invoke API.
//
//	f := invoke.Function{Client: client, Name: "rotate"}
//	result, err := f.Rotate(ctx, request)  // waits until the function has answered
//	err = f.RotateLater(ctx, request)      // returns once Lambda has queued the event
//
// Each call is one HTTP request, however the client is configured: Lambda may
// have run the function although its response was lost, and a repeated request
// would be a second event. Rotate blocks for as long as the function runs; the
// SDK's HTTP client sets no limit to that, so the context must have a deadline.
//
// A throttled invocation is an apierr.Error of type RateLimited, with Lambda's
// Retry-After if it sent one. Every other failure is StoreUnavailable: an error
// of the API or of the network, a function that failed, a response that cannot
// be read. The message names the function error's type if it is one of package
// apierr, and nothing else that the function wrote.
package invoke

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
)

// maxResponse bounds a response that is read; a real one has some hundred bytes.
const maxResponse = 64 << 10

// throttledFor is how long to wait after a throttled invocation if Lambda did
// not say.
const throttledFor = time.Second

// Function is the rotate function. It is safe for concurrent use.
type Function struct {
	// Client is ready to use; its retries do not apply. Required.
	Client *lambda.Client
	// Waiting is the client of Rotate, which waits until the function has ended; nil
	// means Client.
	Waiting *lambda.Client
	// Name is the function's name or ARN, with a qualifier or without.
	// Required.
	Name string
}

var _ rotateapi.Function = Function{}

// Rotate implements rotateapi.Function.
func (f Function) Rotate(ctx context.Context, r rotateapi.Request) (rotateapi.Result, error) {
	out, err := f.invoke(ctx, cmp.Or(f.Waiting, f.Client), types.InvocationTypeRequestResponse, r)
	if err != nil {
		return rotateapi.Result{}, err
	}
	if len(out.Payload) > maxResponse {
		return rotateapi.Result{}, unavailable("the answer is too long", nil)
	}
	if out.FunctionError != nil {
		return rotateapi.Result{}, functionError(out.Payload)
	}
	return result(out.Payload)
}

// RotateLater implements rotateapi.Function.
func (f Function) RotateLater(ctx context.Context, r rotateapi.Request) error {
	_, err := f.invoke(ctx, f.Client, types.InvocationTypeEvent, r)
	return err
}

// invoke sends one request.
func (f Function) invoke(ctx context.Context, client *lambda.Client, how types.InvocationType, r rotateapi.Request) (*lambda.InvokeOutput, error) {
	payload, err := json.Marshal(r)
	if err != nil {
		return nil, unavailable("the request cannot be written", err)
	}
	out, err := client.Invoke(ctx, &lambda.InvokeInput{
		FunctionName:   aws.String(f.Name),
		InvocationType: how,
		Payload:        payload,
	}, func(o *lambda.Options) { o.Retryer = aws.NopRetryer{} })
	if err != nil {
		return nil, refusal(err)
	}
	return out, nil
}

// refusal is the error of an invocation that did not take place, or whose
// response was lost.
func refusal(err error) *apierr.Error {
	var response *smithyhttp.ResponseError
	switch {
	case errors.As(err, &response) && response.HTTPStatusCode() == http.StatusTooManyRequests:
		return apierr.Limited(retryAfter(response.Response))
	case errors.Is(err, context.DeadlineExceeded):
		return unavailable("no answer in time", err)
	default:
		return unavailable("it cannot be invoked"+codeOf(err), err)
	}
}

// codeOf is the API's error code, which says why the invocation failed; empty
// if there is none.
func codeOf(err error) string {
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() == noCode || !code.MatchString(api.ErrorCode()) {
		return ""
	}
	return ": " + api.ErrorCode()
}

// noCode is the code of the client's errors when the API has sent none.
const noCode = "UnknownError"

// code is what an error code looks like; anything else is not shown.
var code = regexp.MustCompile(`^[A-Z][A-Za-z0-9]{2,63}$`)

// retryAfter is how long Lambda wants the caller to wait: whole seconds, within
// what is believed of any server.
func retryAfter(r *smithyhttp.Response) time.Duration {
	seconds, err := strconv.ParseUint(r.Header.Get("Retry-After"), 10, 31)
	if err != nil || seconds == 0 {
		return throttledFor
	}
	return ratelimit.BelievedRetryAfter(time.Duration(seconds) * time.Second)
}

// functionError is the error of a function that failed.
func functionError(payload []byte) *apierr.Error {
	var e struct {
		Type apierr.Type `json:"errorType"`
	}
	if json.Unmarshal(payload, &e) != nil || !e.Type.Known() {
		return unavailable("the function failed", nil)
	}
	return unavailable(string(e.Type), nil)
}

// result reads the response to a single renewal. It must have an outcome, and
// its error, if there is one, must have a known type.
func result(payload []byte) (rotateapi.Result, error) {
	var r rotateapi.Result
	err := json.Unmarshal(payload, &r)
	if err != nil || r.Outcome == nil || !outcome(*r.Outcome) || r.Error != nil && !r.Error.Type.Known() {
		return rotateapi.Result{}, unavailable("the answer is unreadable", err)
	}
	return r, nil
}

func unavailable(what string, cause error) *apierr.Error {
	return apierr.Wrap(apierr.StoreUnavailable, "rotate: "+what, cause)
}

// outcome reports whether o is one that callers know.
func outcome(o rotateapi.Outcome) bool {
	switch o {
	case rotateapi.Renewed, rotateapi.Unchanged, rotateapi.Contended,
		rotateapi.Failed, rotateapi.Reauthorize, rotateapi.LeftOver:
		return true
	default:
		return false
	}
}
