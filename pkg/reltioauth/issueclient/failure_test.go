package issueclient_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueclient"
)

// What each of issue's errors means for a caller with a minute.
func TestErrorTypes(t *testing.T) {
	const lasting, passing, later = "returned", "waited for", "returned, though it may pass"
	for _, test := range []struct {
		is   issueclient.ErrorType
		want string
	}{
		{issueclient.ErrInvalidRequest, lasting},
		{issueclient.ErrUnknownConnection, lasting},
		{issueclient.ErrAccessDenied, lasting},
		{issueclient.ErrInvalidConnection, lasting},
		{issueclient.ErrCredentialsRejected, lasting},
		{issueclient.ErrMFARequired, lasting},
		{issueclient.ErrReauthorizationRequired, lasting},
		{issueclient.ErrConnectionPaused, lasting},
		{issueclient.ErrTokenLimitReached, later},
		{issueclient.ErrRateLimited, passing},
		{issueclient.ErrReltioUnavailable, passing},
		{issueclient.ErrStoreUnavailable, passing},
		{issueclient.ErrInternal, passing},
		{"Sandbox.Timedout", passing},
		{"Runtime.ExitError", passing},
		{"Extension.Crash", passing},
		{"OfALaterRelease", lasting},
		{"errors.errorString", lasting},
	} {
		bubble(t, string(test.is), func(t *testing.T) {
			f := script(failed(string(test.is), "the message"), token(1, 3600))
			began := time.Now()
			got, err := source(f).Get(t.Context(), issueclient.Options{})
			if test.want == passing {
				if err != nil || got.AccessToken.Reveal() != text(1) {
					t.Errorf("error %v, want a token at the second try", err)
				}
				took(t, began, time.Second/2, time.Second)
				return
			}
			e := asError(t, err)
			if !errors.Is(err, test.is) || errors.Is(err, issueclient.ErrInvalidAnswer) || e.Temporary() != (test.want == later) {
				t.Errorf("error %v, temporary %t", err, e.Temporary())
			}
			if got, want := err.Error(), fmt.Sprintf("vended: acme: %s: the message", test.is); got != want {
				t.Errorf("text %q, want %q", got, want)
			}
			took(t, began, 0, 0)
			f.invocations(t, 1)
		})
	}
}

func TestRateLimitedWaitsAsLongAsItSays(t *testing.T) {
	for message, want := range map[string]time.Duration{
		"retry after 7 s":                     7 * time.Second,
		"busy; retry after 7 s or later":      7 * time.Second,
		"retry after 0 s":                     0,
		"":                                    0,
		"retry after -7 s":                    0,
		"retry after 7 sheep":                 0,
		"retry after 99999999999999999999 s":  5 * time.Minute,
		"retry after 100000 s":                5 * time.Minute,
		"retry after 2147483647 s, it is sad": 5 * time.Minute,
	} {
		bubble(t, message, func(t *testing.T) {
			f := script(failed("RateLimited", message), token(1, 3600))
			s := source(f)
			s.Timeout = time.Hour
			began := time.Now()
			get(t, s, issueclient.Options{}, 1)
			if want == 0 {
				took(t, began, time.Second/2, time.Second)
				return
			}
			took(t, began, want, want+want/5)
			f.invocations(t, 2)
		})
	}
}

func TestAFailureStandsForAllCallers(t *testing.T) {
	bubble(t, "one that passes", func(t *testing.T) {
		f := script(failed("RateLimited", "retry after 10 s"), token(1, 3600))
		s := source(f)
		began := time.Now()
		var callers sync.WaitGroup
		for i := range 1000 {
			callers.Go(func() {
				time.Sleep(time.Duration(i) * time.Millisecond)
				get(t, s, issueclient.Options{}, 1)
			})
		}
		callers.Wait()
		took(t, began, 10*time.Second, 12*time.Second)
		f.invocations(t, 2)
	})
	bubble(t, "one that lasts", func(t *testing.T) {
		f := script(failed("UnknownConnection", "no connection has this name"), token(1, 3600))
		s := source(f)
		for range 1000 {
			if _, err := s.Get(t.Context(), issueclient.Options{}); !errors.Is(err, issueclient.ErrUnknownConnection) {
				t.Fatalf("error %v, want UnknownConnection", err)
			}
		}
		f.invocations(t, 1)
		time.Sleep(12 * time.Second)
		get(t, s, issueclient.Options{}, 1)
	})
	bubble(t, "but not a caller's own mistake", func(t *testing.T) {
		f := script(failed("InvalidRequest", "min_ttl_seconds: must be from 0 to 60"), token(1, 3600))
		s := source(f)
		if _, err := s.Get(t.Context(), issueclient.Options{MinTTL: time.Hour}); !errors.Is(err, issueclient.ErrInvalidRequest) {
			t.Fatalf("error %v, want InvalidRequest", err)
		}
		get(t, s, issueclient.Options{}, 1)
	})
}

