// Package telemetry writes JSON log lines, and metrics inside them.
//
// One line per invocation is both: CloudWatch reads it as a log entry, and the
// part under "_aws" as metrics (the embedded metric format). So publishing a
// metric costs no call, and nothing is left to send when the execution
// environment freezes. A connection is never a dimension: dimensions cost by the
// number of their values.
//
//	log := telemetry.New(&telemetry.Bounded{To: os.Stdout}, slog.LevelInfo, time.Now)
//	log.Invocation(ctx, telemetry.Line{Message: "issued", Outcome: "cached", ...})
//
// Write errors are ignored.
package telemetry

import (
	"context"
	"encoding/json"
	"io"
	"log" //nolint:depguard // what the runtime client writes to
	"log/slog"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
)

// Namespace of the metrics of a Log that has no other.
const Namespace = "ReltioTokens"

// The metrics. Issued, Renewals and Callbacks have the dimension Outcome.
const (
	Issued                    = "Issued"
	Renewals                  = "Renewals"
	Callbacks                 = "Callbacks"
	TokenRequests             = "TokenRequests"
	Throttled                 = "Throttled"
	BudgetWaitSeconds         = "BudgetWaitSeconds"
	RefusedLogins             = "RefusedLogins"
	Unstored                  = "Unstored" // refresh tokens that Secrets Manager did not take
	Waiting                   = "Waiting"
	OldestOverdueSeconds      = "OldestOverdueSeconds"
	DaysUntilRefreshTokenEnds = "DaysUntilRefreshTokenEnds"
	SweepFinished             = "SweepFinished"
	ServerRefusing            = "ServerRefusing" // 1 if a sweep met a host whose circuit is open, else 0
)

// outcome is the one dimension.
const outcome = "Outcome"

// Log writes lines. It is safe for concurrent use.
type Log struct {
	handler   slog.Handler
	now       func() time.Time
	namespace string
}

// New writes to w. Lines of Logger below the level are dropped. The line of an
// invocation is always written, because it holds the metrics.
func New(w io.Writer, level slog.Level, now func() time.Time) *Log {
	return &Log{
		handler:   slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: lambdacontext.ReplaceAttr}),
		now:       now,
		namespace: Namespace,
	}
}

// In is the log with the namespace for its metrics: that of the stack, so that two
// stacks in one account do not silence each other's alarms.
func (l *Log) In(namespace string) *Log {
	own := *l
	own.namespace = namespace
	return &own
}

// Metric is a name and a value.
type Metric struct {
	Name  string
	Unit  string
	Value float64
}

// Count is a metric in units of one.
func Count(name string, n int) Metric { return Metric{Name: name, Unit: "Count", Value: float64(n)} }

// Seconds is a metric of time.
func Seconds(name string, d time.Duration) Metric {
	return Metric{Name: name, Unit: "Seconds", Value: d.Seconds()}
}

// Days is a metric of long times; CloudWatch has no unit for it.
func Days(name string, d time.Duration) Metric {
	return Metric{Name: name, Unit: "None", Value: d.Hours() / 24}
}

// Line is one log line with its metrics.
type Line struct {
	Level   slog.Level
	Message string
	Attrs   []slog.Attr
	// Outcome is the dimension of Counted; it is also logged as "outcome".
	Outcome string
	Counted []Metric
	// Metrics have no dimension.
	Metrics []Metric
}

// Invocation writes the line, with the request's id if the context knows it.
func (l *Log) Invocation(ctx context.Context, line Line) {
	now := l.now()
	r := slog.NewRecord(now, line.Level, line.Message, 0)
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		r.AddAttrs(slog.String("requestId", lc.AwsRequestID))
	}
	r.AddAttrs(line.Attrs...)
	if line.Outcome != "" {
		r.AddAttrs(slog.String("outcome", line.Outcome))
	}
	r.AddAttrs(line.embedded(l.namespace, now)...)
	_ = l.handler.Handle(ctx, r)
}

// Write writes a plain line, if the level is enabled.
func (l *Log) Write(ctx context.Context, level slog.Level, message string, attrs ...slog.Attr) {
	if !l.handler.Enabled(ctx, level) {
		return
	}
	l.Invocation(ctx, Line{Level: level, Message: message, Attrs: attrs})
}

// Capture sends what the runtime client writes with package log through l: as
// JSON, at the level ERROR. Its lines about function errors are left out, because
// the invocation has its own line. The runtime client's own errors, made before
// the handler was called, have only this line.
// called, has none but this.
func (l *Log) Capture() {
	log.SetFlags(0)
	log.SetOutput(captured{l})
}

// captured is the runtime client's log.
type captured struct{ log *Log }

// Write implements io.Writer: one call is one message.
func (c captured) Write(text []byte) (int, error) {
	message := strings.TrimSpace(string(text))
	var failed functionError
	if json.Unmarshal(text, &failed) == nil && (failed.Type != "" || failed.Message != "") {
		if failed.Type.Known() {
			return len(text), nil
		}
		message = failed.reason()
	}
	c.log.Write(context.Background(), slog.LevelError, message)
	return len(text), nil
}

// functionError is the runtime client's message about an invocation that failed.
type functionError struct {
	Type    apierr.Type     `json:"errorType"`
	Message string          `json:"errorMessage"`
	Stack   json.RawMessage `json:"stackTrace"`
}

// reason is the runtime client's own text: up to the colon, after which it quotes
// the caller's. The text of a panic can be anything.
func (e functionError) reason() string {
	if len(e.Stack) > 0 {
		return "a panic outside the handler"
	}
	own, _, _ := strings.Cut(e.Message, ":")
	return "no handler was called: " + own
}

// directive says which members of the line are metrics.
type directive struct {
	Namespace  string
	Dimensions [][]string
	Metrics    []definition
}

type definition struct {
	Name string
	Unit string
}

// embedded is the part of the line that CloudWatch reads as metrics.
func (line Line) embedded(namespace string, now time.Time) []slog.Attr {
	var directives []directive
	var attrs []slog.Attr
	add := func(metrics []Metric, dimensions [][]string) {
		if len(metrics) == 0 {
			return
		}
		d := directive{Namespace: namespace, Dimensions: dimensions}
		for _, m := range metrics {
			d.Metrics = append(d.Metrics, definition{m.Name, m.Unit})
			attrs = append(attrs, slog.Float64(m.Name, m.Value))
		}
		directives = append(directives, d)
	}
	add(line.Counted, [][]string{{outcome}})
	add(line.Metrics, [][]string{{}})
	if len(directives) == 0 {
		return nil
	}
	if len(line.Counted) > 0 {
		attrs = append(attrs, slog.String(outcome, line.Outcome))
	}
	return append(attrs, slog.Group("_aws",
		slog.Int64("Timestamp", now.UnixMilli()),
		slog.Any("CloudWatchMetrics", directives)))
}
