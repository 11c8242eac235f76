package lambdahost

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/invokeapi"
)

// DestinationRecord is what a destination is told of an event.
type DestinationRecord struct {
	Version         string             `json:"version"`
	Timestamp       string             `json:"timestamp"`
	RequestContext  DestinationRequest `json:"requestContext"`
	RequestPayload  json.RawMessage    `json:"requestPayload"`
	ResponseContext *DestinationStatus `json:"responseContext,omitempty"`
	ResponsePayload json.RawMessage    `json:"responsePayload,omitempty"`
}

// DestinationRequest says which event it was and why it was given up:
// RetriesExhausted, EventAgeExceeded or ZeroReservedConcurrency. The ARN of an
// event that was sent without a qualifier ends in :$LATEST.
type DestinationRequest struct {
	RequestID              string `json:"requestId"`
	FunctionArn            string `json:"functionArn"`
	Condition              string `json:"condition"`
	ApproximateInvokeCount int    `json:"approximateInvokeCount"`
}

// DestinationStatus is how the last attempt ended. There is none if there was
// no attempt.
type DestinationStatus struct {
	StatusCode      int    `json:"statusCode"`
	ExecutedVersion string `json:"executedVersion"`
	FunctionError   string `json:"functionError,omitempty"`
}

// event is an asynchronous invocation.
type event struct {
	f        *function
	request  Invocation
	id, arn  string
	accepted time.Time
	// attempts are those that took place; last is the last one's result.
	attempts int
	last     Result
}

// InvokeAsync queues an event and returns its request id. An *Error says that
// it was not taken.
func (h *Host) InvokeAsync(i Invocation) (requestID string, err error) {
	f, qualifier, refused := h.resolve(i.Function, i.Qualifier)
	if refused == nil {
		refused = invokeapi.CheckPayload(i.Payload, invokeapi.MaxAsyncRequest)
	}
	if refused != nil {
		return "", refused
	}
	i.ClientContext, i.LogTail = "", false // for synchronous invocations alone
	if len(i.Payload) == 0 {
		i.Payload = []byte("{}")
	}
	e := event{f: f, request: i, id: invokeapi.NewRequestID(), arn: qualified(h.ARN(f.Name), qualifier), accepted: h.now()}
	times := 1
	if f.Async.Duplicate != nil && f.Async.Duplicate(e.id) {
		times = 2
	}
	for range times {
		if refused := h.queue(e); refused != nil {
			return "", refused
		}
	}
	return e.id, nil
}

// queue takes an event in; the copy is the queue's own.
func (h *Host) queue(e event) *Error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closing {
		return errClosing
	}
	h.events++
	h.serving.Add(1)
	go func() {
		defer h.serving.Done()
		h.process(&e)
		h.mu.Lock()
		defer h.mu.Unlock()
		h.events--
		if h.events == 0 && h.drained != nil {
			close(h.drained)
			h.drained = nil
		}
	}()
	return nil
}

// Drain returns when no event waits or runs.
func (h *Host) Drain(ctx context.Context) error {
	h.mu.Lock()
	if h.events == 0 {
		h.mu.Unlock()
		return nil
	}
	if h.drained == nil {
		h.drained = make(chan struct{})
	}
	drained := h.drained
	h.mu.Unlock()
	select {
	case <-drained:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// process tries until the event succeeds or is given up.
func (h *Host) process(e *event) {
	for refusals := 0; ; {
		if h.now().Sub(e.accepted) > e.f.Async.MaximumEventAge {
			h.giveUp(e, "EventAgeExceeded")
			return
		}
		var wait time.Duration
		switch took := h.attempt(e); {
		case took && e.last.FunctionError == "":
			return
		case took && e.attempts > e.f.Async.MaximumRetryAttempts:
			h.giveUp(e, "RetriesExhausted")
			return
		case e.f.Concurrency < 0:
			h.giveUp(e, "ZeroReservedConcurrency")
			return
		case took:
			refusals, wait = 0, e.f.Async.RetryWait(e.attempts, false)
		default:
			refusals++
			wait = e.f.Async.RetryWait(refusals, true)
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-h.closed:
			timer.Stop()
			return
		}
	}
}

// attempt invokes the function; false: it was throttled.
func (h *Host) attempt(e *event) (took bool) {
	if f := h.function(e.f.Name); f != nil {
		e.f = f // it may have been deployed again
	}
	inv := newInvocation(e.id, e.arn, &e.request)
	if refused := h.run(e.f, inv); refused != nil {
		return false
	}
	<-inv.done
	e.attempts++
	e.last = inv.result(e.f.Version)
	return true
}

// giveUp tells the destination.
func (h *Host) giveUp(e *event, condition string) {
	if e.f.Async.OnFailure == nil {
		return
	}
	arn := e.arn
	if arn == h.ARN(e.f.Name) {
		arn = qualified(arn, invokeapi.Latest)
	}
	r := DestinationRecord{
		Version:   "1.0",
		Timestamp: h.now().UTC().Format("2006-01-02T15:04:05.000Z"),
		RequestContext: DestinationRequest{
			RequestID: e.id, FunctionArn: arn, Condition: condition, ApproximateInvokeCount: e.attempts,
		},
		RequestPayload: e.request.Payload,
	}
	if e.attempts > 0 {
		r.ResponseContext = &DestinationStatus{
			StatusCode: http.StatusOK, ExecutedVersion: e.last.ExecutedVersion, FunctionError: e.last.FunctionError,
		}
		r.ResponsePayload = e.last.Payload
	}
	e.f.Async.OnFailure(r)
}
