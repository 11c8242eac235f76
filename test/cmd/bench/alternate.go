package main

import (
	"context"
	"fmt"

	"github.com/reltio-tokens/reltio-tokens/test/bench/figures"
	"github.com/reltio-tokens/reltio-tokens/test/bench/rig"
)

// runner is a function that is invoked again and again, in one environment.
type runner struct {
	// name in tables, and the function's.
	name, function string
	// payload of the i-th invocation.
	payload func(i int) []byte

	done int
	// latency holds, for each round, the median time to the answer in
	// microseconds; work the processor's time per invocation.
	latency, work []float64
}

// alternate lets each runner invoke its function some times a round, one after the
// other, round by round; who is first changes. What the processor did is read
// once a round.
func alternate(ctx context.Context, r *rig.Rig, runners []*runner, rounds, each int) error {
	for round := range rounds {
		for i := range runners {
			x := runners[(round+i)%len(runners)]
			if err := x.round(ctx, r, each); err != nil {
				return fmt.Errorf("%s: %w", x.name, err)
			}
		}
	}
	return nil
}

func (x *runner) round(ctx context.Context, r *rig.Rig, each int) error {
	if x.done == 0 { // the environment has to start, and the payloads' first use is none of ours
		if _, err := r.Invoke(ctx, x.function, x.payload(0)); err != nil {
			return err
		}
		x.done++
	}
	e, err := r.Only(x.function)
	if err != nil {
		return err
	}
	before, err := rig.CPU(e)
	if err != nil {
		return err
	}
	times := make([]float64, 0, each)
	for range each {
		a, err := r.Invoke(ctx, x.function, x.payload(x.done))
		if err != nil {
			return err
		}
		x.done++
		times = append(times, us(a.Report.Answered))
	}
	after, err := rig.CPU(e)
	if err != nil {
		return err
	}
	x.latency = append(x.latency, figures.Median(times))
	x.work = append(x.work, us(after-before)/float64(each))
	return nil
}
