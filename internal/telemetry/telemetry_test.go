package telemetry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	stdlog "log" //nolint:depguard // what the runtime client writes to
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/internal/telemetry"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 123e6, time.UTC)

func clock() time.Time { return noon }

// parse reads what was written: one JSON object a line.
func parse(t *testing.T, written string) []map[string]any {
	t.Helper()
	var all []map[string]any
	for line := range strings.Lines(written) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("line %q: %v", line, err)
		}
		all = append(all, m)
	}
	return all
}

func TestALineIsLogAndMetrics(t *testing.T) {
	var out bytes.Buffer
	log := telemetry.New(&out, slog.LevelInfo, clock).In("ReltioTokens/prod")
	ctx := lambdacontext.NewContext(context.Background(), &lambdacontext.LambdaContext{AwsRequestID: "request-1"})
	log.Invocation(ctx, telemetry.Line{
		Level: slog.LevelWarn, Message: "rotate", Outcome: "failed",
		Attrs:   []slog.Attr{slog.String("connection", "acme"), slog.Int64("version", 7)},
		Counted: []telemetry.Metric{telemetry.Count(telemetry.Renewals, 2)},
		Metrics: []telemetry.Metric{
			telemetry.Seconds(telemetry.BudgetWaitSeconds, 1500*time.Millisecond), telemetry.Count(telemetry.Throttled, 0),
			telemetry.Days(telemetry.DaysUntilRefreshTokenEnds, 36*time.Hour),
		},
	})
	want := []map[string]any{{
		"timestamp": "2026-11-23T12:00:00.123Z", "level": "WARN", "message": "rotate", "requestId": "request-1",
		"connection": "acme", "version": 7.0, "outcome": "failed", "Outcome": "failed",
		"Renewals": 2.0, "BudgetWaitSeconds": 1.5, "Throttled": 0.0, "DaysUntilRefreshTokenEnds": 1.5,
		"_aws": map[string]any{
			"Timestamp": float64(noon.UnixMilli()),
			"CloudWatchMetrics": []any{
				map[string]any{
					"Namespace": "ReltioTokens/prod", "Dimensions": []any{[]any{"Outcome"}},
					"Metrics": []any{map[string]any{"Name": "Renewals", "Unit": "Count"}},
				},
				map[string]any{
					"Namespace": "ReltioTokens/prod", "Dimensions": []any{[]any{}},
					"Metrics": []any{
						map[string]any{"Name": "BudgetWaitSeconds", "Unit": "Seconds"},
						map[string]any{"Name": "Throttled", "Unit": "Count"},
						map[string]any{"Name": "DaysUntilRefreshTokenEnds", "Unit": "None"},
					},
				},
			},
		},
	}}
	if diff := cmp.Diff(want, parse(t, out.String())); diff != "" {
		t.Errorf("line (-want +got):\n%s", diff)
	}
}

func TestALineWithoutMetrics(t *testing.T) {
	var out bytes.Buffer
	log := telemetry.New(&out, slog.LevelInfo, clock).In("ReltioTokens/prod")
	log.Write(context.Background(), slog.LevelInfo, "hello", slog.String("a", "b"))
	want := []map[string]any{{"timestamp": "2026-11-23T12:00:00.123Z", "level": "INFO", "message": "hello", "a": "b"}}
	if diff := cmp.Diff(want, parse(t, out.String())); diff != "" {
		t.Errorf("line (-want +got):\n%s", diff)
	}
}

func TestALineWithMetricsOfOneKindAlone(t *testing.T) {
	for name, line := range map[string]telemetry.Line{
		"counted by outcome": {Outcome: "cached", Counted: []telemetry.Metric{telemetry.Count(telemetry.Issued, 1)}},
		"without dimension":  {Metrics: []telemetry.Metric{telemetry.Count(telemetry.SweepFinished, 1)}},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			telemetry.New(&out, slog.LevelInfo, clock).Invocation(context.Background(), line)
			got := parse(t, out.String())[0]
			aws := got["_aws"].(map[string]any)
			if n := len(aws["CloudWatchMetrics"].([]any)); n != 1 {
				t.Errorf("%d directives, want 1", n)
			}
			if _, ok := got["Outcome"]; ok != (line.Outcome != "") {
				t.Errorf("Outcome is there: %t", ok)
			}
		})
	}
}

