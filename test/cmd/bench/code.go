package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/reltio-tokens/reltio-tokens/test/bench/figures"
	"github.com/reltio-tokens/reltio-tokens/test/stack"
)

// benchmark is what Go's own benchmark of issue says, run by run.
type benchmark struct{ nanoseconds, bytes, allocations []float64 }

// benchmarkIssue runs it: decoding, the answer from memory, the answer and the log
// line.
func benchmarkIssue(ctx context.Context, runs int) (benchmark, error) {
	c, err := stack.Go(ctx, "internal/handler", "test", "-run", "^$", "-bench", "^BenchmarkIssueFromMemory$", "-benchmem",
		"-count", strconv.Itoa(runs), "-benchtime", "20000x")
	if err != nil {
		return benchmark{}, err
	}
	out, err := c.CombinedOutput()
	if err != nil {
		return benchmark{}, fmt.Errorf("go test: %w\n%s", err, out)
	}
	b := readBenchmark(out)
	if len(b.allocations) != runs {
		return benchmark{}, fmt.Errorf("%d of %d benchmarks are readable:\n%s", len(b.allocations), runs, out)
	}
	return b, nil
}

// readBenchmark reads lines of a name, a count, and pairs of value and unit.
func readBenchmark(out []byte) (b benchmark) {
	for s := bufio.NewScanner(bytes.NewReader(out)); s.Scan(); {
		fields := strings.Fields(s.Text())
		if len(fields) == 0 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		for i := 2; i+1 < len(fields); i += 2 {
			value, err := strconv.ParseFloat(fields[i], 64)
			if err != nil {
				continue
			}
			switch fields[i+1] {
			case "ns/op":
				b.nanoseconds = append(b.nanoseconds, value)
			case "B/op":
				b.bytes = append(b.bytes, value)
			case "allocs/op":
				b.allocations = append(b.allocations, value)
			}
		}
	}
	return b
}

// code measures issue without a process around it.
func (b *bench) code(ctx context.Context) (figures.Section, error) {
	const runs = 10
	s := figures.Section{
		Title: "The code of issue",
		Text:  []string{"`go test -bench IssueFromMemory -benchmem ./internal/handler`: the payload is decoded, the token comes from memory, the answer is encoded and the log line with its metrics is written, to nowhere."},
	}
	v, err := benchmarkIssue(ctx, runs)
	if err != nil {
		return s, err
	}
	micro := make([]float64, 0, runs)
	for _, ns := range v.nanoseconds {
		micro = append(micro, ns/1000)
	}
	time, allocations := figures.Of(micro), figures.Of(v.allocations)
	s.Header = []string{"Time, µs", "Allocations", "Bytes"}
	s.Rows = [][]string{{time.String(), allocations.String(), figures.Of(v.bytes).String()}}
	s.Figures = []figures.Figure{
		{ID: "code-time", Name: "token from memory in the Go benchmark, log included", Unit: "µs", Value: time, Bar: &figures.Bar{Limit: 60}},
		{ID: "code-allocations", Name: "its allocations", Value: allocations, Bar: &figures.Bar{Limit: 100}},
	}
	return s, nil
}
