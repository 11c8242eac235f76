package issueclient_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueclient"
)

// static are credentials that are no one's.
var static = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: "key", SecretAccessKey: "secret"}, nil
})

// What the SDK itself lacks does not pass by waiting. What its provider of
// credentials says is told.
func TestWhatTheSDKLacks(t *testing.T) {
	none := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{}, errors.New("no role is found")
	})
	hangs := aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
		<-ctx.Done()
		return aws.Credentials{}, ctx.Err()
	})
	for name, test := range map[string]struct {
		options lambda.Options
		want    issueclient.ErrorType
		message string
		waits   bool
	}{
		"no region":              {lambda.Options{Credentials: static}, issueclient.ErrInvalidRequest, "Missing Region", false},
		"no credentials":         {lambda.Options{Region: "eu-west-1", Credentials: none}, issueclient.ErrAccessDenied, "no role is found", false},
		"credentials that hang":  {lambda.Options{Region: "eu-west-1", Credentials: hangs}, issueclient.ErrStoreUnavailable, "", true},
		"an address without a ]": {lambda.Options{Region: "eu-west-1", Credentials: static, BaseEndpoint: aws.String("http://[::1")}, issueclient.ErrInvalidRequest, "", false},
	} {
		bubble(t, name, func(t *testing.T) {
			test.options.HTTPClient = says(200, "", "")
			began := time.Now()
			s := &issueclient.Source{Lambda: lambda.New(test.options), Connection: "acme"}
			_, err := s.Get(t.Context(), issueclient.Options{})
			if test.waits {
				took(t, began, 30*time.Second, issueclient.DefaultPatience)
				return
			}
			took(t, began, 0, 0)
			if e := asError(t, err); e.Type != test.want || !strings.Contains(err.Error(), test.message) {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

// Lambda's error about a signature repeats what was signed.
func TestARefusedSignatureShowsNoSessionToken(t *testing.T) {
	body := `{"message":"The request signature we calculated does not match the signature you provided.\n\n` +
		`The Canonical String for this request should have been\n'POST\nx-amz-security-token:canary-session'"}`
	client := lambda.New(lambda.Options{Region: "eu-west-1", Credentials: static, HTTPClient: says(403, "InvalidSignatureException", body)})
	_, err := (&issueclient.Source{Lambda: client, Connection: "acme"}).Get(t.Context(), issueclient.Options{})
	if text := err.Error(); strings.Contains(text, "canary") || !strings.Contains(text, "does not match the signature you provided.") {
		t.Errorf("error %s", text)
	}
}

// A panic in a goroutine of a Source would end the process.
func TestAnInvokerThatPanics(t *testing.T) {
	for name, value := range map[string]any{"an error": errors.New("canary"), "a text": "canary"} {
		bubble(t, name, func(t *testing.T) {
			calls := 0
			s := &issueclient.Source{Connection: "acme", Lambda: invoker(func(context.Context, *lambda.InvokeInput) (*lambda.InvokeOutput, error) {
				calls++
				if calls == 1 {
					panic(value)
				}
				return token(1, 3600), nil
			})}
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			defer cancel()
			_, err := s.Get(ctx, issueclient.Options{})
			if !errors.Is(err, issueclient.ErrInternal) || !strings.Contains(err.Error(), "panic") || strings.Contains(err.Error(), "canary") {
				t.Errorf("error %v, want Internal, and that it panicked", err)
			}
			get(t, s, issueclient.Options{}, 1)
		})
	}
}

// A clock that was set back says nothing of what was known before.
func TestAClockThatIsSetBack(t *testing.T) {
	for name, answers := range map[string][]*lambda.InvokeOutput{
		"a token":            {token(1, 600), token(2, 600)},
		"an error":           {failed("UnknownConnection", ""), token(2, 600)},
		"an error for long":  {failed("RateLimited", "retry after 300 s"), token(2, 600)},
		"a last second":      {token(1, 1), token(2, 600)},
		"an invocation hung": {nil, token(2, 600)},
	} {
		bubble(t, name, func(t *testing.T) {
			back, hangs := time.Duration(0), make(chan struct{})
			f := &function{reply: func(_ context.Context, n int) (*lambda.InvokeOutput, error) {
				out := answers[min(n, len(answers))-1]
				if out == nil {
					<-hangs
					return token(1, 600), nil
				}
				return out, nil
			}}
			s := source(f)
			s.Now = func() time.Time { return time.Now().Add(-back) }
			go func() { _, _ = s.Get(t.Context(), issueclient.Options{}) }()
			synctest.Wait()
			back = time.Hour
			began := time.Now()
			get(t, s, issueclient.Options{}, 2)
			took(t, began, 0, 0)
			f.invocations(t, 2)
			close(hangs)
			synctest.Wait()
			get(t, s, issueclient.Options{}, 2)
		})
	}
}

// endless is a body that never ends. Close ends the reading, as net/http's does.
type endless struct{ closed chan struct{} }

// Read implements io.Reader.
func (e endless) Read([]byte) (int, error) {
	<-e.closed
	return 0, io.ErrClosedPipe
}

// Close implements io.Closer.
func (e endless) Close() error {
	select {
	case <-e.closed:
	default:
		close(e.closed)
	}
	return nil
}

// A response that is not returned holds nothing up.
func TestABodyThatNeverEnds(t *testing.T) {
	for name, status := range map[string]int{"401": http.StatusUnauthorized, "503": http.StatusServiceUnavailable} {
		bubble(t, name, func(t *testing.T) {
			n := 0
			transport := &issueclient.Transport{Source: source(script(token(1, 3600), token(2, 3600))), Retry: true, Base: roundTripper(func(*http.Request) (*http.Response, error) {
				n++
				if n == 1 {
					return &http.Response{StatusCode: status, Header: http.Header{}, Body: endless{make(chan struct{})}}, nil
				}
				return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody}, nil
			})}
			began := time.Now()
			resp, err := trip(t, transport, http.MethodGet, nil, nil)
			if err != nil || resp.StatusCode != http.StatusOK {
				t.Fatalf("got %v, %v, want 200", resp, err)
			}
			took(t, began, time.Second, 3*time.Second)
		})
	}
}

// A caller that has a valid token waits 5 s for a longer life, once in 30 s.
func TestALongerLifeIsNotWaitedForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &function{}
		f.reply = func(ctx context.Context, n int) (*lambda.InvokeOutput, error) {
			if n > 1 {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return token(1, 300), nil
		}
		s := source(f)
		get(t, s, issueclient.Options{}, 1)
		began := time.Now()
		for range 100 {
			get(t, s, issueclient.Options{MinTTL: time.Hour}, 1)
		}
		took(t, began, 5*time.Second, 5*time.Second)
		f.invocations(t, 2)
		time.Sleep(30 * time.Second)
		get(t, s, issueclient.Options{MinTTL: time.Hour}, 1)
		f.invocations(t, 3)
	})
}
