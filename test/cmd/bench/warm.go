package main

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/reltio-tokens/reltio-tokens/test/bench/figures"
	"github.com/reltio-tokens/reltio-tokens/test/bench/rig"
	"github.com/reltio-tokens/reltio-tokens/test/lambdahost"
	"github.com/reltio-tokens/reltio-tokens/test/stack"
)

// warmRig has issue and what it is compared with, all without TLS: what is the
// same for both would only hide the difference.
func (b *bench) warmRig(ctx context.Context) (*rig.Rig, error) {
	r, err := rig.Start(ctx, rig.Config{Now: time.Now, Binaries: b.binaries})
	if err != nil {
		return nil, err
	}
	if err := errors.Join(putGrants(ctx, r, connections), deployCompared(ctx, r)); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// deployCompared adds the empty handler, with an answer of issue for its body,
// the bare reader, and issue a second time, for the calls that memory answers:
// each of them stays in one environment.
func deployCompared(ctx context.Context, r *rig.Rig) error {
	answer, err := r.Invoke(ctx, "issue", request(0))
	if err != nil {
		return err
	}
	again := lambdahost.Function{
		Name: "issue-from-memory", Command: []string{r.Binary("issue")},
		Env: map[string]string{"ROTATE_FUNCTION": "rotate:live"},
	}
	body := map[string]string{"BODY": string(answer.Payload)}
	return errors.Join(
		r.Deploy(ctx, again, stack.DynamoDB, stack.Lambda),
		r.Deploy(ctx, lambdahost.Function{Name: "empty", Env: maps.Clone(body)}),
		r.Deploy(ctx, lambdahost.Function{Name: "getitem"}, stack.DynamoDB),
	)
}

// compared are the empty handler, issue from memory, the bare reader and
// issue from DynamoDB.
func compared() []*runner {
	same := func(int) []byte { return request(0) }
	return []*runner{
		{name: "empty handler, same body", function: "empty", payload: same},
		{name: "token from memory", function: "issue-from-memory", payload: same},
		{name: "bare `GetItem` handler, same bytes", function: "getitem", payload: request},
		{name: "token from DynamoDB", function: "issue", payload: request},
	}
}

// beside says why the ratio to the empty handler is not that of issue's own code.
const beside = "The empty handler does nothing at all, so the ratio is mostly that of two round trips of the Runtime API. What `issue` adds is its own code (see the Go benchmark) and the write of its log line, both with cold caches, since the environment is stopped between any two invocations."

// warm measures issues in environments that run already.
func (b *bench) warm(ctx context.Context) (figures.Section, error) {
	const rounds, each = 80, 100
	s := figures.Section{
		Title: "Warm calls",
		Text: []string{
			"Four functions alternately, 100 invocations each a round, every one in an execution environment of its own that runs already, with as much of the processor as it wants and no TLS, which would hide the difference. Time is from the event's delivery to the answer, Lambda's Runtime API included; the processor's time is that of the function's process alone. Tokens from DynamoDB go through 12,000 connections, more than memory holds, so that none is there; the bare handler reads the same items, decodes what the answer needs and writes the same keys, without any check, memory or log.",
		},
		Header: []string{"Function", "Time, µs", "Processor, µs"},
	}
	r, err := b.warmRig(ctx)
	if err != nil {
		return s, err
	}
	defer func() { _ = r.Close() }()
	runners := compared()
	if err := alternate(ctx, r, runners, rounds, each); err != nil {
		return s, err
	}
	for _, x := range runners {
		s.Rows = append(s.Rows, []string{x.name, figures.Of(x.latency).String(), figures.Of(x.work).String()})
	}
	empty, memory, bare, stored := runners[0], runners[1], runners[2], runners[3]
	s.Figures = []figures.Figure{
		{ID: "warm-memory", Name: "warm token from memory ÷ empty handler with the same body", Value: figures.Ratio(memory.latency, empty.latency), Bar: &figures.Bar{Limit: 1.15, Why: beside}},
		{ID: "warm-dynamodb", Name: "token from DynamoDB ÷ bare `GetItem` handler", Value: figures.Ratio(stored.latency, bare.latency), Bar: &figures.Bar{Limit: 1.2}},
	}
	return s, nil
}
