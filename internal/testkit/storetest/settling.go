package storetest

import (
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/lockout"
)

func settlingPromises() promises {
	return promises{
		"a success sets the counts to zero":          clearedAfterSuccess,
		"a login that was not sent is taken off":     uncounted,
		"nothing is taken off zero":                  uncountedAtZero,
		"a refusal counts, and is not unclear":       refusedCounts,
		"an unclear login waits, and is no refusal":  unclearWaits,
		"an unclear login waits not if it is forced": unclearForced,
		"unclear logins count for a day":             unclearForADay,
		"credentials are accepted without a count":   acceptedWithoutCount,
		"accepted credentials are remembered":        acceptedRemembered,
		"a server's mistake is forgiven once":        forgivenOnce,
		"a success by a clock ahead pauses nothing":  aheadOfAll,
		"what is not there is not changed":           unknownAccount,
		"changes by old credentials do nothing":      oldCredentials,
		"of many lowered counts each is lowered":     settledAtOnce,
		"a record without counts is counted":         countedAfterAcceptance,
	}
}

func settle(t *testing.T, s Store, try lockout.Try, o lockout.Outcome) {
	t.Helper()
	noError(t, s.SettleLogin(t.Context(), try, o))
}

func clearedAfterSuccess(t *testing.T, s Store) {
	try := oneTry("a")
	for _, o := range []lockout.Outcome{lockout.Accepted, lockout.Resumed} {
		wantCount(t, s, try, 1)
		wantCount(t, s, try, 2)
		settle(t, s, try, o)
	}
	wantCount(t, s, try, 1)
	wantCount(t, s, try, 2)
	wantLimit(t, s, try)
}

func uncounted(t *testing.T, s Store) {
	try := oneTry("a")
	wantCount(t, s, try, 1)
	wantCount(t, s, try, 2)
	settle(t, s, try, lockout.Nothing)
	wantCount(t, s, try, 2)
	wantLimit(t, s, try)
}

func uncountedAtZero(t *testing.T, s Store) {
	try := oneTry("a")
	wantCount(t, s, try, 1)
	for range 3 {
		settle(t, s, try, lockout.Nothing)
	}
	wantCount(t, s, try, 1)
}

func refusedCounts(t *testing.T, s Store) {
	try := oneTry("a")
	try.Forced = false
	wantCount(t, s, try, 1)
	settle(t, s, try, lockout.Refused)
	wantCount(t, s, try, 2)
	settle(t, s, try, lockout.Refused)
	wantLimit(t, s, try)
	wantAccount(t, s, "a", lockout.Record{Connection: "acme", CredentialsHash: "credentials-1", Attempts: 2, TriedAt: start()})
}

func unclearWaits(t *testing.T, s Store) {
	try := oneTry("a")
	try.Forced = false
	for _, wait := range []time.Duration{2 * time.Minute, 10 * time.Minute, time.Hour} {
		wantCount(t, s, try, 1)
		settle(t, s, try, lockout.Unclear)
		wantPause(t, s, try, wait)
		try.Now = try.Now.Add(wait - time.Millisecond)
		wantPause(t, s, try, time.Millisecond)
		try.Now = try.Now.Add(time.Millisecond)
	}
	wantCount(t, s, try, 1)
	settle(t, s, try, lockout.Unclear)
	wantLimit(t, s, try)
}

func unclearForced(t *testing.T, s Store) {
	try := oneTry("a")
	for range 4 {
		wantCount(t, s, try, 1)
		settle(t, s, try, lockout.Unclear)
	}
	wantLimit(t, s, try)
}

func unclearForADay(t *testing.T, s Store) {
	try := oneTry("a")
	for range 4 {
		wantCount(t, s, try, 1)
		settle(t, s, try, lockout.Unclear)
	}
	try.Now = start().Add(lockout.UnclearFor - time.Millisecond)
	wantLimit(t, s, try)
	try.Now = start().Add(lockout.UnclearFor)
	try.Forced = false
	wantCount(t, s, try, 1)
	settle(t, s, try, lockout.Unclear)
	wantPause(t, s, try, 2*time.Minute)
}

