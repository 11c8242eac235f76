package issueclient_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueclient"
)

// bubble runs a test in virtual time.
func bubble(t *testing.T, name string, test func(*testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
}

func TestATokenIsKept(t *testing.T) {
	bubble(t, "until it ages", func(t *testing.T) {
		f := script(token(1, 3600), token(2, 3600))
		s := source(f)
		for range 10 {
			get(t, s, issueclient.Options{}, 1)
		}
		time.Sleep(time.Hour - 61*time.Second)
		get(t, s, issueclient.Options{}, 1)
		f.invocations(t, 1)
		time.Sleep(31 * time.Second) // 30 s before its end
		get(t, s, issueclient.Options{}, 2)
		f.invocations(t, 2)
	})
	bubble(t, "to its end while there is no other", func(t *testing.T) {
		f := script(token(1, 3600), token(1, 30), token(1, 5), token(2, 3600))
		s := source(f)
		get(t, s, issueclient.Options{}, 1)
		time.Sleep(time.Hour - 30*time.Second)
		for range 100 {
			get(t, s, issueclient.Options{}, 1)
		}
		f.invocations(t, 2)
		time.Sleep(29*time.Second - 1)
		get(t, s, issueclient.Options{}, 1)
		f.invocations(t, 2)
		time.Sleep(time.Second) // it came again, so it is used in its last second too
		get(t, s, issueclient.Options{}, 1)
		f.invocations(t, 2)
		time.Sleep(time.Nanosecond)
		get(t, s, issueclient.Options{}, 1) // as issue says, five seconds more
		time.Sleep(5 * time.Second)
		get(t, s, issueclient.Options{}, 2)
		f.invocations(t, 4)
	})
	bubble(t, "no margin", func(t *testing.T) {
		f := script(token(1, 3600), token(2, 3600))
		s := source(f)
		s.RefreshBefore = -1
		get(t, s, issueclient.Options{}, 1)
		time.Sleep(time.Hour - time.Second - 1)
		get(t, s, issueclient.Options{}, 1)
		time.Sleep(time.Nanosecond)
		get(t, s, issueclient.Options{}, 2)
	})
	bubble(t, "until a moment of its own", func(t *testing.T) {
		early := 0
		for range 200 {
			f := script(token(1, 3600), token(2, 3600))
			s := source(f)
			get(t, s, issueclient.Options{}, 1)
			s.Now = func() time.Time { return time.Now().Add(time.Hour - 45*time.Second) }
			if _, err := s.Get(t.Context(), issueclient.Options{}); err != nil {
				t.Fatal(err)
			}
			early += len(f.requests()) - 1
		}
		if early < 50 || early > 150 {
			t.Errorf("%d of 200 ask 45 s before the end, want about half", early)
		}
	})
	bubble(t, "counted from the invocation", func(t *testing.T) {
		began := time.Now()
		got := get(t, source(slowly(3*time.Second, script(token(1, 60)))), issueclient.Options{}, 1)
		if want := began.Round(0).Add(time.Minute); got.ExpiresAt != want {
			t.Errorf("ends %v, want %v, without a monotonic reading", got.ExpiresAt, want)
		}
	})
}

func TestEveryFieldOfAToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := source(always(payload(`{"connection":"acme","access_token":"token-1","token_type":"bearer","scope":"a b","expires_in":60,` +
			`"expires_at":"2000-01-01T00:01:00Z","fingerprint":"` + fingerprint(1) + `","version":41,"outcome":"renewed",` +
			`"min_ttl_met":false,"warnings":["refresh_token_ends_soon","renewal_failing"],"of_a_later_release":{"a":[1,null]}}`)))
		got := get(t, s, issueclient.Options{MinTTL: time.Hour}, 1)
		want := &issueclient.Token{
			AccessToken: got.AccessToken, TokenType: "bearer", Scope: "a b", ExpiresAt: time.Now().Round(0).Add(time.Minute),
			Fingerprint: fingerprint(1), Version: 41,
			Warnings: []issueclient.Warning{issueclient.WarnRefreshTokenEndsSoon, issueclient.WarnRenewalFailing},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("token (-want +got):\n%s", diff)
		}
		got.Warnings[0], got.Scope = "changed", "changed" // of a token that was waited for
		first := get(t, s, issueclient.Options{}, 1)
		if first.Warnings[0] != issueclient.WarnRefreshTokenEndsSoon || first.Scope != "a b" {
			t.Error("a caller's changes are seen by the next")
		}
		first.ExpiresAt, first.Fingerprint = time.Time{}, "changed" // of a kept one, which callers share
		if again := get(t, s, issueclient.Options{Rejected: fingerprint(2)}, 1); again.Fingerprint != fingerprint(1) {
			t.Error("a caller's changes decide")
		}
	})
}

