package apierr_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
)

func TestLimitedRoundsUp(t *testing.T) {
	for wait, want := range map[time.Duration]string{
		-time.Second:            "RateLimited: retry after 1 s",
		0:                       "RateLimited: retry after 1 s",
		time.Millisecond:        "RateLimited: retry after 1 s",
		time.Second:             "RateLimited: retry after 1 s",
		time.Second + 1:         "RateLimited: retry after 2 s",
		90 * time.Second:        "RateLimited: retry after 90 s",
		5*time.Minute - 100_000: "RateLimited: retry after 300 s",
	} {
		if got := apierr.Limited(wait).Error(); got != want {
			t.Errorf("Limited(%v) = %q, want %q", wait, got, want)
		}
	}
}

func TestOfKeepsUnknownTextsToItself(t *testing.T) {
	cause := errors.New("password=hunter2")
	got := apierr.Of(fmt.Errorf("reading: %w", cause))
	if got.Type != apierr.Internal || got.Error() != "Internal" {
		t.Errorf("Of(unknown) = %q, want Internal without a text", got)
	}
	if !errors.Is(got, cause) {
		t.Error("the cause is not found by errors.Is")
	}
	if apierr.Of(nil) != nil {
		t.Error("Of(nil) is not nil")
	}
}

func TestOfFindsTheErrorInATree(t *testing.T) {
	want := apierr.Wrap(apierr.StoreUnavailable, "the table does not answer", errors.New("secret detail"))
	got := apierr.Of(fmt.Errorf("outer: %w", want))
	if got != want {
		t.Errorf("Of = %v, want %v", got, want)
	}
	if got.Error() != "StoreUnavailable: the table does not answer" {
		t.Errorf("Error() = %q prints more than type and message", got.Error())
	}
}

func TestFields(t *testing.T) {
	if apierr.Fields(apierr.InvalidRequest, nil) != nil {
		t.Error("no problems is an error")
	}
	got := apierr.Fields(apierr.InvalidRequest, []string{"a: is missing", "b: is unknown"}).Error()
	if want := "InvalidRequest: a: is missing; b: is unknown"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
