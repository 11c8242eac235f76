package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/internal/lockout"
)

func accountPromises() promises {
	return promises{
		"a login is counted up to the limit":            countedToLimit,
		"a limit of one":                                countedToOne,
		"a limit of none":                               countedToNone,
		"a limit that was lowered":                      limitLowered,
		"new credentials begin again":                   newCredentials,
		"a probe leaves the last attempt":               probeSpares,
		"of many logins no more than the limit":         loginsAtOnce,
		"of many unclear logins one at a time":          unclearAtOnce,
		"of many new credentials each is counted right": credentialsAtOnce,
		"accounts do not meet":                          accountsApart,
		"any sequence goes as the rule says":            accountsByRule,
	}
}

// oneTry is a user's login with a limit of two, forced, so that no pause lies
// between two of them.
func oneTry(hash string) lockout.Try {
	return lockout.Try{AccountHash: hash, CredentialsHash: "credentials-1", Connection: "acme", Limit: 2, Now: start(), Forced: true}
}

// wantCount counts a login, which makes so many attempts.
func wantCount(t *testing.T, s Store, try lockout.Try, want int) {
	t.Helper()
	got, err := s.CountLogin(t.Context(), try)
	if err != nil || got.Attempts != want {
		t.Errorf("CountLogin = %+v, %v; want %d attempts", got, err, want)
	}
	if want := (lockout.Record{
		Connection: try.Connection, CredentialsHash: try.CredentialsHash, Attempts: want,
		Unclear: got.Unclear, TriedAt: got.TriedAt, AcceptedHash: got.AcceptedHash,
	}); err == nil && (got != want || !got.TriedAt.Equal(try.Now)) {
		t.Errorf("CountLogin = %+v, want %+v tried now", got, want)
	}
}

// wantLimit counts no login.
func wantLimit(t *testing.T, s Store, try lockout.Try) {
	t.Helper()
	got, err := s.CountLogin(t.Context(), try)
	if !errors.Is(err, lockout.ErrAtLimit) {
		t.Errorf("CountLogin = %+v, %v; want %v", got, err, lockout.ErrAtLimit)
	}
}

func wantPause(t *testing.T, s Store, try lockout.Try, wait time.Duration) {
	t.Helper()
	got, err := s.CountLogin(t.Context(), try)
	var pause *lockout.PauseError
	if !errors.As(err, &pause) || !pause.Until.Equal(try.Now.Add(wait)) {
		t.Errorf("CountLogin = %+v, %v; want a pause of %v", got, err, wait)
	}
}

func wantClaimed(t *testing.T, s Store, try lockout.Try, by string) {
	t.Helper()
	got, err := s.CountLogin(t.Context(), try)
	var claimed *lockout.ClaimedError
	if !errors.As(err, &claimed) || claimed.By != by {
		t.Errorf("CountLogin = %+v, %v; want it to be claimed by %s", got, err, by)
	}
}

func wantAccount(t *testing.T, s Store, hash string, want lockout.Record) {
	t.Helper()
	got, err := s.Account(t.Context(), hash)
	noError(t, err)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Account (-want +got):\n%s", diff)
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
	none.CredentialsHash = "credentials-2"
	wantLimit(t, s, none)
	settle(t, s, other, lockout.Accepted)
	none.CredentialsHash = other.CredentialsHash
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
	try.CredentialsHash = "credentials-2"
	wantCount(t, s, try, 1)
	wantCount(t, s, try, 2)
	wantLimit(t, s, try)
	try.CredentialsHash = "credentials-1"
	wantCount(t, s, try, 1)
}

func probeSpares(t *testing.T, s Store) {
	try := oneTry("a")
	try.Spare = 1
	wantCount(t, s, try, 1)
	wantLimit(t, s, try)
	try.Spare = 0
	wantCount(t, s, try, 2)
}

func loginsAtOnce(t *testing.T, s Store) {
	for _, limit := range []int{1, 2} {
		try := oneTry(fmt.Sprintf("a%d", limit))
		try.Limit = limit
		wantCounted(t, s, int64(limit), func(int) lockout.Try { return try })
	}
}

// wantCounted counts many logins at once, of which so many are counted.
func wantCounted(t *testing.T, s Store, want int64, try func(i int) lockout.Try) {
	t.Helper()
	var counted atomic.Int64
	race(func(i int) {
		_, err := s.CountLogin(t.Context(), try(i))
		var pause *lockout.PauseError
		switch {
		case err == nil:
			counted.Add(1)
		case !errors.Is(err, lockout.ErrAtLimit) && !errors.As(err, &pause):
			t.Error(err)
		}
	})
	if got := counted.Load(); got != want {
		t.Errorf("%d logins counted at once, want %d", got, want)
	}
}

func unclearAtOnce(t *testing.T, s Store) {
	try := oneTry("a")
	try.Forced = false
	wantCounted(t, s, 1, func(int) lockout.Try { return try })
}

func credentialsAtOnce(t *testing.T, s Store) {
	old := oneTry("a")
	wantCount(t, s, old, 1)
	wantCount(t, s, old, 2)
	next := oneTry("a")
	next.CredentialsHash = "credentials-2"
	wantCounted(t, s, 2, func(int) lockout.Try { return next })
}

func accountsApart(t *testing.T, s Store) {
	one, other := oneTry("a"), oneTry("b")
	wantCount(t, s, one, 1)
	other.Connection = "other"
	wantCount(t, s, other, 1)
	settle(t, s, other, lockout.Resumed)
	wantCount(t, s, one, 2)
}

// accountsByRule does things in any order, next to a record that follows the
// rule.
func accountsByRule(t *testing.T, s Store) {
	chance := rand.New(rand.NewPCG(4, 5))
	var record lockout.Record
	exists := false
	try, at := oneTry("a"), start()
	for step := range 400 {
		at = at.Add(time.Duration(chance.IntN(2) * chance.IntN(int(time.Hour))))  // or at once
		apart := time.Duration(chance.IntN(int(20*time.Second))) - 10*time.Second // of two clocks
		try.Now = at.Add(apart).Truncate(time.Millisecond)
		try.CredentialsHash = fmt.Sprintf("credentials-%d", chance.IntN(2))
		try.Connection = fmt.Sprintf("acme-%d", chance.IntN(2))
		try.Limit, try.Spare = 1+chance.IntN(lockout.MaxAttempts), chance.IntN(2)
		try.Forced = chance.IntN(2) == 0
		var want, err error
		switch o := lockout.Outcome(chance.IntN(12)); {
		case o <= lockout.Forgiven:
			err = s.SettleLogin(t.Context(), try, o)
			if exists || o == lockout.Accepted {
				record, exists = lockout.Settle(record, try, o), true
			}
		case o == lockout.Forgiven+1:
			to := []string{"acme-0", ""}[chance.IntN(2)]
			err = s.MoveClaim(t.Context(), try.AccountHash, try.Connection, to)
			if record.Connection == try.Connection {
				record.Connection = to
			}
		default:
			before := record
			_, err = s.CountLogin(t.Context(), try)
			if record, want = lockout.Count(before, try); want == nil {
				exists = true
			}
		}
		if fmt.Sprint(err) != fmt.Sprint(want) {
			t.Fatalf("step %d: error %v, want %v", step, err, want)
		}
		wantAccount(t, s, "a", record)
	}
}
