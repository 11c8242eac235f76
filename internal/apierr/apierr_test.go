package apierr_test

import (
	"context"
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

func TestClearer(t *testing.T) {
	refused, down := errors.New("refused"), errors.New("down")
	late := fmt.Errorf("request: %w", context.DeadlineExceeded)
	for name, c := range map[string]struct{ earlier, last, want error }{
		"the first attempt":                   {nil, refused, refused},
		"refused in another way":              {refused, down, down},
		"no time left":                        {refused, late, refused},
		"no time left, at the first attempt":  {nil, late, late},
		"refused after no response":           {late, refused, refused},
		"success after a refusal":             {refused, nil, nil},
		"the caller has left after a refusal": {refused, context.Canceled, context.Canceled},
	} {
		if got := apierr.Clearer(c.earlier, c.last); !errors.Is(got, c.want) || got == nil && c.want != nil {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
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
