package storetest

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/grant"
)

func parkingPromises() promises {
	return promises{
		"a parked refresh token comes back":       parkedComesBack,
		"nothing is parked at first":              nothingParked,
		"a higher epoch takes the place":          higherParks,
		"a lower epoch is fenced off":             lowerIsFenced,
		"the same parked again is taken":          parkedAgain,
		"what is unparked is not found":           unparked,
		"what is unparked tells its epoch":        unparkedEpoch,
		"only the epoch that is named goes":       unparkedOther,
		"nothing is unparked where nothing is":    unparkedNothing,
		"a lower epoch stays fenced off after it": fencedAfterUnparking,
		"an epoch parks again after it":           parkedAfterUnparking,
		"parked tokens do not meet":               parkedApart,
		"parked tokens meet no grant and lease":   parkedAlone,
		"of many the highest epoch is kept":       parkedAtOnce,
	}
}

// parkedToken is a refresh token as it is parked.
func parkedToken(text string, epoch int64) grant.RefreshToken {
	r := token(text, epoch)
	r.Identity = "identity-1"
	r.ParkedAt = r.LoggedInAt.Add(time.Minute)
	return r
}

func park(t *testing.T, s Store, name string, r grant.RefreshToken) {
	t.Helper()
	if err := s.Park(t.Context(), name, r); err != nil {
		t.Fatalf("Park(%s, %d): %v", name, r.Epoch, err)
	}
}

func wantParked(t *testing.T, s Store, name string, want grant.RefreshToken) {
	t.Helper()
	got, err := s.Parked(t.Context(), name)
	if err != nil {
		t.Errorf("Parked(%s): %v", name, err)
		return
	}
	wantToken(t, "parked for "+name, got, want)
}

func wantNothingParked(t *testing.T, s Store, name string) {
	t.Helper()
	got, err := s.Parked(t.Context(), name)
	if !errors.Is(err, grant.ErrNotFound) || !got.Token.IsZero() {
		t.Errorf("Parked(%s): %v, want %v", name, err, grant.ErrNotFound)
	}
}

func parkedComesBack(t *testing.T, s Store) {
	paris := time.FixedZone("CET", 3600)
	usual := parkedToken("r", 7)
	later := parkedToken(strings.Repeat("x", 16384), 8)
	later.LoggedInAt = time.Date(2026, 11, 23, 17, 0, 0, 123_999_999, paris)
	old := parkedToken("<>&\"\\ \u00e9", 9)
	old.Identity, old.LoggedInAt = "", time.Time{}
	// A version is a name in the RefreshTokenStore, which does not have it.
	elsewhere := parkedToken("r", 10)
	elsewhere.Version = "version"
	for _, want := range []grant.RefreshToken{usual, later, old, elsewhere} {
		park(t, s, "acme", want)
		if want.Version = ""; !want.LoggedInAt.IsZero() {
			want.LoggedInAt = want.LoggedInAt.UTC().Truncate(time.Millisecond)
		}
		wantParked(t, s, "acme", want)
		wantParked(t, s, "acme", want) // reading takes nothing away
	}
}

func nothingParked(t *testing.T, s Store) { wantNothingParked(t, s, "acme") }

func higherParks(t *testing.T, s Store) {
	park(t, s, "acme", parkedToken("r1", 1))
	next := parkedToken("r2", 2)
	next.Identity = "identity-2"
	park(t, s, "acme", next)
	wantParked(t, s, "acme", next)
}

func lowerIsFenced(t *testing.T, s Store) {
	kept := parkedToken("r2", 2)
	park(t, s, "acme", kept)
	err := s.Park(t.Context(), "acme", parkedToken("r1", 1))
	wantError(t, err, grant.ErrFenced)
	if strings.Contains(fmt.Sprintf("%+v", err), canary) {
		t.Error("the error holds a secret")
	}
	wantParked(t, s, "acme", kept)
}

