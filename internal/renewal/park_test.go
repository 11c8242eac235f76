package renewal_test

import (
	"context"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/rotateapi"
	"github.com/reltio-tokens/reltio-tokens/internal/testkit/storetest"
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

// Secrets Manager refuses, and does not respond to the last attempt: the reason that is
// told is that of the refusal.
func TestARefusalIsToldThoughTheLastAttemptHangs(t *testing.T) {
	for name, fields := range map[string]map[string]any{"password": password(), "authorization_code": authorizationCode()} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.behave(rotating)
				w.started(fields)
				w.due()
				denied := apierr.New(apierr.StoreUnavailable, "Secrets Manager: AccessDeniedException")
				w.renewer.RefreshTokens = &storetest.Tiring{RefreshTokenStore: w.out, Refusal: denied, After: grant.ParkAfter - 300*time.Millisecond}
				report := w.acme()
				if report.Outcome != rotateapi.Renewed || !report.Parked || report.Unkept != denied || report.Err != denied {
					t.Errorf("outcome %s, parked %t because of %v, error %v; want %v", report.Outcome, report.Parked, report.Unkept, report.Err, denied)
				}
				if g := w.grant("acme"); g.LastErrorMessage != denied.Message {
					t.Errorf("the stored error is %q", g.LastErrorMessage)
				}
			})
		})
	}
}
