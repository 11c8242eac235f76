package lambdahost_test

import (
	"context"
	"encoding/json"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/reltio-tokens/reltio-tokens/internal/testkit/logtest"
	"github.com/reltio-tokens/reltio-tokens/test/lambdahost"
)

// send sends f an event.
func send(t *testing.T, h *lambdahost.Host, o order) {
	t.Helper()
	payload, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	out, err := sdk(h).Invoke(t.Context(), &lambda.InvokeInput{
		FunctionName: aws.String("f"), InvocationType: types.InvocationTypeEvent, Payload: payload,
	})
	if err != nil {
		t.Fatal(err)
	}
	if out.StatusCode != 202 || len(out.Payload) != 0 {
		t.Errorf("%d %s, want 202 and nothing", out.StatusCode, out.Payload)
	}
}

func soon(int, bool) time.Duration { return time.Millisecond }

func TestAFailedEventIsTriedAgainAndThenGivenUp(t *testing.T) {
	for name, test := range map[string]struct {
		retries, want int
	}{
		"twice, if nothing else is said": {0, 3},
		"once":                           {1, 2},
		"never":                          {-1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t)
			records := make(chan lambdahost.DestinationRecord, 2)
			deploy(t, h, func(f *lambdahost.Function) {
				f.Async = lambdahost.Async{
					MaximumRetryAttempts: test.retries, RetryWait: soon,
					OnFailure: func(r lambdahost.DestinationRecord) { records <- r },
				}
			})
			send(t, h, order{Do: "fail", Text: "why"})
			if err := h.Drain(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := only(t, h).Invocations(); got != test.want {
				t.Errorf("%d attempts, want %d", got, test.want)
			}
			r := <-records
			if r.RequestContext.Condition != "RetriesExhausted" || r.RequestContext.ApproximateInvokeCount != test.want || len(r.RequestContext.RequestID) != 36 {
				t.Errorf("%+v", r.RequestContext)
			}
			text, err := json.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{
				`{"version":"1.0","timestamp":"20`, `"functionArn":"arn:aws:lambda:us-east-1:123456789012:function:f:$LATEST","condition":`,
				`"requestPayload":{"do":"fail","text":"why"},"responseContext":{"statusCode":200,"executedVersion":"$LATEST","functionError":"Unhandled"},"responsePayload":{"errorMessage":"why","errorType":"Some.Type"}}`,
			} {
				if !strings.Contains(string(text), want) {
					t.Errorf("no %s in %s", want, text)
				}
			}
		})
	}
}

func TestAnEventThatSucceedsIsDoneWith(t *testing.T) {
	h := newHost(t)
	deploy(t, h, func(f *lambdahost.Function) {
		f.Async.OnFailure = func(r lambdahost.DestinationRecord) { t.Errorf("given up: %+v", r) }
	})
	send(t, h, order{})
	if err := h.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := only(t, h).Invocations(); got != 1 {
		t.Errorf("%d invocations, want 1", got)
	}
}

func TestAThrottledEventWaits(t *testing.T) {
	h := newHost(t)
	var throttled atomic.Int64
	deploy(t, h, func(f *lambdahost.Function) {
		f.Concurrency = 1
		f.Async.RetryWait = func(n int, refused bool) time.Duration {
			if refused {
				throttled.Store(int64(n))
			}
			return 5 * time.Millisecond
		}
		f.Async.MaximumRetryAttempts = -1
	})
	send(t, h, order{Do: "sleep", Ms: 150})
	send(t, h, order{Do: "sleep", Ms: 150})
	if err := h.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if throttled.Load() == 0 || only(t, h).Invocations() != 2 {
		t.Errorf("%d refusals, %d invocations, want some and 2", throttled.Load(), only(t, h).Invocations())
	}
}

func TestAnEventGetsTooOld(t *testing.T) {
	h := newHost(t)
	records := make(chan lambdahost.DestinationRecord, 1)
	deploy(t, h, func(f *lambdahost.Function) {
		f.Async = lambdahost.Async{
			MaximumEventAge: 500 * time.Millisecond,
			RetryWait:       func(int, bool) time.Duration { return 600 * time.Millisecond },
			OnFailure:       func(r lambdahost.DestinationRecord) { records <- r },
		}
	})
	send(t, h, order{Do: "fail"})
	if r := <-records; r.RequestContext.Condition != "EventAgeExceeded" || r.RequestContext.ApproximateInvokeCount != 1 {
		t.Errorf("%+v", r.RequestContext)
	}
}

