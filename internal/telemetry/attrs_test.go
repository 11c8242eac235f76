package telemetry_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/telemetry"
)

func TestGuardTurnsAPanicIntoAnError(t *testing.T) {
	var written bytes.Buffer
	log := telemetry.New(&written, slog.LevelInfo, clock)
	err := log.Guard(t.Context(), "request r", func() error { panic("kanari") })
	if err == nil || err.Error() != "Internal: request r" {
		t.Errorf("error %v, want Internal: request r", err)
	}
	got := parse(t, written.String())
	if len(got) != 1 || got[0]["level"] != "ERROR" || got[0]["message"] != "panic" || got[0]["type"] != "string" || got[0]["stack"] == nil {
		t.Errorf("lines %v, want one of the panic", got)
	}
	if strings.Contains(written.String(), "kanari") {
		t.Error("the log shows what was panicked with")
	}
	own := errors.New("an error")
	if err := log.Guard(t.Context(), "", func() error { return own }); !errors.Is(err, own) {
		t.Errorf("error %v, want the function's own", err)
	}
	if err := log.Guard(t.Context(), "", func() error { return nil }); err != nil {
		t.Errorf("error %v, want none", err)
	}
}

func TestAFaultInTheLog(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"none":              {nil, "[]"},
		"of a type":         {apierr.Wrap(apierr.StoreUnavailable, "throttled", errors.New("kanari")), "[error=StoreUnavailable error_message=throttled]"},
		"a defect":          {errors.New("kanari"), "[error=Internal error_message= cause=*errors.errorString]"},
		"a defect, by us":   {apierr.Wrap(apierr.Internal, "request r", errors.New("kanari")), "[error=Internal error_message=request r cause=*errors.errorString]"},
		"without a cause":   {apierr.New(apierr.Internal, ""), "[error=Internal error_message=]"},
		"wrapped once more": {errors.Join(apierr.New(apierr.RateLimited, "retry after 1 s")), "[error=RateLimited error_message=retry after 1 s]"},
	} {
		if got := slog.GroupValue(telemetry.Fault(test.err)...).String(); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

func TestTook(t *testing.T) {
	if got := telemetry.Took(1234567 * time.Nanosecond).String(); got != "duration_ms=1.234" {
		t.Errorf("got %s, want duration_ms=1.234", got)
	}
}
