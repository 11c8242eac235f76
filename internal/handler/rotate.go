package handler

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/renewal"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/internal/strictjson"
	"github.com/reltio-tokens/reltio-tokens/internal/telemetry"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// maxLines bounds the log lines that one sweep writes about single renewals.
const maxLines = 100

// Rotate handles invocations by the schedule, the issue function and operators.
// All fields are required. It implements lambda.Handler.
type Rotate struct {
	Renewer *renewal.Renewer
	Log     *telemetry.Log
	Now     func() time.Time
}

// Invoke handles one invocation. A failed renewal is a successful invocation.
func (h *Rotate) Invoke(ctx context.Context, payload []byte) (data []byte, _ error) {
	start := h.Now()
	name, said := "", false // said: the line of this invocation is written
	err := h.Log.Guard(ctx, "", func() error {
		request, err := rotateRequest(payload)
		if err != nil {
			return err
		}
		if request != nil {
			name = request.Connection
		}
		result, err := h.rotate(ctx, request, start)
		if err != nil {
			said = request != nil
			return err
		}
		data, err = encode(result)
		return err
	})
	if err == nil {
		return data, nil
	}
	if !said {
		h.logFailed(ctx, name, err, start)
	}
	return nil, Fail(ctx, err)
}

func (h *Rotate) rotate(ctx context.Context, request *rotateapi.Request, start time.Time) (rotateapi.Result, error) {
	if request == nil {
		return h.sweep(ctx, start)
	}
	report := h.Renewer.Renew(ctx, *request)
	h.logOne(ctx, report, start)
	if report.Unstored {
		return rotateapi.Result{}, report.Err
	}
	return rotateapi.Single(report.Outcome, report.Err), nil
}

func (h *Rotate) sweep(ctx context.Context, start time.Time) (rotateapi.Result, error) {
	swept, err := h.Renewer.Sweep(ctx)
	if err != nil {
		return swept.Result, err
	}
	h.logSweep(ctx, swept, start)
	return swept.Result, nil
}

// rotateRequest decodes a request: nil for a sweep. Unknown fields are ignored.
func rotateRequest(payload []byte) (*rotateapi.Request, error) {
	o, err := strictjson.Parse(payload)
	if err != nil {
		return nil, apierr.New(apierr.InvalidRequest, "payload: "+err.Error())
	}
	single := false
	for _, field := range []string{"connection", "lease", "force", "min_ttl_seconds", "rejected_fingerprint"} {
		single = single || o.Has(field)
	}
	if !single {
		return nil, nil //nolint:nilnil // nil is a sweep
	}
	r := &rotateapi.Request{
		Connection:          connectionName(o),
		MinTTLSeconds:       int64(minTTL(o) / time.Second),
		RejectedFingerprint: rejected(o),
		Force:               o.Bool("force"),
		Lease:               handedOver(o),
	}
	o.KnowAll()
	if problems := o.Problems(); len(problems) > 0 {
		return nil, apierr.Fields(apierr.InvalidRequest, problems)
	}
	return r, nil
}

// handedOver reads the lease of a request; nil if there is none.
func handedOver(o *strictjson.Object) *rotateapi.Lease {
	l := o.Object("lease")
	if l == nil {
		return nil
	}
	given := &rotateapi.Lease{Owner: l.String("owner"), Epoch: l.Integer("epoch")}
	l.KnowAll()
	if len(l.Problems()) > 0 || given.Owner == "" || given.Epoch <= 0 {
		o.Problem("lease", "must have an owner and an epoch")
	}
	return given
}

// logOne writes the line of a single renewal.
func (h *Rotate) logOne(ctx context.Context, r renewal.Report, start time.Time) {
	h.Log.Invocation(ctx, telemetry.Line{
		Level: reportLevel(r), Message: "rotate", Attrs: append(reportAttrs(r), telemetry.Took(h.Now().Sub(start))),
		Outcome: string(r.Outcome), Counted: []telemetry.Metric{telemetry.Count(telemetry.Renewals, 1)},
		Metrics: requestMetrics([]renewal.Report{r}, h.Now()),
	})
}

// logFailed writes the line of an invocation that failed as a whole.
func (h *Rotate) logFailed(ctx context.Context, name string, err error, start time.Time) {
	r := renewal.Report{Connection: name, Err: apierr.Of(err)}
	h.Log.Invocation(ctx, telemetry.Line{
		Level: levelOf(err), Message: "rotate", Attrs: append(reportAttrs(r), telemetry.Took(h.Now().Sub(start))),
		Outcome: string(r.Err.Type),
	})
}

// logSweep writes the line of a sweep, one line per outcome with its count for
// the metrics, and a line for each renewal that an operator may want to see.
func (h *Rotate) logSweep(ctx context.Context, swept renewal.Swept, start time.Time) {
	result, lines := swept.Result, 0
	for _, r := range slices.SortedStableFunc(slices.Values(swept.Reports), loudestFirst) {
		if remarkable(r) && lines < maxLines {
			h.Log.Write(ctx, reportLevel(r), "renewal", append(reportAttrs(r), slog.String("outcome", string(r.Outcome)))...)
			lines++
		}
	}
	for outcome, n := range result.Outcomes() {
		h.Log.Invocation(ctx, telemetry.Line{
			Message: "renewals", Outcome: string(outcome),
			Counted: []telemetry.Metric{telemetry.Count(telemetry.Renewals, n)},
		})
	}
	h.Log.Invocation(ctx, telemetry.Line{
		Message: "sweep",
		Attrs: []slog.Attr{
			slog.Int("due", result.Due), slog.Int("renewed", result.Renewed), slog.Int("unchanged", result.Unchanged),
			slog.Int("contended", result.Contended), slog.Int("failed", result.Failed),
			slog.Int("reauthorize", result.Reauthorize), slog.Int("left_over", result.LeftOver), telemetry.Took(h.Now().Sub(start)),
		},
		Outcome: "finished",
		Metrics: append(requestMetrics(swept.Reports, h.Now()), sweepMetrics(swept)...),
	})
}

