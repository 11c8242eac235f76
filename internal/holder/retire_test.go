package holder_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
	"github.com/reltio-tokens/reltio-tokens/internal/lease"
	"github.com/reltio-tokens/reltio-tokens/internal/memstore"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth"
)

// Only the refresh tokens of another identity are retired, under an epoch above
// all that were seen.
func TestRetire(t *testing.T) {
	token := reltioauth.NewSecret("refresh-1")
	tests := map[string]struct {
		grant  grant.Grant
		newest grant.RefreshToken
		parked int64
		want   int64 // the tombstone's epoch; 0: none
	}{
		"no refresh token":                        {grant: grant.Grant{Identity: "old"}},
		"a tombstone":                             {grant: grant.Grant{Identity: "old"}, newest: grant.RefreshToken{Epoch: 9, Identity: "old"}},
		"its own":                                 {grant: grant.Grant{Identity: "old"}, newest: grant.RefreshToken{Token: token, Epoch: 9, Identity: "new"}},
		"another's":                               {newest: grant.RefreshToken{Token: token, Epoch: 9, Identity: "old"}, want: 10},
		"another's, and a later one was parked":   {newest: grant.RefreshToken{Token: token, Epoch: 9, Identity: "old"}, parked: 20, want: 20},
		"no identity, the grant has one":          {grant: grant.Grant{Identity: "old"}, newest: grant.RefreshToken{Token: token, Epoch: 9}, want: 10},
		"no identity, the grant was deleted":      {grant: grant.Grant{Status: grant.StatusUnknown}, newest: grant.RefreshToken{Token: token, Epoch: 9}, want: 10},
		"no identity, the grant was lost":         {newest: grant.RefreshToken{Token: token, Epoch: 9}},
		"another's, below the epoch of the lease": {newest: grant.RefreshToken{Token: token, Identity: "old"}, want: 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				table, secrets := &memstore.Table{}, &memstore.Secrets{}
				c := config(table, &bus{})
				test.grant.Connection = "acme"
				if test.grant.Identity != "" || test.grant.Status != "" {
					seeded(t, c, test.grant)
				}
				h, err := c.Take(t.Context(), "acme", 0)
				if err == nil {
					_, _, err = h.Read(t.Context())
				}
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second)
				r, err := h.Retire(t.Context(), secrets, test.newest, test.parked, "new")
				if err != nil || r.Epoch != test.want || (r.Version != "") != (test.want > 0) || !r.Token.IsZero() {
					t.Errorf("tombstone %+v, %v; want epoch %d", r, err, test.want)
				}
				if test.want > 0 && time.Until(h.Lease().Until) != lease.Term {
					t.Error("the lease was not extended before the write")
				}
			})
		})
	}
}
