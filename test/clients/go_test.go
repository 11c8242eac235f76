package clients

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/reltio-tokens/reltio-tokens/pkg/reltioauth/issueclient"
)

// wire carries the SDK's requests to a stub without a network, which a bubble
// cannot have.
type wire struct{ stub *stub }

// RoundTrip implements http.RoundTripper.
func (w wire) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var a answer
	record := httptest.NewRecorder()
	seen := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		payload, err := decode(body)
		if err != nil {
			rw.WriteHeader(http.StatusBadRequest)
			return
		}
		a, _ = w.stub.next(payload)
		if a.Silence || a.Half || a.Reset {
			return
		}
		a.write(rw, r, false, nil)
	})
	seen.ServeHTTP(record, r)
	if a.Reset {
		return nil, errors.New("connection reset by peer")
	}
	if a.Silence || a.Half {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	select {
	case <-time.After(seconds(a.Takes)):
		return record.Result(), nil
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

// lambdaOf is the SDK's client over a wire to a stub.
func lambdaOf(on *stub) *lambda.Client {
	return lambda.New(lambda.Options{
		Region: "eu-west-1", BaseEndpoint: aws.String("http://lambda"), HTTPClient: &http.Client{Transport: wire{on}},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "a", SecretAccessKey: "b"}, nil
		}),
	})
}

// runGo runs a case with the client in Go, in a bubble.
func runGo(t *testing.T, s *scenario, n int, on *stub) (all []did) {
	synctest.Test(t, func(t *testing.T) {
		began, ahead := time.Now(), time.Duration(0)
		source := &issueclient.Source{
			Connection: connectionOf(n),
			Lambda:     lambdaOf(on),
			Now:        func() time.Time { return time.Now().Add(ahead) },
		}
		if v := s.Options.Timeout; v != nil {
			source.Timeout = seconds(*v)
		}
		if v := s.Options.MaxRetryWait; v != nil {
			source.MaxRetryWait = seconds(*v)
		}
		if v := s.Options.RefreshBefore; v != nil {
			source.RefreshBefore = seconds(*v)
		}
		for _, c := range s.Calls {
			if c.At != nil {
				ahead = seconds(*c.At) - time.Since(began)
			}
			all = append(all, callGo(t.Context(), source, c, n, on))
		}
	})
	return all
}

func callGo(ctx context.Context, source *issueclient.Source, c call, n int, on *stub) did {
	began := time.Now()
	token, err := source.Get(ctx, issueclient.Options{MinTTL: time.Duration(c.MinTTL) * time.Second, Rejected: fingerprint(c.Rejected)})
	d := did{Waited: time.Since(began).Seconds(), Invocations: len(on.asked(connectionOf(n)))}
	d.Took = d.Waited
	var e *issueclient.Error
	switch {
	case errors.As(err, &e):
		d.Got, d.Message = string(e.Type), e.Message
	case errors.Is(err, context.DeadlineExceeded):
		d.Got = "StoreUnavailable" // the word of the other languages
	case err != nil:
		d.Got = err.Error()
	default:
		d.Got = "token " + strings.TrimPrefix(token.AccessToken.Reveal(), "token-")
		warnings := []any{}
		for _, w := range token.Warnings {
			warnings = append(warnings, string(w))
		}
		d.Fields = map[string]any{
			"token_type": token.TokenType, "scope": token.Scope, "version": float64(token.Version), "min_ttl_met": token.MinTTLMet,
			"api_url": token.APIURL, "tenant_id": token.TenantID, "warnings": warnings,
		}
	}
	return d
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