// remarkable reports whether an operator may want to see a renewal of a sweep.
func remarkable(r renewal.Report) bool {
	return r.Unkept != nil || r.EventErr != nil || r.HostErr != nil || r.Err != nil && r.Outcome != rotateapi.LeftOver
}

// loudestFirst orders reports by their levels, so that warnings never take the
// place of an error's line.
func loudestFirst(a, b renewal.Report) int { return cmp.Compare(reportLevel(b), reportLevel(a)) }

// sweepMetrics are the metrics of a sweep as a whole.
func sweepMetrics(swept renewal.Swept) []telemetry.Metric {
	metrics := []telemetry.Metric{
		telemetry.Seconds(telemetry.OldestOverdueSeconds, swept.OldestOverdue),
		telemetry.Count(telemetry.SweepFinished, 1),
		telemetry.Count(telemetry.ServerRefusing, refusing(swept.Reports)),
	}
	if swept.Waiting >= 0 {
		metrics = append(metrics, telemetry.Count(telemetry.Waiting, swept.Waiting))
	}
	return metrics
}

// refusing is 1 if the circuit of a report's host is open, else 0.
func refusing(reports []renewal.Report) int {
	if slices.ContainsFunc(reports, func(r renewal.Report) bool { return r.CircuitOpen }) {
		return 1
	}
	return 0
}

func reportAttrs(r renewal.Report) []slog.Attr {
	attrs := []slog.Attr{
		slog.String("connection", r.Connection),
		slog.Int64("version", r.Version),
		slog.String("fingerprint", r.Fingerprint),
	}
	if r.Err != nil {
		attrs = append(attrs, telemetry.Fault(r.Err)...)
		attrs = append(attrs, reltioAttrs(r)...)
	}
	if r.Unkept != nil {
		attrs = append(attrs, unkeptAttrs(r.Unkept, r.Parked, r.Lost)...)
	}
	if r.EventErr != nil {
		attrs = append(attrs, slog.String("event_error", r.EventErr.Message))
	}
	if r.HostErr != nil {
		attrs = append(attrs, slog.String("host_error", r.HostErr.Message))
	}
	return attrs
}

// unkeptAttrs say why Secrets Manager did not take a refresh token, and what
// became of that token.
func unkeptAttrs(why error, parked, lost bool) []slog.Attr {
	return []slog.Attr{
		slog.String("vault_error", apierr.Of(why).Message), slog.Bool("parked", parked), slog.Bool("lost", lost),
	}
}

// reltioAttrs are what Reltio said when it refused, or why there was no usable
// response. Package reltioauth has removed all possible secrets from both.
func reltioAttrs(r renewal.Report) (attrs []slog.Attr) {
	if r.Refusal.Status != 0 {
		attrs = append(attrs, slog.String("reltio_error", r.Refusal.Code), slog.Int("reltio_status", r.Refusal.Status))
	}
	if r.Refusal.Description != "" {
		attrs = append(attrs, slog.String("reltio_description", r.Refusal.Description))
	}
	var heard *reltioauth.Error
	if errors.As(r.Err, &heard) && heard.Err != nil {
		attrs = append(attrs, slog.String("reltio_cause", heard.Err.Error()))
	}
	return attrs
}

// reportLevel is the log level of a renewal. If Secrets Manager did not take a
// refresh token, it is Error even if the renewal succeeded: until Secrets Manager
// takes the token, it is only in the table, or nowhere. An event that could not
// be sent, or a host's record that failed, is Warn.
func reportLevel(r renewal.Report) slog.Level {
	if r.Unkept != nil {
		return slog.LevelError
	}
	level := slog.LevelInfo
	if r.EventErr != nil || r.HostErr != nil {
		level = slog.LevelWarn
	}
	if r.Err == nil || r.Outcome == rotateapi.LeftOver {
		return level
	}
	return max(level, levelOf(r.Err))
}

// requestMetrics sums the requests that renewals sent, and finds the refresh
// token that expires first.
func requestMetrics(reports []renewal.Report, now time.Time) []telemetry.Metric {
	var requests, throttled, refused, unstored int
	var waited time.Duration
	var ends time.Time
	for _, r := range reports {
		requests += r.TokenRequests
		throttled += r.Throttled
		refused += r.RefusedLogins
		waited += r.RateLimitWait
		if r.Unkept != nil {
			unstored++
		}
		if !r.RefreshExpiresAt.IsZero() && (ends.IsZero() || r.RefreshExpiresAt.Before(ends)) {
			ends = r.RefreshExpiresAt
		}
	}
	metrics := []telemetry.Metric{
		telemetry.Count(telemetry.TokenRequests, requests),
		telemetry.Count(telemetry.Throttled, throttled),
		telemetry.Count(telemetry.RefusedLogins, refused),
		telemetry.Count(telemetry.Unstored, unstored),
		telemetry.Seconds(telemetry.BudgetWaitSeconds, waited),
	}
	if !ends.IsZero() {
		metrics = append(metrics, telemetry.Days(telemetry.DaysUntilRefreshTokenEnds, ends.Sub(now)))
	}
	return metrics
}