// parkedAgain repeats a write, as a client does whose response was lost.
func parkedAgain(t *testing.T, s Store) {
	r := parkedToken("r1", 1)
	park(t, s, "acme", r)
	park(t, s, "acme", r)
	wantParked(t, s, "acme", r)
}

func unparked(t *testing.T, s Store) {
	park(t, s, "acme", parkedToken("r1", 1))
	for range 2 {
		noError(t, s.Unpark(t.Context(), "acme", 1))
		wantNothingParked(t, s, "acme")
	}
}

func unparkedEpoch(t *testing.T, s Store) {
	for _, epoch := range []int64{0, 7} {
		if epoch > 0 {
			park(t, s, "acme", parkedToken("r7", epoch))
			noError(t, s.Unpark(t.Context(), "acme", epoch))
		}
		if r, _ := s.Parked(t.Context(), "acme"); r.Epoch != epoch {
			t.Errorf("the one that was forgotten last has epoch %d, want %d", r.Epoch, epoch)
		}
	}
}

func unparkedOther(t *testing.T, s Store) {
	kept := parkedToken("r2", 2)
	park(t, s, "acme", parkedToken("r1", 1))
	park(t, s, "acme", kept)
	for _, other := range []int64{0, 1, 3, -2} {
		noError(t, s.Unpark(t.Context(), "acme", other))
		wantParked(t, s, "acme", kept)
	}
}

func unparkedNothing(t *testing.T, s Store) {
	noError(t, s.Unpark(t.Context(), "acme", 0))
	wantNothingParked(t, s, "acme")
	r := parkedToken("r0", 0)
	park(t, s, "acme", r)
	wantParked(t, s, "acme", r)
}

func fencedAfterUnparking(t *testing.T, s Store) {
	park(t, s, "acme", parkedToken("r2", 2))
	noError(t, s.Unpark(t.Context(), "acme", 2))
	wantError(t, s.Park(t.Context(), "acme", parkedToken("r1", 1)), grant.ErrFenced)
	wantNothingParked(t, s, "acme")
}

func parkedAfterUnparking(t *testing.T, s Store) {
	for _, epoch := range []int64{2, 2, 3} {
		r := parkedToken("r", epoch)
		park(t, s, "acme", r)
		wantParked(t, s, "acme", r)
		noError(t, s.Unpark(t.Context(), "acme", epoch))
	}
}

func parkedApart(t *testing.T, s Store) {
	names := []string{"a", "a.b", "a-b", "a_b", "0", strings.Repeat("n", 64)}
	for i, name := range names {
		park(t, s, name, parkedToken(fmt.Sprint("r", i), int64(i)))
	}
	noError(t, s.Unpark(t.Context(), "a", 0))
	wantNothingParked(t, s, "a")
	for i, name := range names[1:] {
		wantParked(t, s, name, parkedToken(fmt.Sprint("r", i+1), int64(i+1)))
	}
}

func parkedAlone(t *testing.T, s Store) {
	r := parkedToken("r", 9)
	park(t, s, "acme", r)
	wantNoGrant(t, s, "acme")
	l := takeLease(t, s, "acme", "owner")
	putGrant(t, s, grant.Grant{Connection: "acme", Owner: l.Owner, Epoch: l.Epoch})
	wantParked(t, s, "acme", r)
	noError(t, s.Unpark(t.Context(), "acme", 9))
	wantHeld(t, s, l)
	wantGrant(t, s, grant.Grant{Connection: "acme", Owner: l.Owner, Epoch: l.Epoch})
}

func parkedAtOnce(t *testing.T, s Store) {
	race(func(i int) {
		err := s.Park(t.Context(), "acme", parkedToken(fmt.Sprint("r", i), int64(i)))
		if err != nil && !errors.Is(err, grant.ErrFenced) {
			t.Error(err)
		}
	})
	wantParked(t, s, "acme", parkedToken(fmt.Sprint("r", many-1), many-1))
}
