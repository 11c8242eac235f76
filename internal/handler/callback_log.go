package handler

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/authcode"
	"github.com/reltio-tokens/reltio-tokens/internal/ratelimit"
	"github.com/reltio-tokens/reltio-tokens/internal/telemetry"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// log writes the one line of a request.
func (h *Callback) log(ctx context.Context, v *exchange, a reply, start time.Time) {
	attrs := []slog.Attr{
		slog.String("connection", a.connection),
		slog.Int64("version", a.version),
		slog.String("fingerprint", a.fingerprint),
		slog.String("route", v.route()),
		slog.Int("status", a.status),
		slog.String("reference", v.reference),
	}
	if a.code != "" {
		attrs = append(attrs, slog.String("error_code", a.code))
	}
	attrs = append(attrs, attrsOfRequest(a.err)...)
	if a.unkept != nil {
		attrs = append(attrs, unkeptAttrs(a.unkept, a.parked, false)...)
	}
	if a.hostErr != nil {
		attrs = append(attrs, slog.String("host_error", apierr.Of(a.hostErr).Message))
	}
	h.Log.Invocation(ctx, telemetry.Line{
		Level: requestLevel(a), Message: "callback", Attrs: append(attrs, telemetry.Took(h.Now().Sub(start))),
		Outcome: a.outcome, Counted: []telemetry.Metric{telemetry.Count(telemetry.Callbacks, 1)},
		Metrics: a.asked,
	})
}

// exchangeMetrics are those of the exchange of a code. They have the names of
// rotate's metrics, since both count against one rate limit.
func exchangeMetrics(a authcode.CallbackResult) []telemetry.Metric {
	unstored := 0
	if a.Unkept != nil {
		unstored = 1
	}
	return []telemetry.Metric{
		telemetry.Count(telemetry.TokenRequests, a.TokenRequests),
		telemetry.Count(telemetry.Throttled, a.Throttled),
		telemetry.Count(telemetry.RefusedLogins, a.RefusedLogins),
		telemetry.Count(telemetry.Unstored, unstored),
		telemetry.Seconds(telemetry.BudgetWaitSeconds, a.RateLimitWait),
	}
}

// attrsOfRequest is telemetry.Fault with Reltio's response: the OAuth code, the
// status, the description (package reltioauth has removed all possible secrets
// from it), and the reason and cause why there was no usable response. None of it
// is shown in a page: anyone can write text into a response.
func attrsOfRequest(err error) []slog.Attr {
	var refused *reltioauth.Error
	var busy *ratelimit.LimitError
	switch {
	case errors.As(err, &refused):
		attrs := []slog.Attr{
			slog.String("error", string(apierr.ReltioUnavailable)),
			slog.String("reltio_operation", refused.Op),
			slog.String("reltio_error", string(refused.Code)),
			slog.Int("reltio_status", refused.StatusCode),
		}
		if refused.Description != "" {
			attrs = append(attrs, slog.String("reltio_description", refused.Description))
		}
		if reason := refused.Reason(); reason != "" {
			attrs = append(attrs, slog.String("reltio_reason", reason))
		}
		if refused.Err != nil {
			attrs = append(attrs, slog.String("reltio_cause", refused.Err.Error()))
		}
		return attrs
	case errors.As(err, &busy):
		return telemetry.Fault(apierr.New(apierr.RateLimited, busy.Error()))
	default:
		return telemetry.Fault(err)
	}
}

// requestLevel is the log level of a request. Only Error raises an alarm: store
// failures are Error, even if the person sees nothing of them. A person's
// mistakes are Warn.
func requestLevel(a reply) slog.Level {
	switch {
	case a.unkept != nil, a.status == http.StatusInternalServerError, a.outcome == string(authcode.StoreFailing):
		return slog.LevelError
	case a.status >= http.StatusBadRequest, a.hostErr != nil:
		return slog.LevelWarn
	default:
		return slog.LevelInfo
	}
}
