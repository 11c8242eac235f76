package extension_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/google/go-cmp/cmp"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/extension"
	"github.com/reltio-tokens/reltio-tokens/internal/telemetry"
	"github.com/reltio-tokens/reltio-tokens/internal/testkit/logtest"
	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueapi"
)

const print2 = "sha256:fedcba9876543210fedcba9876543210"

// issue is a stand-in for the SDK's client and the function behind it.
type issue struct {
	answer func(ctx context.Context, request map[string]any) (*lambda.InvokeOutput, error)
	calls  atomic.Int32
}

// Invoke implements issueclient.Invoker.
func (i *issue) Invoke(ctx context.Context, in *lambda.InvokeInput, _ ...func(*lambda.Options)) (*lambda.InvokeOutput, error) {
	i.calls.Add(1)
	var request map[string]any
	if err := json.Unmarshal(in.Payload, &request); err != nil {
		return nil, err
	}
	return i.answer(ctx, request)
}

// said is a successful answer.
func said(fingerprint string, version, life int, outcome string) *lambda.InvokeOutput {
	return &lambda.InvokeOutput{Payload: fmt.Appendf(nil, `{"connection":"acme-prod","access_token":"%s-%d","token_type":"bearer",`+
		`"scope":"a b","expires_in":%d,"expires_at":"2026-11-23T17:00:00Z","fingerprint":"%s","version":%d,"outcome":"%s",`+
		`"min_ttl_met":true,"warnings":["renewal_failing"]}`, token, version, life, fingerprint, version, outcome)}
}

// failure is a function error.
func failure(kind, message string) *lambda.InvokeOutput {
	return &lambda.InvokeOutput{
		FunctionError: aws.String("Unhandled"),
		Payload:       fmt.Appendf(nil, `{"errorType":"%s","errorMessage":"%s"}`, kind, message),
	}
}

func sources(i *issue) (*extension.Sources, *logtest.Buffer) {
	log := &logtest.Buffer{}
	return &extension.Sources{
		Lambda: i, Function: "issue:live", Now: time.Now,
		Log: telemetry.New(log, slog.LevelDebug, time.Now),
	}, log
}

func TestATokenIsKeptUntilItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &issue{}
		i.answer = func(context.Context, map[string]any) (*lambda.InvokeOutput, error) {
			if i.calls.Load() == 1 {
				return said(print1, 1, 3600, "renewed"), nil
			}
			return said(print2, 2, 3600, "cached"), nil
		}
		s, _ := sources(i)
		first, err := s.Token(t.Context(), "acme-prod", 0)
		if err != nil {
			t.Fatal(err)
		}
		end := time.Now().Add(time.Hour)
		if first.Outcome != "renewed" || first.ExpiresIn != 3600 || first.ExpiresAt != end.UTC().Format(time.RFC3339) ||
			first.Fingerprint != print1 || first.Version != 1 || !first.MinTTLMet || first.AccessToken != token+"-1" {
			t.Errorf("first answer %+v", first)
		}
		if diff := cmp.Diff([]issueapi.Warning{issueapi.RenewalFailing}, first.Warnings); diff != "" {
			t.Error(diff)
		}
		time.Sleep(50 * time.Minute)
		again, err := s.Token(t.Context(), "acme-prod", 0)
		if err != nil || again.Outcome != "cached" || again.ExpiresIn != 600 || i.calls.Load() != 1 {
			t.Errorf("after 50 minutes %+v, %v, %d invocations; want the kept one, cached", again, err, i.calls.Load())
		}
		time.Sleep(10 * time.Minute)
		next, err := s.Token(t.Context(), "acme-prod", 0)
		if err != nil || next.Version != 2 || next.Outcome != "cached" || i.calls.Load() != 2 {
			t.Errorf("after its end %+v, %v, %d invocations; want the next", next, err, i.calls.Load())
		}
	})
}

func TestAThousandCallersCauseOneInvocation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &issue{answer: func(context.Context, map[string]any) (*lambda.InvokeOutput, error) {
			time.Sleep(time.Second)
			return said(print1, 1, 3600, "renewed"), nil
		}}
		s, log := sources(i)
		var all sync.WaitGroup
		for range 1000 {
			all.Go(func() {
				if a, err := s.Token(t.Context(), "acme-prod", 0); err != nil || a.Outcome != "renewed" {
					t.Errorf("answer %v, error %v: want one that was awaited", a.Outcome, err)
				}
			})
		}
		all.Wait()
		if got := i.calls.Load(); got != 1 {
			t.Errorf("%d invocations, want 1", got)
		}
		if got := strings.Count(log.String(), "issue invoked"); got != 1 || strings.Contains(log.String(), "kanari") {
			t.Errorf("%d lines, want one without a token: %s", got, log.String())
		}
	})
}

func TestALongerLifeIsAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var wanted []any
		i := &issue{answer: func(_ context.Context, request map[string]any) (*lambda.InvokeOutput, error) {
			wanted = append(wanted, request["min_ttl_seconds"])
			return said(print1, 1, 600, "cached"), nil
		}}
		s, _ := sources(i)
		for _, minTTL := range []time.Duration{0, 20 * time.Minute, 20 * time.Minute} {
			got, err := s.Token(t.Context(), "acme-prod", minTTL)
			if err != nil || got.MinTTLMet != (minTTL == 0) {
				t.Errorf("for %v: met %v, error %v", minTTL, got.MinTTLMet, err)
			}
		}
		if diff := cmp.Diff([]any{nil, 1200.0}, wanted); diff != "" {
			t.Errorf("asked for (one invocation for the life that issue could not give):\n%s", diff)
		}
	})
}

func TestARejectedTokenIsReplacedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rejected []any
		i := &issue{}
		i.answer = func(_ context.Context, request map[string]any) (*lambda.InvokeOutput, error) {
			rejected = append(rejected, request["rejected_fingerprint"])
			if request["rejected_fingerprint"] == print1 {
				return said(print2, 2, 3600, "renewed"), nil
			}
			return said(print1, 1, 3600, "cached"), nil
		}
		s, _ := sources(i)
		if _, err := s.Token(t.Context(), "acme-prod", 0); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"renewed", "cached"} {
			got, err := s.Rejected(t.Context(), "acme-prod", print1)
			if err != nil || got.Fingerprint != print2 || string(got.Outcome) != want {
				t.Errorf("reported: %s, %s, %v, want the new one, %s", got.Fingerprint, got.Outcome, err, want)
			}
		}
		if diff := cmp.Diff([]any{nil, print1}, rejected); diff != "" {
			t.Errorf("reports (a token that is not in use any more is not reported again):\n%s", diff)
		}
	})
}

// withStatus is Lambda's own answer to an invocation.
func withStatus(code int) error {
	return &smithyhttp.ResponseError{
		Response: &smithyhttp.Response{Response: &http.Response{StatusCode: code, Header: http.Header{}}}, Err: errors.New("kanari"),
	}
}

// coded is the same with the code of an error of Lambda.
func coded(status int, code string) error {
	return &smithyhttp.ResponseError{
		Response: &smithyhttp.Response{Response: &http.Response{StatusCode: status, Header: http.Header{}}},
		Err:      &smithy.GenericAPIError{Code: code, Message: "kanari"},
	}
}

