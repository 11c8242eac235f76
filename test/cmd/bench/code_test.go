package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestGoBenchmarksAreRead(t *testing.T) {
	const out = `goos: linux
cpu: AMD EPYC
BenchmarkIssueFromMemory-2   	   20000	      8070 ns/op	    4027 B/op	      55 allocs/op
BenchmarkIssueFromMemory-2   	   20000	      7990.5 ns/op	    4028 B/op	      55 allocs/op
BenchmarkWarm/Get-2          	16000000	      71.50 ns/op	       0 B/op	       0 allocs/op
PASS
`
	want := map[string]benchmark{
		"BenchmarkIssueFromMemory": {
			nanoseconds: []float64{8070, 7990.5}, bytes: []float64{4027, 4028}, allocations: []float64{55, 55},
		},
		"BenchmarkWarm/Get": {nanoseconds: []float64{71.5}, bytes: []float64{0}, allocations: []float64{0}},
	}
	if diff := cmp.Diff(want, readBenchmarks([]byte(out)), cmp.AllowUnexported(benchmark{})); diff != "" {
		t.Error("-want +got:\n" + diff)
	}
}