func TestLevels(t *testing.T) {
	var out bytes.Buffer
	log := telemetry.New(&out, slog.LevelError, clock)
	log.Write(context.Background(), slog.LevelWarn, "dropped")
	log.Write(context.Background(), slog.LevelError, "kept")
	// The metrics are in it.
	log.Invocation(context.Background(), telemetry.Line{Level: slog.LevelDebug, Message: "an invocation"})
	got := parse(t, out.String())
	if len(got) != 2 || got[0]["message"] != "kept" || got[1]["message"] != "an invocation" {
		t.Errorf("lines %v, want the error and the invocation", got)
	}
}

func TestASecretIsRedacted(t *testing.T) {
	var out bytes.Buffer
	secret := reltioauth.NewSecret("kanari")
	telemetry.New(&out, slog.LevelInfo, clock).Write(context.Background(), slog.LevelInfo, "m",
		slog.Any("secret", secret), slog.Any("list", []any{secret, struct{ S reltioauth.Secret }{secret}}))
	if strings.Contains(out.String(), "kanari") {
		t.Errorf("line %s", out.String())
	}
}

// lines counts writes, each of which has to be a whole line.
type lines struct {
	mu sync.Mutex
	t  *testing.T
	n  int
}

// Write implements io.Writer.
func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.n++
	if len(parse(l.t, string(p))) != 1 {
		l.t.Errorf("wrote %q", p)
	}
	return len(p), nil
}

func TestALogIsSafeForConcurrentUse(t *testing.T) {
	out := &lines{t: t}
	log := telemetry.New(out, slog.LevelInfo, clock)
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			for range 20 {
				log.Invocation(context.Background(), telemetry.Line{
					Message: fmt.Sprint(i), Outcome: "cached", Counted: []telemetry.Metric{telemetry.Count(telemetry.Issued, 1)},
				})
			}
		})
	}
	all.Wait()
	if out.n != 400 {
		t.Errorf("%d lines, want 400", out.n)
	}
}

func TestTheRuntimeClientsLog(t *testing.T) {
	flags, out := stdlog.Flags(), stdlog.Writer()
	defer func() { stdlog.SetFlags(flags); stdlog.SetOutput(out) }()
	var written bytes.Buffer
	telemetry.New(&written, slog.LevelInfo, clock).Capture()
	for name, test := range map[string]struct{ said, want string }{
		"an error of ours":          {`{"errorMessage":"no connection has this name","errorType":"UnknownConnection"}`, ""},
		"a message":                 {"runtime API client failed to close next", "runtime API client failed to close next"},
		"an error before a handler": {`{"errorMessage":"failed to unmarshal client context json: kanari","errorType":"errorString"}`, "no handler was called: failed to unmarshal client context json"},
		"a panic":                   {`{"errorMessage":"kanari","errorType":"T","stackTrace":[{"path":"p","line":1,"label":"l"}]}`, "a panic outside the handler"},
		"a panic without a type":    {`{"errorMessage":"kanari","errorType":"","stackTrace":[]}`, "a panic outside the handler"},
	} {
		t.Run(name, func(t *testing.T) {
			written.Reset()
			stdlog.Print(test.said)
			if test.want == "" {
				if written.Len() > 0 {
					t.Errorf("got %s, want nothing: the invocation has its line", written.String())
				}
				return
			}
			got := parse(t, written.String())
			if len(got) != 1 || got[0]["level"] != "ERROR" || got[0]["message"] != test.want {
				t.Errorf("got %v, want one ERROR, %q", got, test.want)
			}
		})
	}
}
