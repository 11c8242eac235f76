package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/account"
)

func accountPromises() promises {
	return promises{
		"a login is counted up to the limit":            countedToLimit,
		"a limit of one":                                countedToOne,
		"a limit of none":                               countedToNone,
		"a limit that was lowered":                      limitLowered,
		"new credentials begin anew":                    newCredentials,
		"a success sets the count to zero":              clearedAfterSuccess,
		"a login that was not sent is taken off":        uncounted,
		"nothing is taken off zero":                     uncountedAtZero,
		"what is not there is not changed":              unknownAccount,
		"changes by old credentials do nothing":         oldCredentials,
		"a client may try once an hour":                 hourly,
		"a client's hour begins with each attempt":      hourlyFromEach,
		"a client whose last attempt is not known":      hourlyWithoutMoment,
		"of many logins no more than the limit":         loginsAtOnce,
		"of many new credentials each is counted right": credentialsAtOnce,
		"accounts do not meet":                          accountsApart,
		"any sequence goes as the rule says":            accountsByRule,
	}
}

// oneTry is a user's login with a limit of two.
func oneTry(hash string) account.Try {
	return account.Try{Account: hash, Credentials: "credentials-1", Connection: "acme", Limit: 2, Now: start()}
}

// wantCount counts a login.
func wantCount(t *testing.T, s Store, try account.Try, want int) {
	t.Helper()
	got, err := s.CountLogin(t.Context(), try)
	if err != nil || got != want {
		t.Errorf("CountLogin = %d, %v; want %d", got, err, want)
	}
}

// wantLimit counts no login.
func wantLimit(t *testing.T, s Store, try account.Try) {
	t.Helper()
	got, err := s.CountLogin(t.Context(), try)
	if !errors.Is(err, account.ErrAtLimit) {
		t.Errorf("CountLogin = %d, %v; want %v", got, err, account.ErrAtLimit)
	}
}

func wantClaimed(t *testing.T, s Store, try account.Try, by string) {
	t.Helper()
	got, err := s.CountLogin(t.Context(), try)
	var claimed *account.ClaimedError
	if !errors.As(err, &claimed) || claimed.By != by {
		t.Errorf("CountLogin = %d, %v; want it to be claimed by %s", got, err, by)
	}
}

func countedToLimit(t *testing.T, s Store) {
	try := oneTry("a")
	wantCount(t, s, try, 1)
	wantCount(t, s, try, 2)
	wantLimit(t, s, try)
	try.Now = start().Add(365 * 24 * time.Hour)
	wantLimit(t, s, try)
}

func countedToOne(t *testing.T, s Store) {
	try := oneTry("a")
	try.Limit = 1
	wantCount(t, s, try, 1)
	wantLimit(t, s, try)
	try.Limit = 2
	wantCount(t, s, try, 2)
}

func countedToNone(t *testing.T, s Store) {
	none, other := oneTry("a"), oneTry("a")
	none.Limit = 0
	wantLimit(t, s, none)
	wantCount(t, s, other, 1)
	wantLimit(t, s, none)
	none.Credentials = "credentials-2"
	wantLimit(t, s, none)
	noError(t, s.ClearLogins(t.Context(), other))
	none.Credentials = other.Credentials
	wantLimit(t, s, none)
	wantCount(t, s, other, 1)
}

func limitLowered(t *testing.T, s Store) {
	try := oneTry("a")
	wantCount(t, s, try, 1)
	wantCount(t, s, try, 2)
	try.Limit = 1
	wantLimit(t, s, try)
}

func newCredentials(t *testing.T, s Store) {
	try := oneTry("a")
	wantCount(t, s, try, 1)
	wantCount(t, s, try, 2)
	try.Credentials = "credentials-2"
	wantCount(t, s, try, 1)
	wantCount(t, s, try, 2)
	wantLimit(t, s, try)
	try.Credentials = "credentials-1"
	wantCount(t, s, try, 1)
}

func clearedAfterSuccess(t *testing.T, s Store) {
	try := oneTry("a")
	wantCount(t, s, try, 1)
	wantCount(t, s, try, 2)
	noError(t, s.ClearLogins(t.Context(), try))
	wantCount(t, s, try, 1)
	wantCount(t, s, try, 2)
	wantLimit(t, s, try)
}

func uncounted(t *testing.T, s Store) {
	try := oneTry("a")
	wantCount(t, s, try, 1)
	wantCount(t, s, try, 2)
	noError(t, s.UncountLogin(t.Context(), try))
	wantCount(t, s, try, 2)
	wantLimit(t, s, try)
}

func uncountedAtZero(t *testing.T, s Store) {
	try := oneTry("a")
	wantCount(t, s, try, 1)
	for range 3 {
		noError(t, s.UncountLogin(t.Context(), try))
	}
	wantCount(t, s, try, 1)
}

func unknownAccount(t *testing.T, s Store) {
	try := oneTry("a")
	noError(t, s.UncountLogin(t.Context(), try))
	noError(t, s.ClearLogins(t.Context(), try))
	noError(t, s.MoveClaim(t.Context(), try.Account, "acme", "other"))
	noError(t, s.DropClaim(t.Context(), try.Account, "acme"))
	try.Connection = "third"
	wantCount(t, s, try, 1)
}