func acceptedWithoutCount(t *testing.T, s Store) {
	try := oneTry("a")
	settle(t, s, try, lockout.Accepted)
	wantAccount(t, s, "a", lockout.Record{Connection: "acme", AcceptedHash: "credentials-1"})
	try.CredentialsHash = "credentials-2"
	settle(t, s, try, lockout.Accepted)
	wantAccount(t, s, "a", lockout.Record{Connection: "acme", AcceptedHash: "credentials-2"})
}

func acceptedRemembered(t *testing.T, s Store) {
	try := oneTry("a")
	wantCount(t, s, try, 1)
	settle(t, s, try, lockout.Accepted)
	wantAccount(t, s, "a", lockout.Record{
		Connection: "acme", CredentialsHash: "credentials-1", AcceptedHash: "credentials-1", TriedAt: start(),
	})
	try.CredentialsHash = "credentials-2"
	wantCount(t, s, try, 1)
	settle(t, s, try, lockout.Refused)
	wantAccount(t, s, "a", lockout.Record{
		Connection: "acme", CredentialsHash: "credentials-2", Attempts: 1, AcceptedHash: "credentials-1", TriedAt: start(),
	})
}

func forgivenOnce(t *testing.T, s Store) {
	try := oneTry("a")
	try.Forced = false
	wantCount(t, s, try, 1)
	settle(t, s, try, lockout.Accepted)
	wantCount(t, s, try, 1)
	settle(t, s, try, lockout.Unclear)
	wantPause(t, s, try, 2*time.Minute)
	settle(t, s, try, lockout.Forgiven)
	wantCount(t, s, try, 1)
	settle(t, s, try, lockout.Unclear)
	settle(t, s, try, lockout.Forgiven)
	wantPause(t, s, try, 10*time.Minute)
}

func aheadOfAll(t *testing.T, s Store) {
	try := oneTry("a")
	try.Forced = false
	for range 3 {
		for _, o := range []lockout.Outcome{lockout.Accepted, lockout.Nothing, lockout.Refused} {
			try.Now = try.Now.Add(-time.Second)
			wantCount(t, s, try, 1)
			settle(t, s, try, o)
		}
		settle(t, s, try, lockout.Resumed)
	}
}

func unknownAccount(t *testing.T, s Store) {
	try := oneTry("a")
	for _, o := range []lockout.Outcome{lockout.Nothing, lockout.Refused, lockout.Unclear, lockout.Resumed, lockout.Forgiven} {
		settle(t, s, try, o)
	}
	noError(t, s.MoveClaim(t.Context(), try.AccountHash, "acme", "other"))
	noError(t, s.MoveClaim(t.Context(), try.AccountHash, "acme", ""))
	wantAccount(t, s, "a", lockout.Record{})
	try.Connection = "third"
	wantCount(t, s, try, 1)
}

func oldCredentials(t *testing.T, s Store) {
	old, now := oneTry("a"), oneTry("a")
	now.CredentialsHash = "credentials-2"
	wantCount(t, s, old, 1)
	wantCount(t, s, now, 1)
	settle(t, s, old, lockout.Nothing)
	settle(t, s, old, lockout.Resumed)
	settle(t, s, old, lockout.Accepted)
	wantCount(t, s, now, 2)
	wantLimit(t, s, now)
}

func settledAtOnce(t *testing.T, s Store) {
	try := oneTry("a")
	wantCount(t, s, try, 1)
	wantCount(t, s, try, 2)
	race(func(i int) {
		if i < 2 {
			settle(t, s, try, lockout.Nothing)
		}
	})
	wantCount(t, s, try, 1)
}

// countedAfterAcceptance: what was accepted without a login, as a client is, is a
// record without counts.
func countedAfterAcceptance(t *testing.T, s Store) {
	try := oneTry("a")
	settle(t, s, try, lockout.Accepted)
	wantCount(t, s, try, 1)
	wantCount(t, s, try, 2)
	wantLimit(t, s, try)
}
