package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/reltioauthtest"
	"github.com/reltio-tokens/reltio-tokens/test/bench/figures"
	"github.com/reltio-tokens/reltio-tokens/test/bench/rig"
	"github.com/reltio-tokens/reltio-tokens/test/stack"
)

// gate measures what `make bench-check` compares: counts and sizes, which are
// the same everywhere, and ratios of the processor's time, which hardly know
// of a busy machine. About a minute.
func (b *bench) gate(ctx context.Context) (figures.Section, error) {
	s := figures.Section{
		Title: "The regression gate",
		Text: []string{
			"`make bench-check` measures these and the comparison with other ways to keep a token again, in continuous integration too, and fails if one figure is worse than in `docs/performance.json` by more than its margin, three times in a row. They are counts, sizes and ratios of the processor's time, which a busy machine hardly changes. Crowds of 1,000 callers are tests, in `test/e2e/flood_test.go`.",
		},
		Header: []string{"Figure", "Value", "Margin"},
	}
	for _, measure := range []func(context.Context) ([]figures.Figure, error){b.gateCode, b.gateWarm, b.gateCold, b.gateFlood} {
		found, err := measure(ctx)
		if err != nil {
			return s, err
		}
		s.Figures = append(s.Figures, found...)
	}
	for _, f := range s.Figures {
		margin := fmt.Sprintf("%.0f %%", f.Margin*100)
		if f.Exact {
			margin = "none"
		}
		s.Rows = append(s.Rows, []string{f.Name, f.Text(), margin})
	}
	return s, nil
}

// gateCode is what a call allocates, and what is deployed.
func (b *bench) gateCode(ctx context.Context) ([]figures.Figure, error) {
	v, err := benchmarkIssue(ctx, 3)
	if err != nil {
		return nil, err
	}
	size, err := rig.SizeOf(ctx, "issue", "arm64")
	if err != nil {
		return nil, err
	}
	return []figures.Figure{
		{ID: "gate-allocations", Name: "allocations of a call answered from memory", Value: figures.Of(v.allocations), Margin: 0.02},
		{ID: "gate-bytes", Name: "bytes that it allocates", Value: figures.Of(v.bytes), Margin: 0.05},
		{ID: "gate-zip", Name: "`issue` as a zip, arm64", Unit: "KB", Value: figures.Exactly(float64(size.Zip / 1000)), Margin: 0.03},
	}, nil
}

// gateWarm is the processor's time of calls.
func (b *bench) gateWarm(ctx context.Context) ([]figures.Figure, error) {
	const rounds, each = 40, 100
	r, err := b.warmRig(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	runners := compared()
	if err := alternate(ctx, r, runners, rounds, each); err != nil {
		return nil, err
	}
	empty, memory, bare, stored := runners[0].work, runners[1].work, runners[2].work, runners[3].work
	return []figures.Figure{
		{ID: "gate-memory", Name: "processor's time: token from memory ÷ empty handler", Value: figures.Ratio(memory, empty), Margin: 0.3},
		{ID: "gate-dynamodb", Name: "processor's time: token from DynamoDB ÷ bare `GetItem` handler", Value: figures.Ratio(stored, bare), Margin: 0.25},
	}, nil
}

// gateCold is the processor's time of a cold start, and what calls cost in
// requests.
func (b *bench) gateCold(ctx context.Context) ([]figures.Figure, error) {
	const rounds = 11
	r, err := b.coldRig(ctx, false)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	all, err := coldStarts(ctx, r, []string{"empty", "issue"}, rounds, 0)
	if err != nil {
		return nil, err
	}
	counts, err := requests(ctx, r)
	if err != nil {
		return nil, err
	}
	issue, empty := all["issue"], all["empty"]
	return append(counts,
		figures.Figure{ID: "gate-cold", Name: "processor's time of a cold start with its first token: `issue` ÷ empty handler", Value: figures.Ratio(issue.work, empty.work), Margin: 0.5},
		figures.Figure{ID: "gate-resident", Name: "resident memory then: `issue` ÷ empty handler", Value: figures.Ratio(issue.memory, empty.memory), Margin: 0.15},
	), nil
}

// requests counts what calls send, once nothing is cold any more.
func requests(ctx context.Context, r *rig.Rig) ([]figures.Figure, error) {
	var err error
	// The fewest of several: on a busy machine a slot of the rate limit is
	// missed now and then, and another one reserved.
	count := func(function string, payload []byte, s stack.Service) figures.Spread {
		const calls = 6
		least := math.Inf(1)
		for i := range calls {
			pause(ctx, 300*time.Millisecond) // the next token request need not wait
			before := r.Calls(s)
			_, failed := r.Invoke(ctx, function, payload)
			err = errors.Join(err, failed)
			if i > 0 {
				least = min(least, float64(r.Calls(s)-before))
			}
		}
		return figures.Exactly(least)
	}
	renewal := []byte(`{"connection":"renewed","force":true}`)
	found := []figures.Figure{
		{ID: "gate-requests-memory", Name: "requests to DynamoDB of a call answered from memory", Exact: true, Value: count("issue", request(0), stack.DynamoDB)},
		{ID: "gate-requests-renewal", Name: "requests to DynamoDB of a renewal", Exact: true, Value: count("rotate", renewal, stack.DynamoDB)},
		{ID: "gate-secrets-renewal", Name: "requests to Secrets Manager of a renewal", Exact: true, Value: count("rotate", renewal, stack.SecretsManager)},
	}
	return found, err
}

// gateFlood is what a small crowd costs Reltio. test/e2e has the large ones.
func (b *bench) gateFlood(ctx context.Context) ([]figures.Figure, error) {
	const callers, environments = 200, 20
	r, err := rig.Start(ctx, rig.Config{
		Now: time.Now, Binaries: b.binaries,
		Sandbox: reltioauthtest.Config{Clients: []reltioauthtest.Client{client(0, time.Hour)}},
	})
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	if err := r.AddConnection(ctx, name(0), byClient(0)); err != nil {
		return nil, err
	}
	from := time.Now()
	err = atOnce(ctx, callers, environments, func(ctx context.Context, _ int) error {
		_, err := r.Invoke(ctx, "issue", request(0))
		return err
	})
	if err != nil {
		return nil, err
	}
	return []figures.Figure{{
		ID: "gate-flood", Name: "token requests when 200 callers on 20 cold environments find no token", Exact: true,
		Value: figures.Exactly(float64(r.Sandbox.TokenRequests(from, time.Time{}))), Bar: &figures.Bar{Limit: 1},
	}}, nil
}