func oldCredentials(t *testing.T, s Store) {
	old, now := oneTry("a"), oneTry("a")
	now.Credentials = "credentials-2"
	wantCount(t, s, old, 1)
	wantCount(t, s, now, 1)
	noError(t, s.UncountLogin(t.Context(), old))
	noError(t, s.ClearLogins(t.Context(), old))
	wantCount(t, s, now, 2)
	wantLimit(t, s, now)
}

func oneHourlyTry(hash string) account.Try {
	try := oneTry(hash)
	try.Hourly = true
	return try
}

func hourly(t *testing.T, s Store) {
	try := oneHourlyTry("a")
	wantCount(t, s, try, 1)
	try.Now = try.Now.Add(time.Minute)
	wantCount(t, s, try, 2)
	wantLimit(t, s, try)
	last := try.Now
	try.Now = last.Add(account.TryAgain - time.Millisecond)
	wantLimit(t, s, try)
	try.Now = last.Add(account.TryAgain)
	wantCount(t, s, try, 3)
	wantLimit(t, s, try)
}

func hourlyFromEach(t *testing.T, s Store) {
	try := oneHourlyTry("a")
	for attempt := 1; attempt <= 4; attempt++ {
		wantCount(t, s, try, attempt)
		try.Now = try.Now.Add(account.TryAgain)
	}
	noError(t, s.ClearLogins(t.Context(), try))
	wantCount(t, s, try, 1)
	wantCount(t, s, try, 2)
	wantLimit(t, s, try)
}

func hourlyWithoutMoment(t *testing.T, s Store) {
	user, client := oneTry("a"), oneHourlyTry("a")
	wantCount(t, s, user, 1)
	wantCount(t, s, user, 2)
	wantLimit(t, s, user)
	wantCount(t, s, client, 3)
	wantLimit(t, s, client)
	wantLimit(t, s, user)
}

func loginsAtOnce(t *testing.T, s Store) {
	for _, limit := range []int{1, 2} {
		try := oneTry(fmt.Sprintf("a%d", limit))
		try.Limit = limit
		var counted atomic.Int64
		race(func(int) {
			_, err := s.CountLogin(t.Context(), try)
			switch {
			case err == nil:
				counted.Add(1)
			case !errors.Is(err, account.ErrAtLimit):
				t.Error(err)
			}
		})
		if got := counted.Load(); got != int64(limit) {
			t.Errorf("%d logins counted at once, want %d", got, limit)
		}
	}
}

func credentialsAtOnce(t *testing.T, s Store) {
	old := oneTry("a")
	wantCount(t, s, old, 1)
	wantCount(t, s, old, 2)
	next := oneTry("a")
	next.Credentials = "credentials-2"
	var counted atomic.Int64
	race(func(int) {
		if _, err := s.CountLogin(t.Context(), next); err == nil {
			counted.Add(1)
		} else if !errors.Is(err, account.ErrAtLimit) {
			t.Error(err)
		}
	})
	if got := counted.Load(); got != 2 {
		t.Errorf("%d logins with new credentials counted at once, want 2", got)
	}
}

func accountsApart(t *testing.T, s Store) {
	one, other := oneTry("a"), oneTry("b")
	wantCount(t, s, one, 1)
	other.Connection = "other"
	wantCount(t, s, other, 1)
	noError(t, s.ClearLogins(t.Context(), other))
	wantCount(t, s, one, 2)
}

// accountsByRule does things in any order, next to a record that follows the
// rule.
func accountsByRule(t *testing.T, s Store) {
	chance := rand.New(rand.NewPCG(4, 5))
	var record account.Record
	try := oneTry("a")
	for step := range 400 {
		try.Now = try.Now.Add(time.Duration(chance.IntN(int(account.TryAgain))))
		try.Credentials = fmt.Sprintf("credentials-%d", chance.IntN(2))
		try.Connection = fmt.Sprintf("acme-%d", chance.IntN(2))
		try.Limit = 1 + chance.IntN(account.MaxAttempts)
		try.Hourly = chance.IntN(2) == 0
		ours := record.Connection == try.Connection
		nobodyElses := ours || record.Connection == ""
		var want, err error
		switch chance.IntN(8) {
		case 0:
			err = s.UncountLogin(t.Context(), try)
			if nobodyElses && record.Credentials == try.Credentials && record.Attempts > 0 {
				record.Attempts--
			}
		case 1:
			err = s.ClearLogins(t.Context(), try)
			if nobodyElses && record.Credentials == try.Credentials {
				record.Attempts = 0
			}
		case 2:
			err = s.MoveClaim(t.Context(), try.Account, try.Connection, "acme-0")
			if ours {
				record.Connection = "acme-0"
			}
		case 3:
			err = s.DropClaim(t.Context(), try.Account, try.Connection)
			if ours {
				record.Connection = ""
			}
		default:
			moment := try
			moment.Now = try.Now.Truncate(time.Millisecond)
			before := record
			var got int
			got, err = s.CountLogin(t.Context(), try)
			record, want = account.Count(before, moment)
			if err == nil && got != record.Attempts {
				t.Fatalf("step %d: count %d, want %d", step, got, record.Attempts)
			}
		}
		if fmt.Sprint(err) != fmt.Sprint(want) {
			t.Fatalf("step %d: error %v, want %v", step, err, want)
		}
	}
}
