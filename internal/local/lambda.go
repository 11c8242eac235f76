package local

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
)

// maxPayload is Lambda's limit for synchronous invocations.
const maxPayload = 6 << 20

// function is a handler with its time limit.
type function struct {
	handler lambda.Handler
	timeout time.Duration
}

// lambdaAPI is the part of Lambda's API that invokes: POST
// /2015-03-31/functions/NAME/invocations, synchronously and asynchronously. It
// accepts any alias of a function.
type lambdaAPI struct {
	http.Handler
	functions map[string]function
	// events are asynchronous invocations in progress.
	events sync.WaitGroup
}

// newLambdaAPI is the API of these functions; others are handlers of the local
// stack's own, by pattern.
func newLambdaAPI(functions map[string]function, others map[string]http.Handler) *lambdaAPI {
	a := &lambdaAPI{functions: functions}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /2015-03-31/functions/{name}/invocations", a.serveInvoke)
	for pattern, handler := range others {
		mux.Handle(pattern, handler)
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusNotFound, "ResourceNotFoundException",
			"only the Invoke API is here: POST /2015-03-31/functions/issue/invocations; and a tenant API: GET "+tenantPath+"/entities/ada")
	})
	a.Handler = mux
	return a
}

// serveInvoke serves the Invoke API.
func (a *lambdaAPI) serveInvoke(w http.ResponseWriter, r *http.Request) {
	name, qualifier := functionName(r.PathValue("name"), r.URL.Query().Get("Qualifier"))
	if _, ok := a.functions[name]; !ok {
		refuse(w, http.StatusNotFound, "ResourceNotFoundException", "there is no such function here; there are issue, rotate and callback")
		return
	}
	payload, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxPayload))
	switch {
	case err != nil:
		refuse(w, http.StatusRequestEntityTooLarge, "RequestTooLargeException", "the payload is larger than 6 MB")
		return
	case len(payload) == 0:
		payload = []byte("{}")
	case !json.Valid(payload):
		refuse(w, http.StatusBadRequest, "InvalidRequestContentException", "the payload is not JSON")
		return
	}
	switch r.Header.Get("X-Amz-Invocation-Type") {
	case "Event":
		ctx := context.WithoutCancel(r.Context())
		a.events.Go(func() { a.invoke(ctx, name, qualifier, payload) })
		w.WriteHeader(http.StatusAccepted)
	case "DryRun":
		w.WriteHeader(http.StatusNoContent)
	default:
		a.answer(w, r, name, qualifier, payload)
	}
}

func (a *lambdaAPI) answer(w http.ResponseWriter, r *http.Request, name, qualifier string, payload []byte) {
	data, failed := a.invoke(r.Context(), name, qualifier, payload)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Amz-Executed-Version", "$LATEST")
	if failed {
		w.Header().Set("X-Amz-Function-Error", "Unhandled")
	}
	_, _ = w.Write(data) //nolint:gosec // JSON that a handler encoded; a caller that is gone hears nothing
}

// invoke runs a function as Lambda would: with a deadline, a request id and an
// ARN. An error becomes a payload, and failed is true.
func (a *lambdaAPI) invoke(ctx context.Context, name, qualifier string, payload []byte) (data []byte, failed bool) {
	f := a.functions[name]
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	arn := "arn:aws:lambda:us-east-1:000000000000:function:" + name
	if qualifier != "" {
		arn += ":" + qualifier
	}
	ctx = lambdacontext.NewContext(ctx, &lambdacontext.LambdaContext{AwsRequestID: requestID(), InvokedFunctionArn: arn})
	data, err := f.handler.Invoke(ctx, payload)
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

// wait returns when no asynchronous invocation is in progress.
func (a *lambdaAPI) wait() { a.events.Wait() }

// functionName reads a name, a partial or a full ARN, each with or without a
// qualifier.
func functionName(text, qualifier string) (name, alias string) {
	if unescaped, err := url.PathUnescape(text); err == nil {
		text = unescaped
	}
	parts := strings.Split(text, ":")
	if i := len(parts) - 1; i > 0 && parts[i-1] != "function" {
		return parts[i-1], parts[i]
	}
	return parts[len(parts)-1], qualifier
}

func refuse(w http.ResponseWriter, status int, kind, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Amzn-Errortype", kind)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"Type": "User", "Message": message})
}

func requestID() string { return strings.ToLower(rand.Text()) }

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
		data, failed := a.invoke(context.WithoutCancel(ctx), "rotate", "", payload)
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
	a.events.Go(func() { a.invoke(context.WithoutCancel(ctx), "rotate", "", payload) })
	return nil
}
