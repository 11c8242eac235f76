package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/reltio-tokens/reltio-tokens/test/bench/figures"
	"github.com/reltio-tokens/reltio-tokens/test/bench/rig"
	"github.com/reltio-tokens/reltio-tokens/test/lambdahost"
)

// memory measures whether invocations of issue leave anything behind.
func (b *bench) memory(ctx context.Context) (figures.Section, error) {
	// After full calls memory has as many connections as it may have.
	const early, full, most, same = 50_000, 250_000, 1_000_000, 20
	const step, last = 2_000, 10 // readings of which one is made
	s := figures.Section{
		Title:  "Memory over a million calls",
		Text:   []string{fmt.Sprintf("One process of `issue` answers a million times: one in %d from DynamoDB, through 12,000 connections, the others from memory, which holds 10,000: after 250,000 calls it is full. It is fed by a bare Runtime API, which is faster than all of Lambda. Resident memory is read every 2,000 calls; a value is the median of ten readings up to it.", same)},
		Header: []string{"Calls", "Resident, MiB"},
	}
	r, err := rig.Start(ctx, rig.Config{Now: time.Now, Binaries: b.binaries})
	if err != nil {
		return s, err
	}
	defer func() { _ = r.Close() }()
	if err := putGrants(ctx, r, connections); err != nil {
		return s, err
	}
	var held, levels []float64
	err = r.Feed(ctx, most, step, func(i int) []byte { return request(i / same) }, func(calls, pid int) error {
		now, _ := lambdahost.Memory(pid)
		if now == 0 {
			return fmt.Errorf("process %d has no memory", pid)
		}
		held = append(held, float64(now)/(1<<20))
		if calls != early && calls%full != 0 {
			return nil
		}
		level := figures.Median(held[len(held)-last:])
		s.Rows = append(s.Rows, []string{strconv.Itoa(calls), figures.Text(level)})
		if calls >= full {
			levels = append(levels, level)
		}
		return nil
	})
	if err != nil {
		return s, err
	}
	s.Figures = []figures.Figure{{
		ID: "memory", Name: "resident memory of `issue` after a million calls ÷ after 250,000, when its memory is full",
		Value: figures.Exactly(levels[len(levels)-1] / levels[0]), Bar: &figures.Bar{Limit: 1.1},
	}}
	return s, nil
}
