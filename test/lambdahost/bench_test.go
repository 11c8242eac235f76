package lambdahost_test

import (
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/test/lambdahost"
)

// BenchmarkInvoke is what the host adds to a function that does nothing.
func BenchmarkInvoke(b *testing.B) {
	h, err := lambdahost.Start(b.Context(), lambdahost.Config{Now: time.Now})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = h.Close() }()
	if err := h.Deploy(child(nil)); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if r, err := h.Invoke(b.Context(), lambdahost.Invocation{Function: "f"}); err != nil || r.FunctionError != "" {
			b.Fatal(err, string(r.Payload))
		}
	}
}