func TestErrorsAreSaidInTheWordsOfIssue(t *testing.T) {
	tests := map[string]struct {
		out  *lambda.InvokeOutput
		err  error
		want *apierr.Error
	}{
		"of issue":                {failure("ReauthorizationRequired", "a person must log in"), nil, apierr.New("ReauthorizationRequired", "a person must log in")},
		"of issue, a defect":      {failure("Internal", "request 1"), nil, apierr.New("Internal", "request 1")},
		"of issue, for a while":   {failure("RateLimited", "retry after 7 s"), nil, apierr.New("RateLimited", "retry after 7 s")},
		"Lambda throttles":        {nil, &types.TooManyRequestsException{RetryAfterSeconds: aws.String("9")}, apierr.New("RateLimited", "retry after 9 s")},
		"no permission":           {nil, withStatus(403), apierr.New("AccessDenied", "the function's role may not invoke RELTIO_TOKENS_FUNCTION")},
		"expired credentials":     {nil, coded(403, "ExpiredTokenException"), apierr.New("AccessDenied", "Lambda refuses the function's credentials, which may have expired: ExpiredTokenException")},
		"unknown credentials":     {nil, coded(403, "UnrecognizedClientException"), apierr.New("AccessDenied", "Lambda refuses the function's credentials, which may have expired: UnrecognizedClientException")},
		"a wrong clock":           {nil, coded(403, "InvalidSignatureException"), apierr.New("AccessDenied", "Lambda refuses the signature, so this machine's clock may be wrong: InvalidSignatureException")},
		"no permission, by name":  {nil, coded(403, "AccessDeniedException"), apierr.New("AccessDenied", "the function's role may not invoke RELTIO_TOKENS_FUNCTION")},
		"a code that is none":     {nil, coded(403, "kanari 1"), apierr.New("AccessDenied", "the function's role may not invoke RELTIO_TOKENS_FUNCTION")},
		"no such function":        {nil, withStatus(404), apierr.New("Internal", "RELTIO_TOKENS_FUNCTION: Lambda finds no such function")},
		"no such function, named": {nil, coded(404, "ResourceNotFoundException"), apierr.New("Internal", "RELTIO_TOKENS_FUNCTION: Lambda finds no such function")},
		"no name of a function":   {nil, coded(400, "ValidationException"), apierr.New("Internal", "RELTIO_TOKENS_FUNCTION: Lambda does not take it as a name: ValidationException")},
		"a value Lambda refuses":  {nil, coded(400, "InvalidParameterValueException"), apierr.New("Internal", "RELTIO_TOKENS_FUNCTION: Lambda does not take it as a name: InvalidParameterValueException")},
		"no JSON":                 {nil, coded(400, "InvalidRequestContentException"), apierr.New("Internal", "Lambda cannot read the request as JSON: InvalidRequestContentException")},
		"too large":               {nil, coded(413, "RequestTooLargeException"), apierr.New("Internal", "the request is too large for Lambda: RequestTooLargeException")},
		"too large, by a proxy":   {nil, withStatus(413), apierr.New("Internal", "the request is too large for Lambda")},
		"another content type":    {nil, coded(415, "UnsupportedMediaTypeException"), apierr.New("Internal", "Lambda refuses the content type of the request, which a proxy may have changed: UnsupportedMediaTypeException")},
		"another 4xx":             {nil, coded(410, "SomethingNew"), apierr.New("Internal", "Lambda refuses the request: SomethingNew")},
		"issue is being changed":  {nil, coded(409, "ResourceConflictException"), apierr.New("StoreUnavailable", "issue: it is being changed: ResourceConflictException")},
		"a key that is disabled":  {nil, coded(502, "KMSDisabledException"), apierr.New("StoreUnavailable", "issue: Lambda cannot use the key of its environment variables: KMSDisabledException")},
		"a network without room":  {nil, coded(502, "EC2ThrottledException"), apierr.New("StoreUnavailable", "issue: Lambda cannot set up its network: EC2ThrottledException")},
		"a broken archive":        {nil, coded(502, "InvalidZipFileException"), apierr.New("StoreUnavailable", "issue: Lambda cannot start it as it was built: InvalidZipFileException")},
		"a file system":           {nil, coded(403, "EFSMountFailureException"), apierr.New("AccessDenied", "issue: Lambda cannot reach its file system: EFSMountFailureException")},
		"a new code of 5xx":       {nil, coded(503, "SomethingNew"), apierr.New("StoreUnavailable", "Lambda has failed: SomethingNew")},
		"a new code of 403":       {nil, coded(403, "SomethingNew"), apierr.New("AccessDenied", "Lambda refuses the function's credentials, which may have expired: SomethingNew")},
		"Lambda fails":            {nil, withStatus(500), apierr.New("StoreUnavailable", "Lambda has failed")},
		"the network fails":       {nil, errors.New("kanari"), apierr.New("StoreUnavailable", "issue: it cannot be invoked")},
		"the runtime fails":       {failure("Runtime.ExitError", "kanari"), nil, apierr.New("StoreUnavailable", "issue: it failed")},
		"another function":        {failure("KeyError", "kanari"), nil, apierr.New("Internal", "RELTIO_TOKENS_FUNCTION: is not issue, or cannot run")},
		"an answer of another's":  {&lambda.InvokeOutput{Payload: []byte(`"kanari"`)}, nil, apierr.New("Internal", "RELTIO_TOKENS_FUNCTION: is not issue, or cannot run")},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, log := sources(&issue{answer: func(context.Context, map[string]any) (*lambda.InvokeOutput, error) { return test.out, test.err }})
				ctx, cancel := context.WithTimeout(t.Context(), 28*time.Second)
				defer cancel()
				start := time.Now()
				_, err := s.Token(ctx, "acme-prod", 0)
				got := apierr.Of(err)
				if got.Type != test.want.Type || got.Message != test.want.Message {
					t.Errorf("%s: %q, want %s: %q", got.Type, got.Message, test.want.Type, test.want.Message)
				}
				if took := time.Since(start); took > 10*time.Second {
					t.Errorf("the caller waited %v", took)
				}
				if strings.Contains(log.String(), "kanari") {
					t.Errorf("foreign text in %s", log.String())
				}
				if test.err != nil && (strings.HasSuffix(test.want.Message, "Exception") || strings.HasSuffix(test.want.Message, "SomethingNew")) {
					if name := test.want.Message[strings.LastIndex(test.want.Message, " ")+1:]; !strings.Contains(log.String(), `"code":"`+name+`"`) {
						t.Errorf("the log does not name %s: %s", name, log.String())
					}
				}
			})
		})
	}
}

