package local

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/invokeapi"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
)

// onlyInvoke is what a request for anything else is told.
const onlyInvoke = "only the Invoke API is here: POST /2015-03-31/functions/issue/invocations; and a tenant API: GET " + tenantPath + "/entities/ada"

// function is a handler with its time limit.
type function struct {
	handler lambda.Handler
	timeout time.Duration
}

// functions are those of the stack. Each has every alias.
type functions struct {
	all map[string]function
	// events are asynchronous invocations in progress.
	events sync.WaitGroup
}

// Invoke implements invokeapi.Functions.
func (f *functions) Invoke(ctx context.Context, i invokeapi.Invocation) (invokeapi.Result, error) {
	name, qualifier, err := f.resolve(i, invokeapi.MaxRequest)
	if err != nil {
		return invokeapi.Result{}, err
	}
	id := invokeapi.NewRequestID()
	data, failed := f.run(ctx, id, name, qualifier, i.Payload)
	result := invokeapi.Result{RequestID: id, Payload: data, ExecutedVersion: invokeapi.Latest}
	if failed {
		result.FunctionError = invokeapi.Unhandled
	}
	return result, nil
}

// InvokeAsync implements invokeapi.Functions.
func (f *functions) InvokeAsync(i invokeapi.Invocation) (string, error) {
	name, qualifier, err := f.resolve(i, invokeapi.MaxAsyncRequest)
	if err != nil {
		return "", err
	}
	id := invokeapi.NewRequestID()
	f.events.Go(func() { f.run(context.Background(), id, name, qualifier, i.Payload) }) // an event outlives its caller
	return id, nil
}

// Find implements invokeapi.Functions.
func (f *functions) Find(function, qualifier string) error {
	_, _, err := f.resolve(invokeapi.Invocation{Function: function, Qualifier: qualifier}, 0)
	return err
}

// resolve finds the function and checks the payload.
func (f *functions) resolve(i invokeapi.Invocation, most int) (name, qualifier string, err error) {
	name, qualifier, refused := invokeapi.Split(i.Function, i.Qualifier)
	if _, ok := f.all[name]; refused == nil && !ok {
		refused = invokeapi.NotFound("there is no such function here; there are issue, rotate and callback")
	}
	if refused == nil {
		refused = invokeapi.CheckPayload(i.Payload, most)
	}
	if refused != nil {
		return "", "", refused
	}
	return name, qualifier, nil
}

// invoke runs a function of the stack for the stack.
func (f *functions) invoke(ctx context.Context, name string, payload []byte) (data []byte, failed bool) {
	return f.run(ctx, invokeapi.NewRequestID(), name, "", payload)
}

// run runs a function as Lambda would: with a deadline, a request id and an ARN. An
// error becomes a payload, and failed is true.
func (f *functions) run(ctx context.Context, id, name, qualifier string, payload []byte) (data []byte, failed bool) {
	ctx, cancel := context.WithTimeout(ctx, f.all[name].timeout)
	defer cancel()
	arn := "arn:aws:lambda:us-east-1:000000000000:function:" + name
	if qualifier != "" {
		arn += ":" + qualifier
	}
	if len(payload) == 0 {
		payload = []byte("{}")
	}
	ctx = lambdacontext.NewContext(ctx, &lambdacontext.LambdaContext{AwsRequestID: id, InvokedFunctionArn: arn})
	data, err := f.all[name].handler.Invoke(ctx, payload)
	if err == nil {
		return data, false
	}
	var known messages.InvokeResponse_Error
	if !errors.As(err, &known) {
		known = messages.InvokeResponse_Error{Type: string(apierr.Internal)}
	}
	data, _ = json.Marshal(known) // two strings can always be encoded
	return data, true
}

// rotator is the rotate function as issue invokes it: with the same bytes as over
// the network.
type rotator struct{ stack *Stack }

// Rotate implements rotateapi.Function.
func (r rotator) Rotate(ctx context.Context, request rotateapi.Request) (rotateapi.Result, error) {
	payload, err := json.Marshal(request)
	if err != nil {
		return rotateapi.Result{}, apierr.Wrap(apierr.Internal, "", err)
	}
	a := r.stack.lambda
	answers := make(chan []byte, 1)
	a.events.Go(func() { // with its own deadline, even if its caller leaves
		data, failed := a.invoke(context.WithoutCancel(ctx), "rotate", payload)
		if failed {
			data = nil
		}
		answers <- data
	})
	var result rotateapi.Result
	select {
	case data := <-answers:
		if json.Unmarshal(data, &result) == nil && result.Outcome != nil {
			return result, nil
		}
		return rotateapi.Result{}, apierr.New(apierr.StoreUnavailable, "rotate failed")
	case <-ctx.Done():
		return rotateapi.Result{}, apierr.Wrap(apierr.StoreUnavailable, "rotate did not answer in time", ctx.Err())
	}
}

// RotateLater implements rotateapi.Function.
func (r rotator) RotateLater(ctx context.Context, request rotateapi.Request) error {
	payload, err := json.Marshal(request)
	if err != nil {
		return apierr.Wrap(apierr.Internal, "", err)
	}
	a := r.stack.lambda
	a.events.Go(func() { a.invoke(context.WithoutCancel(ctx), "rotate", payload) })
	return nil
}
