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
	const name = "BenchmarkIssueFromMemory"
	all, err := benchmarked(ctx, "internal/handler", runs, []string{name}, "-benchtime", "20000x")
	return all[name], err
}

// benchmarked runs benchmarks of a package, each several times, and reads what they say,
// by their names: "BenchmarkWarm/Get".
func benchmarked(ctx context.Context, folder string, runs int, names []string, flags ...string) (map[string]benchmark, error) {
	var tops []string
	for _, name := range names {
		top, _, _ := strings.Cut(name, "/")
		tops = append(tops, "^"+top+"$")
	}
	arguments := append([]string{
		"test", "-run", "^$", "-bench", strings.Join(tops, "|"), "-benchmem", "-count", strconv.Itoa(runs),
	}, flags...)
	c, err := stack.Go(ctx, folder, arguments...)
	if err != nil {
		return nil, err
	}
	out, err := c.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("go test: %w\n%s", err, out)
	}
	all := readBenchmarks(out)
	for _, name := range names {
		if got := len(all[name].allocations); got != runs {
			return nil, fmt.Errorf("%d of %d runs of %s are readable:\n%s", got, runs, name, out)
		}
	}
	return all, nil
}

// readBenchmarks reads lines of a name, a count, and pairs of value and unit. The name
// ends with the number of processors, which is left out.
func readBenchmarks(out []byte) map[string]benchmark {
	all := map[string]benchmark{}
	for s := bufio.NewScanner(bytes.NewReader(out)); s.Scan(); {
		fields := strings.Fields(s.Text())
		if len(fields) == 0 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		name, _, _ := strings.Cut(fields[0], "-")
		b := all[name]
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
		all[name] = b
	}
	return all
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