func TestOAuth2(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got, err := source(always(token(1, 60))).Token()
		if err != nil {
			t.Fatal(err)
		}
		if got.AccessToken != text(1) || got.Type() != "Bearer" || !got.Expiry.Equal(time.Now().Add(time.Minute)) ||
			got.Extra("scope") != "a b" || got.RefreshToken != "" || !got.Valid() {
			t.Errorf("got type %s, expiry %v, scope %v", got.Type(), got.Expiry, got.Extra("scope"))
		}
		began := time.Now()
		if _, err := source(always(failed("ReltioUnavailable", ""))).Token(); !errors.Is(err, issueclient.ErrReltioUnavailable) {
			t.Errorf("error %v, want ReltioUnavailable", err)
		}
		took(t, began, 30*time.Second, issueclient.DefaultPatience)
	})
}

// Only a wall clock's deadline is right after a freeze. (In a bubble there is no
// other clock.)
func TestADeadlineHasNoMonotonicReading(t *testing.T) {
	got := get(t, source(always(token(1, 60))), issueclient.Options{}, 1)
	if text := got.ExpiresAt.String(); strings.Contains(text, "m=") {
		t.Errorf("ends %s", text)
	}
}

func TestAThousandCallersAreOneInvocation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := slowly(3*time.Second, script(token(1, 3600)))
		s := source(f)
		var callers sync.WaitGroup
		for range 1000 {
			callers.Go(func() { get(t, s, issueclient.Options{}, 1) })
		}
		callers.Wait()
		if diff := cmp.Diff([]string{`{"connection":"acme"}`}, f.requests()); diff != "" {
			t.Errorf("requests (-want +got):\n%s", diff)
		}
	})
}

func TestOneInvocationForEachNeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := slowly(time.Second, script(token(1, 3600)))
		s := source(f)
		needs := []issueclient.Options{
			{},
			{MinTTL: 10 * time.Minute},
			{MinTTL: 1500 * time.Millisecond},
			{Rejected: fingerprint(9)},
			{MinTTL: 10 * time.Minute, Rejected: fingerprint(9)},
		}
		var callers sync.WaitGroup
		for range 20 {
			for _, need := range needs {
				callers.Go(func() { get(t, s, need, 1) })
			}
		}
		callers.Wait()
		got := map[string]bool{}
		for _, request := range f.requests() {
			got[request] = true
		}
		reported := `"rejected_fingerprint":"` + fingerprint(9) + `"}`
		want := map[string]bool{
			`{"connection":"acme"}`:                                  true,
			`{"connection":"acme","min_ttl_seconds":600}`:            true,
			`{"connection":"acme","min_ttl_seconds":2}`:              true,
			`{"connection":"acme",` + reported:                       true,
			`{"connection":"acme","min_ttl_seconds":600,` + reported: true,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("requests (-want +got):\n%s", diff)
		}
		f.invocations(t, len(needs))
	})
}

// A frozen process has a clock that jumps, and timers that do not.
func TestATokenThatEndsWhileFrozen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		frozen := time.Duration(0)
		f := script(token(1, 3600), token(2, 3600), token(3, 3600))
		s := source(f)
		s.Now = func() time.Time { return time.Now().Add(frozen) }
		get(t, s, issueclient.Options{}, 1)
		frozen = 59*time.Minute + 30*time.Second
		get(t, s, issueclient.Options{}, 2)
		frozen += 2 * time.Hour
		get(t, s, issueclient.Options{}, 3)
		f.invocations(t, 3)
		frozen -= time.Hour // and a clock that was wrong is set back
		get(t, s, issueclient.Options{}, 3)
		f.invocations(t, 4)
	})
}

