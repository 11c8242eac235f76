package issueclient_test

import (
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueclient"
)

// What a call costs while a token is kept.
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

// The same of one caller alone, and as an oauth2.TokenSource.
func BenchmarkWarm(b *testing.B) {
	s := source(always(token(1, 86400)))
	b.Run("Get", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = s.Get(b.Context(), issueclient.Options{})
		}
	})
	b.Run("Token", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = s.Token()
		}
	})
}

// What BenchmarkWarm is compared with.
func BenchmarkReuseSource(b *testing.B) {
	s := oauth2.ReuseTokenSource(&oauth2.Token{AccessToken: "token", Expiry: time.Now().Add(time.Hour)}, nil)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = s.Token()
	}
}

// A kept token costs no allocation.
func TestAKeptTokenCostsNothing(t *testing.T) {
	s := source(always(token(1, 86400)))
	get(t, s, issueclient.Options{}, 1)
	for name, call := range map[string]func(){
		"Get":                  func() { _, _ = s.Get(t.Context(), issueclient.Options{}) },
		"Get with a life":      func() { _, _ = s.Get(t.Context(), issueclient.Options{MinTTL: 3600e9}) },
		"Token, as for oauth2": func() { _, _ = s.Token() },
	} {
		if n := testing.AllocsPerRun(100, call); n != 0 {
			t.Errorf("%s: %v allocations, want none", name, n)
		}
	}
}
