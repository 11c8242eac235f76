package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
)

// Guard calls f and turns a panic into an Internal error with the message, which
// may be empty. The panic's value may hold a secret, so the log gets only its
// type and its place in the code.
func (l *Log) Guard(ctx context.Context, message string, f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			failed := apierr.New(apierr.Internal, message)
			l.Write(ctx, slog.LevelError, "panic", slog.String("error_message", failed.Error()),
				slog.String("type", fmt.Sprintf("%T", p)), slog.String("stack", string(debug.Stack())))
			err = failed
		}
	}()
	return f()
}

// Fault describes an error; nil: no attributes. Of an Internal one it shows only
// the type of the cause, whose text may hold a secret. The messages of the other
// types are complete and safe.
func Fault(err error) []slog.Attr {
	if err == nil {
		return nil
	}
	f := apierr.Of(err)
	attrs := []slog.Attr{slog.String("error", string(f.Type)), slog.String("error_message", f.Message)}
	if f.Type == apierr.Internal && f.Unwrap() != nil {
		attrs = append(attrs, slog.String("cause", fmt.Sprintf("%T", f.Unwrap())))
	}
	return attrs
}

// Took is how long something took, in milliseconds.
func Took(d time.Duration) slog.Attr {
	return slog.Float64("duration_ms", float64(d.Microseconds())/1000)
}