// A caller left before its response, the environment was frozen, and the
// connection is closed: the next caller does not wait for that response either.
func TestAnInvocationThatFrozeIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		frozen, hanging := time.Duration(0), make(chan struct{})
		calls := 0
		f := script(token(1, 3600))
		s := source(f)
		s.Lambda = invoker(func(ctx context.Context, in *lambda.InvokeInput) (*lambda.InvokeOutput, error) {
			calls++
			if calls == 1 {
				<-hanging
				return nil, context.DeadlineExceeded
			}
			return f.Invoke(ctx, in)
		})
		s.Now = func() time.Time { return time.Now().Add(frozen) }
		go func() { _, _ = s.Get(t.Context(), issueclient.Options{}) }()
		synctest.Wait()
		frozen = 10 * time.Minute
		began := time.Now()
		get(t, s, issueclient.Options{}, 1)
		took(t, began, 0, 0)
		close(hanging)
		synctest.Wait()
		get(t, s, issueclient.Options{}, 1) // what came late changes nothing
	})
}

// invoker is a function as Lambda's client.
type invoker func(context.Context, *lambda.InvokeInput) (*lambda.InvokeOutput, error)

func (f invoker) Invoke(ctx context.Context, in *lambda.InvokeInput, _ ...func(*lambda.Options)) (*lambda.InvokeOutput, error) {
	return f(ctx, in)
}

func TestWhoeverLeavesTakesNothingAlong(t *testing.T) {
	bubble(t, "the first", func(t *testing.T) {
		f := slowly(3*time.Second, script(token(1, 3600)))
		s := source(f)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var callers sync.WaitGroup
		callers.Go(func() {
			began := time.Now()
			if _, err := s.Get(ctx, issueclient.Options{}); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("error %v, want the deadline", err)
			}
			took(t, began, time.Second, time.Second)
		})
		synctest.Wait()
		callers.Go(func() { get(t, s, issueclient.Options{}, 1) })
		callers.Wait()
		f.invocations(t, 1)
	})
	bubble(t, "the last", func(t *testing.T) {
		cancelled := false
		f := &function{reply: func(ctx context.Context, n int) (*lambda.InvokeOutput, error) {
			if n > 1 {
				return token(1, 3600), nil
			}
			<-ctx.Done()
			cancelled = true
			return nil, ctx.Err()
		}}
		s := source(f)
		ctx, cancel := context.WithCancel(t.Context())
		var callers sync.WaitGroup
		for range 3 {
			callers.Go(func() {
				if _, err := s.Get(ctx, issueclient.Options{}); !errors.Is(err, context.Canceled) {
					t.Errorf("error %v, want %v", err, context.Canceled)
				}
			})
		}
		synctest.Wait()
		cancel()
		callers.Wait()
		synctest.Wait()
		if !cancelled {
			t.Error("the invocation goes on")
		}
		began := time.Now()
		get(t, s, issueclient.Options{}, 1) // and no caller waits because of it
		took(t, began, 0, 0)
		f.invocations(t, 2)
	})
	bubble(t, "the last, and somebody comes while the invocation unwinds", func(t *testing.T) {
		f := &function{reply: func(ctx context.Context, n int) (*lambda.InvokeOutput, error) {
			if n > 1 {
				return token(1, 3600), nil
			}
			<-ctx.Done()
			time.Sleep(time.Second)
			return nil, ctx.Err()
		}}
		s := source(f)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.Get(ctx, issueclient.Options{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v, want the deadline", err)
		}
		began := time.Now()
		get(t, s, issueclient.Options{}, 1)
		took(t, began, 0, 0)
		time.Sleep(time.Minute) // it has ended by now, and done no harm
		get(t, s, issueclient.Options{}, 1)
		f.invocations(t, 2)
	})
	bubble(t, "before it began", func(t *testing.T) {
		f := script(token(1, 3600))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := source(f).Get(ctx, issueclient.Options{}); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want %v", err, context.Canceled)
		}
		f.invocations(t, 0)
	})
}