func TestAContextEndsTheWaiting(t *testing.T) {
	bubble(t, "at once, if it ends before the moment that is named", func(t *testing.T) {
		f := always(failed("RateLimited", "retry after 10 s"))
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		began := time.Now()
		_, err := source(f).Get(ctx, issueclient.Options{})
		if e := asError(t, err); e.Type != issueclient.ErrRateLimited || e.RetryAfter != 10*time.Second || !e.Temporary() {
			t.Errorf("error %v after %v", err, e.RetryAfter)
		}
		took(t, began, 0, 0)
	})
	bubble(t, "while it waits for the moment", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer time.AfterFunc(3*time.Second, cancel).Stop()
		began := time.Now()
		_, err := source(always(failed("RateLimited", "retry after 10 s"))).Get(ctx, issueclient.Options{})
		if !errors.Is(err, context.Canceled) || !errors.Is(err, issueclient.ErrRateLimited) {
			t.Errorf("error %v, want both what it waited for and why it stopped", err)
		}
		took(t, began, 3*time.Second, 3*time.Second)
	})
	bubble(t, "while an invocation hangs", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
		defer cancel()
		s := source(slowly(time.Hour, always(token(1, 3600))))
		_, err := s.Get(ctx, issueclient.Options{})
		if !errors.Is(err, context.DeadlineExceeded) || !strings.HasPrefix(err.Error(), "vended: acme: no token yet: ") {
			t.Errorf("error %v, want the deadline", err)
		}
	})
	bubble(t, "without a word of what is over", func(t *testing.T) {
		f := &function{reply: func(ctx context.Context, n int) (*lambda.InvokeOutput, error) {
			switch n {
			case 1:
				return failed("RateLimited", "retry after 1 s"), nil
			case 2:
				return token(1, 60), nil
			}
			<-ctx.Done()
			return nil, ctx.Err()
		}}
		s := source(f)
		get(t, s, issueclient.Options{}, 1)
		time.Sleep(time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.Get(ctx, issueclient.Options{}); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, issueclient.ErrRateLimited) {
			t.Errorf("error %v, want the deadline alone", err)
		}
	})
	bubble(t, "and patience does", func(t *testing.T) {
		f := slowly(time.Hour, always(token(1, 3600)))
		began := time.Now()
		_, err := source(f).Get(t.Context(), issueclient.Options{})
		if !errors.Is(err, issueclient.ErrStoreUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v, want the deadline of the invocation and of the caller", err)
		}
		took(t, began, issueclient.DefaultPatience, issueclient.DefaultPatience)
		synctest.Wait()
		if got := len(f.requests()); got != 2 {
			t.Errorf("%d invocations, want 2 of 30 s each", got)
		}
	})
}

func TestPause(t *testing.T) {
	plain := &issueclient.Error{Type: issueclient.ErrReltioUnavailable}
	named := &issueclient.Error{Type: issueclient.ErrRateLimited, RetryAfter: 10 * time.Second}
	lasting := &issueclient.Error{Type: issueclient.ErrAccessDenied, RetryAfter: time.Hour}
	for name, test := range map[string]struct {
		e        *issueclient.Error
		failures int
		jitter   float64
		want     time.Duration
	}{
		"the first, at least":     {plain, 1, 0, 500 * time.Millisecond},
		"the first, at most":      {plain, 1, 1, time.Second},
		"the second":              {plain, 2, 1, 2 * time.Second},
		"the fourth":              {plain, 4, 1, 8 * time.Second},
		"the fifth":               {plain, 5, 1, 15 * time.Second},
		"the millionth, at least": {plain, 1e6, 0, 7500 * time.Millisecond},
		"a named one, at least":   {named, 9, 0, 10 * time.Second},
		"a named one, at most":    {named, 9, 1, 12 * time.Second},
		"one that lasts":          {lasting, 9, 0, 10 * time.Second},
		"one for later":           {&issueclient.Error{Type: issueclient.ErrTokenLimitReached}, 9, 1, 12 * time.Second},
	} {
		if got := issueclient.Pause(test.e, test.failures, test.jitter); got != test.want {
			t.Errorf("%s: got %v, want %v", name, got, test.want)
		}
	}
}

// wire is an HTTP client that answers alike every time: what Lambda's API and
// the network do, with the SDK's real client in front.
type wire func() (*http.Response, error)

func (w wire) Do(*http.Request) (*http.Response, error) { return w() }

func says(status int, kind, body string, header ...string) wire {
	return func() (*http.Response, error) {
		h := http.Header{"X-Amzn-Errortype": {kind}}
		for i := 0; i < len(header); i += 2 {
			h.Set(header[i], header[i+1])
		}
		return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body))}, nil
	}
}

