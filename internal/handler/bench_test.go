package handler_test

import (
	"io"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/telemetry"
)

// Issuing from memory, with its decoding, its response and its log line.
func BenchmarkIssueFromMemory(b *testing.B) {
	w := newWorld(b)
	w.connect("acme", byClient)
	w.issue.Log = telemetry.New(io.Discard, 0, time.Now)
	payload := []byte(`{"connection":"acme"}`)
	ctx, cancel := invocation(b.Context(), aliasARN)
	defer cancel()
	if _, err := w.issue.Invoke(ctx, payload); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.issue.Invoke(ctx, payload); err != nil {
			b.Fatal(err)
		}
	}
}

func TestAWarmIssueAllocatesLittle(t *testing.T) {
	const most = 100
	w := newWorld(t)
	w.connect("acme", byClient)
	w.issue.Log = telemetry.New(io.Discard, 0, time.Now)
	payload := []byte(`{"connection":"acme"}`)
	ctx, cancel := invocation(t.Context(), aliasARN)
	defer cancel()
	got := testing.AllocsPerRun(200, func() {
		if _, err := w.issue.Invoke(ctx, payload); err != nil {
			t.Fatal(err)
		}
	})
	if got > most {
		t.Errorf("%v allocations, want at most %d", got, most)
	}
}