// What a token's last minute looks like when issue cannot be reached, or hangs.
func TestAnAgeingTokenServesWhateverFails(t *testing.T) {
	bubble(t, "nobody else waits", func(t *testing.T) {
		f := &function{}
		f.reply = func(ctx context.Context, n int) (*lambda.InvokeOutput, error) {
			if n > 1 {
				return token(2, 3600), pass(ctx, 2*time.Second)
			}
			return token(1, 3600), nil
		}
		s := source(f)
		get(t, s, issueclient.Options{}, 1)
		time.Sleep(time.Hour - 30*time.Second)
		var first sync.WaitGroup
		first.Go(func() { get(t, s, issueclient.Options{}, 2) })
		synctest.Wait()
		began := time.Now()
		get(t, s, issueclient.Options{}, 1)
		took(t, began, 0, 0)
		first.Wait()
		get(t, s, issueclient.Options{}, 2)
		f.invocations(t, 2)
	})
	bubble(t, "issue hangs", func(t *testing.T) {
		f := &function{}
		f.reply = func(ctx context.Context, n int) (*lambda.InvokeOutput, error) {
			if n > 1 {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return token(1, 3600), nil
		}
		s := source(f)
		get(t, s, issueclient.Options{}, 1)
		time.Sleep(time.Hour - 30*time.Second)
		began := time.Now()
		get(t, s, issueclient.Options{}, 1)
		took(t, began, 5*time.Second, 5*time.Second)
		get(t, s, issueclient.Options{}, 1)
		took(t, began, 5*time.Second, 5*time.Second)
		f.invocations(t, 2)
	})
	bubble(t, "issue fails", func(t *testing.T) {
		f := script(token(1, 3600), failed("ReauthorizationRequired", "a person must log in"))
		s := source(f)
		get(t, s, issueclient.Options{}, 1)
		time.Sleep(time.Hour - 30*time.Second)
		for range 100 {
			get(t, s, issueclient.Options{}, 1)
		}
		f.invocations(t, 2)
		time.Sleep(30 * time.Second)
		if _, err := s.Get(t.Context(), issueclient.Options{}); !errors.Is(err, issueclient.ErrReauthorizationRequired) {
			t.Errorf("after its end: error %v, want ReauthorizationRequired", err)
		}
	})
}

func TestALifeThatAJobNeeds(t *testing.T) {
	bubble(t, "is asked for when less is left", func(t *testing.T) {
		f := script(token(1, 3600), token(2, 3600))
		s := source(f)
		get(t, s, issueclient.Options{}, 1)
		if got := get(t, s, issueclient.Options{MinTTL: time.Hour}, 1); !got.MinTTLMet {
			t.Error("an hour is left, and is said not to be")
		}
		time.Sleep(time.Minute)
		if got := get(t, s, issueclient.Options{MinTTL: time.Hour}, 2); !got.MinTTLMet {
			t.Error("the new token's life is said to be too short")
		}
		want := []string{`{"connection":"acme"}`, `{"connection":"acme","min_ttl_seconds":3600}`}
		if diff := cmp.Diff(want, f.requests()); diff != "" {
			t.Errorf("requests (-want +got):\n%s", diff)
		}
	})
	bubble(t, "is asked for now and then if it cannot be had", func(t *testing.T) {
		f := always(token(1, 600))
		s := source(f)
		s.MinTTL = 20 * time.Minute
		for range 100 {
			if got := get(t, s, issueclient.Options{}, 1); got.MinTTLMet {
				t.Fatal("ten minutes are said to be twenty")
			}
		}
		f.invocations(t, 1)
		time.Sleep(30 * time.Second)
		for range 100 {
			get(t, s, issueclient.Options{MinTTL: time.Minute}, 1)
		}
		f.invocations(t, 2)
	})
	bubble(t, "does without when issue fails", func(t *testing.T) {
		f := script(token(1, 600), failed("RateLimited", "retry after 9 s"))
		s := source(f)
		get(t, s, issueclient.Options{}, 1)
		began := time.Now()
		get(t, s, issueclient.Options{MinTTL: time.Hour}, 1)
		get(t, s, issueclient.Options{MinTTL: time.Hour}, 1)
		took(t, began, 0, 0)
		f.invocations(t, 2)
	})
}

func TestAReportedToken(t *testing.T) {
	bubble(t, "is replaced, once for all reporters", func(t *testing.T) {
		f := slowly(2*time.Second, script(token(1, 3600), token(2, 3600)))
		s := source(f)
		get(t, s, issueclient.Options{}, 1)
		var reporters sync.WaitGroup
		for range 100 {
			reporters.Go(func() { get(t, s, issueclient.Options{Rejected: fingerprint(1)}, 2) })
		}
		reporters.Wait()
		get(t, s, issueclient.Options{Rejected: fingerprint(1)}, 2) // late
		get(t, s, issueclient.Options{}, 2)
		want := []string{`{"connection":"acme"}`, `{"connection":"acme","rejected_fingerprint":"` + fingerprint(1) + `"}`}
		if diff := cmp.Diff(want, f.requests()); diff != "" {
			t.Errorf("requests (-want +got):\n%s", diff)
		}
	})
	bubble(t, "that is alive is reported again after 30 s", func(t *testing.T) {
		f := script(token(1, 3600))
		s := source(f)
		get(t, s, issueclient.Options{}, 1)
		for range 100 {
			get(t, s, issueclient.Options{Rejected: fingerprint(1)}, 1)
		}
		f.invocations(t, 2)
		time.Sleep(30 * time.Second)
		get(t, s, issueclient.Options{Rejected: fingerprint(1)}, 1)
		f.invocations(t, 3)
	})
	bubble(t, "is reported however lately the one before it was", func(t *testing.T) {
		f := script(token(1, 600), token(1, 600), token(2, 3600), token(3, 3600))
		s := source(f)
		get(t, s, issueclient.Options{}, 1)
		get(t, s, issueclient.Options{Rejected: fingerprint(1)}, 1)
		get(t, s, issueclient.Options{MinTTL: time.Hour}, 2)
		get(t, s, issueclient.Options{Rejected: fingerprint(2)}, 3)
		f.invocations(t, 4)
	})
	bubble(t, "is not reported when it was replaced before", func(t *testing.T) {
		f := script(token(2, 600), token(3, 3600))
		s := source(f)
		get(t, s, issueclient.Options{}, 2)
		get(t, s, issueclient.Options{Rejected: fingerprint(1), MinTTL: time.Hour}, 3)
		want := []string{`{"connection":"acme"}`, `{"connection":"acme","min_ttl_seconds":3600}`}
		if diff := cmp.Diff(want, f.requests()); diff != "" {
			t.Errorf("requests (-want +got):\n%s", diff)
		}
	})
	bubble(t, "is no use when it cannot be replaced", func(t *testing.T) {
		s := source(script(token(1, 3600), failed("CredentialsRejected", "Reltio refused the credentials")))
		get(t, s, issueclient.Options{}, 1)
		if _, err := s.Get(t.Context(), issueclient.Options{Rejected: fingerprint(1)}); !errors.Is(err, issueclient.ErrCredentialsRejected) {
			t.Errorf("error %v, want CredentialsRejected", err)
		}
		get(t, s, issueclient.Options{}, 1) // only one caller said that it is not valid
	})
	bubble(t, "is not brought back by an older answer", func(t *testing.T) {
		f := &function{}
		f.reply = func(ctx context.Context, n int) (*lambda.InvokeOutput, error) {
			switch n {
			case 1:
				return token(1, 600), nil
			case 2: // needs a longer life, and gets its answer late
				return token(1, 600), pass(ctx, 5*time.Second)
			default:
				return token(2, 600), nil
			}
		}
		s := source(f)
		get(t, s, issueclient.Options{}, 1)
		var slow sync.WaitGroup
		slow.Go(func() { get(t, s, issueclient.Options{MinTTL: time.Hour}, 2) })
		synctest.Wait()
		get(t, s, issueclient.Options{Rejected: fingerprint(1)}, 2)
		slow.Wait()
		get(t, s, issueclient.Options{}, 2)
	})
}

func TestASourceThatIsNotConfigured(t *testing.T) {
	f := always(token(1, 3600))
	for name, test := range map[string]struct {
		source *issueclient.Source
		need   issueclient.Options
		want   string
	}{
		"nothing":              {&issueclient.Source{}, issueclient.Options{}, "vended: InvalidRequest: Source.Lambda: is missing"},
		"no connection":        {&issueclient.Source{Lambda: f}, issueclient.Options{}, "vended: InvalidRequest: Source.Connection: is missing"},
		"more than a day":      {source(f), issueclient.Options{MinTTL: 24*time.Hour + 1}, "vended: acme: InvalidRequest: MinLife: must be at most 24 h"},
		"a token as its name":  {source(f), issueclient.Options{Rejected: "token-1"}, "vended: acme: InvalidRequest: Rejected: must be the fingerprint of a token"},
		"a name in upper case": {source(f), issueclient.Options{Rejected: strings.ToUpper(fingerprint(1))}, "vended: acme: InvalidRequest: Rejected: must be the fingerprint of a token"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := test.source.Get(t.Context(), test.need); err == nil || err.Error() != test.want || !errors.Is(err, issueclient.ErrInvalidRequest) {
				t.Errorf("got %v\nwant %s", err, test.want)
			}
		})
	}
	f.invocations(t, 0)
}