func TestWhatLambdaAndTheNetworkSay(t *testing.T) {
	for name, test := range map[string]struct {
		wire  wire
		want  issueclient.ErrorType
		after time.Duration
		pass  bool
	}{
		"throttled":                    {says(429, "TooManyRequestsException", `{"Message":"Rate Exceeded."}`), issueclient.ErrRateLimited, 0, true},
		"throttled, with a time":       {says(429, "TooManyRequestsException", `{}`, "Retry-After", "7"), issueclient.ErrRateLimited, 7 * time.Second, true},
		"throttled for days":           {says(429, "TooManyRequestsException", `{}`, "Retry-After", "999999"), issueclient.ErrRateLimited, 5 * time.Minute, true},
		"throttled by an unknown word": {says(429, "OtherException", `{}`), issueclient.ErrRateLimited, 0, true},
		"not allowed":                  {says(403, "AccessDeniedException", `{}`), issueclient.ErrAccessDenied, 0, false},
		"not signed in":                {says(401, "UnrecognizedClientException", `{}`), issueclient.ErrAccessDenied, 0, false},
		"no such function":             {says(404, "ResourceNotFoundException", `{}`), issueclient.ErrInvalidRequest, 0, false},
		"too large":                    {says(413, "RequestTooLargeException", `{}`), issueclient.ErrInvalidRequest, 0, false},
		"being changed":                {says(409, "ResourceConflictException", `{}`), issueclient.ErrStoreUnavailable, 0, true},
		"a gateway":                    {says(503, "", `<html>`), issueclient.ErrStoreUnavailable, 0, true},
		"the service":                  {says(500, "ServiceException", `{}`), issueclient.ErrStoreUnavailable, 0, true},
		"no network":                   {func() (*http.Response, error) { return nil, syscall.ECONNREFUSED }, issueclient.ErrStoreUnavailable, 0, true},
	} {
		bubble(t, name, func(t *testing.T) {
			calls := 0
			client := lambda.New(lambda.Options{
				Region: "eu-central-1", Credentials: aws.AnonymousCredentials{},
				HTTPClient: wire(func() (*http.Response, error) { calls++; return test.wire() }),
			})
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond) // less than any pause
			defer cancel()
			_, err := (&issueclient.Source{Lambda: client, Connection: "acme"}).Get(ctx, issueclient.Options{})
			e := asError(t, err)
			if e.Type != test.want || e.RetryAfter != test.after || e.Temporary() != test.pass || e.Err == nil {
				t.Errorf("got %s, retry after %v, temporary %t, want %s, %v, %t", e.Type, e.RetryAfter, e.Temporary(), test.want, test.after, test.pass)
			}
			if name == "no network" && !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("the cause is lost: %v", err)
			}
			if calls != 1 {
				t.Errorf("%d requests, want 1: the SDK repeats by itself", calls)
			}
		})
	}
}

// A fake of the SDK's client, as tests have it, gives its errors without a
// response.
func TestErrorsOfAFakeClient(t *testing.T) {
	for name, test := range map[string]struct {
		err   error
		want  issueclient.ErrorType
		after time.Duration
	}{
		"throttled":        {&types.TooManyRequestsException{RetryAfterSeconds: aws.String("3")}, issueclient.ErrRateLimited, 3 * time.Second},
		"no such function": {&types.ResourceNotFoundException{}, issueclient.ErrInvalidRequest, 0},
		"anything":         {errors.New("boom"), issueclient.ErrStoreUnavailable, 0},
	} {
		bubble(t, name, func(t *testing.T) {
			f := &function{reply: func(context.Context, int) (*lambda.InvokeOutput, error) { return nil, test.err }}
			ctx, cancel := context.WithTimeout(t.Context(), 1)
			defer cancel()
			_, err := source(f).Get(ctx, issueclient.Options{})
			if e := asError(t, err); e.Type != test.want || e.RetryAfter != test.after || !errors.Is(err, test.err) {
				t.Errorf("got %v after %v, want %s after %v", err, e.RetryAfter, test.want, test.after)
			}
		})
	}
}

