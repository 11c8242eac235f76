package reltioauthtest

import "testing"

// NewServer makes a server that listens on a free loopback port until the
// test ends.
func NewServer(t testing.TB, cfg Config) *Server {
	t.Helper()
	s := New(cfg)
	if _, err := s.Start(""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}