// The log says which of Lambda's limits refused an invocation.
func TestTheLogNamesTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		throttled := &types.TooManyRequestsException{Reason: types.ThrottleReasonReservedFunctionConcurrentInvocationLimitExceeded}
		s, log := sources(&issue{answer: func(context.Context, map[string]any) (*lambda.InvokeOutput, error) { return nil, throttled }})
		if _, err := s.Token(t.Context(), "acme-prod", 0); apierr.Of(err).Type != apierr.RateLimited {
			t.Errorf("error %v", err)
		}
		if want := `"reason":"ReservedFunctionConcurrentInvocationLimitExceeded"`; !strings.Contains(log.String(), want) {
			t.Errorf("no %s in %s", want, log.String())
		}
	})
}

// However often a failure says that it passes soon, a caller hears of it.
func TestWaitsAreBoundedTogether(t *testing.T) {
	for name, failure := range map[string]*lambda.InvokeOutput{
		"a limit of a second": failure("RateLimited", "retry after 1 s"),
		"a limit of no time":  failure("RateLimited", ""),
		"an outage":           failure("StoreUnavailable", ""),
		"a crash":             failure("Runtime.ExitError", ""),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				i := &issue{answer: func(context.Context, map[string]any) (*lambda.InvokeOutput, error) { return failure, nil }}
				s, _ := sources(i)
				for range 3 {
					start := time.Now()
					if _, err := s.Token(t.Context(), "acme-prod", 0); err == nil {
						t.Error("no error")
					}
					if took, n := time.Since(start), i.calls.Swap(0); took > 2400*time.Millisecond || n > 4 {
						t.Errorf("one request took %v and %d invocations, want at most 2.4 s and 4", took, n)
					}
				}
			})
		})
	}
}

// In a token's last second a caller waits for the next one.
func TestATokensLastSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &issue{}
		i.answer = func(context.Context, map[string]any) (*lambda.InvokeOutput, error) {
			if n := int(i.calls.Load()); n < 3 {
				return said(print1, 1, 8/n/n, "cached"), nil // 8 s, then the last 2 s of it
			}
			return said(print2, 2, 3600, "renewed"), nil
		}
		s, _ := sources(i)
		start := time.Now()
		for time.Since(start) < 12*time.Second {
			if a, err := s.Token(t.Context(), "acme-prod", 0); err != nil || a.ExpiresIn < 1 {
				t.Errorf("after %v: %d s, %v", time.Since(start), a.ExpiresIn, err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if n := i.calls.Load(); n != 3 {
			t.Errorf("%d invocations, want two for the first token and one for the next", n)
		}
	})
}

func TestABlipIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &issue{}
		i.answer = func(context.Context, map[string]any) (*lambda.InvokeOutput, error) {
			if i.calls.Load() == 1 {
				return nil, withStatus(503)
			}
			return said(print1, 1, 3600, "cached"), nil
		}
		s, _ := sources(i)
		start := time.Now()
		if _, err := s.Token(t.Context(), "acme-prod", 0); err != nil {
			t.Errorf("error %v, want the second answer", err)
		}
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

func TestAPanicIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &issue{}
		i.answer = func(context.Context, map[string]any) (*lambda.InvokeOutput, error) { panic("kanari") }
		s, log := sources(i)
		if _, err := s.Token(t.Context(), "acme-prod", 0); apierr.Of(err).Type != apierr.StoreUnavailable {
			t.Errorf("error %v, want StoreUnavailable", err)
		}
		if strings.Contains(log.String(), "kanari") {
			t.Errorf("foreign text in %s", log.String())
		}
	})
}

func TestATokenThatHasEndedIsNoToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &issue{answer: func(context.Context, map[string]any) (*lambda.InvokeOutput, error) {
			time.Sleep(1500 * time.Millisecond) // the answer was long on its way
			return said(print1, 1, 2, "cached"), nil
		}}
		s, _ := sources(i)
		if a, err := s.Token(t.Context(), "acme-prod", 0); apierr.Of(err).Type != apierr.ReltioUnavailable {
			t.Errorf("answer %+v, error %v, want none", a, err)
		}
	})
}
