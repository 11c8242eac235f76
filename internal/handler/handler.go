// Package handler is the functions' edge: an event comes in as bytes, a verb is
// called, an answer goes out as bytes.
//
// It holds no rule. It decodes strictly, recovers from panics, turns errors
// into answers in one place (Fail), and writes one log line per invocation.
//
//	lambda.Start(&handler.Issue{Vendor: vendor, Log: log, Now: time.Now})
package handler

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/reltio-tokens/reltio-tokens/internal/fault"
	"github.com/reltio-tokens/reltio-tokens/internal/telemetry"
)

// Fail is the one place where an error becomes a function error: type and
// message as callers know them. Of a defect they learn the request's id and
// nothing more; the log has the rest.
func Fail(ctx context.Context, err error) error {
	f := fault.Of(err)
	message := f.Message
	if f.Type == fault.Internal {
		message = "request " + requestID(ctx)
	}
	return messages.InvokeResponse_Error{Type: string(f.Type), Message: message}
}

func requestID(ctx context.Context) string {
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		return lc.AwsRequestID
	}
	return "unknown"
}

// guard calls f and turns a panic into an Internal error. What was panicked
// with is not known to be safe to show: the log gets its type and where it
// happened.
func guard(ctx context.Context, log *telemetry.Log, f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			log.Write(ctx, slog.LevelError, "panic",
				slog.String("type", fmt.Sprintf("%T", p)), slog.String("stack", string(debug.Stack())))
			err = fault.New(fault.Internal, "")
		}
	}()
	return f()
}

// encode writes an answer.
func encode(answer any) ([]byte, error) {
	data, err := json.Marshal(answer)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, "", err)
	}
	return data, nil
}

// attrsOf describes an error for the log. An Internal one shows its cause's
// type alone, since nobody said that its text is safe.
func attrsOf(err error) []slog.Attr {
	if err == nil {
		return nil
	}
	f := fault.Of(err)
	attrs := []slog.Attr{slog.String("error", string(f.Type)), slog.String("error_message", f.Message)}
	if f.Type == fault.Internal && f.Unwrap() != nil {
		attrs = append(attrs, slog.String("cause", fmt.Sprintf("%T", f.Unwrap())))
	}
	return attrs
}

// levelOf is how loud an outcome is.
func levelOf(err error) slog.Level {
	switch {
	case err == nil:
		return slog.LevelInfo
	case fault.Of(err).Type == fault.Internal:
		return slog.LevelError
	default:
		return slog.LevelWarn
	}
}

// since is how long an invocation took, in milliseconds.
func since(start, now time.Time) slog.Attr {
	return slog.Float64("duration_ms", float64(now.Sub(start).Microseconds())/1000)
}