func TestEventsOfAFunctionThatMayNotRun(t *testing.T) {
	h := newHost(t)
	records := make(chan lambdahost.DestinationRecord, 1)
	deploy(t, h, func(f *lambdahost.Function) {
		f.Concurrency = -1
		f.Async.OnFailure = func(r lambdahost.DestinationRecord) { records <- r }
	})
	send(t, h, order{})
	if r := <-records; r.RequestContext.Condition != "ZeroReservedConcurrency" || r.RequestContext.ApproximateInvokeCount != 0 || r.ResponseContext != nil {
		t.Errorf("%+v", r)
	}
}

func TestAThrottledEventGetsTooOld(t *testing.T) {
	h := newHost(t)
	records := make(chan lambdahost.DestinationRecord, 1)
	deploy(t, h, func(f *lambdahost.Function) {
		f.Concurrency = 1
		f.Async = lambdahost.Async{
			MaximumEventAge: 50 * time.Millisecond,
			RetryWait:       func(int, bool) time.Duration { return 20 * time.Millisecond },
			OnFailure:       func(r lambdahost.DestinationRecord) { records <- r },
		}
	})
	ask(t, h, order{})
	e, busy := only(t, h), later(t, h, order{Do: "sleep", Ms: 20_000})
	eventually(t, "busy", e.Busy)
	send(t, h, order{})
	if r := <-records; r.RequestContext.Condition != "EventAgeExceeded" || r.RequestContext.ApproximateInvokeCount != 0 || r.ResponseContext != nil {
		t.Errorf("%+v", r)
	}
	e.Kill()
	<-busy
}

func TestTheDestinationIsToldTheQualifier(t *testing.T) {
	h := newHost(t)
	records := make(chan lambdahost.DestinationRecord, 1)
	deploy(t, h, func(f *lambdahost.Function) {
		f.Aliases, f.Concurrency = []string{"live"}, -1
		f.Async.OnFailure = func(r lambdahost.DestinationRecord) { records <- r }
	})
	if _, err := h.InvokeAsync(lambdahost.Invocation{Function: "f:live"}); err != nil {
		t.Fatal(err)
	}
	if got, want := (<-records).RequestContext.FunctionArn, h.ARN("f")+":live"; got != want {
		t.Errorf("ARN %s, want %s", got, want)
	}
}

func TestAnEventMayComeTwice(t *testing.T) {
	h, log := newHost(t), &logtest.Buffer{}
	deploy(t, h, func(f *lambdahost.Function) {
		f.Async.Duplicate, f.Log = func(string) bool { return true }, log
	})
	send(t, h, order{})
	if err := h.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for line := range strings.Lines(log.String()) {
		if after, ok := strings.CutPrefix(line, "START RequestId: "); ok {
			ids = append(ids, after[:36])
		}
	}
	if len(ids) != 2 || ids[0] != ids[1] {
		t.Errorf("request ids %v, want one twice", ids)
	}
}

func TestCloseDropsEventsThatWait(t *testing.T) {
	h, err := lambdahost.Start(t.Context(), lambdahost.Config{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	waiting := make(chan struct{})
	deploy(t, h, func(f *lambdahost.Function) {
		f.Async.RetryWait = func(int, bool) time.Duration { close(waiting); return time.Hour }
	})
	send(t, h, order{Do: "fail"})
	<-waiting
	if err := h.Close(); err != nil {
		t.Error(err)
	}
}

func TestTheScheduleTicks(t *testing.T) {
	h := newHost(t)
	deploy(t, h, nil)
	s := lambdahost.Schedule{Host: h, Function: "f", Input: `{"text":"tick"}`}
	if id, err := s.Tick(); err != nil || len(id) != 36 {
		t.Errorf("tick: %q, %v", id, err)
	}
	if err := h.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := only(t, h).Invocations(); got != 1 {
		t.Errorf("%d invocations after a tick, want 1", got)
	}
	if _, err := (&lambdahost.Schedule{Host: h, Function: "g"}).Tick(); err == nil {
		t.Error("a tick for a function that is not there")
	}
}

func TestTheScheduleTicksByItself(t *testing.T) {
	h := newHost(t)
	const enough = 3
	reports := make(chan lambdahost.Report, 100)
	deploy(t, h, func(f *lambdahost.Function) { f.Report = func(r lambdahost.Report) { reports <- r } })
	ctx, stop := context.WithCancel(t.Context())
	s, over := lambdahost.Schedule{Host: h, Function: "f", Every: 20 * time.Millisecond}, make(chan struct{})
	go func() {
		defer close(over)
		s.Run(ctx)
	}()
	for range enough {
		if r := <-reports; r.Status != "success" {
			t.Errorf("%+v", r)
		}
	}
	stop()
	<-over
}
