package renewal_test

import (
	"context"
	"testing"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
)

// silentOnce does not answer the first attempt to park.
type silentOnce struct {
	grant.Parking
	asked int
}

func (s *silentOnce) Park(ctx context.Context, name string, r grant.RefreshToken) error {
	s.asked++
	if s.asked == 1 {
		<-ctx.Done()
		return ctx.Err()
	}
	return s.Parking.Park(ctx, name, r)
}

// Secrets Manager refuses, and one attempt to park hangs: there is time for another.
func TestAnAttemptToParkThatHangs(t *testing.T) {
	for name, fields := range map[string]map[string]any{"password": password(), "authorization_code": authorizationCode()} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.behave(rotating)
				before := w.started(fields)
				w.due()
				table := &silentOnce{Parking: w.renewer.Parking}
				w.renewer.Parking = table
				w.out.fail(always, tokenPut)
				report := w.acme()
				kept, err := w.table.Parked(t.Context(), "acme")
				if report.Outcome != rotateapi.Renewed || err != nil || table.asked != 2 || kept.Fingerprint() == before.RefreshFingerprint {
					t.Errorf("outcome %s, parked after %d attempts: %v", report.Outcome, table.asked, err)
				}
			})
		})
	}
}
