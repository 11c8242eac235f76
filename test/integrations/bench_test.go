package integrations

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/test/lambdahost"
	"github.com/reltio-tokens/reltio-tokens/test/stack"
)

// measured is a function in Python that does nothing, or gets tokens.
func measured(t testing.TB, via string) lambdahost.Function {
	t.Helper()
	dir := recipe(t)
	code, err := os.ReadFile("testdata/measure.py")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "measure.py"), code, 0o600); err != nil {
		t.Fatal(err)
	}
	f := python(via)(t)
	f.Dir, f.Handler = dir, "measure.handler"
	f.Env["MEASURE_TOKENS"] = via
	return f
}

// layered is the same with the extension.
func layered(t testing.TB) lambdahost.Function {
	return withExtension(func(t testing.TB) lambdahost.Function { return measured(t, "extension") })(t)
}

// get lets a function get its token so often, and returns the microseconds each
// took.
func get(t testing.TB, s *stack.Stack, how string, times int) (micros float64) {
	t.Helper()
	payload, err := json.Marshal(map[string]any{"how": how, "times": times})
	if err != nil {
		t.Fatal(err)
	}
	result, err := s.Host.Invoke(t.Context(), lambdahost.Invocation{Function: app, Payload: payload})
	if err != nil || result.FunctionError != "" {
		t.Fatalf("%v %s", err, result.Payload)
	}
	if err := json.Unmarshal(result.Payload, &micros); err != nil {
		t.Fatal(err)
	}
	return micros
}

// What the ways to a token add to a Python function's init, to its memory, and to
// a call: go test -run XXX -bench . -benchtime 15x ./test/integrations
func BenchmarkAFunctionInPython(b *testing.B) {
	s := start(b, time.Hour, connection)
	for _, way := range []struct {
		name string
		make func() lambdahost.Function
	}{
		{"no token", func() lambdahost.Function { return measured(b, "") }},
		{"boto3", func() lambdahost.Function { return measured(b, "lambda") }},
		{"extension", func() lambdahost.Function { return layered(b) }},
		{"extension, warmed", func() lambdahost.Function {
			f := layered(b)
			f.Env["RELTIO_CONNECTIONS"] = connection
			return f
		}},
	} {
		b.Run(way.name, func(b *testing.B) {
			f := way.make()
			f.Env = merged(f.Env, map[string]string{"RELTIO_CONNECTION": connection})
			deploy(b, s.Host, f, app, s.LambdaURL, "", nil)
			get(b, s, "", 0)
			var inits, memory []float64
			for b.Loop() {
				s.Host.Recycle(app)
				get(b, s, "", 0)
				e := s.Host.Environments(app)[0]
				rss, err := e.RSS()
				if err != nil {
					b.Fatal(err)
				}
				inits = append(inits, float64(e.InitDuration().Microseconds())/1000)
				memory = append(memory, float64(rss)/1e6)
			}
			b.ReportMetric(median(inits), "init-ms")
			b.ReportMetric(median(memory), "MB")
			if way.name != "no token" {
				b.ReportMetric(typical(b, s, "get"), "µs/token")
			}
			b.ReportMetric(typical(b, s, "invoke"), "µs/invocation")
		})
	}
}

// typical is the median of three rounds.
func typical(b *testing.B, s *stack.Stack, how string) float64 {
	b.Helper()
	var rounds []float64
	for range 3 {
		rounds = append(rounds, get(b, s, how, 300))
	}
	return median(rounds)
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}
