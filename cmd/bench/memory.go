package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/reltio-tokens/reltio-tokens/cmd/bench/figures"
	"github.com/reltio-tokens/reltio-tokens/cmd/bench/rig"
)

// memory measures whether vends leave anything behind.
func (b *bench) memory(ctx context.Context) (figures.Section, error) {
	const early, most, same = 50_000, 1_000_000, 20
	const step, last = 2_000, 10 // readings of which one is made
	s := figures.Section{
		Title:  "Memory over a million vends",
		Text:   []string{fmt.Sprintf("One process of `issue` vends a million times: one in %d from DynamoDB, through 1,500 connections, the others from memory. It is fed by a bare Runtime API, which is faster than all of Lambda. Resident memory is read every 2,000 vends; a value is the median of ten readings up to it.", same)},
		Header: []string{"Vends", "Resident, MB"},
	}
	r, err := rig.Start(ctx, rig.Config{Binaries: b.binaries})
	if err != nil {
		return s, err
	}
	defer func() { _ = r.Close() }()
	if err := putLiving(ctx, r); err != nil {
		return s, err
	}
	var held, levels []float64
	err = r.Feed(ctx, most, step, func(i int) []byte { return request(i / same) }, func(vends, pid int) error {
		mb, err := resident(pid)
		held = append(held, mb)
		if vends == early || vends%(5*early) == 0 {
			levels = append(levels, figures.Median(held[len(held)-last:]))
			s.Rows = append(s.Rows, []string{strconv.Itoa(vends), figures.Text(levels[len(levels)-1])})
		}
		return err
	})
	if err != nil {
		return s, err
	}
	s.Figures = []figures.Figure{{
		ID: "memory", Name: "resident memory of `issue` after a million vends ÷ after 50,000",
		Value: figures.Exactly(levels[len(levels)-1] / levels[0]), Bar: &figures.Bar{Limit: 1.1},
	}}
	return s, nil
}

// resident is a process's memory in megabytes.
func resident(pid int) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "VmRSS:" {
			kb, err := strconv.ParseFloat(fields[1], 64)
			return kb / 1024, err
		}
	}
	return 0, fmt.Errorf("process %d has no memory", pid)
}
