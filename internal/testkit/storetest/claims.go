package storetest

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/reltio-tokens/reltio-tokens/internal/lockout"
)

func claimPromises() promises {
	return promises{
		"an account belongs to who came first": claimed,
		"others change nothing":                claimedChanges,
		"a claim moves, the count stays":       claimMoved,
		"a claim moves only from its owner":    claimMovedByAnother,
		"a claim ends, the count stays":        claimDropped,
		"an ended claim keeps no new login":    claimDroppedNewCredentials,
		"who resumes after its claim clears":   claimDroppedCleared,
		"a login is taken off an ended claim":  claimDroppedUncounted,
		"a claim is dropped only by its owner": claimDroppedByAnother,
		"of many that claim one gets it":       claimsAtOnce,
	}
}

func claimed(t *testing.T, s Store) {
	mine, theirs := oneTry("a"), oneTry("a")
	theirs.Connection = "other"
	wantCount(t, s, mine, 1)
	wantClaimed(t, s, theirs, "acme")
	theirs.CredentialsHash = "credentials-2"
	wantClaimed(t, s, theirs, "acme")
	wantCount(t, s, mine, 2)
	wantClaimed(t, s, theirs, "acme")
	wantLimit(t, s, mine)
}

func claimedChanges(t *testing.T, s Store) {
	mine, theirs := oneTry("a"), oneTry("a")
	theirs.Connection = "other"
	wantCount(t, s, mine, 1)
	settle(t, s, theirs, lockout.Nothing)
	settle(t, s, theirs, lockout.Resumed)
	wantCount(t, s, mine, 2)
}

func claimMoved(t *testing.T, s Store) {
	mine, theirs := oneTry("a"), oneTry("a")
	theirs.Connection = "other"
	wantCount(t, s, mine, 1)
	noError(t, s.MoveClaim(t.Context(), "a", "acme", "other"))
	wantClaimed(t, s, mine, "other")
	wantCount(t, s, theirs, 2)
	wantLimit(t, s, theirs)
}

func claimMovedByAnother(t *testing.T, s Store) {
	mine := oneTry("a")
	wantCount(t, s, mine, 1)
	noError(t, s.MoveClaim(t.Context(), "a", "third", "other"))
	wantCount(t, s, mine, 2)
}

func claimDropped(t *testing.T, s Store) {
	mine, theirs := oneTry("a"), oneTry("a")
	theirs.Connection = "other"
	wantCount(t, s, mine, 1)
	noError(t, s.MoveClaim(t.Context(), "a", "acme", ""))
	wantCount(t, s, theirs, 2)
	wantClaimed(t, s, mine, "other")
	noError(t, s.MoveClaim(t.Context(), "a", "other", ""))
	wantLimit(t, s, mine)
	wantLimit(t, s, theirs)
}

func claimDroppedNewCredentials(t *testing.T, s Store) {
	mine, theirs := oneTry("a"), oneTry("a")
	theirs.Connection, theirs.CredentialsHash = "other", "credentials-2"
	wantCount(t, s, mine, 1)
	wantCount(t, s, mine, 2)
	noError(t, s.MoveClaim(t.Context(), "a", "acme", ""))
	wantCount(t, s, theirs, 1)
	wantClaimed(t, s, mine, "other")
}

func claimDroppedCleared(t *testing.T, s Store) {
	mine, old := oneTry("a"), oneTry("a")
	old.CredentialsHash = "credentials-0"
	wantCount(t, s, mine, 1)
	wantCount(t, s, mine, 2)
	noError(t, s.MoveClaim(t.Context(), "a", "acme", ""))
	settle(t, s, old, lockout.Resumed)
	wantLimit(t, s, mine)
	settle(t, s, mine, lockout.Resumed)
	wantCount(t, s, mine, 1)
	wantCount(t, s, mine, 2)
	wantLimit(t, s, mine)
}

func claimDroppedUncounted(t *testing.T, s Store) {
	mine := oneTry("a")
	wantCount(t, s, mine, 1)
	wantCount(t, s, mine, 2)
	noError(t, s.MoveClaim(t.Context(), "a", "acme", ""))
	settle(t, s, mine, lockout.Nothing)
	wantCount(t, s, mine, 2)
	wantLimit(t, s, mine)
}

func claimDroppedByAnother(t *testing.T, s Store) {
	mine := oneTry("a")
	wantCount(t, s, mine, 1)
	noError(t, s.MoveClaim(t.Context(), "a", "other", ""))
	wantCount(t, s, mine, 2)
}

func claimsAtOnce(t *testing.T, s Store) {
	var counted atomic.Int64
	race(func(i int) {
		try := oneTry("a")
		try.Connection = fmt.Sprintf("acme-%d", i)
		try.CredentialsHash = fmt.Sprintf("credentials-%d", i%8)
		_, err := s.CountLogin(t.Context(), try)
		var claimed *lockout.ClaimedError
		switch {
		case err == nil:
			counted.Add(1)
		case !errors.As(err, &claimed):
			t.Error(err)
		}
	})
	if got := counted.Load(); got != 1 {
		t.Errorf("%d connections claimed the account, want 1", got)
	}
}