func TestHostileAnswers(t *testing.T) {
	const canary = "kanari-in-the-answer"
	answer := func(member, value string) string {
		members := map[string]string{
			"access_token": `"` + canary + `"`, "expires_in": "60", "fingerprint": `"` + fingerprint(1) + `"`, "version": "1",
		}
		members[member] = value
		var b strings.Builder
		for name, value := range members {
			fmt.Fprintf(&b, `,%q:%s`, name, value)
		}
		return "{" + b.String()[1:] + "}"
	}
	for name, body := range map[string]string{
		"nothing":                 "",
		"null":                    "null",
		"a string":                `"` + canary + `"`,
		"a list":                  `["` + canary + `"]`,
		"cut off":                 `{"access_token":"` + canary,
		"something behind it":     answer("scope", `""`) + canary,
		"an empty object":         `{}`,
		"HTML":                    "<html>" + canary,
		"nested deeply":           strings.Repeat("[", 1<<17),
		"huge":                    answer("scope", `"`+strings.Repeat("x", 1<<20)+`"`),
		"no token":                answer("access_token", `""`),
		"a token that is null":    answer("access_token", `null`),
		"a token of two lines":    answer("access_token", `"`+canary+`\r\nX-Evil: 1"`),
		"a token with a space":    answer("access_token", `"`+canary+` x"`),
		"a token in Cyrillic":     answer("access_token", `"`+canary+`я"`),
		"an endless token":        answer("access_token", `"`+strings.Repeat(canary, 1000)+`"`),
		"a token that is a list":  answer("access_token", `["`+canary+`"]`),
		"ended":                   answer("expires_in", "0"),
		"ended long ago":          answer("expires_in", "-5"),
		"an endless life":         answer("expires_in", "9999999999999"),
		"more life than fits":     answer("expires_in", "99999999999999999999"),
		"half a second":           answer("expires_in", "0.5"),
		"a life in words":         answer("expires_in", `"`+canary+`"`),
		"no fingerprint":          answer("fingerprint", `""`),
		"a token for fingerprint": answer("fingerprint", `"`+canary+`"`),
		"a version in words":      answer("version", `"`+canary+`"`),
		"another function's":      `{"statusCode":200,"body":"` + canary + `"}`,
	} {
		bubble(t, name, func(t *testing.T) {
			f := always(payload(body))
			_, err := source(f).Get(t.Context(), issueclient.Options{})
			if e := asError(t, err); e.Type != issueclient.ErrInvalidAnswer || e.Temporary() || strings.Contains(err.Error(), canary) {
				t.Errorf("error %v, want InvalidAnswer, without the answer in it", err)
			}
			f.invocations(t, 1)
		})
	}
	t.Run("no output at all", func(t *testing.T) {
		if _, err := source(always(nil)).Get(t.Context(), issueclient.Options{}); !errors.Is(err, issueclient.ErrInvalidAnswer) {
			t.Errorf("error %v, want InvalidAnswer", err)
		}
	})
}

func TestHostileFunctionErrors(t *testing.T) {
	long := strings.Repeat("é", 10000)
	for name, test := range map[string]struct{ body, is, message string }{
		"nothing":                 {"", "Internal", ""},
		"no JSON":                 {"<html>", "Internal", ""},
		"no type":                 {`{"errorMessage":"2026-11-23 Task timed out after 25.00 seconds"}`, "Internal", "2026-11-23 Task timed out after 25.00 seconds"},
		"a type of another type":  {`{"errorType":7,"errorMessage":"m"}`, "Internal", "m"},
		"a type of two lines":     {`{"errorType":"Rate\nLimited","errorMessage":"m"}`, "Internal", "m"},
		"an endless type":         {`{"errorType":"` + strings.Repeat("x", 129) + `"}`, "Internal", ""},
		"a message of many lines": {`{"errorType":"AccessDenied","errorMessage":" a\r\n\tb\u0000\u202ec "}`, "AccessDenied", "a b c"},
		"an endless message":      {`{"errorType":"AccessDenied","errorMessage":"` + long + `"}`, "AccessDenied", long[:512]},
		"more than is read":       {`{"errorType":"AccessDenied","errorMessage":"` + strings.Repeat("x", 1<<19) + `"}`, "Internal", ""},
		"a trace as well":         {`{"errorType":"AccessDenied","errorMessage":"m","stackTrace":[{"path":"x"}]}`, "AccessDenied", "m"},
	} {
		bubble(t, name, func(t *testing.T) {
			out := payload(test.body)
			out.FunctionError = aws.String("Unhandled")
			ctx, cancel := context.WithTimeout(t.Context(), 1)
			defer cancel()
			_, err := source(always(out)).Get(ctx, issueclient.Options{})
			if e := asError(t, err); string(e.Type) != test.is || e.Message != test.message {
				t.Errorf("got %s: %q, want %s: %q", e.Type, e.Message, test.is, test.message)
			}
		})
	}
}

// All callers leave at the same moment, while the call ends because of them.
func TestAThousandCallersWhoseContextEnds(t *testing.T) {
	s := source(slowly(time.Hour, always(token(1, 3600))))
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	var all sync.WaitGroup
	for range 1000 {
		all.Go(func() {
			if got, err := s.Get(ctx, issueclient.Options{}); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v, %v, want the end of the context", got, err)
			}
		})
	}
	all.Wait()
}
