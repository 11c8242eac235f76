package account_test

import (
	"errors"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/account"
)

func TestCount(t *testing.T) {
	now := time.Date(2026, 11, 23, 16, 0, 0, 0, time.UTC)
	ours := func(attempts int) account.Record {
		return account.Record{Connection: "acme", Credentials: "c1", Attempts: attempts, TriedAt: now.Add(-time.Minute)}
	}
	try := func(limit int, hourly bool) account.Try {
		return account.Try{Account: "a", Credentials: "c1", Connection: "acme", Limit: limit, Now: now, Hourly: hourly}
	}
	other := &account.ClaimedError{By: "other"}
	for name, test := range map[string]struct {
		record account.Record
		try    account.Try
		want   int
		err    error
	}{
		"the first ever":                  {account.Record{}, try(2, false), 1, nil},
		"after a success":                 {ours(0), try(2, false), 1, nil},
		"the second":                      {ours(1), try(2, false), 2, nil},
		"the third":                       {ours(2), try(2, false), 0, account.ErrAtLimit},
		"the second of one":               {ours(1), try(1, false), 0, account.ErrAtLimit},
		"a limit that was lowered":        {ours(5), try(2, false), 0, account.ErrAtLimit},
		"new credentials":                 {account.Record{Connection: "acme", Credentials: "c0", Attempts: 2}, try(2, false), 1, nil},
		"none at all":                     {account.Record{}, try(0, false), 0, account.ErrAtLimit},
		"none of new credentials":         {account.Record{Connection: "acme", Credentials: "c0"}, try(0, false), 0, account.ErrAtLimit},
		"none of another's":               {account.Record{Connection: "other", Credentials: "c1"}, try(0, false), 0, account.ErrAtLimit},
		"another's":                       {account.Record{Connection: "other", Credentials: "c1"}, try(2, false), 0, other},
		"another's, at the limit":         {account.Record{Connection: "other", Credentials: "c1", Attempts: 2}, try(2, false), 0, other},
		"a client within the hour":        {ours(2), try(2, true), 0, account.ErrAtLimit},
		"a client just short of the hour": {account.Record{Connection: "acme", Credentials: "c1", Attempts: 2, TriedAt: now.Add(-time.Hour + 1)}, try(2, true), 0, account.ErrAtLimit},
		"a client after the hour":         {account.Record{Connection: "acme", Credentials: "c1", Attempts: 2, TriedAt: now.Add(-time.Hour)}, try(2, true), 3, nil},
		"a user after the hour":           {account.Record{Connection: "acme", Credentials: "c1", Attempts: 2, TriedAt: now.Add(-time.Hour)}, try(2, false), 0, account.ErrAtLimit},
	} {
		t.Run(name, func(t *testing.T) {
			next, err := account.Count(test.record, test.try)
			var claimed *account.ClaimedError
			switch {
			case errors.As(test.err, &claimed):
				var got *account.ClaimedError
				if !errors.As(err, &got) || got.By != claimed.By {
					t.Errorf("error %v, want %v", err, test.err)
				}
			case !errors.Is(err, test.err):
				t.Errorf("error %v, want %v", err, test.err)
			case err == nil:
				if next.Attempts != test.want || next.Connection != "acme" || next.Credentials != "c1" {
					t.Errorf("record %+v, want %d attempts of ours", next, test.want)
				}
				if test.try.Hourly && !next.TriedAt.Equal(now) {
					t.Errorf("tried at %v, want now", next.TriedAt)
				}
			}
		})
	}
}
