package issueclient_test

import (
	"testing"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueclient"
)

// What a call pays for a token that is kept.
func BenchmarkGet(b *testing.B) {
	s := source(always(token(1, 86400)))
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			if _, err := s.Get(b.Context(), issueclient.Options{}); err != nil {
				b.Error(err)
			}
		}
	})
}
