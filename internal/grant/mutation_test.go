package grant_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
)

// An event that waits holds no other event back.
func TestEventsBehindOneThatWaits(t *testing.T) {
	g := fresh(status(grant.StatusReauthorize))
	g.Unpublished = []string{string(grant.Recovered), string(grant.ReauthorizationRequired)}
	var got []grant.EventType
	for _, e := range g.Events() {
		got = append(got, e.Type)
	}
	if diff := cmp.Diff([]grant.EventType{grant.ReauthorizationRequired}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
